"""The command `probe train`, which trains a model on text files."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from typer import BadParameter, Context, Option

from probe.cli.option_groups import spelled, with_options
from probe.cli.options import (
    OverwriteOption,
    ReplaceOption,
    ReplaceWithOption,
    SplitOption,
    TextsArgument,
    unescaped,
)
from probe.cli.provenance import PROVENANCE, provenance
from probe.cli.reading import RuledTextOptions, say_what_is_not_kept, warn_of_replaced
from probe.cli.showing import TableCell, progress, say
from probe.cli.table_options import TableOptions
from probe.cli.training_options import ShapeOptions, TrainingOptions

if TYPE_CHECKING:
    from activations.models.char_rnn import CharRNN, ModelConfig
    from activations.models.training.results import Training
    from activations.texts.corpus import Corpus
    from activations.texts.reading_rule import ReadingRule
    from activations.texts.vocab import Vocabulary
    from probe.training.runs import Run

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
    overwrite: OverwriteOption = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StartOptions:
    """Options of the model that a training begins with, and of how it reads characters that it does not know."""

    from_model: Annotated[
        Path | None,
        Option(
            "--from",
            help="Train this model further: its weights, shape, vocabulary and reading rule are what it begins with.",
            metavar="MODEL",
            show_default=False,
        ),
    ] = None
    replace_unknown: ReplaceOption = False
    replace_unknown_with: ReplaceWithOption = None

    @property
    def files(self) -> list[Path]:
        """The files that are read, and that no output may overwrite."""
        return [] if self.from_model is None else [self.from_model]

    def check(self, context: Context) -> None:
        """Refuse options of a new model with `--from`, and those of a trained one without it."""
        given = {name for name in context.params if _is_given(context, name)}
        if self.from_model is None:
            for name in ("replace_unknown", "replace_unknown_with"):
                if name in given:
                    raise BadParameter(
                        f"{spelled(StartOptions, name)} is for a model that was trained before: it goes with --from; a "
                        "new model knows all characters of its texts but rare ones (--min-count)"
                    )
            return
        for group, names in (
            (ShapeOptions, {field.name for field in fields(ShapeOptions)}),
            (TrainingOptions, {"min_count"}),
        ):
            for name in sorted(names & given):
                raise BadParameter(
                    f"{spelled(group, name)} is for a new model, and with --from its shape and vocabulary are those of "
                    f"{self.from_model}; remove it"
                )

    def vocabulary(self, model: "CharRNN", rule: "ReadingRule", texts: "Sequence[Corpus]") -> "Vocabulary":
        """Return a model's vocabulary with the replacement that is wanted, and warn of characters that it replaces.

        Raises:
            ActivationError: If the texts have characters that the model does not know and that may not be replaced.
        """
        from activations.texts.tokenising import check_text

        stand_in, vocabulary = self.replace_unknown_with, model.vocabulary
        vocabulary = vocabulary if stand_in is None else vocabulary.replacing_by(unescaped(stand_in))
        n_replaced = sum(check_text(text, rule, vocabulary, replace_unknown=self.replaces) for text in texts)
        if n_replaced:
            warn_of_replaced(n_replaced, vocabulary)
        return vocabulary

    @property
    def replaces(self) -> bool:
        """True if characters that the model does not know are read as its replacement."""
        return self.replace_unknown or self.replace_unknown_with is not None


def _is_given(context: Context, name: str) -> bool:
    """Tell whether an option was given on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name != "DEFAULT"


@with_options
def train(
    context: Context,
    corpus: TextsArgument,
    output: Annotated[Path, Option("--output", "-o", help="Where the model goes.")] = Path("model.pt"),
    *,
    start: StartOptions,
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
    """Train a character language model on text files, from scratch or from the weights of another model.

    The best model so far, by the held-out part of the text, is always in the output. A folder beside it, whose name
    ends in .training, has the loss curve (losses.csv, losses.png), samples and checkpoints (with --sample-every and
    --checkpoint-every), and what --resume needs: the same command with --resume ends as if the training had not been
    interrupted.

    Example:
        probe train corpus.txt -o model.pt
        probe train more.txt --from model.pt -o further.pt
    """
    from activations.files import check_output
    from activations.models.checkpoints import load_model, training_record
    from activations.texts.reading_rule import PLAIN
    from probe.training.recipes import cell_name_of, shares_of
    from probe.training.runs import Run

    start.check(context)
    inputs = [*corpus, *(held_out or []), *start.files]
    check_output(output, *inputs)
    tables.check(*inputs)
    run = Run(
        output,
        weights=run_options.weights,
        sample_every=run_options.sample_every,
        checkpoint_every=run_options.checkpoint_every,
    )
    run.check_inputs(inputs)
    trained = None if start.from_model is None else load_model(start.from_model)
    rule = text_options.rule(PLAIN if trained is None else trained.reading_rule)
    say_what_is_not_kept(inputs, "a training")
    text = text_options.read(corpus)
    parts = [text, text_options.read(held_out)] if held_out else text.cut(shares_of(split))
    model: ModelConfig | CharRNN = trained or shape.model_config(len(parts[0]))
    config = training.training_config(shape.cell if trained is None else cell_name_of(trained), len(parts[0]))
    vocabulary = None if trained is None else start.vocabulary(trained, rule, parts)
    run.begin(resume=run_options.resume, overwrite=run_options.overwrite)
    with progress("training") as report:
        result = run.train(
            parts,
            model,
            config,
            rule,
            progress=report,
            vocabulary=vocabulary,
            replace_unknown=start.replaces,
            before=None if start.from_model is None else training_record(start.from_model),
        )
    _show(result, run, (text, *parts[1:]), start=start, tables=tables)


def _show(
    result: "Training", run: "Run", texts: "Sequence[Corpus]", *, start: StartOptions, tables: TableOptions
) -> None:
    """Show the losses of a training, and how well the model that is kept predicts what it was not trained on.

    Args:
        result: The training.
        run: Its folder, and the model's file.
        texts: The text of the command, the part of it by which the model was judged, and those of a test.
        start: The model that the training began with.
        tables: Where the rows go.
    """
    from activations.models.checkpoints import load_model, model_sha256
    from activations.models.evaluation import evaluate

    output, model = run.model, load_model(run.model)
    made = provenance(model_sha256=model_sha256(model), text_sha256=texts[0].sha256, seed=result.config.seed)
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
    for name, part in zip(("held-out", "test"), texts[1:], strict=False):
        evaluation = evaluate(model, part, replace_unknown=True)
        say(f"{output}, on {len(part):,} {name} characters: {evaluation}", quiet=tables.as_json)
    if start.from_model is not None and result.best == result.held_out[0]:
        say(
            f"{output}: no round of the training predicts the held-out text better than {start.from_model} does, and "
            "these are its weights",
            quiet=tables.as_json,
        )
    say(f"{run.folder / 'losses.png'}: how the loss fell", quiet=tables.as_json)
    tables.write(rows)
