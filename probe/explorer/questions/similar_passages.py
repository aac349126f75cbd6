"""Other passages in which units do what they do in painted ones."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.progress import Progress, counting, no_progress
from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from activations.units import Unit, in_order
from analyses.errors import AnalysisError
from analyses.named_parts import units_among
from analyses.session import Session
from probe.explorer.questions.painted import LEAST_MARGIN, AnySpans, Painted, painted
from probe.explorer.questions.plain_values import Answer

MOST_UNITS, MOST_PASSAGES = 3, 50
_BEFORE, _AFTER, _MOST_SHOWN = 60, 30, 300  # characters
_MOSTLY = 0.5  # of the characters of a passage
_CLEARLY_MORE = 1.5  # times as often on as elsewhere

Array = NDArray[np.float64]
ValuesOf = Callable[[Unit], NDArray[np.floating]]
"""Returns the (n_rows,) values of a unit at the recorded characters, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarPassage(Answer):
    """A passage in which units do what they do in the painted ones.

    Attributes:
        start: The position of its first character.
        stop: One past that of its last.
        likeness: How much higher the signal is inside than around it: 1 if the units differ as much as on average
            between the painted passages and the text around them.
        before: Some text before it.
        text: Its text, or the first 300 characters of it.
        after: Some text behind it.
        n_alike: Number of passages with the very same text, this one included.
    """

    start: int
    stop: int
    likeness: float
    before: str
    text: str
    after: str
    n_alike: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarPassages(Answer):
    """Where else units do what they do in painted passages.

    Attributes:
        units: The units.
        passages: Passages of different texts, the most alike first; none of them is painted.
        n_found: Number of passages in which the units are on, whatever their texts, without the painted ones.
        n_painted: Number of painted passages.
        n_painted_found: Number of these in most of whose characters the units are on.
        share_on_inside: The share of the painted characters at which they are on.
        share_on: The share of all recorded characters at which they are on.
        notes: Sentences on what this shows, and what not.
    """

    units: tuple[str, ...]
    passages: tuple[SimilarPassage, ...]
    n_found: int
    n_painted: int
    n_painted_found: int
    share_on_inside: float
    share_on: float
    notes: tuple[str, ...] = ()


class _Runs(NamedTuple):
    """Runs of recorded characters, by their rows.

    Attributes:
        starts: (n_runs,) the first row of each.
        stops: (n_runs,) one past the last.
    """

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "_Runs":
        """Return some of the runs."""
        return _Runs(self.starts[which], self.stops[which])


def read_units(session: Session, units: Sequence[Unit], progress: Progress = no_progress) -> list[NDArray[np.floating]]:
    """Read whole units of a source in one reading of their sites.

    Args:
        session: The source.
        units: The units.
        progress: Called with the characters read, and their number.

    Returns:
        (n_rows,) values of each unit at the recorded characters.
    """
    used = session.selection
    columns = [np.empty(used.n_chars, session.dtype(unit.site)) for unit in units]
    advance = counting(progress, used.n_chars)
    for block in session.blocks(in_order(session.sites, [unit.site for unit in units])):
        first = used.row(block.start)
        for unit, column in zip(units, columns, strict=True):
            values = block.values[unit.site][:, unit.index]
            column[first : first + len(values)] = values
        advance(block.n_chars)
    return columns


def similar_passages(
    session: Session,
    spans: AnySpans,
    units: Sequence[Unit | str],
    *,
    n_passages: int = MOST_PASSAGES,
    values_of: ValuesOf | None = None,
    progress: Progress = no_progress,
) -> SimilarPassages:
    """Find passages in which one to three units, or all of them together, do what they do in painted ones.

    Each unit is scaled so that it is on average +.5 inside the painted passages and −.5 around them, whichever of the
    two is higher; the mean of the scaled units is the signal, and they are on where it is above 0. A passage is a run
    of such characters in one document, at least half as long as the shortest painted one and at most twice as long as
    the longest; interruptions by a tenth of a painted passage's length are bridged.

    Args:
        session: The source.
        spans: The painted passages.
        units: The units, such as the first of `contrast`.
        n_passages: Number of passages to return, at most 50.
        values_of: Returns the values of a unit at all recorded characters; None reads them from the source.
        progress: Called with the characters read, and their number, if they are read from the source.

    Raises:
        AnalysisError: If nothing is painted or recorded there, there are no units or too many, or they do not differ.
    """
    chosen = units_among(session, list(units))
    if not 1 <= len(chosen) <= MOST_UNITS:
        raise AnalysisError(f"{len(chosen)} units are named; similar passages are those of 1 to {MOST_UNITS}")
    selection, used = painted(session.corpus, spans), session.selection
    inside, around = _rows_of_painted(selection, used)
    columns = read_units(session, chosen, progress) if values_of is None else [values_of(unit) for unit in chosen]
    scaled = [_scaled(column, inside, around, unit) for column, unit in zip(columns, chosen, strict=True)]
    signal = np.mean(scaled, axis=0)
    lengths = np.diff(selection.spans)[:, 0] / used.every
    borders = used.rows(session.corpus.starts)
    is_on = _bridged(signal > 0, int(np.median(lengths) / 10), borders)
    runs = _others_as_long(_runs(is_on, borders), lengths, inside)
    likeness = _likeness(runs, signal, borders)
    share_inside, share_on = float(is_on[inside].mean()), float(is_on.mean())
    rows_of_painted = [rows for rows in _rows_of_spans(selection.spans, used) if rows.stop > rows.start]
    n_painted_found = sum(bool(is_on[rows].mean() > _MOSTLY) for rows in rows_of_painted)
    return SimilarPassages(
        units=tuple(map(str, chosen)),
        passages=_passages(session.corpus, used, runs, likeness, min(n_passages, MOST_PASSAGES)),
        n_found=len(runs.starts),
        n_painted=len(selection.spans),
        n_painted_found=n_painted_found,
        share_on_inside=share_inside,
        share_on=share_on,
        notes=tuple(_notes(len(selection.spans), n_painted_found, share_inside, share_on)),
    )


def _rows_of_spans(spans: NDArray[np.int64], used: Selection) -> list[slice]:
    """Return the rows of the recorded characters of passages."""
    rows = zip(used.rows(spans[:, 0]).tolist(), used.rows(spans[:, 1]).tolist(), strict=True)
    return [slice(start, stop) for start, stop in rows]


def _rows_of_painted(selection: Painted, used: Selection) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(n_rows,) which recorded characters are painted, and which are around these.

    Raises:
        AnalysisError: If none are.
    """
    inside, around = np.zeros((2, used.n_chars), bool)
    for rows in _rows_of_spans(selection.spans, used):
        inside[rows] = True
    for rows in _rows_of_spans(selection.windows(), used):
        around[rows] = True
    around &= ~inside
    if not (inside.any() and around.any()):
        raise AnalysisError(
            "none of the painted characters, or of those around them, has recorded values; paint where there are some"
        )
    return inside, around


def _scaled(
    values: NDArray[np.floating], inside: NDArray[np.bool_], around: NDArray[np.bool_], unit: Unit
) -> NDArray[np.float64]:
    """(n_rows,) values of a unit, scaled to a mean of +.5 inside and −.5 around; −.5 for what is no number."""
    values = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    if not (np.isfinite(values[inside]).any() and np.isfinite(values[around]).any()):
        raise AnalysisError(f"{unit} has no numbers inside or around the painted passages; choose another unit")
    mean_inside, mean_around = np.nanmean(values[inside]), np.nanmean(values[around])
    if mean_inside == mean_around:
        raise AnalysisError(f"{unit} has the same mean inside and around the painted passages; choose another unit")
    scaled = (values - (mean_inside + mean_around) / 2) / (mean_inside - mean_around)
    return np.asarray(np.nan_to_num(scaled, nan=-0.5))


def _runs(is_on: NDArray[np.bool_], borders: NDArray[np.int64]) -> _Runs:
    """Return the runs of characters at which units are on, cut where documents begin."""
    before = np.concatenate([[False], is_on[:-1]])
    after = np.concatenate([is_on[1:], [False]])
    first, last = is_on & ~before, is_on & ~after
    inner = borders[(borders > 0) & (borders < len(is_on))]
    first[inner] = is_on[inner]
    last[inner - 1] = is_on[inner - 1]
    return _Runs(np.flatnonzero(first), np.flatnonzero(last) + 1)


def _bridged(is_on: NDArray[np.bool_], n_bridged: int, borders: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where units are on if they are off for at most so many characters between two at which they are on."""
    gaps = _runs(~is_on, borders)
    is_inner = (gaps.starts > 0) & (gaps.stops < len(is_on))
    is_inner &= ~(np.isin(gaps.starts, borders) | np.isin(gaps.stops, borders))
    short = gaps.chosen(is_inner & (gaps.stops - gaps.starts <= n_bridged))
    changes = np.zeros(len(is_on) + 1, np.int8)
    changes[short.starts] += 1
    changes[short.stops] -= 1
    return np.asarray(is_on | np.cumsum(changes[:-1], dtype=np.int8).astype(bool))


def _others_as_long(runs: _Runs, lengths: Array, inside: NDArray[np.bool_]) -> _Runs:
    """Return the runs that are about as long as painted passages, and none of whose characters is painted."""
    n = runs.stops - runs.starts
    runs = runs.chosen((2 * n >= lengths.min()) & (n <= 2 * lengths.max()))
    return runs.chosen(~_overlap(runs, inside))


def _overlap(runs: _Runs, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n_runs,) whether any character of each run is painted."""
    n_before = np.append(0, np.cumsum(inside))
    return np.asarray(n_before[runs.stops] > n_before[runs.starts])


def _likeness(runs: _Runs, signal: Array, borders: NDArray[np.int64]) -> Array:
    """(n_runs,) the mean of a signal in each run, less that in the 20 characters on either side in its document."""
    total = np.append(0.0, np.cumsum(signal))
    stops_of_documents = np.append(borders[1:], len(signal))
    documents = np.searchsorted(borders, runs.starts, side="right") - 1
    starts = np.maximum(runs.starts - LEAST_MARGIN, borders[documents])
    stops = np.minimum(runs.stops + LEAST_MARGIN, stops_of_documents[documents])
    n_inside = runs.stops - runs.starts
    n_around = (stops - starts) - n_inside
    inside = total[runs.stops] - total[runs.starts]
    around = total[stops] - total[starts] - inside
    return np.where(n_around > 0, inside / np.maximum(n_inside, 1) - around / np.maximum(n_around, 1), -np.inf)


def _passages(
    corpus: Corpus, used: Selection, runs: _Runs, likeness: Array, n_wanted: int
) -> tuple[SimilarPassage, ...]:
    """Return the runs that are most alike as passages, one of each text."""
    first_by_text: dict[str, tuple[int, int, float]] = {}
    counts: dict[str, int] = {}
    for number in np.argsort(-likeness, kind="stable").tolist():
        if not np.isfinite(likeness[number]):
            continue
        start = used.start + int(runs.starts[number]) * used.every
        stop = min(used.start + (int(runs.stops[number]) - 1) * used.every + 1, used.stop)
        text = corpus.text(start, stop)
        if text in counts:
            counts[text] += 1
        elif len(counts) < n_wanted:
            counts[text] = 1
            first_by_text[text] = (start, stop, float(likeness[number]))
    passages = []
    for text, (start, stop, alike) in first_by_text.items():
        document = int(np.searchsorted(corpus.starts, start, side="right")) - 1
        passages.append(
            SimilarPassage(
                start=start,
                stop=stop,
                likeness=alike,
                before=corpus.text(max(start - _BEFORE, int(corpus.starts[document])), start),
                text=text[:_MOST_SHOWN],
                after=corpus.text(stop, min(stop + _AFTER, int(corpus.stops[document]))),
                n_alike=counts[text],
            )
        )
    return tuple(passages)


def _notes(n_painted: int, n_found: int, share_inside: float, share_on: float) -> list[str]:
    """Say what similar passages show, and what not."""
    notes = ["these are where the units are on; whether they mean the same there is for the reader to judge"]
    if 2 * n_found < n_painted:
        notes.append(f"the units are on in most of {n_found:,} of {n_painted:,} painted passages only")
    if share_inside < _CLEARLY_MORE * share_on:
        notes.append(
            f"they are on at {share_inside:.0%} of the painted characters and at {share_on:.0%} of all, so that they "
            "do not follow what was painted"
        )
    return notes
