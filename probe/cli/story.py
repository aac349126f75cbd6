"""The command `probe story`, which asks all questions about one hypothesis and tells the answers on a page."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, cast

from typer import BadParameter, Option

from probe.cli.analysis_options import LabelOptions, TargetOptions, check_seed
from probe.cli.cause_options import CauseSourceOptions, ModelAndActivations, check_hypotheses
from probe.cli.option_groups import with_options
from probe.cli.options import HypothesesOption, SeedOption, WordsArgument
from probe.cli.provenance import provenance
from probe.cli.showing import progress, say
from probe.cli.table_options import TableOptions
from probe.cli.words import Subjects, tell_apart

if TYPE_CHECKING:
    from activations.reading.live import LiveActivations
    from analyses.session import Session
    from analyses.story_results import Story
    from analyses.targets.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryOptions:
    """Options of how effects are measured, and of the picture."""

    chars: Annotated[
        int,
        Option(min=200, help="How many characters to measure effects on, in passages spread over the text."),
    ] = 10_000
    matched: Annotated[
        int,
        Option(min=0, help="How many units, or directions, of about the same variance each is compared with."),
    ] = 12
    seed: SeedOption = 0
    output: Annotated[
        Path | None, Option("--output", "-o", help="A picture: .png, .svg or .pdf.", show_default=False)
    ] = None

    def check(self, subjects: Subjects, source: CauseSourceOptions) -> None:
        """Refuse several hypotheses, a seed that cannot be used, or a picture that cannot be written.

        Raises:
            BadParameter: If one of these is wrong.
        """
        from activations.files import check_output
        from probe.plots import check_picture

        check_hypotheses(subjects, "story")
        if len(subjects.hypotheses) > 1:
            raise BadParameter(f"a story is that of one hypothesis, and {', '.join(subjects.hypotheses)} are named")
        check_seed(self.seed)
        if self.output is not None:
            check_picture(self.output)
            check_output(self.output, *source.inputs(subjects))


@with_options
def story(
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    *,
    options: StoryOptions,
    source: CauseSourceOptions,
    labels: LabelOptions,
    tables: TableOptions,
) -> None:
    """Tell the whole story of a hypothesis: does the model know it, where, for how long, and does it use it?

    On one page: probes beside all controls (`probe fit`), the five best units (`probe rank`), how long the best of them
    keeps a change (`probe impulse`), what the model loses without it and without all five (`probe ablate`), and how far
    it follows if the unit, the direction from outside to inside, or the whole site is interchanged (`probe patch`), and
    whether the units follow the text if the character with which the hypothesis begins is deleted (`probe perturb`).
    Each sentence says what is shown and what is not; the commands by themselves have more options. Only the sites that
    the model carries from character to character are looked at, such as hidden and cell.

    Without a recording, --model or --text, the bundled model reads the bundled text.

    Example:
        probe story in_quotes

        probe story in_quotes activations.h5 --model model.pt -o story.png
    """
    from analyses.story import check_story

    subjects = tell_apart(words, hypotheses)
    options.check(subjects, source)
    tables.check(*source.inputs(subjects))
    with _opened(subjects, source) as opened:
        of_targets = TargetOptions(language=labels.language, no_cache=labels.no_cache)
        [target] = of_targets.targets(opened.model, subjects.hypotheses).made
        check_story(opened.model, target, options.chars)
        is_bundled = not (subjects.recordings or source.model or source.text)
        with _recorded(opened, is_bundled=is_bundled) as activations:
            result = _tell(opened.model, activations, target, labels.language, options)
        made = provenance(opened.model, seed=options.seed)
    rows = [{**row, **made} for row in result.rows()]
    if tables.as_json:
        tables.show(rows)
    else:
        say(str(result))
    tables.write(rows)
    if options.output is not None:
        _draw(result, options.output, quiet=tables.as_json)


@contextmanager
def _opened(subjects: Subjects, source: CauseSourceOptions) -> Iterator[ModelAndActivations]:
    """Open what is named, or the bundled model and text."""
    from analyses.session import Session
    from probe.demo import bundled_activations

    if subjects.recordings or source.model or source.text:
        with source.open_model(subjects) as opened:
            yield opened
        return
    if source.changed:
        raise BadParameter(f"{source.changed[0]} applies only with --model and --text")
    with Session(bundled_activations()) as session:
        yield ModelAndActivations(session, session)


@contextmanager
def _recorded(opened: ModelAndActivations, *, is_bundled: bool) -> Iterator["Session"]:
    """Give the activations; those of the bundled text, which is short, are recorded, and so read only once."""
    from activations.reading.extraction import extract
    from analyses.session import Session
    from probe.demo import SITES

    if not is_bundled:
        yield opened.activations
        return
    with TemporaryDirectory(prefix="char-probe-") as folder:
        with progress("reading the bundled text") as report:
            live = cast("LiveActivations", opened.model.source)
            made = extract(live, Path(folder) / "activations.h5", sites=SITES, progress=report)
        with Session(made.path) as session:
            yield session


def _tell(
    model: "Session", activations: "Session", target: "Target", language: str | None, options: StoryOptions
) -> "Story":
    from analyses.story import story as tell_story
    from analyses.targets.predictions import PREFIX
    from hypotheses.registry import get

    name = target.hypothesis

    with progress(f"the story of {target.hypothesis}") as report:
        return tell_story(
            model,
            target,
            activations=activations,
            labeller=name if name.startswith(PREFIX) else get(name, language=language),
            n_chars=options.chars,
            n_matched=options.matched,
            seed=options.seed,
            progress=report,
        )


def _draw(told: "Story", path: Path, *, quiet: bool) -> None:
    from probe.plots import figure_of, plot_story, save_figure

    save_figure(figure_of(plot_story(told)[0]), path)
    say(f"{path}: the story as a picture", quiet=quiet)
