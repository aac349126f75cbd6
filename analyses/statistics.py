"""One-pass statistics: updated block by block, merged with others like them."""

from dataclasses import dataclass

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

N_VALUES = 1 << 16
_LARGEST = np.float32(np.finfo(np.float16).max)
_INFINITE = 0x7C00
_ROUNDING = 1e-12
_BINS_PER_DEVIATION = 3840.0
_NEAR = 8 * _BINS_PER_DEVIATION
_FARTHEST = N_VALUES // 2 - 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Where to cut the values of units in float32.

    Near a unit's mean, up to some 8 standard deviations from it, the bins are equally wide, some 1/3,840 of one;
    farther out there are 64 to each doubling.

    Attributes:
        mean: (n_units,) the middle.
        width: (n_units,) of the bins near it.
    """

    mean: NDArray[np.float64]
    width: NDArray[np.float64]

    @classmethod
    def around(cls, moments: "Moments") -> "Bins":
        """Bins for units with these moments, rounded so that they do not depend on the order of the blocks."""
        deviation = np.where(moments.deviation > 0, moments.deviation, 1.0)
        width = np.exp2(np.round(np.log2(deviation))) / _BINS_PER_DEVIATION
        return cls(np.asarray(np.round(moments.mean / width) * width), np.asarray(width))

    def of(self, units: slice) -> "Bins":
        """The bins of some of the units."""
        return Bins(self.mean[units], self.width[units])


class ValueCounts:
    """How often each unit takes each value, separately for groups of characters.

    There are 65,536 values: those of float16, or bins. Values in float32 for which there are no bins are rounded to
    float16, which keeps 11 significant bits.

    Attributes:
        counts: (n_units, 65536, n_groups) uint32, values in ascending order.
        bins: Of values in float32, if they are not rounded.
    """

    def __init__(self, n_groups: int, n_units: int, bins: Bins | None = None) -> None:
        self.counts: NDArray[np.uint32] = np.zeros((n_units, N_VALUES, n_groups), np.uint32)
        self.bins = bins

    @staticmethod
    def n_bytes(n_groups: int, n_units: int) -> int:
        """Memory that the counts take."""
        return 4 * n_groups * n_units * N_VALUES

    def update(self, values: NDArray[np.floating], groups: NDArray[np.int8]) -> bool:
        """Count some characters; the more at once, the less often a unit's counts have to be fetched from memory.

        Args:
            values: (n_units, n_chars) activations.
            groups: (n_chars,) the group of each character; negative ones are not counted.

        Returns:
            Whether all values are numbers.
        """
        if self.bins is not None and values.dtype != np.float16:
            return bool(_count_in_bins(values, self.bins.mean, self.bins.width, groups, self.counts))
        if values.dtype != np.float16:
            values = np.clip(values, -_LARGEST, _LARGEST).astype(np.float16)
        return bool(_count(np.ascontiguousarray(values).view(np.uint16), groups, self.counts))

    def merge(self, other: "ValueCounts") -> None:
        """Add the counts of other characters."""
        self.counts += other.counts


@njit(cache=True)
def place_of_bits(bits: int) -> int:
    """The place of a float16 with these bits among all of them in ascending order; both zeros have the same."""
    return 0x8000 + bits if bits < 0x8000 else 0x10000 - bits


@njit(cache=True)
def place_in_bins(place: float) -> int:
    """The bin of a value that is so many bins near the mean away from that."""
    if abs(place) >= _NEAR:
        far = min(_NEAR + 64 * np.log2(abs(place) / _NEAR), _FARTHEST)
        place = far if place > 0 else -far
    return int(np.floor(place)) + N_VALUES // 2


@njit(parallel=True, cache=True)
def _count(bits: NDArray[np.uint16], groups: NDArray[np.int8], counts: NDArray[np.uint32]) -> bool:
    """Count float16 values by their place in ascending order; False if one is not a number."""
    n_units, n_chars = bits.shape
    n_not_numbers = 0
    for unit in prange(n_units):
        for t in range(n_chars):
            value = bits[unit, t]
            if value & 0x7FFF > _INFINITE:
                n_not_numbers += 1
            if groups[t] >= 0:
                counts[unit, place_of_bits(value), groups[t]] += 1
    return n_not_numbers == 0


@njit(parallel=True, cache=True)
def _count_in_bins(
    values: NDArray[np.float32],
    mean: NDArray[np.float64],
    width: NDArray[np.float64],
    groups: NDArray[np.int8],
    counts: NDArray[np.uint32],
) -> bool:
    """Count values by their bin, in ascending order; False if one is not a number."""
    n_units, n_chars = values.shape
    n_not_numbers = 0
    for unit in prange(n_units):
        for t in range(n_chars):
            place = (values[unit, t] - mean[unit]) / width[unit]
            if np.isnan(place):
                n_not_numbers += 1
            elif groups[t] >= 0:
                counts[unit, place_in_bins(place), groups[t]] += 1
    return n_not_numbers == 0


@njit(parallel=True, cache=True)
def auc_from_counts(positive: NDArray[np.uint32], negative: NDArray[np.uint32]) -> NDArray[np.float64]:
    """Area under the ROC curve of every unit, from how often it takes each value in two classes.

    Equal to the chance that a positive character has a higher value than a negative one, ties counted half.

    Args:
        positive: (n_units, n_values) counts in the positive class, values in ascending order.
        negative: (n_units, n_values) the same in the negative class.

    Returns:
        (n_units,) in [0, 1]; 0.5 is chance; NaN where one class is empty.

    Source:
        Hanley & McNeil 1982, Radiology 143:29-36: AUC as the Mann-Whitney U statistic.
    """
    n_units, n_values = positive.shape
    aucs = np.empty(n_units)
    for unit in prange(n_units):
        twice_u, below, n_positive = np.int64(0), np.int64(0), np.int64(0)
        for value in range(n_values):
            p, n = np.int64(positive[unit, value]), np.int64(negative[unit, value])
            twice_u += p * (2 * below + n)
            below += n
            n_positive += p
        pairs = n_positive * below
        aucs[unit] = 0.5 * twice_u / pairs if pairs else np.nan
    return aucs


@dataclass(slots=True, eq=False)
class Moments:
    """Means, variances and covariances of units with one number per character.

    Kept as deviations from the mean and merged by the formulas of Chan, Golub & LeVeque 1983, so that nothing
    cancels however far the values are from 0.

    Attributes:
        n: Characters counted.
        mean: (n_units,) of the units.
        label_mean: Of the number.
        scatter: (n_units,) sums of squared deviations of the units.
        label_scatter: The same of the number.
        co_scatter: (n_units,) sums of products of both deviations.
    """

    n: int
    mean: NDArray[np.float64]
    label_mean: float
    scatter: NDArray[np.float64]
    label_scatter: float
    co_scatter: NDArray[np.float64]

    @classmethod
    def empty(cls, n_units: int) -> "Moments":
        """Of no characters."""
        return cls(0, np.zeros(n_units), 0.0, np.zeros(n_units), 0.0, np.zeros(n_units))

    @classmethod
    def of(cls, values: NDArray[np.floating], labels: NDArray[np.float64]) -> "Moments":
        """Of (n_chars, n_units) activations and (n_chars,) numbers."""
        if len(labels) == 0:
            return cls.empty(values.shape[1])
        x = values.astype(np.float64)
        mean, label_mean = x.mean(axis=0), float(labels.mean())
        x -= mean
        y = labels - label_mean
        return cls(len(y), mean, label_mean, np.einsum("tu,tu->u", x, x), float(y @ y), y @ x)

    def merge(self, other: "Moments") -> None:
        """Add the moments of other characters."""
        if other.n == 0:
            return
        n = self.n + other.n
        step, label_step = other.mean - self.mean, other.label_mean - self.label_mean
        weight = self.n * other.n / n
        self.scatter = self.scatter + other.scatter + weight * step**2
        self.label_scatter = self.label_scatter + other.label_scatter + weight * label_step**2
        self.co_scatter = self.co_scatter + other.co_scatter + weight * step * label_step
        self.mean = self.mean + step * (other.n / n)
        self.label_mean = self.label_mean + label_step * (other.n / n)
        self.n = n

    @property
    def deviation(self) -> NDArray[np.float64]:
        """(n_units,) standard deviations of the units."""
        return np.sqrt(self.scatter / max(self.n, 1))

    @property
    def correlation(self) -> NDArray[np.float64]:
        """(n_units,) Pearson's r of each unit with the number, in [-1, 1]; NaN where either never changes."""
        rounding = self.n * (_ROUNDING * self.mean) ** 2  # what a constant scatters by, computed in float64
        product = np.sqrt(np.where(self.scatter > rounding, self.scatter, 0.0) * self.label_scatter)
        with np.errstate(invalid="ignore", divide="ignore"):
            r = np.where(product > 0, self.co_scatter / product, np.nan)
        return np.asarray(np.clip(r, -1.0, 1.0))
