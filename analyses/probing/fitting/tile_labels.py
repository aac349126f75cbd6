"""The labels of the rows of a tile, and the sets of rows that probes are fitted to, in the form that losses take."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.probing.fitting.responses import Response
from analyses.targets.row_runs import RowMask

_KEPT_BYTES = 32 << 20


class LabelsOfTile(NamedTuple):
    """What the rows of one tile are labelled with.

    Attributes:
        masks: (n_rows, n_masks) whether each set of rows has each row.
        binary: (n_rows, n_binary) 0, 1, and -1 where the label is missing.
        numeric: (n_rows, n_numeric) numbers less their centres, NaN where they are missing, in the dtype of the design.
        classes: (n_rows,) each: the classes of each categorical label, -1 where it is missing.
    """

    masks: NDArray[np.bool_]
    binary: NDArray[np.int8]
    numeric: NDArray[Any]
    classes: list[NDArray[Any]]


class TileLabels:
    """Looks up the labels of tiles, and keeps them from one pass to the next if they are few."""

    def __init__(self, responses: Sequence[Response], masks: Sequence[RowMask], dtype: np.dtype[Any]) -> None:
        """Prepare to look up some labels and sets of rows."""
        unique = list({id(response): response for response in responses}.values())
        self._of_kind = {
            kind: [response for response in unique if response.kind == kind]
            for kind in ("binary", "numeric", "categorical")
        }
        self._number = {id(response): n for of_kind in self._of_kind.values() for n, response in enumerate(of_kind)}
        self._masks, self._dtype = masks, dtype
        self._kept: dict[tuple[int, int, int], LabelsOfTile] = {}
        self._room = _KEPT_BYTES

    def number(self, response: Response) -> int:
        """Return the number of a label among those of its kind."""
        return self._number[id(response)]

    def of(self, rows: slice) -> LabelsOfTile:
        """Return the labels of the rows of a tile."""
        key = rows.start, rows.stop, rows.step
        if (labels := self._kept.get(key)) is not None:
            return labels
        labels = self._look_up(rows)
        n_bytes = sum(part.nbytes for part in (labels.masks, labels.binary, labels.numeric, *labels.classes))
        if n_bytes <= self._room:  # threads may both keep a little more than there is room for
            self._room -= n_bytes
            self._kept[key] = labels
        return labels

    def _look_up(self, rows: slice) -> LabelsOfTile:
        masks = np.column_stack([mask[rows] for mask in self._masks])
        numeric = [response.at(rows) - response.centre for response in self._of_kind["numeric"]]
        return LabelsOfTile(
            masks,
            self._columns([response.at(rows) for response in self._of_kind["binary"]], len(masks), np.dtype(np.int8)),
            self._columns(numeric, len(masks), self._dtype),
            [response.at(rows) for response in self._of_kind["categorical"]],
        )

    def _columns(self, columns: Sequence[NDArray[Any]], n_rows: int, dtype: np.dtype[Any]) -> NDArray[Any]:
        """(n_rows, n_columns) arrays side by side."""
        return np.column_stack(columns).astype(dtype, copy=False) if columns else np.empty((n_rows, 0), dtype)
