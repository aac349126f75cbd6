"""The command `probe steer`, which lets a model write with units held or a direction added."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from typer import BadParameter, Option

from probe.cli import completion
from probe.cli.analysis_options import check_seed
from probe.cli.cause_options import CauseSourceOptions
from probe.cli.option_groups import with_options
from probe.cli.options import HypothesesOption, SeedOption, TemperatureOption, TopKOption, WordsArgument, unescaped
from probe.cli.provenance import provenance
from probe.cli.sample_layout import show_columns
from probe.cli.showing import TableCell, progress, say
from probe.cli.table_options import TableOptions
from probe.cli.words import Subjects, tell_apart

if TYPE_CHECKING:
    from activations.models.char_rnn import CharRNN
    from activations.reading.live import LiveActivations
    from analyses.causes.directions import Direction
    from probe.steering import Steering, WritingOptions

_SHOWN = ("at", "measure", "unsteered", "steered", "effect", "low", "high", "matched", "p", "q")


@dataclass(frozen=True, slots=True, kw_only=True)
class SteerOptions:
    """Options of what a model is steered by, of the texts that it writes, and of what is shown of them."""

    hold: Annotated[
        list[str] | None,
        Option(
            help="Hold a unit at a value: 0/cell/163=1. With several values, as in 0/cell/163=-1,0,1, texts are "
            "written for each. May be repeated for units that are held together, each with as many values.",
            show_default=False,
        ),
    ] = None
    add: Annotated[
        str | None,
        Option(
            help="Add a direction in place of holding units: a hypothesis, whose direction is the mean of the site's "
            "values where it holds less the mean where it does not, in a recording or --text; or probe.npz, a kept "
            "probe, whose direction has length 1.",
            show_default=False,
        ),
    ] = None
    site: Annotated[
        str | None,
        Option(
            help="Where the direction is added, such as 1/cell (default: the last hidden state)",
            autocompletion=completion.sites,
            show_default=False,
        ),
    ] = None
    alpha: Annotated[str, Option(help="The factors of the direction, with commas between: -1,0,1,2.")] = "1"
    prompt: Annotated[
        str | None, Option(help="What each text begins with; \\n is a line feed, the default.", show_default=False)
    ] = None
    temperature: TemperatureOption = 1.0
    top_k: TopKOption = None
    samples: Annotated[int, Option(min=1, help="How many texts to write for each value or factor.")] = 40
    length: Annotated[int, Option(min=1, help="Characters of each text after the prompt.")] = 200
    matched: Annotated[
        int, Option(min=0, help="How many matched units or random directions stand beside each value or factor.")
    ] = 10
    seed: SeedOption = 0
    force: Annotated[
        bool,
        Option("--force", help="Hold units also at values outside their range, or add more than it is wide to any."),
    ] = False
    show: Annotated[
        int, Option(min=0, help="How many of the texts to print, each beside the unsteered one of the same seed.")
    ] = 0
    output: Annotated[
        Path | None,
        Option("--output", "-o", help="A picture of the effects: .png, .svg or .pdf.", show_default=False),
    ] = None

    def check(self, inputs: Sequence[Path]) -> None:
        """Refuse options that do not go together, or a picture that cannot be written, before any work."""
        from activations.files import check_output
        from probe.plots import check_picture

        check_seed(self.seed)
        if bool(self.hold) == (self.add is not None):
            raise BadParameter("say what to steer by: --hold 0/cell/163=1, or --add in_quotes")
        if self.hold and (self.site is not None or self.alpha != "1"):
            raise BadParameter("--site and --alpha are of a direction; a unit is held at a value: --hold 0/cell/163=1")
        if self.output is not None:
            check_picture(self.output)
            check_output(self.output, *inputs)

    @property
    def held(self) -> dict[str, Sequence[float]]:
        """The values of each unit that is held.

        Raises:
            BadParameter: If a unit or its values cannot be read.
        """
        values_by_unit: dict[str, Sequence[float]] = {}
        for spelled in self.hold or ():
            unit, sign, values = spelled.partition("=")
            if not sign or not unit.strip():
                raise BadParameter(f"{spelled!r} is no unit with a value; write --hold 0/cell/163=1")
            if unit.strip() in values_by_unit:
                raise BadParameter(f"{unit.strip()} is named twice; give all of its values at once: {unit.strip()}=0,1")
            values_by_unit[unit.strip()] = _numbers(values, spelled)
        return values_by_unit

    @property
    def factors(self) -> list[float]:
        """The factors of the direction."""
        return _numbers(self.alpha, self.alpha)

    def writing(self, device: str) -> "WritingOptions":
        """Return how texts are written."""
        from probe.steering import WritingOptions

        return WritingOptions(
            n_texts=self.samples,
            n_chars=self.length,
            prompt=None if self.prompt is None else unescaped(self.prompt),
            temperature=self.temperature,
            top_k=self.top_k,
            seed=self.seed,
            device=device,
        )


@with_options
def steer(
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    *,
    options: SteerOptions,
    source: CauseSourceOptions,
    tables: TableOptions,
) -> None:
    """Let a model write with units held, or with a direction added, and measure what changes in its texts.

    The units are held, or the direction is added, at every character, those of the prompt included. Each text is
    compared with the unsteered one that is drawn with the same random numbers. A hypothesis measures the share of
    characters at which it holds, or the mean of its numbers; loss is how well the unsteered model predicts the texts,
    in nats per character: does it still write well? Without a hypothesis, only the loss is measured. effect is the mean
    difference over the texts, with the ends of its 95 % interval by Student's t; the texts are the sample. matched is
    the same for other units of about the same variance, held as many standard deviations from their mean, or for random
    directions of the same length. p is the p-value under the null that the units or the direction are like these, and q
    the false discovery rate over the table.

    Several values, or factors of the direction, make a response curve, which --output draws.

    Example:
        probe steer in_quotes line_length --hold 0/cell/163=-1,0,1 --model model.pt -o steer.png

        probe steer --hold 0/cell/163=1 --model model.pt --show 1

        probe steer in_quotes activations.h5 --add in_quotes --site 1/hidden --alpha 0,1,2 --model model.pt
    """
    subjects = tell_apart(words, hypotheses)
    inputs = source.inputs(subjects)
    options.check(inputs)
    tables.check(*inputs)
    model, direction, text_sha256 = _model_and_direction(subjects, options, source)
    steering = _steer(model, direction, subjects.hypotheses, options, source.device)
    made = provenance(model_sha256=_sha256(model), text_sha256=text_sha256, seed=options.seed)
    rows: list[dict[str, TableCell]] = [{**row, **made} for row in steering.rows()]
    tables.show(rows, [{key: row[key] for key in _SHOWN} for row in rows])
    if not tables.as_json:
        _say_what_is_shown(steering)
        _show_texts(steering, options.show)
    tables.write(rows)
    if options.output is not None:
        _draw(steering, options.output, quiet=tables.as_json)


def _model_and_direction(
    subjects: Subjects, options: SteerOptions, source: CauseSourceOptions
) -> "tuple[CharRNN, Direction | None, str | None]":
    """Load the model; if a direction is to be added, find it in the activations on a text, and return that's hash."""
    from activations.errors import ActivationError

    if source.model is None:
        raise ActivationError("name the model that is to write: --model model.pt")
    from analyses.causes.directions import mean_difference, probe_direction

    if options.add is None or options.add.endswith(".npz"):
        if subjects.recordings or source.text:
            raise ActivationError(
                "a recording or --text is for --add HYPOTHESIS; to hold units or add a kept probe, the model is enough"
            )
        if options.add is not None and options.site is not None:
            raise ActivationError("--site is for --add HYPOTHESIS; a kept probe has a site of its own")
        of_probe = None if options.add is None else probe_direction(options.add)
        return cast("CharRNN", source.load_model(source.model)), of_probe, None
    from activations.units import in_order

    with source.open_model(subjects) as opened, progress(f"finding the direction of {options.add}") as report:
        sites = opened.model.sites
        last = in_order(sites, [site for site in sites if site.signal == "hidden"])[-1:]
        direction = mean_difference(opened.activations, options.add, options.site or last, progress=report)
        live = cast("LiveActivations", opened.model.source)
        return cast("CharRNN", live.model), direction, live.corpus.sha256


def _steer(
    model: "CharRNN", direction: "Direction | None", hypotheses: Sequence[str], options: SteerOptions, device: str
) -> "Steering":
    from probe.steering import steer as steer_model

    with progress("writing") as report:
        return steer_model(
            model,
            options.held if direction is None else direction,
            hypotheses,
            factors=options.factors,
            n_matched=options.matched,
            force=options.force,
            options=options.writing(device),
            progress=report,
        )


def _sha256(model: "CharRNN") -> str:
    from activations.models.identity import sha256

    return sha256(model)


def _say_what_is_shown(steering: "Steering") -> None:
    for finding in steering.findings:
        say(finding)
    matched = "units of the same site and variance" if steering.is_held else "random directions of the same length"
    say(
        f"{steering.steered}: {len(steering.unsteered)} texts of {steering.options.n_chars:,} characters each, beside "
        f"{steering.n_matched} {matched}; loss in nats per character"
    )


def _show_texts(steering: "Steering", n_shown: int) -> None:
    """Print some of the texts, each beside the unsteered one of the same seed."""
    heads = ["unsteered", *(sample.intervention for sample in steering.samples)]
    for number in range(min(n_shown, len(steering.unsteered))):
        say("")
        show_columns([steering.unsteered[number], *(sample.texts[number] for sample in steering.samples)], heads)


def _draw(steering: "Steering", path: Path, *, quiet: bool) -> None:
    from probe.plots import figure_of, plot_steering, save_figure

    save_figure(figure_of(plot_steering(steering)[0]), path)
    say(f"{path}: the effects as a picture", quiet=quiet)


def _numbers(values: str, spelled: str) -> list[float]:
    try:
        return [float(value) for value in values.split(",")]
    except ValueError as error:
        raise BadParameter(f"{spelled!r} has a value that is no number; write numbers with commas between") from error
