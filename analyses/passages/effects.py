"""Effects of interventions on the loss: sums over atoms, intervals, and comparison with matched variants."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress
from operator import not_
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.results import Result, TableCell
from analyses.intervals.estimates import Estimate, standard_errors
from analyses.intervals.long_run import label_memory, n_cosines
from analyses.intervals.matched_p_values import FEWEST_MATCHED, matched_p_value
from analyses.intervals.significance import q_values, too_few
from analyses.passages.character_sets import ALL, INSIDE, OUTSIDE, SET_NAMES, CharacterSets
from analyses.passages.passages import atom_starts
from analyses.rounding import rounded

Array = NDArray[np.float64]
CONTRAST = "inside − outside"
WHERE = (CONTRAST, *SET_NAMES)
"""The sets of characters on which an effect is measured; the first is the one that counts for a hypothesis."""
_FEWEST_CHARS = 8  # of a set
_FEWEST_TOGETHER = 2  # effects that share a sentence
_ROUNDING = 1e-6  # of an effect: a smaller error counts as none, as losses are in float32
SIGNIFICANT = 0.05
"""The false discovery rate below which an effect counts as shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect(Result):
    """The effect of one intervention on the loss on one set of characters, beside that of matched ones.

    Attributes:
        intervention: What was changed, such as a unit.
        where: The set of characters, one of `WHERE`.
        n_chars: Its number of characters.
        effect: Mean change of the loss, in nats per character; above 0 if the model predicts worse.
        low: The lower end of its 95 % interval; NaN if there is none.
        high: The upper one.
        matched: Mean effect of the matched interventions; NaN without any.
        matched_sd: Standard deviation of their effects.
        n_matched: How many they are.
        beyond_matched: The effect less that of the matched interventions.
        p: Two-sided p-value under the null that the intervention is one like the matched ones; NaN if there is none.
        q: False discovery rate over all interventions of the table, for this set of characters.
        no_interval_reason: Why there is no interval and no p-value, as a sentence; empty if there are.
    """

    intervention: str
    where: str
    n_chars: int
    effect: float
    low: float
    high: float
    matched: float
    matched_sd: float
    n_matched: int
    beyond_matched: float
    p: float
    q: float
    no_interval_reason: str = ""

    def row(self) -> dict[str, TableCell]:
        """Return the effect as one row."""
        return {**Result.row(self), "no_interval_reason": self.no_interval_reason or None}

    @property
    def is_shown(self) -> bool:
        """True if the effect differs from that of matched interventions: q below .05."""
        return self.q < SIGNIFICANT

    @property
    def finding(self) -> str:
        """One sentence that says what the numbers show, or that they show nothing."""
        if np.isnan(self.p):
            return f"{self.intervention}: not shown: {self._no_p_reason}"
        chances = f"p {self.p:.2g}, q {self.q:.2g}"
        if not self.is_shown:
            return f"{self.intervention}: not shown: the effect {self.where} may be that of matched ones ({chances})"
        amount, is_more = f"{rounded(abs(self.beyond_matched), '.4f')} nats per character", self.beyond_matched > 0
        if self.where == CONTRAST:
            change = f"rises by {amount} {'more' if is_more else 'less'} inside than outside"
        else:
            change = f"{'rises' if is_more else 'falls'} by {amount} on '{self.where}'"
        return f"{self.intervention}: shown: the loss {change}, beyond that of matched ones ({chances})"

    @property
    def _no_p_reason(self) -> str:
        if self.no_interval_reason:
            return self.no_interval_reason
        if self.n_matched < FEWEST_MATCHED:
            return f"{self.n_matched or 'no'} matched ones to compare it with, and {FEWEST_MATCHED} are needed"
        return "the error of the effect cannot be estimated"


def findings_of(effects: Sequence[Effect]) -> list[str]:
    """Say what effects show, each in a sentence; those that may be those of matched ones share one, the last."""
    is_alike = [not np.isnan(effect.p) and not effect.is_shown for effect in effects]
    alike = list(compress(effects, is_alike))
    if len(alike) < _FEWEST_TOGETHER:
        return [effect.finding for effect in effects]
    names = [effect.intervention for effect in alike]
    p, q = (
        f"{name} {min(values):.2g} to {max(values):.2g}"
        for name, values in (("p", [effect.p for effect in alike]), ("q", [effect.q for effect in alike]))
    )
    return [
        *(effect.finding for effect in compress(effects, map(not_, is_alike))),
        f"{', '.join(names[:-1])} and {names[-1]}: not shown: the effects {alike[0].where} may be those of matched "
        f"ones ({p}, {q})",
    ]


class EffectSums:
    """Sums of the changes of losses over the atoms of the characters that were read, for every set of characters.

    Attributes:
        n: (n_atoms, n_sets) number of characters.
        sums: (n_variants, n_atoms, n_sets) sums of changes of the loss, in nats.
    """

    def __init__(self, sets: CharacterSets, n_variants: int) -> None:
        """Start with changes of 0.

        Args:
            sets: The sets of characters.
            n_variants: Number of variants.
        """
        self.sets = sets
        n_chars = sets.members.shape[1]
        self._starts = atom_starts(n_chars)
        n_atoms = len(self._starts)
        self.n = np.add.reduceat(sets.members, self._starts, axis=1, dtype=np.float64).T
        self.sums = np.zeros((n_variants, n_atoms, len(sets.members)))

    def add(self, first: int, changes: NDArray[np.floating]) -> None:
        """Set the sums of some variants.

        Args:
            first: The number of the first of these variants.
            changes: (n_variants, n_counted) change of the loss after each counted character, in nats; what it is where
                no character follows does not matter.
        """
        for number, members in enumerate(self.sets.members):
            chosen = np.where(members, changes, 0).astype(np.float64, copy=False)
            self.sums[first : first + len(changes), :, number] = np.add.reduceat(chosen, self._starts, axis=1)

    @cached_property
    def no_interval_reason(self) -> str:
        """Why there are no intervals, as a sentence; empty if there are."""
        inside = self.sets.members[INSIDE]
        n, y = self.n[:, ALL], self.n[:, INSIDE]
        memory = label_memory(n, y, y)
        n_pieces = float(n.sum()) / (2 * memory) if memory > 0 else np.nan
        n_runs = int(np.count_nonzero(np.diff(inside.astype(np.int8), prepend=0) == 1))
        return too_few(self.sets.hypothesis, "in the characters that are read there are", n_pieces, n_runs, "interval")

    def estimates(self, where: str) -> list[Estimate]:
        """Return the mean effect of every variant, with what each atom adds to its error."""
        if where == CONTRAST:
            pairs = zip(self._means(INSIDE), self._means(OUTSIDE), strict=True)
            return [
                replace(
                    inside,
                    value=inside.value - outside.value,
                    influence=inside.influence - outside.influence,
                    no_interval_reason=inside.no_interval_reason or outside.no_interval_reason,
                )
                for inside, outside in pairs
            ]
        return self._means(SET_NAMES.index(where))

    def _means(self, number: int) -> list[Estimate]:
        n, n_atoms = self.n[:, number], len(self.n)
        total = n.sum()
        no_interval_reason = self.no_interval_reason or _too_few_chars(SET_NAMES[number], int(total))
        values = self.sums[:, :, number].sum(axis=1) / total if total else np.full(len(self.sums), np.nan)
        return [
            Estimate(
                value=float(value),
                influence=(of_atoms - value * n) / max(total, 1),
                n_atoms=n_atoms,
                n_cosines=n_cosines(n_atoms),
                no_interval_reason=no_interval_reason,
            )
            for value, of_atoms in zip(values, self.sums[:, :, number], strict=True)
        ]

    def n_chars(self, where: str) -> int:
        """Return the number of characters of a set; of the contrast, that of both its sets."""
        return int(self.n[:, ALL if where == CONTRAST else SET_NAMES.index(where)].sum())


def effects(
    sums: EffectSums, names: list[str], tested: list[int], matched: list[list[int]], where: tuple[str, ...] = WHERE
) -> list[Effect]:
    """Compare interventions with matched ones on every set of characters.

    An intervention like the matched ones differs from their mean by the spread of their true effects, and by the text's
    sampling error; see `matched_p_value`. So a unit stands out only if it does so among units like it, and on this text
    more than by chance.

    Args:
        sums: The sums of all variants.
        names: What was changed, for each tested intervention.
        tested: The numbers of their variants.
        matched: For each, the numbers of the variants that are matched to it; none if there are none.
        where: The sets of characters.

    Returns:
        The effects of the first intervention on each set, then those of the next one.
    """
    by_set = {}
    for name in where:
        estimates = sums.estimates(name)
        rows = [
            _effect(intervention, name, sums.n_chars(name), estimates[number], [estimates[m] for m in others])
            for intervention, number, others in zip(names, tested, matched, strict=True)
        ]
        q = q_values(np.array([row.p for row in rows]))
        by_set[name] = [replace(row, q=float(value)) for row, value in zip(rows, q, strict=True)]
    return [by_set[name][n] for n in range(len(tested)) for name in where]


class Comparison(NamedTuple):
    """An effect beside those of matched interventions.

    Attributes:
        matched: Mean effect of the matched interventions; NaN for fewer than two.
        matched_sd: Standard deviation of their effects.
        p: Two-sided p-value under the null that the intervention is one like these; NaN for fewer than five.
    """

    matched: float
    matched_sd: float
    p: float


def beside_matched(tested: Estimate, matched: Sequence[Estimate], n_parts: int = 0) -> Comparison:
    """Compare an effect with those of matched interventions on the same atoms; see `matched_p_value`.

    Args:
        tested: The effect.
        matched: Those of the matched interventions.
        n_parts: Number of parts of the text in which the effect is measured. If the effect is the same in all of them,
            and that of all matched interventions is, too, p is that of the sign test, 2^(1 − n_parts). With 0, there is
            no p then.
    """
    if len(matched) < 2:
        return Comparison(np.nan, np.nan, np.nan)
    values = np.array([estimate.value for estimate in matched])
    mean, variance = float(values.mean()), float(values.var(ddof=1))
    p = np.nan
    if len(matched) >= FEWEST_MATCHED and not tested.no_interval_reason:
        influences = np.stack([estimate.influence for estimate in matched])
        of_mean = influences.mean(axis=0)
        beyond = replace(tested, value=tested.value - mean, influence=tested.influence - of_mean)
        errors = standard_errors((influences - of_mean).T, tested.n_atoms, tested.n_cosines)
        p = matched_p_value(
            beyond.value,
            beyond.standard_error**2,
            beyond.degrees_of_freedom,
            matched_variance=variance,
            matched_error_variance=float(np.sum(errors**2)) / (len(matched) - 1),
            n_matched=len(matched),
        )
        error = max(beyond.standard_error, float(np.sqrt(variance)))
        if n_parts and beyond.value and error <= _ROUNDING * abs(beyond.value):
            p = 2.0 ** (1 - n_parts)
    return Comparison(mean, float(np.sqrt(variance)), p)


def _effect(intervention: str, where: str, n_chars: int, tested: Estimate, matched: list[Estimate]) -> Effect:
    comparison = beside_matched(tested, matched)
    low, high = tested.interval
    return Effect(
        intervention=intervention,
        where=where,
        n_chars=n_chars,
        effect=tested.value,
        low=low,
        high=high,
        matched=comparison.matched,
        matched_sd=comparison.matched_sd,
        n_matched=len(matched),
        beyond_matched=tested.value - comparison.matched,
        p=comparison.p,
        q=np.nan,
        no_interval_reason=tested.no_interval_reason,
    )


def _too_few_chars(name: str, n_chars: int) -> str:
    """Say why a set of characters has no interval and no p-value; empty if it has."""
    if n_chars >= _FEWEST_CHARS:
        return ""
    return f"{n_chars or 'no'} characters are '{name}', and {_FEWEST_CHARS} are needed; use more (--chars)"
