"""Several labels of the same characters, which have few combinations."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.levels.pieces import Pieces
from analyses.targets.splits import PARTS, Split
from hypotheses.labelling.long_labels import AnyLabels
from hypotheses.labels import CharIndex

_MOST_BITS = 32  # of a code, besides that of the run and the labels before


class Run(NamedTuple):
    """The codes of the characters of one part of one atom."""

    part: int
    atom: int
    codes: slice


class JointRows(NamedTuple):
    """Codes of some characters, which represent what the characters have in common.

    Characters with the same code are in the same part of the same atom, and have the same labels; codes of one kind
    are in the same part of any atom, and have the same labels.

    Attributes:
        codes: (n_chars,) in [0, n_codes).
        pieces: The codes cut into pieces for adding up ranks, with the part of each character, and the kind of each
            code.
        y: (n_codes, n_labels + 1) the labels, and a 1.
        n: (n_codes,) how many characters have a code and labels.
        runs: The codes of each part of each atom, in their order.
        kind_examples: (n_kinds,) the part of each kind, and one of its codes.
    """

    codes: NDArray[np.int64]
    pieces: Pieces
    y: NDArray[np.float64]
    n: NDArray[np.int64]
    runs: list[Run]
    kind_examples: tuple[NDArray[np.int64], NDArray[np.int64]]


class Labelled(NamedTuple):
    """Unbroken runs, in one atom each, of those of some characters that have labels.

    Attributes:
        places: Where all the characters are in the corpus; a slice if they are equally far apart.
        starts: (n_runs,) the first row of each run.
        stops: (n_runs,) the row behind its last.
        atoms: (n_runs,) the atom that it lies in.
    """

    places: CharIndex
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    atoms: NDArray[np.int64]


class JointLabels:
    """Labels that are missing at the same characters, and share a split.

    Attributes:
        split: Which stretches are held out.
        n_labels: How many labels there are.
    """

    def __init__(self, split: Split, labels: Sequence[AnyLabels]) -> None:
        """Join labels of a whole text.

        Args:
            split: Which stretches are held out.
            labels: Binary or numeric ones, all missing at the same characters.
        """
        self.split = split
        self.n_labels = len(labels)
        self._labels = labels
        self._numbers = {
            number: np.unique(label.values) for number, label in enumerate(labels) if label.kind != "binary"
        }
        self._last: tuple[NDArray[np.int64], JointRows] | None = None
        self._last_labelled: tuple[NDArray[np.int64], Labelled] | None = None

    def parts(self, places: NDArray[np.int64]) -> NDArray[np.int8]:
        """(n_chars,) the part of the character at each place, -1 where the labels are missing."""
        if self._last is not None and np.array_equal(places, self._last[0]):
            return self._last[1].pieces.parts
        parts = self.split.parts_of(places)
        missing = self._labels[0].missing_at(places)
        if missing is not None:
            parts[missing] = -1
        return parts

    def label(self, number: int, places: CharIndex) -> NDArray[Any]:
        """(n_chars,) one of the labels of some characters; a view of it if their places are a slice."""
        return self._labels[number].values_at(places)

    def rows(self, places: NDArray[np.int64]) -> JointRows:
        """Return the codes of the characters at some places."""
        if self._last is None or not np.array_equal(places, self._last[0]):
            self._last = places.copy(), self._rows(places)
        return self._last[1]

    def labelled(self, places: NDArray[np.int64]) -> Labelled:
        """Return the runs of the characters at some places that have labels."""
        if self._last_labelled is None or not np.array_equal(places, self._last_labelled[0]):
            self._last_labelled = places.copy(), self._labelled(places)
        return self._last_labelled[1]

    def _labelled(self, places: NDArray[np.int64]) -> Labelled:
        rows = np.flatnonzero(self.parts(places) >= 0)
        atoms = self.split.atom(places[rows])
        first = np.flatnonzero((np.diff(rows, prepend=-2) > 1) | (np.diff(atoms, prepend=-1) != 0))
        last = np.append(first, len(rows))[1:] - 1
        return Labelled(_as_slice(places), rows[first], rows[last] + 1, atoms[first])

    def _rows(self, places: NDArray[np.int64]) -> JointRows:
        parts, atoms = self.parts(places), self.split.atom(places)
        n_atoms = self.split.n_atoms
        cells = np.where(parts >= 0, parts.astype(np.int64) * n_atoms + atoms, len(PARTS) * n_atoms)
        labels = [label.values_at(_as_slice(places)) for label in self._labels]
        _, firsts, codes, n = np.unique(
            self._with_labels(cells, labels), return_index=True, return_inverse=True, return_counts=True
        )
        code_labels, code_cells = [label[firsts] for label in labels], cells[firsts]
        y = np.stack([*code_labels, np.ones(len(firsts))], axis=1).astype(np.float64)
        starts = [*np.flatnonzero(np.diff(code_cells, prepend=-1)).tolist(), len(firsts)]
        runs = [Run(*divmod(int(code_cells[a]), n_atoms), slice(a, b)) for a, b in itertools.pairwise(starts)]
        code_parts = code_cells // n_atoms
        _, examples, kinds = np.unique(
            self._with_labels(code_parts, code_labels), return_index=True, return_inverse=True
        )
        pieces = Pieces.cut(parts, codes, kinds, n_ranked=len(self._labels[0]))
        labelled_runs = [run for run in runs if run.part < len(PARTS)]
        return JointRows(codes, pieces, y, n, labelled_runs, (code_parts[examples], examples))

    def _with_labels(self, numbers: NDArray[np.int64], labels: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
        """(n_chars,) numbers that are equal where these numbers and all labels are; they ascend with these numbers."""
        n_bits = 0
        for label in (binary for number, binary in enumerate(labels) if number not in self._numbers):
            if n_bits == _MOST_BITS:
                numbers, n_bits = np.unique(numbers, return_inverse=True)[1], 0
            numbers, n_bits = (numbers << 1) | label, n_bits + 1
        for number, values in self._numbers.items():
            ids = np.searchsorted(values, labels[number])
            numbers = (np.unique(numbers, return_inverse=True)[1] << _MOST_BITS) | ids
        return numbers


def _as_slice(places: NDArray[np.int64]) -> CharIndex:
    """Return the same places as a slice, if they ascend and are equally far apart."""
    steps = np.diff(places)
    every = int(steps[0]) if len(steps) else 1
    is_even = every > 0 and bool((steps == every).all())
    return slice(int(places[0]), int(places[-1]) + 1, every) if is_even and len(places) else places
