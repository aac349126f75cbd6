"""Options, and the loop over hypotheses, of commands that change a model while it reads."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple, Protocol, TypeVar, cast

from typer import BadParameter, Option

from probe.cli import completion
from probe.cli.analysis_options import SiteOptions, TargetOptions, check_seed
from probe.cli.options import SeedOption
from probe.cli.provenance import provenance
from probe.cli.showing import TableCell, progress, say, warn, warn_of_reasons
from probe.cli.sources import SourceOptions
from probe.cli.table_options import TableOptions
from probe.cli.words import Subjects

if TYPE_CHECKING:
    from activations.reading.live import LiveActivations
    from activations.recordings.recording import Recording
    from activations.units import Unit
    from analyses.session import Session
    from analyses.targets.target import Target

BEST, ALL = "best", "all"


MatchedOption = Annotated[
    int,
    Option(min=0, help="How many units of the same site and about the same variance each unit is compared with."),
]


class ModelAndActivations(NamedTuple):
    """A model that can be changed while it reads, and the quickest source of its activations.

    Attributes:
        model: Live activations.
        activations: The recording, or the live activations if there is none.
    """

    model: "Session"
    activations: "Session"


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseSourceOptions(SourceOptions):
    """Options of the model that is changed while it reads: that of a recording, or one that reads a text now."""

    WITH_A_RECORDING: ClassVar[frozenset[str]] = frozenset({"--model-factory", "--device", "--precision"})

    @contextmanager
    def open_model(self, subjects: Subjects) -> Iterator[ModelAndActivations]:
        """Open the model and its text, and the recording if there is one.

        Raises:
            ActivationError: If there is no model, or it is not that of the recording; if there are several recordings,
                one and a text, or options of reading that a recording has settled.
        """
        from activations.errors import ActivationError
        from analyses.session import Session

        if self.model is None:
            raise ActivationError(
                "an intervention changes the model while it reads, and a recording has only its activations; name the "
                "model, too: --model model.pt"
            )
        with ExitStack() as stack:
            if self.text:
                [(_, session)] = stack.enter_context(self.open(subjects))
                yield ModelAndActivations(session, session)
                return
            recorded = stack.enter_context(self._open_recording(subjects))
            yield ModelAndActivations(stack.enter_context(Session(self._reading_again(recorded, self.model))), recorded)

    @contextmanager
    def _open_recording(self, subjects: Subjects) -> Iterator["Session"]:
        from activations.errors import ActivationError
        from analyses.session import Session

        if len(subjects.recordings) > 1:
            raise ActivationError(f"{len(subjects.recordings)} recordings are named, and --model is that of one")
        if settled := [option for option in self.changed if option not in self.WITH_A_RECORDING]:
            raise ActivationError(
                f"{settled[0]} applies only with --text; with a recording, the model reads as it was recorded"
            )
        [path] = subjects.paths
        if not subjects.recordings and not path.exists():
            raise ActivationError("--model needs a recording or --text, too: what the model is to read")
        subjects.say_default()
        with Session(path) as session:
            yield session

    def _reading_again(self, recorded: "Session", model: Path) -> "LiveActivations":
        from activations.reading.lanes.compute_options import ComputeOptions
        from activations.reading.rereading import live
        from probe.cli.reading import load_or_build

        compute = ComputeOptions(device=self.device, precision=self.precision)
        reader = load_or_build(model, self.model_factory) if self.model_factory else model
        return live(cast("Recording", recorded.source), reader, compute=compute)


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectOptions:
    """Options of how effects are measured: on how many characters, and beside how many matched units."""

    chars: Annotated[
        int,
        Option(min=200, help="How many characters to measure on, in passages spread over the text; fewer are quicker."),
    ] = 20_000
    matched: MatchedOption = 20
    seed: SeedOption = 0

    def check(self) -> None:
        """Refuse a seed that random generators do not take."""
        check_seed(self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitOptions(SiteOptions):
    """Options of which units are changed."""

    units: Annotated[
        list[str] | None,
        Option(
            help="Such as 0/cell/37,1/cell/40, or 0/cell for all units of a site; may be repeated. all: all units of "
            "--sites (default: best, the --top of `probe rank`)",
            autocompletion=completion.units,
            show_default=False,
        ),
    ] = None
    top: Annotated[int, Option(min=1, help="How many of the best units.")] = 10
    rank_chars: Annotated[
        int,
        Option(
            min=200,
            help="How many characters the best units are found on, in passages spread over the text; a shorter text is "
            "ranked whole.",
        ),
    ] = 30_000

    @property
    def are_best(self) -> bool:
        """True if the units are those that `probe rank` puts first."""
        return self.units in (None, [BEST])

    def chosen_units(self, opened: ModelAndActivations, target: "Target") -> "list[Unit]":
        """List the units that are asked for.

        Raises:
            ActivationError: If a unit or a site does not exist.
            BadParameter: If both units and sites are named.
        """
        from activations.site_names import select_units_or_sites
        from activations.units import units_of
        from analyses.causes.choosing_units import best_ranked_units

        sizes = opened.model.sites
        if not self.are_best and self.units != [ALL]:
            if self.sites is not None or self.layer is not None:
                raise BadParameter("--units names units, and --sites others; leave one of the two out")
            return select_units_or_sites(sizes, self.units or [])
        if not self.are_best:
            return units_of(sizes, self.chosen(opened.model))
        with progress(f"ranking for {target.hypothesis}") as report:
            return best_ranked_units(
                opened.activations,
                target,
                self.top,
                sites=self.chosen(opened.activations),
                n_chars=self.rank_chars,
                model=opened.model,
                progress=report,
            )


def check_hypotheses(subjects: Subjects, command: str) -> None:
    """Refuse a command without a hypothesis.

    Raises:
        BadParameter: If none is named.
    """
    if not subjects.hypotheses:
        raise BadParameter(f"name a hypothesis, such as `probe {command} in_quotes`")


Rows = Sequence[Mapping[str, TableCell]]


class CauseResult(Protocol):
    """The result of one hypothesis."""

    def rows(self) -> Rows:
        """Return what `--json` prints of it."""
        ...


Result = TypeVar("Result", bound=CauseResult)


@dataclass(frozen=True, slots=True, kw_only=True)
class CauseCommand:
    """The arguments of a command that measures the same for one hypothesis after another.

    Attributes:
        subjects: The hypotheses and recordings.
        source: The model, and what it reads.
        labels: How the text is labelled.
        tables: Where rows go.
        seed: The seed of all draws.
        measured: What is measured, to say that there is none of a hypothesis.
    """

    subjects: Subjects
    source: CauseSourceOptions
    labels: TargetOptions
    tables: TableOptions
    seed: int
    measured: str = "effects"

    def for_each_hypothesis(
        self,
        measure: Callable[[ModelAndActivations, "Target"], Result],
        table: Callable[[Result], Rows],
        say_what_is_shown: Callable[[Result], None],
    ) -> list[Result]:
        """Open the model, label its text, measure and show each hypothesis, and write the rows of all.

        Args:
            measure: Returns the result of a hypothesis, given the model and the labels.
            table: Returns the rows of a result that are shown as a table.
            say_what_is_shown: Says in sentences what is shown.

        Returns:
            The results. Hypotheses that do not apply to the text have none, and a warning says why.
        """
        rows: list[dict[str, TableCell]] = []
        results: list[Result] = []
        with self.source.open_model(self.subjects) as opened:
            targets = self.labels.targets(opened.model, self.subjects.hypotheses)
            made = provenance(opened.model, seed=self.seed)
            for target in targets.made:
                result = measure(opened, target)
                rows_of_result = [{**row, **made} for row in result.rows()]
                self.tables.show(rows_of_result, table(result))
                say_what_is_shown(result)
                rows += rows_of_result
                results.append(result)
        warn_of_reasons(f"no {self.measured} for", targets.reasons)
        self.tables.write(rows)
        return results


def draw_first(
    results: Sequence[Result], path: Path | None, draw: Callable[[Result], Any], what: str, *, quiet: bool
) -> None:
    """Draw the result of the first hypothesis into a picture, if there is one and a path is given.

    Args:
        results: The results.
        path: The picture; None is none.
        draw: Draws a result, and returns its Axes.
        what: What the picture shows.
        quiet: Whether only warnings are printed.
    """
    from probe.plots import figure_of, save_figure

    if path is None or not results:
        return
    if len(results) > 1:
        warn(f"{path} is of the first hypothesis alone; draw the others by themselves")
    save_figure(figure_of(draw(results[0])), path)
    say(f"{path}: {what}", quiet=quiet)
