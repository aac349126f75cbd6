"""The command `probe view`, which shows a text coloured by units, hypotheses, probes and the model's loss."""

import math
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from typer import BadParameter, Option

from probe.cli import completion
from probe.cli.analysis_options import SiteOptions, TargetOptions, report_kept
from probe.cli.option_groups import with_options
from probe.cli.options import HypothesesOption, WordsArgument
from probe.cli.provenance import provenance
from probe.cli.reading import range_ends
from probe.cli.showing import TableCell, progress, say, warn
from probe.cli.sources import SourceOptions
from probe.cli.table_options import TableOptions
from probe.cli.words import tell_apart

if TYPE_CHECKING:
    from activations.blocks import Source
    from activations.progress import Progress
    from analyses.probing.kept_probes import Probe
    from analyses.session import Session
    from probe.viewer.making import AnyLabelling
    from probe.viewer.text_view import TextView, Track

Middle = Literal["zero", "median"]
_PAGE = ".html"
_PAGE_CHARS, _SHORT_CHARS = 20_000, 800


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewSourceOptions(SourceOptions):
    """Options of a model that reads a text now, in which `--range` is the passage that is shown."""

    part: Annotated[
        str | None, Option("--range", help="The passage to show: from:to in characters.", show_default=False)
    ] = None
    NAMES_OF_SOURCE: ClassVar[frozenset[str]] = frozenset({"model", "text", "part"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackOptions:
    """Options of what colours the text."""

    unit: Annotated[
        list[str] | None,
        Option(
            help="A unit, such as 0/cell/226; or a site, such as 0/cell, which stands for some of its units. May be "
            "repeated.",
            autocompletion=completion.units,
            show_default=False,
        ),
    ] = None
    probe: Annotated[
        Path | None,
        Option(
            help="A file that `probe fit --save` wrote: what its probes say. Of several, those of the hypotheses that "
            "are named; of several of one hypothesis, those from --sites, or the first.",
            show_default=False,
        ),
    ] = None
    loss: Annotated[bool, Option("--loss", help="The model's loss at each character, given those before, in nats.")] = (
        False
    )
    guesses: Annotated[
        bool, Option("--guesses", help="The model's five best guesses of the next character, below the text.")
    ] = False
    top: Annotated[
        int | None,
        Option(
            min=1,
            help="Add so many units: of the --unit that are sites, of --sites, or of all. They are the best ones for "
            "each hypothesis, or, without any, those that vary most in the passage (default: 5 if a site is named as "
            "--unit)",
            show_default=False,
        ),
    ] = None
    each: Annotated[bool, Option("--each", help="Show the passage once for each unit (as with more than 4 rows).")] = (
        False
    )
    middle: Annotated[
        Middle | None,
        Option(
            help="Which activation has the colour of the paper (default: zero, or the median in the passage for sites "
            "that take one sign, such as gates)",
            show_default=False,
        ),
    ] = None
    any_model: Annotated[
        bool, Option("--any-model", help="Apply probes to another model than theirs, too, such as another checkpoint.")
    ] = False

    def probes(self, source: "Source", sites: SiteOptions, hypotheses: list[str]) -> "list[Probe]":
        """Read the probes of the hypotheses and sites that are named, if they are in the file.

        Raises:
            AnalysisError: If the file holds no probes, or none of these sites.
        """
        from analyses.errors import AnalysisError
        from analyses.probing.kept_probes import load_probes

        if self.probe is None:
            return []
        kept = load_probes(self.probe)
        chosen = [probe for probe in kept if probe.hypothesis in hypotheses] or kept
        wanted = sites.chosen_if_any(source)
        if wanted is not None:
            chosen = [probe for probe in chosen if set(probe.sites) <= set(wanted)]
            if not chosen:
                there = ", ".join(dict.fromkeys(probe.site for probe in kept))
                raise AnalysisError(f"{self.probe} holds no probe from {', '.join(map(str, wanted))}; it has {there}")
            return chosen
        firsts = {probe.hypothesis: probe for probe in reversed(chosen)}
        for hypothesis, first in firsts.items():
            from_sites = [probe.site for probe in chosen if probe.hypothesis == hypothesis]
            if len(from_sites) > 1:
                warn(
                    f"{self.probe} holds probes of {hypothesis} from {', '.join(from_sites)}: that from "
                    f"{first.site} is shown; --sites names others"
                )
        return [probe for probe in chosen if firsts[probe.hypothesis] is probe]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOptions:
    """Options of which passage is shown, and where it goes."""

    around: Annotated[
        int | None,
        Option(help="Show the passage around this character (-1: the last).", metavar="POSITION", show_default=False),
    ] = None
    find: Annotated[
        str | None,
        Option(help="Show the passage around the first match of this regular expression.", show_default=False),
    ] = None
    chars: Annotated[
        int | None,
        Option(
            min=1,
            help="About how many characters to show, if no --range is given (default: 800, in a page 20,000)",
            show_default=False,
        ),
    ] = None
    output: Annotated[
        Path | None,
        Option(
            "--output",
            "-o",
            help="A page to explore, .html, or a picture: .png, .svg or .pdf (default: in the terminal)",
            show_default=False,
        ),
    ] = None

    @property
    def is_page(self) -> bool:
        """True if the view goes to a page."""
        return self.output is not None and self.output.suffix.lower() == _PAGE

    def check(self, inputs: list[Path]) -> None:
        """Refuse a file that could not be written, before any work.

        Raises:
            BadParameter: If its ending is not known.
            ActivationError: If it cannot be written.
        """
        from activations.files import check_output
        from probe.pictures.figures import PICTURES

        if self.output is None:
            return
        if self.output.suffix.lower() not in (_PAGE, *PICTURES):
            raise BadParameter(
                f"{self.output} has an ending that is not known; end its name in {_PAGE} for a page, or in "
                f"{', '.join(PICTURES)} for a picture"
            )
        check_output(self.output, *inputs)


@with_options
def view(
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    *,
    tracks: TrackOptions,
    place: PlaceOptions,
    sites: SiteOptions,
    source: ViewSourceOptions,
    labels: TargetOptions,
    tables: TableOptions,
) -> None:
    """Show a passage of the text, coloured by units, hypotheses, probes and the model's loss.

    Without --around, --find and --range, it is where the first hypothesis first changes, or the beginning; with
    --probe, where the probe was not fitted. The first row colours the characters, the others strips below them:
    hypotheses, probes, units, the loss. With more than four, or with --each, every unit has the passage for itself.
    Several recordings of one text are shown one below the other, in the same colours. With nothing but a recording, the
    loss is shown.

    In a terminal with few colours, with NO_COLOR, and in a pipe, there are marks below the characters. --json and --csv
    give a row for each character, with the values that are drawn, in 255 steps.

    Example:
        probe view --unit 0/cell/226 -H in_quotes --loss

        probe view in_quotes --probe probe.npz --top 1 -o quotes.png

        probe view --unit 0/hidden --top 20 --find TODO -o units.html
    """
    subjects = tell_apart(words, hypotheses)
    inputs = [*source.inputs(subjects), *([tracks.probe] if tracks.probe else [])]
    place.check(inputs)
    tables.check(*inputs)
    span = None if source.part is None else range_ends(source.part)
    with replace(source, part=None).open(subjects) as opened:
        named = {name or subjects.paths[0].stem: session for name, session in opened}
        made = _view(named, subjects.hypotheses, span, tracks, place, sites, labels)
        origin = provenance(opened[0][1] if len(opened) == 1 else None, text_sha256=opened[0][1].corpus.sha256)
    if tables.as_json or tables.csv is not None:
        rows = [{**row, **origin} for row in _rows(made)]
        if tables.as_json:
            tables.show(rows)
        tables.write(rows)
    if place.output is not None:
        _write(made, place.output, quiet=tables.as_json)
    elif not tables.as_json:
        _print(made)


def _view(
    sessions: "Mapping[str, Session]",
    hypotheses: list[str],
    span: tuple[int | None, int | None] | None,
    tracks: TrackOptions,
    place: PlaceOptions,
    sites: SiteOptions,
    labels: TargetOptions,
) -> "TextView":
    """Make the view that the options ask for."""
    from probe.viewer.making import text_view

    first = next(iter(sessions.values()))
    probes = tracks.probes(first, sites, hypotheses)  # a file that is missing is missed before the text is labelled
    units = list(tracks.unit or ())
    if tracks.top is not None:
        units += [str(site) for site in sites.chosen_if_any(first) or ()]
    with ExitStack() as stack:

        @cache
        def bar() -> "Progress":
            return stack.enter_context(progress("ranking units"))

        return text_view(
            sessions if len(sessions) > 1 else first,
            units=units,
            hypotheses=_labelled(first, hypotheses, labels),
            probes=probes,
            loss=tracks.loss,
            guesses=tracks.guesses,
            around=place.around,
            find=place.find,
            span=span,
            n_chars=place.chars or (_PAGE_CHARS if place.is_page else _SHORT_CHARS),
            top=tracks.top,
            panel_for_each=tracks.each,
            middle=tracks.middle,
            any_model=tracks.any_model,
            progress=lambda done, total: bar()(done, total),  # no bar where nothing is ranked
        )


def _labelled(source: "Source", hypotheses: list[str], options: TargetOptions) -> "list[AnyLabelling]":
    """Label the text by hypotheses; one of several that fails does not stop the others."""
    from analyses.targets.labelling import label_in_pieces
    from analyses.targets.predictions import PREFIX
    from hypotheses.errors import HypothesisError
    from hypotheses.registry import get

    labelled: list[AnyLabelling] = []
    for name in hypotheses:
        if name.startswith(PREFIX):
            labelled.append(name)
            continue
        try:
            hypothesis = get(name, language=options.language)
            hypothesis = hypothesis.lagged(options.lag) if options.lag else hypothesis
            labels = label_in_pieces(source.corpus, hypothesis, use_cache=not options.no_cache, notice=warn)
        except HypothesisError as error:
            if len(hypotheses) == 1:
                raise
            warn(f"no labels of {name}: {error}")
            continue
        report_kept({hypothesis.name: labels[:0]})
        labelled.append((hypothesis.name, labels))
    return labelled


def _rows(view: "TextView") -> Iterator[dict[str, TableCell]]:
    """Yield a row for each character, with the values that are drawn."""
    values = {
        f"{panel.title}: {track.name}" if panel.title else track.name: _cells(track)
        for panel in view.panels
        for track in panel.tracks
    }
    for index, character in enumerate(view.text):
        row: dict[str, TableCell] = {"position": view.start + index, "character": character}
        row |= {name: cells[index] for name, cells in values.items()}
        if view.guesses is not None:
            of_character = zip(view.guesses.ids[index].tolist(), view.guesses.levels[index].tolist(), strict=True)
            for rank, (number, level) in enumerate(of_character, start=1):
                row[f"guess_{rank}"] = view.guesses.characters[number] if level else None
                row[f"guess_{rank}_probability"] = round(level / 255, 3)
        yield row


def _cells(track: "Track") -> list[TableCell]:
    """(n_chars,) what a track says of each character: True or False, the name of a class, or a number."""
    scale = track.scale
    if scale.kind in ("binary", "classes"):
        names: dict[int, TableCell] = dict(enumerate((False, True) if scale.kind == "binary" else scale.classes))
        return [names.get(level) for level in track.levels.tolist()]
    return [None if math.isnan(value) else round(value, scale.digits) for value in track.values.tolist()]


def _write(view: "TextView", path: Path, *, quiet: bool) -> None:
    """Write a page or a picture, whole or not at all."""
    from probe.viewer.widget import save_view

    save_view(view, path)
    for note in view.notes:
        say(note, quiet=quiet)
    say(f"{path}: {view.title}", quiet=quiet)


def _print(view: "TextView") -> None:
    from probe.viewer.terminal import show_view

    show_view(view)
