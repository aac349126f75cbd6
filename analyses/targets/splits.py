"""Splits of a text into characters that train, that test, and that lie between: functions of position alone."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analyses.errors import AnalysisError

TRAIN, TEST, GAP = range(3)
ALL = 2  # the index of all characters, in arrays whose first entries are for `TRAIN` and `TEST`
PARTS = (TRAIN, TEST, GAP)
_PIECE_CHARS = 1 << 18
ATOM_CHARS, FEWEST_ATOMS, MOST_ATOMS = 1000, 20, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A text cut into contiguous stretches, one in `n_folds` of which is held out.

    Neighbouring characters share both state and label, so that characters drawn at random for the test would
    already be known from their neighbours. Whole stretches are held out, and a gap of training characters on
    either side of them is left out. Each stretch consists of one or more atoms; sums are kept for each atom.

    Attributes:
        n_chars: Length of the text, or of the part of it that is used.
        n_stretches: How many stretches it is cut into.
        n_folds: One stretch in this many is held out.
        fold: Which of the folds is held out, from 0 up to `n_folds`.
        gap: Training characters that are left out next to each test stretch.
        start: Where in the text that part begins.
    """

    n_chars: int
    n_stretches: int = 50
    n_folds: int = 5
    fold: int = 4
    gap: int = 100
    start: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.fold < self.n_folds <= self.n_stretches:
            raise AnalysisError(
                f"fold {self.fold} of {self.n_folds} and {self.n_stretches} stretches do not fit together; "
                "folds count from 0, and there are no more of them than stretches"
            )
        if self.n_chars // self.n_stretches <= 2 * self.gap:
            raise AnalysisError(
                f"a text of {self.n_chars:,} characters is too short for {self.n_stretches} stretches with gaps "
                f"of {self.gap}; use at least {2 * self.n_stretches * (self.gap + 1):,} characters"
            )

    @classmethod
    def of(cls, n_chars: int, start: int = 0) -> "Split":
        """Return the default split of a text, or of a part of it: shorter ones have fewer stretches and smaller gaps.

        Raises:
            AnalysisError: If the text has fewer than 100 characters.
        """
        if n_chars < 100:
            raise AnalysisError(
                f"the text has {n_chars} characters; at least 100 are needed to train on some and test on others"
            )
        n_stretches = min(50, max(5, n_chars // 1000 // 5 * 5))
        return cls(n_chars=n_chars, n_stretches=n_stretches, gap=min(100, n_chars // n_stretches // 10), start=start)

    @property
    def held_out(self) -> NDArray[np.bool_]:
        """(n_stretches,) whether each stretch is held out."""
        return np.asarray(np.arange(self.n_stretches) % self.n_folds == self.fold)

    def stretch(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n_places,) the stretch that each place in the text lies in."""
        return (places - self.start) * self.n_stretches // self.n_chars

    @property
    def n_atoms(self) -> int:
        """The number of atoms: equal pieces of about 1,000 characters, 20 to 200 of them, as many in each stretch."""
        in_stretch = round(self.n_chars / ATOM_CHARS / self.n_stretches)
        fewest, most = -(-FEWEST_ATOMS // self.n_stretches), max(MOST_ATOMS // self.n_stretches, 1)
        return self.n_stretches * min(max(in_stretch, fewest), most)

    @property
    def held_out_atoms(self) -> NDArray[np.bool_]:
        """(n_atoms,) whether each atom is held out."""
        return np.repeat(self.held_out, self.n_atoms // self.n_stretches)

    def atom(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n_places,) the atom that each place in the text lies in."""
        return (places - self.start) * self.n_atoms // self.n_chars

    def parts(self, start: int, stop: int, every: int = 1) -> NDArray[np.int8]:
        """(n_chars,) `TRAIN`, `TEST` or `GAP` for one in `every` characters from `start` up to `stop`."""
        if stop <= start:
            return np.empty(0, np.int8)
        changes = self.changes
        first = np.concatenate([[start], changes[(changes > start) & (changes < stop)], [stop]])
        rows = -((start - first) // every)  # of the first character at or after each
        return np.repeat(self.parts_of(first[:-1]), np.diff(rows))

    @property
    def changes(self) -> NDArray[np.int64]:
        """Places whose part may differ from that of the character before, in any fold, in ascending order."""
        numbers = np.arange(1, self.n_stretches)
        borders = self.start - (-numbers * self.n_chars // self.n_stretches)  # the first character of each stretch
        return np.unique(np.concatenate([borders - self.gap, borders, borders + self.gap]))

    def parts_of(self, places: NDArray[np.int64]) -> NDArray[np.int8]:
        """(n_places,) `TRAIN`, `TEST` or `GAP` for the character at each place."""
        return self.only_fold.parts_of(places)

    @property
    def only_fold(self) -> "Fold":
        """The fold that this split holds out."""
        return Fold(self, ~self.held_out, self.held_out)

    def folds(self, n: int | None = None) -> "list[Fold]":
        """Return `n` folds, in which every stretch is held out once; None is the one fold that this split holds out.

        Raises:
            AnalysisError: If there are not from 2 to `n_stretches` folds.
        """
        if n is None:
            return [self.only_fold]
        if not 2 <= n <= self.n_stretches:
            raise AnalysisError(
                f"{n} folds of {self.n_stretches} stretches cannot be made; ask for 2 to {self.n_stretches}"
            )
        fold_of_stretch = np.arange(self.n_stretches) % n
        return [Fold(self, fold_of_stretch != fold, fold_of_stretch == fold) for fold in range(n)]


def in_pieces(start: int, stop: int, every: int = 1, piece_chars: int = _PIECE_CHARS) -> Iterator[range]:
    """Yield places from `start` up to `stop`, some at a time: all of them, at 8 bytes each, would exceed the text."""
    places = range(start, stop, every)
    for first in range(0, len(places), piece_chars):
        yield places[first : first + piece_chars]


@dataclass(frozen=True, slots=True, eq=False)
class Fold:
    """One way to hold out stretches of a split: those that train, and those that test.

    Attributes:
        split: The stretches.
        train: (n_stretches,) whether each stretch trains.
        test: (n_stretches,) whether each stretch tests.
        near: (n_stretches,) whether characters near each stretch neither train nor test; None is none of them.
    """

    split: Split
    train: NDArray[np.bool_]
    test: NDArray[np.bool_]
    near: NDArray[np.bool_] | None = None

    def parts_of(self, places: NDArray[np.int64], piece_chars: int = _PIECE_CHARS) -> NDArray[np.int8]:
        """(n_places,) `TRAIN`, `TEST` or `GAP` for the character at each place; `piece_chars` are found at a time."""
        parts = np.empty(len(places), np.int8)
        for first in range(0, len(places), piece_chars):
            piece = slice(first, first + piece_chars)
            parts[piece] = self._parts_of(places[piece])
        return parts

    def _parts_of(self, places: NDArray[np.int64]) -> NDArray[np.int8]:
        split = self.split
        stretch = split.stretch(places)
        before = split.stretch(np.maximum(places - split.gap, split.start))
        after = split.stretch(np.minimum(places + split.gap, split.start + split.n_chars - 1))
        near = self.test if self.near is None else self.test | self.near
        trains = self.train[stretch] & ~near[before] & ~near[after]
        tests = self.test[stretch]
        if self.near is not None:
            tests = tests & ~self.near[before] & ~self.near[after]
        return np.where(tests, TEST, np.where(trains, TRAIN, GAP)).astype(np.int8)

    def within_training(self) -> "Fold":
        """Return a fold of the training stretches alone, one in five of which is held out, to choose a penalty by."""
        chosen = np.flatnonzero(self.train)
        test = np.zeros_like(self.test)
        test[chosen[len(chosen) // 2 % 5 :: 5]] = True
        return Fold(self.split, self.train & ~test, test, self.test)

    def with_training(self, n_stretches: int, seed: int = 0) -> "Fold":
        """Return the fold with `n_stretches` of its training stretches; smaller draws are subsets of larger ones."""
        drawn = np.random.default_rng(seed).permutation(np.flatnonzero(self.train))[:n_stretches]
        train = np.zeros_like(self.train)
        train[drawn] = True
        return Fold(self.split, train, self.test)
