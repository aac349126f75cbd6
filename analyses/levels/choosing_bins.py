"""Choosing bins for units in float32 from a sample of their values."""

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from analyses.levels.binning import to_levels
from analyses.levels.bins import N_CELLS, N_END_CELLS, N_LEVELS, Bins
from analyses.levels.level_kernels import count_cells, most_shared
from analyses.threads import in_threads

_NEAR = 0.002  # share of the values outside the middle that are nearer to it than where cells begin to grow
_MOST_LOST = 0.001  # of a sample, that are equally far from a middle
_MOST_SHARED = 0.001  # of a sample, that may be in a bin with another value
_FEW_SHARED = 8  # values in a bin, which is a number that chance gives
_MOST_EDGES = 16_000  # a unit has at most twice as many
_SATURATED = 0.001  # a saturated value is as near as this to 1 or −1
_FEW_SATURATED = 0.005  # of a sample
_WIDEST = (
    1e30  # times the distance where cells begin to grow, is the largest distance that is distinguished from larger ones
)
_DOUBLING = 1 << 23  # float32 from one power of 2 to the next
_UNITS_AT_ONCE = 64  # that a thread finds bins for


def bins_around(sample: NDArray[np.float32]) -> Bins:
    """Choose bins for units from a sample of (n_chars, n_units) values, in any order."""
    units = [slice(first, first + _UNITS_AT_ONCE) for first in range(0, sample.shape[1], _UNITS_AT_ONCE)]
    return _joined(list(in_threads(lambda some: _bins_of_some(sample[:, some]), units)))


def _joined(parts: Sequence[Bins]) -> Bins:
    """Put the bins of the units of each part side by side."""
    first_edges = np.cumsum([0] + [len(part.edges) for part in parts])
    for part, n in zip(parts, first_edges, strict=False):
        part.first_edge[part.first_edge >= 0] += n
    return Bins(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Bins)))


def _bins_of_some(sample: NDArray[np.float32]) -> Bins:
    """Give each cell as many bins as its share of the sample is."""
    sample = np.asfortranarray(sample)  # most of what follows goes through one unit after another
    in_order = np.sort(sample, axis=0)
    middle, saturates = _middles(in_order)
    per_scale, shift = _cell_widths(sample, middle, saturates)
    counts = np.zeros((len(middle), 2 * N_CELLS + 1), np.int64)
    count_cells(sample, middle, saturates, per_scale, shift, counts)
    one_value_cells = np.array([N_CELLS, 1, 2 * N_CELLS - 1])  # the cells of the middle and of both ends
    middle_cells = np.where(saturates, one_value_cells[counts[:, one_value_cells].argmax(axis=1)], N_CELLS)
    counts[:, N_CELLS] = 0
    counts[np.flatnonzero(saturates)[:, None], [0, 1, -2, -1]] = 0
    n_shared = N_LEVELS - counts.shape[1]  # levels that are left when each cell has one
    n_levels = 1 + counts * n_shared // np.maximum(counts.sum(axis=1), 1)[:, None]
    first = np.cumsum(n_levels, axis=1) - n_levels
    bins = Bins(
        middle=middle,
        saturates=saturates,
        middle_levels=first[np.arange(len(middle)), middle_cells],
        per_scale=per_scale,
        shift=shift,
        levels=(first << 16 | n_levels).astype(np.uint32),
        first_edge=np.full(len(middle), -1),
        edges=np.empty(0, np.float32),
    )
    return _with_edges(bins, in_order)


def _cell_widths(
    sample: NDArray[np.float32], middle: NDArray[np.float32], saturates: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return `per_scale` and `shift` of the bins, such that the cells reach beyond the sample; see `Bins`."""
    distance = np.abs(sample - middle)
    np.minimum(distance, np.abs(1 - distance), out=distance, where=saturates)
    scale = np.ones(len(middle))
    for unit, of_unit in enumerate(distance.T):
        if of_unit.any():
            scale[unit] = max(np.quantile(of_unit[of_unit > 0], _NEAR), of_unit.max() / _WIDEST, 1e-36)
    doublings = np.ceil(np.log2(1 + distance.max(axis=0) / scale)) + 1  # one more, for values beyond the sample
    n_cells = np.where(saturates, N_END_CELLS, N_CELLS)
    shift = np.ceil(np.log2(doublings * _DOUBLING / (n_cells - 1))).astype(np.int64)
    return (1 / scale).astype(np.float32), shift


def _with_edges(bins: Bins, in_order: NDArray[np.float32]) -> Bins:
    """Give edges to the units of which many of (n_chars, n_units) sorted values would share a bin."""
    n_chars, n_units = in_order.shape
    # arrays as those of blocks and tiles are, for which the loop is compiled anyway
    values = np.ascontiguousarray(in_order)
    values.flags.writeable = False
    found_levels = np.empty((n_units, n_chars + 1), np.uint16)[:, :-1]
    to_levels(values, found_levels, bins)
    most = max(_FEW_SHARED, int(_MOST_SHARED * len(in_order)))
    levels, middle_levels, first_edge = bins.levels.copy(), bins.middle_levels.copy(), bins.first_edge.copy()
    all_edges: list[NDArray[np.float32]] = []
    for unit in np.flatnonzero(most_shared(in_order, found_levels) > most):
        of_unit = bins.of(slice(unit, unit + 1))
        frequent, edges = _edges(in_order[:, unit])
        counts = np.zeros((1, levels.shape[1]), np.int64)
        count_cells(edges[:, None], of_unit.middle, of_unit.saturates, of_unit.per_scale, of_unit.shift, counts)
        levels[unit] = (np.cumsum(counts) - counts[0]) << 16 | counts[0]
        middle_levels[unit] = np.searchsorted(edges, frequent, "right")
        first_edge[unit] = sum(map(len, all_edges))
        all_edges.append(edges)
    return replace(
        bins,
        levels=levels,
        middle_levels=middle_levels,
        first_edge=first_edge,
        edges=np.concatenate([bins.edges, *all_edges]),
    )


def _middles(in_order: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Find the middle of each unit of (n_chars, n_units) sorted values, and whether it saturates; see `Bins`.

    The middle is the value that a unit has most often, if that is frequent, or the median; unless the unit saturates,
    or many values that differ are equally far from it in float32, as those near 0 are from 1.
    """
    n_chars = len(in_order)
    middles = in_order[n_chars // 2].copy()
    n_same = max(2, n_chars // 100)
    is_within = (in_order[0] >= -1) & (in_order[-1] <= 1)
    for unit, of_unit in enumerate(in_order.T):
        if len(same := np.flatnonzero(of_unit[n_same - 1 :] == of_unit[: n_chars - n_same + 1])):
            values, n = np.unique(of_unit[same], return_counts=True)
            middles[unit] = values[n.argmax()]
            size = np.abs(values)
            # another frequent value would have no level alone
            is_within[unit] &= bool((np.minimum(size, 1 - size) < _SATURATED).all())
    with np.errstate(over="ignore", invalid="ignore"):
        distances = in_order - middles
        n_lost = ((distances[1:] == distances[:-1]) & (in_order[1:] != in_order[:-1])).sum(axis=0)
    n_saturated = (np.abs(in_order) > 1 - _SATURATED).sum(axis=0)
    is_lost = n_lost > _MOST_LOST * n_chars
    saturates = is_within & (is_lost | (n_saturated > _FEW_SATURATED * n_chars))
    middles[is_lost | saturates] = 0
    return middles, saturates


def _edges(in_order: NDArray[np.float32]) -> tuple[np.float32, NDArray[np.float32]]:
    """Return the most frequent of sorted values, and the edges of bins.

    Edges are each value, and what follows a value that is there twice.
    """
    values, n = np.unique(in_order[:: -(-len(in_order) // _MOST_EDGES)], return_counts=True)
    frequent = values[n.argmax()]
    after = np.nextafter(np.append(values[n > 1], frequent), np.float32(np.inf))
    return frequent, np.unique(np.concatenate([values, after]))
