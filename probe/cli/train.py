"""The command `probe train`, which trains a model on text files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from typer import Option

from probe.cli.option_groups import with_options
from probe.cli.options import SplitOption, TextsArgument
from probe.cli.provenance import PROVENANCE, provenance
from probe.cli.reading import RuledTextOptions
from probe.cli.show import TableCell, progress, say
from probe.cli.table_options import TableOptions
from probe.cli.training_options import ShapeOptions, TrainingOptions

Weights = Literal["float32", "float16"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Options of what a training leaves behind, and of continuing an interrupted one."""

    weights: Annotated[Weights, Option(help="Number type of the stored weights; float16 halves the file.")] = "float32"
    sample_every: Annotated[
        float,
        Option(help="Write a sample to samples.txt after 0, 1, F, F², F³ … updates; 0: never.", metavar="F"),
    ] = 0.0
    checkpoint_every: Annotated[
        float, Option(help="Keep the model as it is after 0, 1, F, F², F³ … updates; 0: never.", metavar="F")
    ] = 0.0
    resume: Annotated[bool, Option("--resume", help="Continue a training that was interrupted.")] = False


@with_options
def train(
    corpus: TextsArgument,
    output: Annotated[Path, Option("--output", "-o", help="Where the model goes.")] = Path("model.pt"),
    *,
    shape: ShapeOptions,
    split: SplitOption = "95,5",
    held_out: Annotated[
        list[Path] | None,
        Option(
            help="Text to judge the model by, instead of a part of the corpus; may be repeated.", show_default=False
        ),
    ] = None,
    training: TrainingOptions,
    run_options: RunOptions,
    text_options: RuledTextOptions,
    tables: TableOptions,
) -> None:
    """Train a character language model on text files.

    The best model so far, by the held-out part of the text, is always in the output. A folder beside it, whose name
    ends in .training, has the loss curve (losses.csv, losses.png), samples and checkpoints (with --sample-every and
    --checkpoint-every), and what --resume needs: the same command with --resume ends as if the training had not been
    interrupted.

    Example:
        probe train corpus.txt -o model.pt
    """
    from activations.files import check_output
    from activations.models.checkpoints import load_model, model_sha256
    from activations.models.evaluation import evaluate
    from activations.texts.reading_rule import PLAIN
    from probe.training.recipes import shares_of
    from probe.training.runs import Run

    rule = text_options.rule(PLAIN)
    inputs = [*corpus, *(held_out or [])]
    check_output(output, *inputs)
    tables.check(*inputs)
    run = Run(
        output,
        weights=run_options.weights,
        sample_every=run_options.sample_every,
        checkpoint_every=run_options.checkpoint_every,
    )
    text = text_options.read(corpus)
    parts = [text, text_options.read(held_out)] if held_out else text.cut(shares_of(split))
    model_config = shape.model_config(len(parts[0]))
    config = training.training_config(shape.cell, len(parts[0]))
    run.begin(resume=run_options.resume)
    with progress("training") as report:
        result = run.train(parts, model_config, config, rule, progress=report)
    model = load_model(output)
    made = provenance(model_sha256=model_sha256(model), text_sha256=text.sha256, seed=training.seed)
    judged = [row.epoch for row in result.rows if row.held_out is not None]
    rows: list[dict[str, TableCell]] = [
        {
            "epoch": int(epoch) if epoch == int(epoch) else epoch,
            "nats_per_char": loss,
            "held_out_nats_per_char": evaluation.nats_per_char,
            **made,
        }
        for epoch, loss, evaluation in zip(judged, result.losses, result.held_out, strict=True)
    ]
    tables.show(rows, [{key: row[key] for key in row if key not in PROVENANCE} for row in rows])
    for name, part in zip(("held-out", "test"), parts[1:], strict=False):
        evaluation = evaluate(model, part, replace_unknown=True)
        say(f"{output}: {evaluation} of {len(part):,} {name} characters", quiet=tables.as_json)
    say(f"{run.folder / 'losses.png'}: how the loss fell", quiet=tables.as_json)
    tables.write(rows)
