"""Labels as units are ranked for them: whole or class by class, with what makes their scores uncertain."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from analyses.intervals.atom_sums import AtomSums
from analyses.intervals.significance import FEWEST_RUNS, Evidence, too_few
from analyses.targets.classes import Classes, classes_of, one_against_rest, runs_of_classes
from analyses.targets.target import Target
from hypotheses.spelling import short_list


class TargetRuns(NamedTuple):
    """A target, and how many runs its rarer value has in the text and held out; None for a number."""

    target: Target
    n_runs: int | None
    n_test_runs: int | None


@dataclass(frozen=True, kw_only=True, eq=False)
class RankedLabel:
    """A label as units are scored for it: itself, or each of its classes against the rest, or both.

    Attributes:
        target: The label.
        classes: Its classes; None if the label is scored as it is.
        frequent_classes: Numbers of the classes that have enough runs to be scored.
        targets: All targets that are measured.
        n_scored: The first `n_scored` targets are those that units are scored for; p-values also use the others.
        notes: Sentences that say what is wrong with the label.
    """

    target: Target
    classes: Classes | None
    frequent_classes: Sequence[int]
    targets: Sequence[Target]
    n_scored: int
    notes: tuple[str, ...]

    @cached_property
    def target_runs(self) -> list[TargetRuns]:
        """The targets, with how many runs they have."""
        return [TargetRuns(target, *target.count_runs()) for target in self.targets]

    @classmethod
    def of(cls, target: Target, *, with_classes: bool) -> "RankedLabel":
        """Decide how units are scored for a label.

        Args:
            target: The label.
            with_classes: Whether the classes of a numeric label are needed, too.

        Returns:
            The label. It has no targets if none of its classes has enough runs.
        """
        if target.kind == "binary" or not (with_classes or target.kind == "categorical"):
            return cls(target=target, classes=None, frequent_classes=[], targets=[target], n_scored=1, notes=())
        classes = classes_of(target)
        class_targets = one_against_rest(target, classes)
        n_runs = runs_of_classes(target, classes)
        frequent = [number for number, n in enumerate(n_runs) if n >= FEWEST_RUNS]
        left_out = [f"{classes.names[number]} ({n})" for number, n in enumerate(n_runs) if n < FEWEST_RUNS]
        targets, n_scored = [class_targets[number] for number in frequent], len(frequent)
        notes: tuple[str, ...] = ()
        if target.kind == "numeric":
            targets, n_scored = [target, *targets], 1
        elif left_out:
            notes = (
                f"no score for classes of {target.hypothesis} with fewer than {FEWEST_RUNS} runs of held-out "
                f"characters, or in training: {short_list(left_out)}",
            )
        return cls(
            target=target, classes=classes, frequent_classes=frequent, targets=targets, n_scored=n_scored, notes=notes
        )

    @property
    def names(self) -> list[str | None]:
        """The names of the classes that units are scored for; only None for a label that is scored as it is."""
        if self.target.kind != "categorical":
            return [None]
        return [target.hypothesis.removeprefix(f"{self.target.hypothesis} == ") for target in self.targets]


class LabelPrecision(NamedTuple):
    """The precision that scores of units can have for a label on a text.

    Attributes:
        n_held_out_atoms: Held-out atoms with labels.
        n_atoms: Atoms of the whole text with labels.
        n_runs: Held-out runs of the label's rarer value; None for a number.
        no_interval: Why there are no intervals, as a sentence; empty if there are.
        no_p: Why there are no p-values, as a sentence; empty if there are.
    """

    n_held_out_atoms: int
    n_atoms: int
    n_runs: int | None
    no_interval: str
    no_p: str

    @classmethod
    def of(cls, runs: TargetRuns, sums: AtomSums, evidence: Evidence) -> "LabelPrecision":
        """Judge a label by its runs, its sums over atoms, and the evidence of its units."""
        is_labelled, name = sums.n > 0, runs.target.hypothesis
        held_out = runs.target.split.held_out_atoms & is_labelled
        memory = evidence.label_memory
        n_pieces = float(sums.n[held_out].sum()) / (2 * memory) if memory > 0 else np.nan
        return cls(
            n_held_out_atoms=int(held_out.sum()),
            n_atoms=int(is_labelled.sum()),
            n_runs=runs.n_test_runs,
            no_interval=too_few(name, "the held-out characters hold", n_pieces, runs.n_test_runs, "interval"),
            no_p=too_few(name, "the text holds", evidence.n_pieces, runs.n_runs, "p-value"),
        )
