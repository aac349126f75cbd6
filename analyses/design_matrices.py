"""Labels and activations as arrays for models of your own, such as those of scikit-learn."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from activations.blocks import Source
from activations.results import Result, Row
from activations.site_names import AnySites, select_sites
from activations.units import Unit, units_of
from analyses.session import AnySource, Session, question
from analyses.targets.labelling import AnyHypothesis, target_for
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target
from hypotheses.labels import Kind

_PART_NAMES = ("train", "test", "gap", "missing")  # by the numbers of parts; -1 is the last
_READ_ROWS = 8192  # at a time, so that a long slice needs little memory beside the result
_NEAR_ROWS = 64  # rows that are this near to each other are read together


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RowLabels(Result):
    """Labels of the rows of a source, one row per character that it gives, and which rows train and test.

    Attributes:
        hypothesis: The name of the hypothesis.
        kind: `binary`, `categorical` or `numeric`.
        names: The names of the classes of categorical labels.
        values: (n_rows,) bool if binary, int32 indices of `names` if categorical, float64 if numeric. Where a label is
            missing, numbers are NaN, and other values mean nothing.
        parts: (n_rows,) int8: 0 for training rows, 1 for test rows, 2 for rows in the gaps between them, and -1 where
            the label is missing.
        stretches: (n_rows,) the stretch of the text that each row lies in. Neighbouring rows depend on each other, so
            these are the groups to cross-validate by.
        positions: (n_rows,) the position in the corpus of each row's character.
    """

    hypothesis: str
    kind: Kind
    names: tuple[str, ...]
    values: NDArray[Any]
    parts: NDArray[np.int8]
    stretches: NDArray[np.int64]
    positions: NDArray[np.int64]

    @property
    def train(self) -> NDArray[np.int64]:
        """Return the row numbers of the training characters that have a label."""
        return np.flatnonzero(self.parts == TRAIN)

    @property
    def test(self) -> NDArray[np.int64]:
        """Return the row numbers of the held-out characters that have a label."""
        return np.flatnonzero(self.parts == TEST)

    def __len__(self) -> int:
        return len(self.values)

    def rows(self) -> list[Row]:
        """Return one row for each character: its position, label (None if missing), part and stretch."""
        labels = self.values.tolist()
        if self.kind == "categorical":
            labels = [self.names[code] for code in labels]
        columns = (self.positions.tolist(), labels, self.parts.tolist(), self.stretches.tolist())
        return [
            {
                "position": position,
                "label": None if part < 0 else label,
                "part": _PART_NAMES[part],
                "stretch": stretch,
            }
            for position, label, part, stretch in zip(*columns, strict=True)
        ]

    def __str__(self) -> str:
        sizes = f"{len(self):,} characters, {len(self.train):,} train and {len(self.test):,} test"
        return f"{self.kind} labels of {self.hypothesis} at {sizes}"


class ActivationMatrix:
    """The activations of some sites at every row of a source, an array of which only the rows that are used are read.

    `matrix[rows]` is a float32 array (n_rows, n_units); `rows` is a slice, one row number, an array of row numbers in
    any order, or a mask. `np.asarray(matrix)` reads everything, and so do estimators that need all rows at once: give
    those `matrix[train]`. Estimators with `partial_fit` can take a few thousand rows at a time.

    A recording is mapped into memory, so that any rows are read directly. A live model reads the text from the nearest
    state that it has kept before the rows that are asked for: take long slices of it, or record it first.

    Attributes:
        source: The session that reads; it keeps a recording open that was given as a path.
        units: (n_units,) the unit of each column.
        shape: (n_rows, n_units).
    """

    ndim = 2
    dtype = np.dtype(np.float32)

    def __init__(self, source: AnySource, sites: AnySites | None = None) -> None:
        """Prepare to read a source, without reading any of it.

        Args:
            source: A recording, its path, or live activations.
            sites: The sites whose units are the columns; None means all.

        Raises:
            ActivationError: If there is no such recording or site.
        """
        self.source = Session.of(source)
        self._sites = select_sites(self.source.sites, sites)
        self.units: tuple[Unit, ...] = tuple(units_of(self.source.sites, self._sites))
        self.shape = (self.source.selection.n_chars, len(self.units))

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        names = ", ".join(map(str, self._sites))
        return f"<ActivationMatrix: {self.shape[0]:,} rows × {self.shape[1]:,} units of {names}>"

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        rows, *columns = key if isinstance(key, tuple) else (key,)
        numbers = self._row_numbers(slice(None) if rows is Ellipsis else rows)
        if numbers.ndim == 0:
            return np.asarray(self._read(numbers[None])[(0, *columns)])
        return np.asarray(self._read(numbers)[(slice(None), *columns)])

    def _row_numbers(self, rows: Any) -> NDArray[np.int64]:
        """Return the numbers from 0 up to `n_rows` of the rows that an index stands for; of one row a single number."""
        if isinstance(rows, slice):
            return np.arange(*rows.indices(len(self)))
        numbers = np.asarray(rows)
        if numbers.dtype == np.bool_ and numbers.shape == (len(self),):
            return np.flatnonzero(numbers)
        if numbers.ndim > 1 or (numbers.size and numbers.dtype.kind not in "iu"):
            raise IndexError(
                f"{rows!r:.80} does not choose rows; give a slice, row numbers, or a mask of {len(self):,}"
            )
        numbers = numbers.astype(np.int64)
        if numbers.size and not -len(self) <= numbers.min() <= numbers.max() < len(self):
            raise IndexError(f"{rows!r:.80} is not among the {len(self):,} rows, which are counted from 0")
        return np.where(numbers < 0, numbers + len(self), numbers)

    def _read(self, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
        """Read (n_rows,) numbers of rows, in any order."""
        values = np.empty((len(numbers), self.shape[1]), np.float32)
        order = np.argsort(numbers, kind="stable")
        for piece in _pieces(numbers[order]):
            wanted = numbers[order[piece]]
            first, last = int(wanted[0]), int(wanted[-1])
            values[order[piece]] = self._read_run(first, last + 1)[wanted - first]
        return values

    def _read_run(self, first: int, last: int) -> NDArray[np.float32]:
        """Read the rows from `first` up to `last`."""
        selection = self.source.selection
        start, stop = (selection.start + row * selection.every for row in (first, last))
        by_site = self.source.read(self._sites, start, stop)
        return np.hstack([by_site[site].astype(np.float32, copy=False) for site in self._sites])


def _pieces(numbers: NDArray[np.int64]) -> Iterator[slice]:
    """Cut (n_rows,) ascending row numbers into pieces of rows that are near to each other, none of them long."""
    cuts = np.flatnonzero((np.diff(numbers) > _NEAR_ROWS) | (np.diff(numbers // _READ_ROWS) > 0)) + 1
    borders = [0, *cuts.tolist(), len(numbers)]
    for start, stop in itertools.pairwise(borders):
        if start < stop:
            yield slice(start, stop)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Design(Result):
    """Activations, labels and a split, to fit a model of your own to and to judge it on.

    Attributes:
        X: (n_rows, n_units) activations, which are read when rows of them are used; see `ActivationMatrix`.
        labels: The labels of the same rows.
    """

    X: ActivationMatrix
    labels: RowLabels

    @property
    def y(self) -> NDArray[Any]:
        """Return the (n_rows,) labels; see `RowLabels.values`."""
        return self.labels.values

    @property
    def train(self) -> NDArray[np.int64]:
        """Return the row numbers of the training characters that have a label."""
        return self.labels.train

    @property
    def test(self) -> NDArray[np.int64]:
        """Return the row numbers of the held-out characters that have a label."""
        return self.labels.test

    @property
    def groups(self) -> NDArray[np.int64]:
        """Return the (n_rows,) stretches, which are the groups of scikit-learn's `GroupKFold`."""
        return self.labels.stretches

    def rows(self) -> list[Row]:
        """Return one row for each character; see `RowLabels.rows`."""
        return self.labels.rows()

    def __str__(self) -> str:
        return f"{self.labels}; {self.X.shape[1]:,} units"


@question
def labels(source: Source, hypothesis: AnyHypothesis | Target) -> RowLabels:
    """Label the rows of a source, and say which of them train and test.

    Args:
        source: A recording, its path, or live activations.
        hypothesis: A name, a function, or a target made before, which has its own split.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels leave nothing to tell apart.
    """
    target = target_for(source, hypothesis)
    selection, rows = target.selection, target.all_rows
    values = rows.labels
    if target.kind == "numeric":
        values = np.where(rows.parts < 0, np.nan, values)
    positions = np.arange(selection.start, selection.stop, selection.every)
    return RowLabels(
        hypothesis=target.hypothesis,
        kind=target.kind,
        names=target.labels.names,
        values=values,
        parts=rows.parts,
        stretches=target.split.stretch(positions),
        positions=positions,
    )


def design(source: AnySource, sites: AnySites | None, hypothesis: AnyHypothesis | Target) -> Design:
    """Return activations, labels and the split for a model of your own, without reading the activations.

        design = probe.design("activations.h5", "1/cell", "in_quotes")
        model = LogisticRegression().fit(design.X[design.train], design.y[design.train])
        print(model.score(design.X[design.test], design.y[design.test]))

    Args:
        source: A recording, its path, or live activations. A recording that is given as a path stays open for as long
            as the design is used.
        sites: The sites whose units are the columns of `X`; None means all.
        hypothesis: A name, a function, or a target made before, which has its own split.

    Raises:
        ActivationError: If there is no such recording or site.
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels leave nothing to tell apart.
    """
    matrix = ActivationMatrix(source, sites)
    return Design(X=matrix, labels=labels(matrix.source, hypothesis))
