"""`probe explain`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from probe.cli.options import (
    JsonOption,
    LagOption,
    LanguageOption,
    ModelOption,
    NoCacheOption,
    RecordingArgument,
    TextOption,
)
from probe.cli.reading import ReadingOptions, with_options
from probe.cli.show import SIGNS, progress, say, show_rows, visible
from probe.cli.sources import ask, ask_all, open_source

if TYPE_CHECKING:
    from analyses.ranking.explaining.explanation import Explanation, Passage
    from analyses.ranking.explaining.tuning import Tuning

_WIDEST_BAR = 40
_MOST_BARS = 24
_NOT_IN_TABLE = ("period", "wave_p")  # they stand above the curves


@with_options
def explain(
    unit: Annotated[str, Argument(help="Written layer/signal/index, such as 1/cell/37.")],
    recording: RecordingArgument = Path("activations.h5"),
    hypothesis: Annotated[
        list[str] | None,
        Option("--hypothesis", "-H", help="Only this one; may be repeated (default: all)", show_default=False),
    ] = None,
    top: Annotated[int, Option(min=1, help="How many hypotheses to show.")] = 12,
    passages: Annotated[int, Option(min=0, help="How many passages to show, where it is most and least active.")] = 5,
    model: ModelOption = None,
    text: TextOption = None,
    *,
    how_read: ReadingOptions,
    lag: LagOption = 0,
    language: LanguageOption = None,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """What does a unit answer to? A ranking turned round.

    First the hypotheses that explain most of the unit together: adds is the share of its held-out variance that each
    explains beyond those above it, by the unit's means in its classes (of a number, in bins). Then the others, by how
    well the unit tells them; the columns are those of probe rank, and q is over the hypotheses. Below, the unit's
    means over the labels of the first, as bars that begin at its median, and the passages where it is most and least
    active, the character marked.

    Of a number, a unit may make a wave, which goes up and down at least twice. It is looked for in every other stretch
    of the text, and tested in those between: p is how often a curve with one peak at most (which rises, falls, or has a
    step) would seem to be one. It is named if p is at most .01 and the wave explains most of the curve.

    Example:
        probe explain 1/cell/37
    """
    from activations.units import Unit
    from analyses.ranking.explaining.explanation import explain as explain_unit

    asked_for = Unit.parse(unit)
    with (
        open_source(recording, model, text, how_read) as source,
        progress(f"explaining {unit}") as report,
    ):
        if hypothesis:
            targets = [ask(source, each, language, no_cache, lag, len(hypothesis)) for each in hypothesis]
        else:
            targets, _ = ask_all(source, language, no_cache, lag)
        found = explain_unit(source, asked_for, targets, n_passages=passages, progress=report)
    _show(found, top, as_json)


def _show(found: "Explanation", top: int, as_json: bool) -> None:
    if as_json:
        show_rows([each.row() | {"unit": str(found.unit)} for each in found.answers], as_json=True)
        return
    rows = [each.row() for each in found.answers[:top]]
    show_rows([{key: row[key] for key in row if key not in _NOT_IN_TABLE} for row in rows], as_json=False)
    say(f"{found.explained:.1%} of {found.unit} is explained by them together, on held-out characters")
    for tuning in found.tunings[:3]:
        _show_tuning(tuning)
    for what, passages in (("most", found.most), ("least", found.least)):
        if passages:
            say(f"\n{what} active")
            for each in passages:
                say(_line(each))


def _show_tuning(tuning: "Tuning") -> None:
    wave = "" if tuning.period is None else f", a wave with a period of {tuning.period:.3g} (p {tuning.wave_p:.1g})"
    say(
        f"\nmean of the unit by {tuning.hypothesis}, which explains {tuning.eta2:.1%} of it alone{wave}; bars begin at "
        f"the unit's median, {tuning.median:+.3f}"
    )
    rows = [row for row in tuning.rows() if row["n_chars"]]
    shown = rows if len(rows) <= _MOST_BARS else rows[:: -(-len(rows) // _MOST_BARS)]
    means = [float(row["mean"]) for row in shown]
    low, high = min(*means, tuning.median), max(*means, tuning.median)
    widest = max(len(str(row["label"])) for row in shown)
    for row, mean in zip(shown, means, strict=True):
        start, end = sorted(round((value - low) / (high - low or 1) * _WIDEST_BAR) for value in (tuning.median, mean))
        bar = "".join("█" if start <= cell < end else " " for cell in range(_WIDEST_BAR))
        say(f"{visible(str(row['label']), SIGNS):>{widest}} {mean:+10.3f} {bar} {row['n_chars']:,}")


def _line(each: "Passage") -> str:
    before, character, after = (visible(part, SIGNS) for part in (each.before, each.character, each.after))
    return f"{each.value:+10.3f} {each.place:>11,}  {before:>60}▐{character}▌{after}"
