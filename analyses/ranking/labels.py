"""Labels as units are ranked for them: themselves or class by class, with what makes their scores uncertain."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from analyses.intervals.atom_sums import AtomSums
from analyses.intervals.significance import FEWEST_RUNS, Evidence, too_few
from analyses.targets.classes import Classes, classes_of, one_against_rest, runs_of_classes
from analyses.targets.target import Target
from hypotheses.parameters import few


class RankedTarget(NamedTuple):
    """A label, and how many runs its rarer value has in the text, and held out; None of a number."""

    target: Target
    n_runs: int | None
    n_test_runs: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class RankedLabel:
    """A label as units are scored for it: itself, or each of its classes against the rest, or both.

    Attributes:
        asked: The label.
        classes: It, as classes; None if it is taken as it is.
        counted: The places of the classes that have runs enough.
        targets: What is measured.
        n_own: The first so many of them are what units are scored for; the others, what p-values are also made of.
        notes: What is wrong with it, each a sentence.
    """

    asked: Target
    classes: Classes | None
    counted: Sequence[int]
    targets: Sequence[Target]
    n_own: int
    notes: tuple[str, ...]

    @cached_property
    def each(self) -> list[RankedTarget]:
        """The targets, with how many runs they have."""
        return [RankedTarget(each, *each.count_runs()) for each in self.targets]

    @classmethod
    def of(cls, asked: Target, *, over_classes: bool) -> "RankedLabel":
        """Of a label; `over_classes` if its classes are wanted, of a number too. No class may have runs enough."""
        if asked.kind == "binary" or not (over_classes or asked.kind == "categorical"):
            return cls(asked=asked, classes=None, counted=[], targets=[asked], n_own=1, notes=())
        classes = classes_of(asked)
        each_class = one_against_rest(asked, classes)
        n_runs = runs_of_classes(asked, classes)
        known = [place for place, n in enumerate(n_runs) if n >= FEWEST_RUNS]
        left_out = [f"{classes.names[place]} ({n})" for place, n in enumerate(n_runs) if n < FEWEST_RUNS]
        targets = [each_class[place] for place in known]
        if asked.kind == "numeric":
            return cls(asked=asked, classes=classes, counted=known, targets=[asked, *targets], n_own=1, notes=())
        notes: tuple[str, ...] = ()
        if left_out:
            notes = (
                f"no score for classes of {asked.hypothesis} with fewer than {FEWEST_RUNS} runs of held-out "
                f"characters, or in training: {few(left_out)}",
            )
        return cls(asked=asked, classes=classes, counted=known, targets=targets, n_own=len(targets), notes=notes)

    @property
    def names(self) -> list[str | None]:
        """Of the classes that units are scored for."""
        if self.asked.kind != "categorical":
            return [None]
        return [each.hypothesis.removeprefix(f"{self.asked.hypothesis} == ") for each in self.targets]


class LabelPrecision(NamedTuple):
    """How sure scores of units can be for a label on a text.

    Attributes:
        n_atoms: Held-out atoms with labels, and `n_all` of all of the text.
        n_runs: Held-out runs of its rarer value; None of a number.
        declined: Why there are no intervals; empty if there are.
        no_p: Why there are no p-values; empty if there are.
    """

    n_atoms: int
    n_all: int
    n_runs: int | None
    declined: str
    no_p: str

    @classmethod
    def of(cls, asked: RankedTarget, sums: AtomSums, sure: Evidence) -> "LabelPrecision":
        """Of a label, its sums over atoms, and its evidence."""
        held_out, name = asked.target.split.held_out_atoms & (sums.n > 0), asked.target.hypothesis
        n_pieces = float(sums.n[held_out].sum()) / (2 * sure.label_memory) if sure.label_memory > 0 else np.nan
        return cls(
            n_atoms=int(held_out.sum()),
            n_all=int((sums.n > 0).sum()),
            n_runs=asked.n_test_runs,
            declined=too_few(name, "the held-out characters hold", n_pieces, asked.n_test_runs, "interval"),
            no_p=too_few(name, "the text holds", sure.n_pieces, asked.n_runs, "p-value"),
        )
