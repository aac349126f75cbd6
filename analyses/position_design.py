"""What a probe sees that knows only where in the text it is."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from analyses.designs import Basis, DenseTile, principal, tiles_of
from analyses.long_run import N_GROUPS, position_groups
from analyses.splits import Split


class PositionDesign:
    """A column for each eighth of the text, one for the place in the document, and one for the place's logarithm.

    What it tells, a slow unit tells, too, without knowing anything.
    """

    def __init__(self, source: Source, split: Split) -> None:
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        used = source.selection
        places = np.arange(used.start, used.stop, used.every)
        self._groups = position_groups(split.n_atoms)[split.atom(places)].astype(np.int8)
        starts = np.array([document.start for document in source.corpus.documents])
        self._in_document = (places - starts[np.searchsorted(starts, places, side="right") - 1]).astype(np.float32)
        self.n_rows, self.n_columns = len(places), N_GROUPS + 2
        self._mean, self._scale = np.zeros(self.n_columns, np.float32), np.ones(self.n_columns, np.float32)
        columns = self._columns(slice(None))
        scale = columns.std(axis=0, dtype=np.float64)
        self._mean = columns.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._scale = np.where(scale > 0, scale, 1).astype(np.float32)

    def _columns(self, rows: slice) -> NDArray[np.float32]:
        place = self._in_document[rows]
        columns = np.empty((len(place), self.n_columns), np.float32)
        columns[:, :N_GROUPS] = self._groups[rows, None] == np.arange(N_GROUPS)
        columns[:, N_GROUPS], columns[:, N_GROUPS + 1] = place, np.log1p(place)
        return (columns - self._mean) / self._scale

    def tiles(self, wanted: NDArray[np.bool_], every: int = 1) -> Iterator[DenseTile]:
        """See `Design`."""
        for rows in tiles_of(wanted, every):
            yield DenseTile(rows, self._columns(rows))

    def basis(self, wanted: NDArray[np.bool_]) -> Basis:
        """See `Design`."""
        return principal(self, wanted)
