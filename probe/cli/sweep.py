"""The command `probe sweep`, which trains and compares a grid of models."""

from pathlib import Path
from typing import Annotated

from typer import BadParameter, Option

from probe.cli import completion
from probe.cli.option_groups import with_options
from probe.cli.options import OverwriteOption, SplitOption, TextsArgument
from probe.cli.provenance import PROVENANCE, provenance
from probe.cli.reading import TextOptions, say_what_is_not_kept
from probe.cli.showing import TableCell, progress, say
from probe.cli.table_options import TableOptions
from probe.cli.training_options import TrainingOptions


@with_options
def sweep(
    corpus: TextsArgument,
    output: Annotated[Path, Option("--output", "-o", help="The folder that the models go to.")] = Path("sweep"),
    cell: Annotated[
        str, Option(help="Recurrent cells, with commas between.", autocompletion=completion.cells)
    ] = "lstm,gru,rnn",
    layers: Annotated[str, Option(help="Numbers of recurrent layers, with commas between.")] = "1,2",
    hidden: Annotated[str, Option(help="Numbers of units in each layer, with commas between.")] = "64,128",
    split: SplitOption = "90,5,5",
    overwrite: OverwriteOption = False,
    *,
    training: TrainingOptions,
    text_options: TextOptions,
    tables: TableOptions,
) -> None:
    """Train a grid of models on one text and compare them.

    Every combination of cells, layers and hidden units is trained once; the same command later continues where it was
    stopped, and trains only what is new; with another text or other settings, it needs --overwrite. The folder then
    holds the models, results.csv, test_loss.png, and overlap.csv: the share of test characters that one model (row)
    predicts correctly and another (column) does not. share_uniquely_correct is the share that one model predicts
    correctly, and no other does.

    Example:
        probe sweep corpus.txt --cell lstm,gru --layers 1,2 --hidden 64,128
    """
    from probe.training.recipes import shares_of
    from probe.training.sweeps import sweep as train_grid
    from probe.training.sweeps import write_sweep

    tables.check(*corpus)
    say_what_is_not_kept(corpus, "a training")
    text = text_options.read(corpus)
    with progress("training") as report:
        result = train_grid(
            text.cut(shares_of(split)),
            output,
            [name.strip() for name in cell.split(",")],
            _numbers("--layers", layers),
            _numbers("--hidden", hidden),
            settings=training.settings(),
            overwrite=overwrite,
            progress=lambda name, done, total, note: report(done, total, f"{name}: {note}"),
        )
    write_sweep(result, output)
    made = provenance(text_sha256=text.sha256, seed=training.seed)
    rows: list[dict[str, TableCell]] = [{**model.row(), **made} for model in result.models]
    tables.show(rows, [{key: row[key] for key in row if key not in ("model", *PROVENANCE)} for row in rows])
    say(f"{result}", quiet=tables.as_json)
    say(f"{output}: models, results.csv, overlap.csv and test_loss.png", quiet=tables.as_json)
    tables.write(rows)


def _numbers(option: str, numbers: str) -> list[int]:
    try:
        return [int(number) for number in numbers.split(",")]
    except ValueError:
        raise BadParameter(f"{option} is {numbers!r}; name whole numbers with commas between, such as 1,2") from None
