"""Painted passages: which units switch there, compared with the text around them and with the whole text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.progress import Advance, Progress, counting, no_progress
from activations.site_names import AnySites
from activations.units import Site, Unit, units_of
from analyses.errors import AnalysisError, ConstantLabelsError
from analyses.intervals.bounded_mean import bounded_mean_interval
from analyses.named_parts import sites_among
from analyses.ranking.ranking import rank
from analyses.ranking.scores_by_label import score_units
from analyses.session import Session
from analyses.targets.labelling import target_of_labels
from analyses.targets.splits import Split
from analyses.targets.target import Target
from hypotheses.labels import Labels
from probe.explorer.questions.comparing import MOST_READ, Compared, compare
from probe.explorer.questions.painted import AnySpans, Painted, painted
from probe.explorer.questions.plain_values import Answer
from probe.explorer.sidecar.planning import state_sites

FEWEST_PASSAGES = 8
"""Fewer passages than this have no interval."""
TOP = 20
N_CONTROLS = 19
SELECTION = "selection"
"""What painted passages are called where they stand for a hypothesis."""
_N_SHIFTS = 99  # as `probe rank` compares with
_MOST_CONTROL_WINDOWS = 400
_FEWEST_CONTROLS = 5
_MOST_DRAWS = 200  # of a place for a control


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedUnit(Answer):
    """How one unit differs between painted passages and the text around them.

    Attributes:
        unit: The unit.
        auc: The mean over the passages of the AUC of the characters inside against those around: the chance that the
            unit is higher inside, ties counted half; in [0, 1], and below .5 if it is lower inside.
        low: The lower end of its 95 % interval, which holds for any distribution of AUCs over independent passages;
            NaN for fewer than 8.
        high: The upper end.
        direction: +1 if the unit is higher inside, −1 if lower.
        n_agreeing: Number of passages with an AUC on that side of .5.
        mean_inside: The unit's mean over the characters inside.
        mean_around: Its mean over those around.
    """

    unit: str
    auc: float
    low: float
    high: float
    direction: int
    n_agreeing: int
    mean_inside: float
    mean_around: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast(Answer):
    """The units that switch in painted passages, those with the largest contrast first.

    Attributes:
        units: The first of them.
        n_units: Number of units that were compared.
        n_passages: Number of passages that have text around them, which the AUCs are means over.
        n_chars: Number of characters that are painted.
        chance: For each set of as many and as long passages at random places, the AUC of the best unit of that set,
            turned to be above .5: what the best of so many units reaches without any reason. Sets without room for all
            of the passages are left out.
        p_best: The p-value of the best unit under the null that the painted places are like random ones; NaN without
            random sets. It holds for the best of all units.
        notes: Sentences on what makes the figures uncertain.
    """

    units: tuple[SelectedUnit, ...]
    n_units: int
    n_passages: int
    n_chars: int
    chance: tuple[float, ...]
    p_best: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgainstText(Answer):
    """How well single units tell the painted characters from all others of the text.

    Attributes:
        rows: The best units, as the rows that `probe rank labels:FILE --json` prints.
        is_held_out: Whether passages are in both parts of the split, so that the best units were chosen in one part,
            and their AUCs are of the other. Otherwise rows have `unit`, `overall_auc` and `direction` alone.
        notes: Sentences on what makes the figures uncertain.
    """

    rows: tuple[Mapping[str, Any], ...]
    is_held_out: bool
    notes: tuple[str, ...] = ()


def contrast(
    session: Session,
    spans: AnySpans,
    *,
    sites: AnySites | None = None,
    top: int = TOP,
    n_controls: int = N_CONTROLS,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Contrast:
    """Compare every unit inside painted passages with itself just around them.

    Around a passage are as many characters on either side as it has, at least 20 and at most 200, of the same document
    and not painted.

    Args:
        session: The source.
        spans: The passages.
        sites: The sites whose units are compared; None is hidden and cell.
        top: Number of units to return.
        n_controls: Number of sets of passages at random places; there are fewer for many passages.
        seed: Draws these.
        progress: Called with the passages read, and their number; what it raises ends the work.

    Raises:
        AnalysisError: If nothing is painted, or there is no such site.
    """
    selection = painted(session.corpus, spans)
    chosen = state_sites(session.sites) if sites is None else sites_among(session, sites)
    units = units_of(session.sites, chosen)
    n_read = min(len(selection.spans), MOST_READ)
    n_controls = min(n_controls, _MOST_CONTROL_WINDOWS // n_read)
    n_controls = n_controls if n_controls >= _FEWEST_CONTROLS else 0
    advance = counting(progress, n_read * (1 + n_controls))
    compared = compare(session, selection, chosen, lambda: advance(1))
    if compared is None:
        return _without_contrast(selection, len(units))
    rng = np.random.default_rng(seed)
    controls = [_control(session, selection, compared.spans, chosen, rng, advance) for _ in range(n_controls)]
    chance = sorted(best for best in controls if best is not None)
    return Contrast(
        units=_best_units(compared, units, top, np.random.default_rng(seed)),  # the same with controls and without
        n_units=len(units),
        n_passages=len(compared.aucs),
        n_chars=selection.n_chars,
        chance=tuple(chance),
        p_best=(1 + sum(best >= _best(compared) for best in chance)) / (1 + len(chance)) if chance else np.nan,
        notes=tuple(_notes(selection, len(compared.aucs), len(units), n_controls, len(chance))),
    )


def _without_contrast(selection: Painted, n_units: int) -> Contrast:
    """Return that nothing could be compared, and why."""
    notes = ("no painted passage has characters beside it that are recorded and not painted; paint less",)
    return Contrast(
        units=(), n_units=n_units, n_passages=0, n_chars=selection.n_chars, chance=(), p_best=np.nan, notes=notes
    )


def against_text(
    session: Session,
    spans: AnySpans,
    *,
    sites: AnySites | None = None,
    top: int = TOP,
    progress: Progress = no_progress,
) -> AgainstText:
    """Rank units by how well each alone tells painted characters from all others, as `probe rank labels:FILE` does.

    For the arguments see `contrast`; progress is called with characters. Where all passages are in one part of the
    split, there are AUCs over the whole text alone.

    Raises:
        AnalysisError: If nothing or everything is painted, there is no such site, or activations are not numbers.
    """
    selection = painted(session.corpus, spans)
    chosen = state_sites(session.sites) if sites is None else sites_among(session, sites)
    labels = Labels(selection.labels, "binary")
    used = session.selection
    n_inside = int(np.count_nonzero(labels.values[used.start : used.stop : used.every]))
    if n_inside in (0, used.n_chars):
        raise AnalysisError(
            f"{'all' if n_inside else 'none'} of the recorded characters are painted, so that there is nothing to "
            f"compare with; paint {'less' if n_inside else 'where characters are recorded'}"
        )
    try:
        target = target_of_labels(session.corpus, SELECTION, labels, selection=session.selection)
    except ConstantLabelsError:
        return _without_held_out(session, selection, labels, chosen, top, progress)
    ranking = rank(session, target, sites=chosen, shifts=_N_SHIFTS, n_intervals=top, progress=progress)
    return AgainstText(rows=tuple(ranking.rows(top)), is_held_out=True, notes=ranking.notes)


def _best(compared: Compared) -> float:
    """Return the AUC of the unit that is farthest from chance, turned to be above .5."""
    return 0.5 + float(np.nanmax(np.abs(compared.mean_aucs - 0.5)))


def _best_units(
    compared: Compared, units: Sequence[Unit], top: int, rng: np.random.Generator
) -> tuple[SelectedUnit, ...]:
    """Return the units with the largest contrast; those with the same AUC by the difference of their means."""
    aucs = compared.mean_aucs
    distances = np.nan_to_num(np.abs(aucs - 0.5), nan=-1.0).round(9)
    order = np.lexsort([-compared.differences, -distances])[:top]
    low, high = np.full((2, len(order)), np.nan)
    if len(compared.aucs) >= FEWEST_PASSAGES:
        low, high = bounded_mean_interval(compared.aucs[:, order], rng)
    directions = np.where(aucs < 0.5, -1, 1)
    agreeing = ((compared.aucs - 0.5) * directions > 0).sum(axis=0)
    inside, around = compared.means
    return tuple(
        SelectedUnit(
            unit=str(units[number]),
            auc=float(aucs[number]),
            low=float(low[place]),
            high=float(high[place]),
            direction=int(directions[number]),
            n_agreeing=int(agreeing[number]),
            mean_inside=float(inside[number]),
            mean_around=float(around[number]),
        )
        for place, number in enumerate(order.tolist())
    )


def _control(
    session: Session,
    selection: Painted,
    spans: NDArray[np.int64],
    sites: Sequence[Site],
    rng: np.random.Generator,
    advance: Advance,
) -> float | None:
    """Return the AUC of the best unit in as many and as long passages at random places; None if there is no room."""
    moved = _at_random(session, selection, spans, rng)
    control = None if moved is None else compare(session, moved, sites, lambda: advance(1))
    if control is None or len(control.aucs) < len(spans):  # the best unit of fewer passages has a larger AUC
        return None
    return _best(control)


def _at_random(
    session: Session, selection: Painted, spans: NDArray[np.int64], rng: np.random.Generator
) -> Painted | None:
    """Move passages to random places of the recorded text, the longest first; None if there is no room for all.

    Each is in one document, and has as many recorded characters as it had; none touches another, or is painted.
    """
    used, corpus, moved = session.selection, selection.corpus, Painted(corpus=selection.corpus, spans=spans[:0])
    for first, last in spans[np.argsort(spans[:, 0] - spans[:, 1], kind="stable")].tolist():
        length, offset = last - first, (first - used.start) % used.every
        n_places = (used.stop - length - offset - used.start) // used.every + 1
        for _ in range(_MOST_DRAWS if n_places > 0 else 0):
            start = used.start + offset + used.every * int(rng.integers(n_places))
            stop = start + length
            is_free = not (selection.overlaps(start, stop) or moved.overlaps(start - 1, stop + 1))
            if is_free and not len(corpus.starts_within(start + 1, stop)):
                number = int(np.searchsorted(moved.spans[:, 0], start))
                moved = Painted(corpus=corpus, spans=np.insert(moved.spans, number, [start, stop], axis=0))
                break
        else:
            return None
    return moved


def _notes(selection: Painted, n_passages: int, n_units: int, n_controls: int, n_complete: int) -> list[str]:
    """Say what makes the figures uncertain."""
    notes = []
    n_painted = len(selection.spans)
    if n_painted == 1:
        notes.append(
            "this is one passage, from which nothing follows about others: there is no interval; paint more that are "
            "alike"
        )
    elif n_passages < FEWEST_PASSAGES:
        notes.append(f"{n_passages} passages are too few for an interval; {FEWEST_PASSAGES} that are alike are needed")
    else:
        notes.append(
            f"the intervals are of each unit by itself; these are the best of {n_units:,} on the same passages, and "
            "will do less well on others"
        )
        notes.append(
            "the intervals take the passages for independent of each other, as those are that were chosen by one rule "
            "and lie far apart; nothing else is assumed, so that they are wide for few passages"
        )
    if n_passages < min(n_painted, MOST_READ):
        notes.append(f"{min(n_painted, MOST_READ) - n_passages:,} passages have nothing around them to compare with")
    if n_painted > MOST_READ:
        notes.append(f"{MOST_READ:,} of {n_painted:,} passages were compared with the text around them")
    if n_complete < n_controls:
        notes.append(
            f"in {n_controls - n_complete} of {n_controls} sets of passages at random places there was no room for all "
            "of them; these sets are left out"
        )
    if not n_complete:
        notes.append("no passages at random places were compared; the AUCs on held-out characters say what holds")
    return notes


def _without_held_out(
    session: Session, selection: Painted, labels: Labels, sites: Sequence[Site], top: int, progress: Progress
) -> AgainstText:
    """Return AUCs over the whole text of passages that are all in one part of the split."""
    used = session.selection
    split = Split.of(used.stop - used.start, used.start)
    target = Target(SELECTION, session.corpus.sha256, labels, split, used)
    [scores] = score_units(session, [target], sites, progress, families=[[0]], statistics=[], n_intervals=0)
    aucs = np.concatenate([scores[site].overall for site in sites])
    units = units_of(session.sites, sites)
    order = np.argsort(-np.nan_to_num(np.abs(aucs - 0.5), nan=-1.0), kind="stable")[:top]
    rows = tuple(
        {
            "hypothesis": SELECTION,
            "unit": str(units[number]),
            "overall_auc": float(aucs[number]),
            "direction": 1 if aucs[number] >= 0.5 else -1,
        }
        for number in order.tolist()
    )
    note = (
        "units are chosen by one part of the text and judged by another, and only one of the two has painted passages, "
        "so that nothing is held out in the comparison with the whole text: its AUCs are of the characters that were "
        "painted, without intervals; paint more, all over the text"
    )
    return AgainstText(rows=rows, is_held_out=False, notes=(note,))
