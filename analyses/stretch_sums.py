"""Sums over the stretches of a text, of which intervals and p-values are made.

Neighbouring characters share both state and label, so that the stretches, and not the characters, are the sample.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from analyses.statistics import N_VALUES, Bins, place_in_bins, place_of_bits


@dataclass(frozen=True, slots=True, eq=False)
class StretchSums:
    """Sums over the characters of each stretch, of a number x of each unit and a label y.

    Attributes:
        n: (n_stretches,) characters with a label.
        y: (n_stretches,) sums of y, and `yy` of its squares.
        x: (n_stretches, n_units) sums of x, `xx` of its squares, and `xy` of its products with y.
    """

    n: NDArray[np.float64]
    y: NDArray[np.float64]
    yy: NDArray[np.float64]
    x: NDArray[np.float64]
    xx: NDArray[np.float64]
    xy: NDArray[np.float64]

    @classmethod
    def empty(cls, n_stretches: int, n_units: int) -> "StretchSums":
        """Of no characters."""
        of_text = [np.zeros(n_stretches) for _ in range(3)]
        return cls(*of_text, *(np.zeros((n_stretches, n_units)) for _ in range(3)))

    @classmethod
    def of_rows(
        cls, x: NDArray[np.floating], y: NDArray[np.floating], stretches: NDArray[np.int64], n_stretches: int
    ) -> "StretchSums":
        """Of (n_chars, n_units) and (n_chars,) numbers; rows of a negative stretch are left out."""
        sums = cls.empty(n_stretches, x.shape[1])
        for stretch in np.unique(stretches[stretches >= 0]).tolist():
            rows = stretches == stretch
            own_x, own_y = x[rows], y[rows]
            sums.n[stretch], sums.y[stretch], sums.yy[stretch] = len(own_y), own_y.sum(), own_y @ own_y
            sums.x[stretch], sums.xx[stretch] = own_x.sum(axis=0), np.einsum("tu,tu->u", own_x, own_x)
            sums.xy[stretch] = own_y @ own_x
        return sums

    def merge(self, other: "StretchSums") -> None:
        """Add the sums of other characters."""
        for mine, others in zip(self._arrays, other._arrays, strict=True):
            mine += others

    def beside(self, other: "StretchSums") -> "StretchSums":
        """With the units of the same characters that stand behind these."""
        units = (np.concatenate([getattr(self, name), getattr(other, name)], axis=1) for name in ("x", "xx", "xy"))
        return StretchSums(self.n, self.y, self.yy, *units)

    def of(self, stretches: NDArray[np.bool_]) -> "StretchSums":
        """The sums of some of the stretches."""
        return StretchSums(*(array[stretches] for array in self._arrays))

    @property
    def _arrays(self) -> tuple[NDArray[np.float64], ...]:
        return self.n, self.y, self.yy, self.x, self.xx, self.xy

    def centred(self) -> NDArray[np.float64]:
        """(n_stretches, n_units) sums of products of the deviations of x and y from their means over all of the text.

        Each has mean 0 if x and y have nothing to do with each other, whatever they have to do with themselves.
        """
        n = self.n.sum()
        mean_x, mean_y = self.x.sum(axis=0) / n, self.y.sum() / n
        return np.asarray(self.xy - mean_x * self.y[:, None] - mean_y * self.x + self.n[:, None] * mean_x * mean_y)


class RankSums:
    """Sums of the ranks of units' values: x is the mid-rank of a value among all, in (−1/2, 1/2), 0 in the middle.

    The AUC of a unit is 1/2 and the mean rank of positive characters, less that of negative ones.

    Attributes:
        sums: What has been counted so far.
    """

    def __init__(self, counts: NDArray[np.uint32], n_stretches: int, bins: Bins | None = None) -> None:
        """Make ranks of (n_units, 65536) counts of all values, in ascending order; float16 ones, or those of bins."""
        self._ranks = _ranks(counts)
        self._bins = bins
        self.sums = StretchSums.empty(n_stretches, len(counts))

    def update(self, values: NDArray[np.floating], labels: NDArray[np.bool_], stretches: NDArray[np.int64]) -> None:
        """Add the rows of a block.

        Args:
            values: (n_chars, n_units) activations, of the number type that was counted.
            labels: (n_chars,) y.
            stretches: (n_chars,) where each row belongs; negative ones are left out.
        """
        sums = self.sums
        used = stretches >= 0
        positive = used & labels
        for into, rows in ((sums.n, used), (sums.y, positive), (sums.yy, positive)):
            into += np.bincount(stretches[rows], minlength=len(into))
        if self._bins is not None:
            _add_binned(
                values, self._bins.mean, self._bins.width, labels, stretches, self._ranks, sums.x, sums.xx, sums.xy
            )
        else:
            bits = np.ascontiguousarray(values).view(np.uint16)
            _add(bits, labels, stretches, self._ranks, sums.x, sums.xx, sums.xy)


@njit(parallel=True, cache=True)
def _ranks(counts: NDArray[np.uint32]) -> NDArray[np.float32]:
    n_units = len(counts)
    ranks = np.zeros((n_units, N_VALUES), np.float32)
    for unit in prange(n_units):
        total = 0.0
        for value in range(N_VALUES):
            total += counts[unit, value]
        below = 0.0
        for value in range(N_VALUES):
            ranks[unit, value] = (below + counts[unit, value] / 2) / max(total, 1.0) - 0.5
            below += counts[unit, value]
    return ranks


@njit(parallel=True, cache=True)
def _add(
    bits: NDArray[np.uint16],
    labels: NDArray[np.bool_],
    stretches: NDArray[np.int64],
    ranks: NDArray[np.float32],
    x: NDArray[np.float64],
    xx: NDArray[np.float64],
    xy: NDArray[np.float64],
) -> None:
    for unit in prange(bits.shape[1]):
        for t in range(len(bits)):
            stretch = stretches[t]
            if stretch >= 0:
                rank = np.float64(ranks[unit, place_of_bits(bits[t, unit])])
                x[stretch, unit] += rank
                xx[stretch, unit] += rank * rank
                if labels[t]:
                    xy[stretch, unit] += rank


@njit(parallel=True, cache=True)
def _add_binned(
    values: NDArray[np.float32],
    mean: NDArray[np.float64],
    width: NDArray[np.float64],
    labels: NDArray[np.bool_],
    stretches: NDArray[np.int64],
    ranks: NDArray[np.float32],
    x: NDArray[np.float64],
    xx: NDArray[np.float64],
    xy: NDArray[np.float64],
) -> None:
    for unit in prange(values.shape[1]):
        for t in range(len(values)):
            stretch = stretches[t]
            if stretch >= 0:
                rank = np.float64(ranks[unit, place_in_bins((values[t, unit] - mean[unit]) / width[unit])])
                x[stretch, unit] += rank
                xx[stretch, unit] += rank * rank
                if labels[t]:
                    xy[stretch, unit] += rank
