"""`probe sweep`."""

from pathlib import Path
from typing import Annotated

from typer import BadParameter, Option

from probe.cli.options import JsonOption, SplitOption, TextsArgument
from probe.cli.reading import TextOptions, with_options
from probe.cli.show import Cell, progress, say, show_rows


@with_options
def sweep(
    corpus: TextsArgument,
    output: Annotated[Path, Option("--output", "-o", help="The folder that the models go to.")] = Path("sweep"),
    cell: Annotated[str, Option(help="Cells, with commas between.")] = "lstm,gru,rnn",
    layers: Annotated[str, Option(help="Numbers of recurrent layers.")] = "1,2",
    hidden: Annotated[str, Option(help="Numbers of units in each layer.")] = "64,128",
    split: SplitOption = "90,5,5",
    epochs: Annotated[int | None, Option(help="See probe train.", show_default=False)] = None,
    lanes: Annotated[int | None, Option(help="See probe train.", show_default=False)] = None,
    steps: Annotated[int, Option(help="See probe train.")] = 64,
    optimizer: Annotated[str, Option(help="See probe train.")] = "adamw",
    learning_rate: Annotated[float | None, Option(help="See probe train.", show_default=False)] = None,
    weight_decay: Annotated[float | None, Option(help="See probe train.", show_default=False)] = None,
    dropout: Annotated[float, Option(help="See probe train.")] = 0.0,
    patience: Annotated[int, Option(help="See probe train.")] = 0,
    min_count: Annotated[int, Option(help="See probe train.")] = 1,
    precision: Annotated[str, Option(help="See probe train.")] = "float32",
    device: Annotated[str, Option(help="See probe train.")] = "cpu",
    seed: Annotated[int, Option(help="See probe train.")] = 0,
    *,
    how_read: TextOptions,
    as_json: JsonOption = False,
) -> None:
    """Train a grid of models on one text and compare them.

    Every combination of cells, layers and hidden units is trained once; the same command later goes on where it was
    stopped, and trains only what is new. The folder then holds the models, results.csv, test_loss.png, and overlap.csv:
    the share of test characters that one model (row) gets right and another (column) does not. alone is the share that
    only this model gets right.

    Example:
        probe sweep corpus.txt --cell lstm,gru --layers 1,2 --hidden 64,128
    """
    from probe.plots import figure_of, plot_sweep, save_figure
    from probe.tables import write_table
    from probe.training.recipes import shares_of
    from probe.training.sweeps import sweep as train_all

    text = how_read.read(corpus)
    settings = {
        "epochs": epochs,
        "lanes": lanes,
        "optimizer": optimizer,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
        "n_steps": steps,
        "dropout": dropout,
        "patience": patience,
        "min_count": min_count,
        "precision": precision,
        "device": device,
        "seed": seed,
    }
    with progress("training") as report:
        found = train_all(
            text.cut(shares_of(split)),
            output,
            [each.strip() for each in cell.split(",")],
            _numbers("--layers", layers),
            _numbers("--hidden", hidden),
            settings=settings,
            progress=lambda name, done, total, note: report(done, total, f"{name}: {note}"),
        )
    rows: list[dict[str, Cell]] = [{**each.row()} for each in found.models]
    show_rows([{key: row[key] for key in row if as_json or key != "model"} for row in rows], as_json=as_json)
    write_table(output / "results.csv", rows)
    names = [each.name for each in found.models]
    overlap = [
        {"right": name, **dict(zip(names, shares.tolist(), strict=True))}
        for name, shares in zip(names, found.overlap, strict=True)
    ]
    write_table(output / "overlap.csv", overlap)
    save_figure(figure_of(plot_sweep(found)), output / "test_loss.png")
    say(f"{found}", quiet=as_json)
    say(f"{output}: models, results.csv, overlap.csv and test_loss.png", quiet=as_json)


def _numbers(option: str, asked: str) -> list[int]:
    try:
        return [int(each) for each in asked.split(",")]
    except ValueError:
        raise BadParameter(f"{option} is {asked!r}; name whole numbers with commas between, such as 1,2") from None
