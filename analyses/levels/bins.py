"""Bins: where the values of units in float32 are cut into 65,536 levels."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

N_LEVELS = 1 << 16
N_CELLS = 2048  # on either side of the middle
N_END_CELLS = 1022  # of these, on either side of .5, for a unit that saturates


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """The bins into which the values of units in float32 are cut.

    A unit's values lie in cells, whose width grows with the distance from its middle, about as its logarithm does. A
    cell is cut into as many bins as a sample has values there, so that few values share a bin wherever most of them
    are. The middle has a bin of its own, since a unit may well be at 0 half of the time.

    A unit that saturates, as a gate does at 0 and 1 and a hidden unit at −1, 0 and 1, has values near each of these
    that would be equally far from any other middle: the width of its cells grows with the distance from the nearest.

    The values of a few units gather anywhere, as those of one that counts do near whole numbers. If many values of the
    sample would share a bin, each value of the sample is the lower edge of one. This takes a search within each cell.

    Attributes:
        middle: (n_units,) float32, the value that the sample has most often, if that is frequent, or the median; 0 for
            a unit that saturates.
        saturates: (n_units,) whether the unit saturates.
        middle_levels: (n_units,) a level that one value alone has: the middle, or an end (−1 or 1) that is more
            frequent; for a unit that has edges, the value that the sample has most often.
        per_scale: (n_units,) float32, 1 over the distance from the middle within which hardly any values lie.
        shift: (n_units,) a cell has 2 to this power steps from one float32 to the next.
        levels: (n_units, n_cells) the lowest level of each cell, in ascending order, in the upper 16 bits, and how many
            levels it has in the lower ones.
        first_edge: (n_units,) the index of the lowest edge of each unit that has edges; −1 for others.
        edges: The edges of all units that have some, in ascending order for each.
    """

    middle: NDArray[np.float32]
    saturates: NDArray[np.bool_]
    middle_levels: NDArray[np.int64]
    per_scale: NDArray[np.float32]
    shift: NDArray[np.int64]
    levels: NDArray[np.uint32]
    first_edge: NDArray[np.int64]
    edges: NDArray[np.float32]

    @property
    def n_bytes(self) -> int:
        """The memory that they take."""
        return sum(getattr(self, field.name).nbytes for field in fields(self))

    def of(self, units: slice) -> "Bins":
        """Return the bins of some of the units."""
        arrays = {field.name: getattr(self, field.name)[units] for field in fields(self) if field.name != "edges"}
        return Bins(**arrays, edges=self.edges)
