"""Means over places of a text, and ratios of means, with intervals whose sample is the atoms of these places."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analyses.intervals.estimates import Estimate
from analyses.intervals.long_run import n_cosines
from analyses.intervals.significance import too_few
from analyses.passages.character_sets import INSIDE, CharacterSets
from analyses.passages.passages import Passages
from analyses.targets.splits import ATOM_CHARS, FEWEST_ATOMS, MOST_ATOMS

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PlaceAtoms:
    """The atom of each place.

    Attributes:
        atoms: (n_places,) int64, ascending or not.
        n_atoms: Number of atoms.
        no_interval_reason: Why there are no intervals, as a sentence; empty if there are.
    """

    atoms: NDArray[np.int64]
    n_atoms: int
    no_interval_reason: str

    @property
    def n_used(self) -> int:
        """Number of atoms that have places."""
        return len(np.unique(self.atoms))

    def mean(self, values: NDArray[np.floating]) -> Estimate:
        """Return the mean of (n_places,) values."""
        return self.ratio(values, np.ones(len(values)))

    def ratio(self, numerators: NDArray[np.floating], denominators: NDArray[np.floating]) -> Estimate:
        """Return the ratio of the means of two numbers of each place, with the error of both, by the delta method.

        Args:
            numerators: (n_places,) numbers.
            denominators: (n_places,) numbers. If they add up to 0 there is no ratio: NaN.
        """
        above, below = np.asarray(numerators, np.float64), np.asarray(denominators, np.float64)
        total = float(below.sum())
        if total == 0:
            return Estimate(value=float("nan"), no_interval_reason="there is nothing that it could be a share of")
        value = float(above.sum()) / total
        influence = np.bincount(self.atoms, above - value * below, self.n_atoms) / total
        return Estimate(
            value=value,
            influence=influence,
            n_atoms=self.n_atoms,
            n_cosines=n_cosines(self.n_atoms),
            no_interval_reason=self.no_interval_reason,
        )


def place_atoms(passages: Passages, sets: CharacterSets, rows: NDArray[np.int64]) -> PlaceAtoms:
    """Find the atom of each of some places where a hypothesis holds.

    Args:
        passages: The passages in which the places are.
        sets: The sets of their characters.
        rows: (n_places,) which of the characters of the passages they are.
    """
    n_chars = passages.n_counted
    n_atoms = min(max(round(n_chars / ATOM_CHARS), FEWEST_ATOMS), MOST_ATOMS, n_chars)
    ranks = np.searchsorted(np.flatnonzero(passages.is_counted), rows)
    run_numbers = np.cumsum(np.diff(sets.members[INSIDE].astype(np.int8), prepend=0) != 0)
    n_runs = len(np.unique(run_numbers[ranks]))
    reason = too_few(sets.hypothesis, "the places that are used lie in", float(len(rows)), n_runs, "interval")
    return PlaceAtoms(ranks * n_atoms // n_chars, n_atoms, reason)


def spread_draw(candidates: NDArray[np.int64], n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw places that are spread over a text: one from each of `n` neighbouring groups of about the same size.

    Args:
        candidates: (n_candidates,) ascending; all are returned if there are no more than `n`.
        n: Number of places wanted.
        rng: Draws them.
    """
    if len(candidates) <= n:
        return candidates
    return candidates[((np.arange(n) + rng.random(n)) * len(candidates) / n).astype(np.int64)]
