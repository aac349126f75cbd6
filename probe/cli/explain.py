"""The command `probe explain`, which says what a unit responds to."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from analyses.rounding import rounded
from probe.cli import completion
from probe.cli.analysis_options import TargetOptions, labels_first
from probe.cli.option_groups import with_options
from probe.cli.options import HypothesesOption, WordsArgument
from probe.cli.provenance import provenance
from probe.cli.showing import SIGNS, console, progress, say, share, visible, warn_of_reasons
from probe.cli.showing.layout import columns_taken, first_columns, last_columns
from probe.cli.sources import SourceOptions
from probe.cli.table_options import TableOptions
from probe.cli.words import tell_apart

if TYPE_CHECKING:
    from analyses.ranking.explaining.explanation import Explanation, Passage
    from analyses.ranking.explaining.tuning import Tuning
    from analyses.session import Session
    from analyses.targets.target import Target

_WIDEST_BAR, _NARROWEST_BAR = 40, 8
_NUMBER_COLUMNS = 10
_BEFORE_COLUMNS = 60  # of a passage before its character
_MOST_BARS = 24
_PAGE_CHARS, _PICTURE_CHARS = 20_000, 800
_NOT_IN_TABLE = ("period", "wave_p")  # which the tuning curves show


@with_options
def explain(
    unit: Annotated[
        str,
        Argument(
            help="Written layer/signal/index, such as 1/cell/37.", autocompletion=completion.units, show_default=False
        ),
    ],
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    top: Annotated[int, Option(min=1, help="How many hypotheses to show.")] = 12,
    passages: Annotated[int, Option(min=0, help="How many passages to show where it is most and least active.")] = 5,
    output: Annotated[
        Path | None,
        Option(
            "--output",
            "-o",
            help="The text where it is most active, coloured by it and by the first hypothesis: a page, .html, or a "
            "picture, .png, .svg or .pdf. `probe view` has any passage.",
            show_default=False,
        ),
    ] = None,
    *,
    source: SourceOptions,
    labels: TargetOptions,
    tables: TableOptions,
) -> None:
    """Say what a unit responds to: a ranking of hypotheses for one unit.

    All hypotheses are tried, unless some are named. First come those that explain most of the unit together: added_r2
    is the share of its held-out variance that each explains beyond those above it, by the unit's means in its classes
    (for numbers, in bins). Then come the others, by how well the unit predicts them; the columns are those of probe
    rank, and q is over the hypotheses. Below are the unit's means over the labels of the first, as bars that begin at
    its median, and the passages where it is most and least active, the character marked.

    Over a number, a unit may make a wave, which goes up and down at least twice. It is looked for in every other
    stretch of the text, and tested in those between: p is how often a curve with at most one peak (which rises, falls,
    or has a step) would seem to be one. It is named if p is at most .01 and the wave explains most of the curve.

    Example:
        probe explain 1/cell/37

        probe explain 1/cell/37 -o unit.png
    """
    from activations.site_names import select_units
    from activations.units import Unit
    from analyses.ranking.explaining.explanation import explain as explain_unit

    parsed = Unit.parse(unit)
    subjects = tell_apart(words, hypotheses)
    if len(subjects.recordings) > 1:
        raise BadParameter(f"a unit is of one recording, and {len(subjects.recordings)} are named; name one")
    tables.check(*source.inputs(subjects))
    _check_output(output, source.inputs(subjects))
    with source.open(subjects) as [(_, session)], progress(f"explaining {unit}") as report:
        select_units(session.sites, [parsed])  # before all hypotheses label the text, which takes long
        labelling, explaining = labels_first(report, subjects.hypotheses, 0.6)
        targets = labels.targets(session, subjects.hypotheses, labelling)
        explanation = explain_unit(session, parsed, targets.made, n_passages=passages, progress=explaining)
        made = provenance(session)
        if output is not None:
            by_name = {target.hypothesis: target for target in targets.made}
            _draw(session, explanation, by_name.get(explanation.answers[0].hypothesis), output)
    warn_of_reasons("no answer for", targets.reasons if subjects.hypotheses else {})
    rows = [{**answer.row(), "unit": str(parsed), **made} for answer in explanation.answers]
    shown = [
        {key: cell for key, cell in answer.row().items() if key not in _NOT_IN_TABLE}
        for answer in explanation.answers[:top]
    ]
    tables.show(rows, shown)
    if not tables.as_json:
        _show_details(explanation)
    tables.write(rows)
    if output is not None:
        say(f"{output}: the text around where {unit} is most active", quiet=tables.as_json)


def _check_output(output: Path | None, inputs: list[Path]) -> None:
    """Refuse a file that could not be written, before any work is done for it."""
    from activations.files import check_output
    from probe.viewer.widget import is_page

    if output is not None:
        is_page(output)
        check_output(output, *inputs)


def _draw(session: "Session", explanation: "Explanation", target: "Target | None", path: Path) -> None:
    """Write a view of the text where a unit is most active."""
    from probe.viewer.making import text_view
    from probe.viewer.widget import is_page, save_view

    view = text_view(
        session,
        units=[explanation.unit],
        hypotheses=[target] if target is not None else (),
        around=explanation.most[0].position if explanation.most else None,
        n_chars=_PAGE_CHARS if is_page(path) else _PICTURE_CHARS,
    )
    save_view(view.units_first(), path)


def _show_details(explanation: "Explanation") -> None:
    """Print the tuning curves of the first hypotheses, and the passages."""
    say(f"{share(explanation.explained)} of {explanation.unit} is explained by them together, on held-out characters")
    for tuning in explanation.tunings[:3]:
        _show_tuning(tuning)
    for extreme, passages in (("most", explanation.most), ("least", explanation.least)):
        if passages:
            say(f"\n{extreme} active")
            for passage in passages:
                say(_line(passage, console().width))


def _show_tuning(tuning: "Tuning") -> None:
    wave = "" if tuning.period is None else f", a wave with a period of {tuning.period:.3g} (p {tuning.wave_p:.1g})"
    say(
        f"\nmean of the unit by {tuning.hypothesis}, which explains {share(tuning.eta2)} of it alone{wave}; bars begin "
        f"at the unit's median over labelled characters, {rounded(tuning.median, '+.3f')}"
    )
    rows = [row for row in tuning.rows() if row["n_chars"]]
    step = -(-len(rows) // _MOST_BARS)
    shown = rows[::step]
    if step > 1:
        say(f"of {len(rows)} labels, one in {step} is shown")
    means = [float(row["mean"]) for row in shown]
    low, high = min(*means, tuning.median), max(*means, tuning.median)
    labels = [visible(str(row["label"]), SIGNS) for row in shown]
    widest = max(map(columns_taken, labels))
    counts = [f"{row['n_chars']:,}" for row in shown]
    room = console().width - widest - _NUMBER_COLUMNS - max(map(len, counts)) - 3
    n_columns = max(_NARROWEST_BAR, min(_WIDEST_BAR, room))
    for label, mean, count in zip(labels, means, counts, strict=True):
        start, end = sorted(round((value - low) / (high - low or 1) * n_columns) for value in (tuning.median, mean))
        bar = "".join("█" if start <= column < end else " " for column in range(n_columns))
        say(f"{last_columns(label, widest)} {rounded(mean, '+.3f'):>{_NUMBER_COLUMNS}} {bar} {count}")


def _line(passage: "Passage", width: int) -> str:
    """Return a passage in a line, of which as much is left out at both ends as there is no room for."""
    before, character, after = (visible(part, SIGNS) for part in (passage.before, passage.character, passage.after))
    start = f"{rounded(passage.value, '+.3f'):>{_NUMBER_COLUMNS}} {passage.position:>11,}  "
    room = max(width - columns_taken(f"{start}▐{character}▌"), 0)
    n_after = min(columns_taken(after), room // 3)
    n_before = min(_BEFORE_COLUMNS, room - n_after)
    return f"{start}{last_columns(before, n_before)}▐{character}▌{first_columns(after, room - n_before)}"
