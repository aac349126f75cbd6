"""Results of impulses: what is left of a change, character by character."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from activations.results import Result, TableCell
from analyses.passages.effects import SIGNIFICANT
from analyses.rounding import rounded

_VALUES = {"other": "the mean outside", "mean": "the mean", "zero": "0"}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ImpulseStep(Result):
    """The part of one change of one unit that is left a number of characters later.

    Attributes:
        unit: The unit.
        k: Number of characters since the change; 0 is the character of the change itself.
        remaining: The share of the unit's own change that is left; 1 at k = 0, below 0 if its sign is reversed. It is
            the slope of the change now on the change then, over all starts.
        remaining_low: The lower end of its 95 % interval; NaN if there is none.
        remaining_high: The upper one.
        remaining_matched: The same share for the matched units, averaged.
        state: The norm of the change of the whole state, as a share of the distance between two random states.
        state_low: The lower end of its 95 % interval.
        state_high: The upper one.
        state_matched: The same share if a matched unit is changed, averaged.
        loss: The change of the loss of the next character, in nats; above 0 if the model predicts worse.
        loss_low: The lower end of its 95 % interval.
        loss_high: The upper one.
        loss_matched: The same if a matched unit is changed, averaged.
        loss_matched_sd: Standard deviation of it among the matched units.
        loss_p: Two-sided p-value under the null that the unit is one like the matched units; NaN if there is none.
    """

    unit: str
    k: int
    remaining: float
    remaining_low: float
    remaining_high: float
    remaining_matched: float
    state: float
    state_low: float
    state_high: float
    state_matched: float
    loss: float
    loss_low: float
    loss_high: float
    loss_matched: float
    loss_matched_sd: float
    loss_p: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Duration(Result):
    """After how many characters the size of a unit's own change has fallen to a share of what it was, for good.

    The size counts, whatever its sign: a change of 1 that has become one of −.95 is still there. It has fallen to the
    share once it is no larger than that at any later character that was read.

    Attributes:
        level: The share: `half` or `1/e`.
        k: The number of characters; None if it is still there after all that were read, or there was no change.
        low: The lower end of the interval: where the size is first no larger than the share at the end of its 95 %
            interval that is nearer to 0.
        high: The upper one: where, from k on, it is first so at the end that is farther from 0, too; None if it never
            is.
        n_steps: The number of characters that were read.
        reversed_after: The number of characters after which the change first has reversed sign and is larger than the
            share; None if it never is.
        is_changed: Whether there was a change at all.
    """

    level: str
    k: int | None
    low: int | None
    high: int | None
    n_steps: int
    reversed_after: int | None = None
    is_changed: bool = True

    @property
    def span(self) -> str:
        """The number of characters, with its interval, in words."""
        if not self.is_changed:
            return "no number of characters: nothing was changed"
        if self.k is None:
            return f"more than {self.n_steps} characters: it is still there"
        spread = ""
        if self.low is not None:
            spread = f" ({self.low} to {f'more than {self.n_steps}' if self.high is None else self.high})"
        return f"{_characters(self.k)}{spread}"

    @property
    def sign(self) -> str:
        """In words, from when on the change has reversed sign; empty if it never has."""
        return "" if self.reversed_after is None else f"with reversed sign after {_characters(self.reversed_after)}"

    def __str__(self) -> str:
        return ", ".join(part for part in (self.span, self.sign) if part)


def _characters(n: int) -> str:
    return f"{n} character{'' if n == 1 else 's'}"


def _lasting(half: Duration, e_fold: Duration) -> str:
    """Say how long a change lasts that there was."""
    read = f"after all {half.n_steps} characters that were read"
    if half.k is None:
        return f"more than half of a change is left {read}"
    return f"half of a change is left after {half.span}, " + (
        f"and more than 1/e {read}" if e_fold.k is None else f"1/e after {e_fold.span}"
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class UnitImpulse(Result):
    """The effects of one change of one unit from then on.

    Attributes:
        unit: The unit.
        steps: One for each k from 0 on.
        durations: After how many characters half of its own change is left, and 1/e of it, whatever the sign.
        loss: Mean change of the loss over all steps, in nats per character.
        loss_low: The lower end of its 95 % interval; NaN if there is none.
        loss_high: The upper one.
        loss_matched: The same if a matched unit is changed, averaged.
        loss_p: Two-sided p-value under the null that the unit is one like the matched units.
        loss_q: False discovery rate over all units that are tested.
        n_matched: Number of matched units.
        no_interval_reason: Why there are no intervals and p-values, as a sentence; empty if there are.
    """

    unit: str
    steps: Sequence[ImpulseStep]
    durations: Sequence[Duration]
    loss: float
    loss_low: float
    loss_high: float
    loss_matched: float
    loss_p: float
    loss_q: float
    n_matched: int
    no_interval_reason: str = ""

    @property
    def lasting(self) -> dict[str, TableCell]:
        """How long half of the change and 1/e of it last, as columns of a table."""
        columns: dict[str, TableCell] = {}
        for name, duration in zip(("half", "e_fold"), self.durations, strict=True):
            columns[f"{name}_after"] = duration.k
            columns[f"{name}_after_low"], columns[f"{name}_after_high"] = duration.low, duration.high
            columns[f"{name}_reversed_after"] = duration.reversed_after
        return columns

    @property
    def finding(self) -> str:
        """One sentence that says what the numbers show, or that they show nothing."""
        half, e_fold = self.durations
        if not half.is_changed:
            return f"{self.unit}: nothing is shown: at every start it has the value already, so that nothing is changed"
        lasts = f"{self.unit}: {_lasting(half, e_fold)}"
        if sign := half.sign or e_fold.sign:
            lasts = f"{lasts}, {sign}"
        if np.isnan(self.loss_p):
            reason = self.no_interval_reason or "there are too few matched units to compare it with"
            return f"{lasts}; an effect on the loss is not shown: {reason}"
        chances = f"p {self.loss_p:.2g}, q {self.loss_q:.2g}"
        if not self.loss_q < SIGNIFICANT:
            return f"{lasts}; an effect on the loss is not shown: it may be that of matched units ({chances})"
        direction = "rises" if self.loss > 0 else "falls"
        return (
            f"{lasts}; the loss {direction} by {rounded(abs(self.loss), '.4f')} nats per character meanwhile, that of "
            f"a change of "
            f"a matched unit is {rounded(self.loss_matched, '+.4f')} ({chances})"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Impulse(Result):
    """The effects of single changes of units at the character of the change and after it.

    Attributes:
        hypothesis: The hypothesis: changes are made where it holds.
        set_to: The value to which units are set, one of `SET_TO`, a number, or an amount that is added (`+0.5`).
        units: One for each unit that is tested.
        n_starts: Number of characters at which a change is made, each by itself.
        n_steps: K, the number of characters that are followed after it.
        seed: Seed of the draws.
        no_interval_reason: Why there are no intervals and p-values, as a sentence; empty if there are.
    """

    hypothesis: str
    set_to: str
    units: Sequence[UnitImpulse]
    n_starts: int
    n_steps: int
    seed: int
    no_interval_reason: str = ""

    @property
    def change(self) -> str:
        """What is done to a unit, in words."""
        if self.set_to.startswith("+"):
            return f"changed once by {self.set_to}"
        return f"set once to {_VALUES.get(self.set_to, self.set_to)}"

    def rows(self) -> list[dict[str, TableCell]]:
        """Return one row for each unit and number of characters since the change; all have the unit's durations."""
        shared: dict[str, TableCell] = {"hypothesis": self.hypothesis, "set_to": self.set_to, "n_starts": self.n_starts}
        return [{**shared, **step.row(), **unit.lasting} for unit in self.units for step in unit.steps]

    @property
    def findings(self) -> list[str]:
        """One sentence for each unit: its effect, or that none is shown."""
        return [unit.finding for unit in self.units]

    def __str__(self) -> str:
        title = f"{self.hypothesis}, {self.change}, {self.n_starts:,} times, for {self.n_steps} characters"
        return "\n".join([title, *self.findings])
