"""Painted passages: which units switch there, beside the text around them and beside the whole text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.progress import Progress, no_progress
from activations.site_names import AnySites
from activations.units import Site, Unit, units_of
from analyses.errors import ConstantLabelsError
from analyses.intervals.students_t import quantile
from analyses.named_parts import sites_among
from analyses.ranking.ranking import rank
from analyses.ranking.scores_by_label import score_units
from analyses.session import Session
from analyses.targets.labelling import target_of_labels
from analyses.targets.splits import Split
from analyses.targets.target import Target
from hypotheses.labels import Labels
from probe.explorer.questions.painted import AnySpans, Painted, painted
from probe.explorer.questions.plain_values import Answer

FEWEST_PASSAGES = 8
"""Fewer passages than this have no interval."""
TOP = 20
N_CONTROLS = 19
SELECTION = "selection"
"""What painted passages are called where they stand for a hypothesis."""
_N_SHIFTS = 99  # as `probe rank` compares with
_MOST_READ = 2_000  # passages, drawn evenly from more
_MOST_CONTROL_WINDOWS = 400
_FEWEST_CONTROLS = 5
_MOST_ROWS = 1_000  # of a passage, taken evenly from longer ones
_MOST_DRAWS = 200  # of a place for a control

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedUnit(Answer):
    """How one unit differs between painted passages and the text around them.

    Attributes:
        unit: The unit.
        auc: The mean over the passages of the AUC of the characters inside against those around: the chance that the
            unit is higher inside, ties counted half; in [0, 1], and below .5 if it is lower inside.
        low: The lower end of its 95 % interval, by Student's t over the passages; NaN for fewer than 8.
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
            turned to be above .5: what the best of so many units reaches without any reason.
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


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """Comparisons of passages with the text around them, NaN for those without any.

    Attributes:
        aucs: (n_passages, n_units) of inside against around.
        inside: (n_units,) sum over the characters inside.
        around: (n_units,) sum over those around.
        squares: (n_units,) sum of squares over both.
        n: The numbers of characters inside and around.
    """

    aucs: Array
    inside: Array
    around: Array
    squares: Array
    n: NDArray[np.int64]

    @property
    def mean_aucs(self) -> Array:
        """(n_units,) the mean AUC over the passages."""
        return np.asarray(self.aucs.mean(axis=0))

    @property
    def means(self) -> tuple[Array, Array]:
        """(n_units,) means over the characters inside, and around."""
        return self.inside / self.n[0], self.around / self.n[1]

    @property
    def differences(self) -> Array:
        """(n_units,) by how many standard deviations of both together the means differ."""
        n = self.n.sum()
        variance = self.squares / n - ((self.inside + self.around) / n) ** 2
        inside, around = self.means
        return np.asarray(np.abs(inside - around) / np.sqrt(np.maximum(variance, np.finfo(float).tiny)))


def state_sites(session: Session) -> list[Site]:
    """Return the hidden and cell sites of a source, or all if it has none."""
    return [site for site in session.sites if site.signal in ("hidden", "cell")] or list(session.sites)


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
    chosen = state_sites(session) if sites is None else sites_among(session, sites)
    units = units_of(session.sites, chosen)
    n_read = min(len(selection.spans), _MOST_READ)
    n_controls = min(n_controls, _MOST_CONTROL_WINDOWS // n_read)
    n_controls = n_controls if n_controls >= _FEWEST_CONTROLS else 0
    n_done, n_windows = 0, n_read * (1 + n_controls)

    def advance() -> None:
        nonlocal n_done
        n_done += 1
        progress(min(n_done, n_windows), n_windows)

    compared = _compare(session, selection, chosen, advance)
    if compared is None:
        notes = ("no painted passage has characters beside it that are recorded and not painted; paint less",)
        return Contrast(
            units=(), n_units=len(units), n_passages=0, n_chars=selection.n_chars, chance=(), p_best=np.nan, notes=notes
        )
    rng, chance = np.random.default_rng(seed), []
    for _ in range(n_controls):
        moved = _at_random(session, selection, rng)
        control = None if moved is None else _compare(session, moved, chosen, advance)
        if control is not None:
            chance.append(_best(control))
    p_best = (1 + sum(best >= _best(compared) for best in chance)) / (1 + len(chance)) if chance else np.nan
    return Contrast(
        units=_best_units(compared, units, top),
        n_units=len(units),
        n_passages=len(compared.aucs),
        n_chars=selection.n_chars,
        chance=tuple(sorted(chance)),
        p_best=p_best,
        notes=tuple(_notes(selection, len(compared.aucs), len(units), chance)),
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
        AnalysisError: If nothing is painted, there is no such site, or activations are not numbers.
    """
    selection = painted(session.corpus, spans)
    chosen = state_sites(session) if sites is None else sites_among(session, sites)
    labels = Labels(selection.labels, "binary")
    try:
        target = target_of_labels(session.corpus, SELECTION, labels, selection=session.selection)
    except ConstantLabelsError:
        return _without_held_out(session, selection, labels, chosen, top, progress)
    ranking = rank(session, target, sites=chosen, shifts=_N_SHIFTS, n_intervals=top, progress=progress)
    return AgainstText(rows=tuple(ranking.rows(top)), is_held_out=True, notes=ranking.notes)


def _compare(session: Session, selection: Painted, sites: Sequence[Site], advance: Any) -> _Compared | None:
    """Compare passages with the text around them; None if none of them has any."""
    numbers = np.unique(np.linspace(0, len(selection.spans) - 1, min(len(selection.spans), _MOST_READ)).astype(int))
    windows = selection.windows()[numbers]
    n_units = sum(session.sites[site] for site in sites)
    aucs, n = [], np.zeros(2, np.int64)
    inside, around, squares = np.zeros((3, n_units))
    for number, (start, stop) in zip(numbers.tolist(), windows.tolist(), strict=True):
        part = session.selection.part(start, stop)
        positions = np.arange(part.start, part.stop, part.every)
        first, last = selection.spans[number]
        is_inside = (positions >= first) & (positions < last)
        is_around = ~selection.is_inside(positions)  # without the passages next to this one
        rows = np.sort(np.concatenate([_thinned(is_inside), np.flatnonzero(is_around)]))
        if is_inside.any() and is_around.any():
            by_site = session.read(sites, start, stop)
            values = np.concatenate([by_site[site][rows] for site in sites], axis=1, dtype=np.float32)
            is_inside = is_inside[rows]
            aucs.append(_aucs(values, is_inside))
            inside += values[is_inside].sum(axis=0, dtype=np.float64)
            around += values[~is_inside].sum(axis=0, dtype=np.float64)
            squares += np.einsum("ij,ij->j", values, values, dtype=np.float64)
            n += [int(is_inside.sum()), int((~is_inside).sum())]
        advance()
    return _Compared(np.array(aucs), inside, around, squares, n) if aucs else None


def _thinned(is_chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the indices of chosen characters, evenly thinned if there are many."""
    indices = np.flatnonzero(is_chosen)
    return indices[:: -(-len(indices) // _MOST_ROWS) or 1]


def _aucs(values: NDArray[np.float32], is_inside: NDArray[np.bool_]) -> Array:
    """(n_units,) AUCs of (n_chars, n_units) values inside against the others, ties counted half; NaN if one is NaN.

    Values are sorted as whole numbers of the same order, whose last bit says which are inside: once with those after
    equal others, and once before these, so that the mean of both counts ties half. That takes a third of the time of
    `scipy.stats.rankdata`.
    """
    n_inside = int(is_inside.sum())
    n_around = len(is_inside) - n_inside
    bits = np.ascontiguousarray((values + np.float32(0)).T).view(np.int32).astype(np.int64)  # 0 has one sign only
    in_order = 2 * np.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    sums = np.zeros(len(in_order))
    for last_bit in (1, 0):
        is_last_bit = np.sort(in_order + (is_inside == bool(last_bit)), axis=1) & 1
        sums += (is_last_bit == last_bit) @ np.arange(1.0, len(is_inside) + 1)
    aucs = (sums / (2 * n_inside) - (n_inside + 1) / 2) / n_around
    return np.where(np.isnan(values).any(axis=0), np.nan, aucs)


def _best(compared: _Compared) -> float:
    """Return the AUC of the unit that is farthest from chance, turned to be above .5."""
    return 0.5 + float(np.nanmax(np.abs(compared.mean_aucs - 0.5)))


def _best_units(compared: _Compared, units: Sequence[Unit], top: int) -> tuple[SelectedUnit, ...]:
    """Return the units with the largest contrast; those with the same AUC by the difference of their means."""
    aucs, n = compared.mean_aucs, len(compared.aucs)
    distances = np.nan_to_num(np.abs(aucs - 0.5), nan=-1.0).round(9)
    order = np.lexsort([-compared.differences, -distances])[:top]
    reach = np.full(len(aucs), np.nan)
    if n >= FEWEST_PASSAGES:
        reach = quantile(0.975, n - 1) * compared.aucs.std(axis=0, ddof=1) / np.sqrt(n)
    directions = np.where(aucs < 0.5, -1, 1)
    agreeing = ((compared.aucs - 0.5) * directions > 0).sum(axis=0)
    inside, around = compared.means
    return tuple(
        SelectedUnit(
            unit=str(units[number]),
            auc=float(aucs[number]),
            low=float(max(aucs[number] - reach[number], 0)) if n >= FEWEST_PASSAGES else np.nan,
            high=float(min(aucs[number] + reach[number], 1)) if n >= FEWEST_PASSAGES else np.nan,
            direction=int(directions[number]),
            n_agreeing=int(agreeing[number]),
            mean_inside=float(inside[number]),
            mean_around=float(around[number]),
        )
        for number in order.tolist()
    )


def _at_random(session: Session, selection: Painted, rng: np.random.Generator) -> Painted | None:
    """Move each passage to a random place of the recorded text, in one document and not painted; None if none fits."""
    used, corpus, spans = session.selection, selection.corpus, []
    for length in np.diff(selection.spans)[:, 0].tolist():
        for _ in range(_MOST_DRAWS if used.stop - used.start > length else 0):
            start = int(rng.integers(used.start, used.stop - length))
            is_free = not len(corpus.starts_within(start + 1, start + length))
            number = int(np.searchsorted(selection.spans[:, 1], start, side="right"))
            if is_free and (number == len(selection.spans) or selection.spans[number, 0] >= start + length):
                spans.append([start, start + length])
                break
    return painted(corpus, spans) if spans else None


def _notes(selection: Painted, n_passages: int, n_units: int, chance: Sequence[float]) -> list[str]:
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
    if n_passages < min(n_painted, _MOST_READ):
        notes.append(f"{min(n_painted, _MOST_READ) - n_passages:,} passages have nothing around them to compare with")
    if n_painted > _MOST_READ:
        notes.append(f"{_MOST_READ:,} of {n_painted:,} passages were compared with the text around them")
    if not chance:
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
    n_painted = len(selection.spans)
    where = "one passage is in" if n_painted == 1 else f"all {n_painted:,} passages are in"
    note = (
        f'{where} one part of the text, so that nothing is held out in "beside the whole text": these AUCs are of the '
        "very characters that were painted, without intervals; paint more, all over the text"
    )
    return AgainstText(rows=rows, is_held_out=False, notes=(note,))
