"""Results of impulses: what is left of a change, character by character."""

from collections.abc import Sequence
from dataclasses import dataclass

from activations.results import Result, TableCell


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpulseStep(Result):
    """What is left of one change of one unit a number of characters later.

    Attributes:
        unit: The unit.
        k: Number of characters since the change; 0 is the character of the change itself.
        remaining: The share of the unit's own change that is left; 1 at k = 0. It is the slope of the change now on
            the change then, over all starts.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration(Result):
    """After how many characters a unit's own change has fallen to a share of what it was.

    Attributes:
        level: The share: `half` or `1/e`.
        k: The number of characters; None if it is still there after all that were read.
        low: The lower end of the interval: where the lower end of the share's 95 % interval has fallen as far.
        high: The upper one, likewise; None if that of the share has not fallen so far.
    """

    level: str
    k: int | None
    low: int | None
    high: int | None

    def __str__(self) -> str:
        return "still there" if self.k is None else f"{self.k} character{'' if self.k == 1 else 's'}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class UnitImpulse(Result):
    """What one change of one unit does from then on.

    Attributes:
        unit: The unit.
        steps: One for each k from 0 on.
        durations: After how many characters half of its own change is left, and 1/e of it.
        loss: Mean change of the loss over all steps, in nats per character.
        loss_low: The lower end of its 95 % interval; NaN if there is none.
        loss_high: The upper one.
        loss_matched: The same if a matched unit is changed, averaged.
        loss_p: Two-sided p-value under the null that the unit is one like the matched units.
        loss_q: False discovery rate over all units that are tested.
        n_matched: Number of matched units.
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Impulse(Result):
    """What single changes of units do at the character of the change and after it.

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

    def rows(self) -> list[dict[str, TableCell]]:
        """Return one row for each unit and number of characters since the change."""
        shared: dict[str, TableCell] = {"hypothesis": self.hypothesis, "set_to": self.set_to, "n_starts": self.n_starts}
        return [{**shared, **step.row()} for unit in self.units for step in unit.steps]

    def __str__(self) -> str:
        lines = [
            f"{unit.unit} set to {self.set_to}: half of it is left after: {unit.durations[0]}, "
            f"loss {unit.loss:+.4f} nats per character, matched units {unit.loss_matched:+.4f}, p {unit.loss_p:.2g}"
            for unit in self.units
        ]
        return "\n".join([f"{self.hypothesis}, {self.n_starts:,} changes, {self.n_steps} characters each", *lines])
