"""Comparisons of all units inside passages with themselves just around them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.texts.selection import Selection
from activations.units import Site
from analyses.session import Session
from probe.explorer.questions.painted import Painted
from probe.explorer.sidecar.stretches import stretches

MOST_READ = 2_000
"""Passages that are compared, drawn evenly from more."""
_MOST_ROWS, _STRETCH = 1_000, 50  # characters of a passage, about: of one twice as long, short stretches are read

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Comparisons of passages with the text around them.

    Attributes:
        spans: (n_passages, 2) the passages that have text around them.
        aucs: (n_passages, n_units) of inside against around.
        inside: (n_units,) sum over the characters inside.
        around: (n_units,) sum over those around.
        squares: (n_units,) sum of squares over both.
        n: The numbers of characters inside and around.
    """

    spans: NDArray[np.int64]
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


def compare(
    session: Session, selection: Painted, sites: Sequence[Site], advance: Callable[[], object]
) -> Compared | None:
    """Compare passages with the text around them; None if none of them has any.

    Of long passages about 1,000 characters are read, in short stretches from all over, so that the memory that this
    takes does not grow with them.
    """
    numbers = np.unique(np.linspace(0, len(selection.spans) - 1, min(len(selection.spans), MOST_READ)).astype(int))
    windows = selection.windows()[numbers]
    n_units = sum(session.sites[site] for site in sites)
    compared, aucs, n = [], [], np.zeros(2, np.int64)
    inside, around, squares = np.zeros((3, n_units))
    for number, window in zip(numbers.tolist(), windows.tolist(), strict=True):
        first, last = selection.spans[number].tolist()
        parts = list(_read_parts(session.selection, (first, last), window))
        positions = np.concatenate([np.arange(part.start, part.stop, part.every) for part in parts])
        is_inside = (positions >= first) & (positions < last)
        used = is_inside | ~selection.is_inside(positions)  # without the passages next to this one
        if is_inside.any() and not is_inside[used].all():
            values, is_inside = _values(session, sites, parts)[used], is_inside[used]
            compared.append([first, last])
            aucs.append(_aucs(values, is_inside))
            inside += values[is_inside].sum(axis=0, dtype=np.float64)
            around += values[~is_inside].sum(axis=0, dtype=np.float64)
            squares += np.einsum("ij,ij->j", values, values, dtype=np.float64)
            n += [int(is_inside.sum()), int((~is_inside).sum())]
        advance()
    return Compared(np.array(compared), np.array(aucs), inside, around, squares, n) if aucs else None


def _read_parts(used: Selection, span: tuple[int, int], window: Sequence[int]) -> Iterator[Selection]:
    """Yield the recorded characters that stand for a passage and what is around it: of a long one, stretches."""
    inside = used.part(*span)
    rows = stretches(inside.n_chars, _MOST_ROWS, _STRETCH)
    if len(rows) == 1:
        yield used.part(*window)
        return
    yield used.part(window[0], span[0])
    for stretch in rows:
        yield used.part(inside.start + stretch.start * used.every, inside.start + stretch.stop * used.every)
    yield used.part(span[1], window[1])


def _values(session: Session, sites: Sequence[Site], parts: Sequence[Selection]) -> NDArray[np.float32]:
    """(n_chars, n_units) activations of the units of all sites at the characters of some parts."""
    by_part = [session.read(sites, part.start, part.stop) for part in parts if part.n_chars]
    rows = [np.concatenate([by_site[site] for site in sites], axis=1, dtype=np.float32) for by_site in by_part]
    return np.concatenate(rows)


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
    aucs = (sums - n_inside * (n_inside + 1)) / (2 * n_inside * n_around)  # of whole numbers, so that it is exact
    return np.where(np.isnan(values).any(axis=0), np.nan, aucs)
