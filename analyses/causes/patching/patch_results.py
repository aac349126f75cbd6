"""Results of patches: how far a model goes from what it does in one place to what it does in another."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from activations.results import Result, TableCell
from analyses.intervals.significance import q_values
from analyses.passages.effects import SIGNIFICANT
from analyses.rounding import rounded

LOG_PROB, LOSS = "log probability", "loss"
BOTH, TO_INSIDE, TO_OUTSIDE = "both", "to inside", "to outside"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PatchEffect(Result):
    """The share of the way from base to source if a part of the source's values is put into the base.

    Attributes:
        what: What is interchanged.
        measure: `log probability`: that of one character as the next one, in nats. `loss`: that of the characters which
            follow the base, in nats per character; the source's is that with the whole state of the source.
        direction: `to inside`: bases where the hypothesis does not hold, sources where it does. `to outside`: the
            reverse. `both`: these together.
        base: Mean of the measure without changes; NaN for both directions together.
        source: That of the source.
        patched: That with the part of the source's values in the base.
        share: The share of the way from base to source, as the ratio of the mean differences: 0 nothing, 1 all of it.
        low: The lower end of its 95 % interval; NaN if there is none. It is the share itself if all pairs agree.
        high: The upper one.
        matched: Mean share of the matched parts; NaN without any.
        matched_sd: Standard deviation of their shares.
        beyond_matched: The share less that of the matched parts.
        p: Two-sided p-value under the null that the part is one like the matched ones; NaN if there is none. It is that
            of the sign test, over atoms, if all pairs agree, for the part and for the matched ones.
        q: False discovery rate over all parts that are patched; NaN if p is.
        no_interval_reason: Why there is no interval and no p-value, as a sentence; empty if there are.
    """

    what: str
    measure: str
    direction: str
    base: float
    source: float
    patched: float
    share: float
    low: float
    high: float
    matched: float
    matched_sd: float
    beyond_matched: float
    p: float
    q: float
    no_interval_reason: str = ""

    @property
    def finding(self) -> str:
        """One sentence that says what the numbers show, or that they show nothing."""
        sentence = f"{self.what}: {rounded(self.share, '.1%')} of the way from base to source in the {self.measure}"
        if self.no_interval_reason:
            return f"{sentence}, with no interval: {self.no_interval_reason}"
        sentence += f" ({rounded(self.low, '.1%')} to {rounded(self.high, '.1%')})" if np.isfinite(self.low) else ""
        if np.isnan(self.matched):
            return f"{sentence}; there is nothing like it to compare it with"
        sentence += f", matched ones {rounded(self.matched, '.1%')}"
        if np.isnan(self.p):
            return f"{sentence}; not shown to be more: there are fewer than five of them"
        chances = f"p {self.p:.2g}, q {self.q:.2g}"
        shown = self.q < SIGNIFICANT
        return f"{sentence}: {'shown to differ from these' if shown else 'not shown to differ from these'} ({chances})"

    def row(self) -> dict[str, TableCell]:
        """Return the effect as one row."""
        return {**Result.row(self), "no_interval_reason": self.no_interval_reason or None}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Patch(Result):
    """The share of the way from base to source if a part of the values is interchanged, over many pairs.

    Attributes:
        hypothesis: The hypothesis: of each pair, one place is inside and one is outside.
        what: What is interchanged.
        character: The character whose probability is measured.
        effects: One for each measure and direction.
        n_pairs: Number of pairs; each is patched in both directions.
        n_common: How many last characters the places of a pair have in common, at the median of the pairs; at most 16
            are counted.
        n_steps: Number of characters over which the loss is measured.
        n_matched: Number of matched parts.
        seed: Seed of the draws.
    """

    hypothesis: str
    what: str
    character: str
    effects: Sequence[PatchEffect]
    n_pairs: int
    n_common: float
    n_steps: int
    n_matched: int
    seed: int

    def rows(self) -> list[dict[str, TableCell]]:
        """Return one row for each measure and direction."""
        shared = {name: getattr(self, name) for name in ("hypothesis", "character", "n_pairs", "n_common", "n_steps")}
        return [{**shared, **effect.row()} for effect in self.effects]

    @property
    def findings(self) -> list[str]:
        """One sentence for each measure, both directions together."""
        return [effect.finding for effect in self.effects if effect.direction == BOTH]

    def __str__(self) -> str:
        return "\n".join([f"{self.hypothesis}: {self.what} interchanged in {self.n_pairs:,} pairs", *self.findings])


def with_q_values(patches: Sequence[Patch]) -> list[Patch]:
    """Return patches of several parts with q-values over all of them, for each measure and direction by itself.

    Args:
        patches: Patches with the same measures and directions.
    """
    p = np.array([[effect.p for effect in patch.effects] for patch in patches])
    q = np.array([q_values(column) for column in p.T]).T
    return [
        replace(patch, effects=[replace(e, q=float(value)) for e, value in zip(patch.effects, row, strict=True)])
        for patch, row in zip(patches, q, strict=True)
    ]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TextPatch(Result):
    """The effect of a part of the state after one text in the place of that after another one.

    Attributes:
        what: What is interchanged.
        character: The character whose probability is measured.
        base: The log probability of that character after the base text, in nats.
        source: That after the source text.
        patched: That after the base text with the part of the source's values.
        share: The share of the way from base to source; NaN if both are the same.
    """

    what: str
    character: str
    base: float
    source: float
    patched: float
    share: float

    def __str__(self) -> str:
        return (
            f"log probability of {self.character!r}: {rounded(self.base, '.3f')} after the base, "
            f"{rounded(self.source, '.3f')} after the "
            f"source, {rounded(self.patched, '.3f')} with {self.what} interchanged: {rounded(self.share, '.3f')} of "
            f"the way"
        )
