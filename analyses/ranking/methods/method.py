"""A method of scoring units: the statistic that it needs, and a function that turns its result into scores."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.progress import Advance
from activations.units import Site
from analyses.collecting.collect import AnyStatistic
from analyses.levels.columns import Columns, LevelReader
from analyses.targets.target import Target
from hypotheses.labels import Kind


class ScoreEvidence(NamedTuple):
    """What a method knows of the error of its scores.

    Attributes:
        overall: (n_units,) scores on all characters, training and held out, with their sign.
        low: (n_units,) the lower ends of their 95 % intervals; NaN if there are none.
        high: (n_units,) the upper ends.
        p: (n_units,) two-sided p-values under the method's null; NaN if there are none.
        no_interval_reason: Why there are none, as a sentence; empty if there are.
    """

    overall: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    p: NDArray[np.float64]
    no_interval_reason: str = ""


class MethodScores(NamedTuple):
    """The scores that a method gives to the units of a site.

    Attributes:
        train: (n_units,) scores on training characters, from 0 on, which order the units.
        held_out: (n_units,) scores on held-out characters, with what was chosen in training; NaN if the method has
            none.
        note: A caveat needed to interpret the scores of all sites; empty if there is none.
        evidence: Intervals and p-values of the scores; None if the method has none.
    """

    train: NDArray[np.float64]
    held_out: NDArray[np.float64]
    note: str = ""
    evidence: ScoreEvidence | None = None


Compute = Callable[[Source, Target, Collection[Site], int, Advance], dict[Site, MethodScores]]
"""Scores the units of sites, given a source, the label, the sites, the seed of what is drawn, and the progress."""


@dataclass(frozen=True, slots=True)
class Need:
    """A statistic that scores are computed from; methods that name the same one share it.

    Attributes:
        make: Makes the statistic of a label and some columns of a source, as its reader reads them.
        of: Returns the part of its result for one of the columns, given the result and the columns.
        bytes_per_unit: Memory that it takes; 0 if it sees blocks, not levels, and columns are whole sites.
        derivation: How to compute that part from what another need returns, which is done where a method has that one,
            so that levels are counted once; None if there is no way.
    """

    make: Callable[[Target, Sequence[Columns], LevelReader], AnyStatistic]
    of: Callable[[Any, Columns], Any]
    bytes_per_unit: int = 0
    derivation: "Derivation | None" = None


class Derivation(NamedTuple):
    """A way to compute what one need returns of some columns from what another returns of them.

    Attributes:
        source: The other need.
        derive: Computes the one from the other.
    """

    source: Need
    derive: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Method:
    """A way to score units.

    Attributes:
        name: The name by which it is chosen.
        kinds: The kinds of labels that it is for.
        summary: What the score is, as a phrase.
        detects_nonmonotonic: Whether it detects non-monotonic dependence of unit and label.
        needs: The statistic that it is computed from; None for a score that every ranking has, or if `compute` is set.
        score: Makes scores of the units of some columns from the statistic's result for them and from the label.
        note: Makes a caveat needed to interpret the scores, from all training scores and the label; empty if there is
            none.
        compute: Scores the units of sites where no statistic is enough.
        needs_model: Whether it needs the model itself, and not only its activations.
    """

    name: str
    kinds: tuple[Kind, ...]
    summary: str
    detects_nonmonotonic: bool = False
    needs: Need | None = None
    score: Callable[[Any, Target], MethodScores] | None = None
    note: Callable[[NDArray[np.float64], Target], str] | None = None
    compute: Compute | None = None
    needs_model: bool = False


def sign_aligned(train: NDArray[np.float64], held_out: NDArray[np.float64]) -> MethodScores:
    """Return scores that may be below 0, sign-aligned on the training characters."""
    return MethodScores(np.abs(train), np.where(train < 0, -held_out, held_out))
