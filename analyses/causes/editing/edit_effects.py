"""Effects of edits on a unit, a probe or the loss: means over places with intervals, beside random edits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from activations.results import Result, TableCell
from analyses.causes.editing.edited_labels import LabelChange
from analyses.causes.editing.edited_passages import EditedReadings
from analyses.intervals.estimates import Estimate
from analyses.intervals.long_run import n_cosines
from analyses.intervals.significance import q_values
from analyses.intervals.students_t import two_sided_p
from analyses.targets.splits import MOST_ATOMS

Floats = NDArray[np.float64]
CHANGES, STAYS, CONTRAST, ALL = "label changes", "label stays", "changes − stays", "all"
WHERE = (CHANGES, STAYS, CONTRAST, ALL)
"""The characters after an edit on which its effect is measured, by what it does to the label."""
LOSS, PROBE = "loss", "probe"
FEWEST_PLACES = 10
_ROUNDING = 1e-10  # of a mean: a smaller standard error counts as none, as in `Estimate`


@dataclass(frozen=True, slots=True, kw_only=True)
class EditEffect(Result):
    """The effect of an edit on one quantity at the characters after it, beside that of random edits.

    Attributes:
        quantity: `loss`, `probe`, or the name of a unit.
        where: The characters, one of `WHERE`.
        n_after: How many characters after the edit; None is the mean from 1 on, since at 0 the model has just read
            another character than without the edit.
        n_places: Places with such characters.
        n_chars: Number of such characters.
        change: Mean change by the edit: of the loss in nats per character; of a unit or of the probe's output toward
            the new label, where the label changes (what turns up where the label turns True counts as positive, and
            what turns down where it turns False). Where the label stays, it is toward the label that the place has
            where it first changes; with `all`, it is the change as it is. `changes − stays` compares characters that
            are equally far after their edits, so that a unit that merely remembers the edited character has 0.
        low: The lower end of its 95 % interval; NaN if there is none.
        high: The upper one.
        random: The same of the random edits beside, at the characters where their own labels stay; NaN without any.
        beyond_random: The change less that of the random edits.
        p: Two-sided p-value under the null that the edit changes no more than the random ones; NaN if there is none.
        q: False discovery rate over all units, of the means over all characters.
        matched: Of the mean of `changes − stays` of a unit, that of units of its site and of about its variance, less
            that by random edits, with the unit's sign; of the probe, that of directions of its units. p is then that
            the unit, or the probe, is one like these. Else NaN.
        matched_sd: Standard deviation of theirs.
        reference: Mean inside less outside in the same passages without edits; NaN for the loss.
    """

    quantity: str
    where: str
    n_after: int | None
    n_places: int
    n_chars: int
    change: float
    low: float
    high: float
    random: float
    beyond_random: float
    p: float
    q: float = field(default=np.nan)
    matched: float = field(default=np.nan)
    matched_sd: float = field(default=np.nan)
    reference: float = field(default=np.nan)

    @property
    def share(self) -> float:
        """The change as a share of what separates inside from outside; 1 if the quantity follows the text wholly."""
        return self.change / self.reference if self.reference else float("nan")

    def row(self) -> dict[str, TableCell]:
        """Return the effect as one row."""
        return {**Result.row(self), "share": self.share}


@dataclass(frozen=True, slots=True, eq=False)
class EditSample:
    """Edits or random ones: what they change, and which of the characters after them count where.

    Attributes:
        changes: (n_quantities, n_edits, n_steps + 1) values with the edit less those without.
        atoms: (n_edits,) the atom of each: neighbouring places share one if there are many.
        n_atoms: Number of atoms, the same for the edits and for the random ones beside.
        weights: For `CHANGES`, `STAYS` and `ALL`, (n_edits, n_steps + 1) bool, the characters that count.
        signs: For each of these, (n_edits, n_steps + 1) the direction in which a change of a unit counts.
    """

    changes: Floats
    atoms: NDArray[np.int64]
    n_atoms: int
    weights: dict[str, NDArray[np.bool_]]
    signs: dict[str, NDArray[np.int64]]


def reported_steps(n_steps: int) -> list[int]:
    """Return the numbers of characters after an edit for which effects are reported.

    >>> reported_steps(10)
    [0, 1, 2, 4, 8, 10]
    """
    powers = [1 << k for k in range(n_steps.bit_length())]
    return sorted({0, *(power for power in powers if power <= n_steps), n_steps})


def samples_of(
    readings: EditedReadings, labels: Sequence[LabelChange], n_edits: int, owners: NDArray[np.int64]
) -> tuple[EditSample, EditSample]:
    """Return the sample of the edits, and that of the random ones beside, counted at the same characters.

    Args:
        readings: Of the edits, and after them of all random ones.
        labels: Their labels, in the same order.
        n_edits: Number of edits.
        owners: (n_random,) the edit beside which each random one stands.
    """
    direction = np.stack([change.direction for change in labels])
    is_known = np.stack([change.is_known for change in labels])
    of_edits, of_random = direction[:n_edits], direction[n_edits:]
    n_atoms = min(n_edits, MOST_ATOMS)
    atoms = np.arange(n_edits) * n_atoms // n_edits
    first = _first_directions(of_edits)[:, None]
    known = is_known[:n_edits]
    weights = {CHANGES: of_edits != 0, STAYS: (of_edits == 0) & known, ALL: known}
    signs = {CHANGES: of_edits, STAYS: np.broadcast_to(first, of_edits.shape), ALL: np.ones_like(of_edits)}
    differences = readings.after - readings.before
    keeps_label = (of_random == 0) & is_known[n_edits:]
    return (
        EditSample(differences[:, :n_edits], atoms, n_atoms, weights, signs),
        EditSample(
            differences[:, n_edits:],
            atoms[owners],
            n_atoms,
            {where: mask[owners] & keeps_label for where, mask in weights.items()},
            {where: sign[owners] for where, sign in signs.items()},
        ),
    )


def _first_directions(direction: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n_edits,) the direction in which each edit first changes the label; where it does not, that of most others."""
    first = direction[np.arange(len(direction)), (direction != 0).argmax(axis=1)]
    usual = 1 if first.sum() >= 0 else -1
    return np.where(first == 0, usual, first)


def edit_effects(
    numbers: Mapping[str, int], edits: EditSample, random: EditSample, references: Floats, steps: Sequence[int]
) -> list[EditEffect]:
    """Return the effects on all quantities: for each, the means over all characters, then those at some of them.

    Args:
        numbers: The number of each quantity by what it is called; those but `LOSS` have signs.
        edits: The edits.
        random: The random ones.
        references: (n_quantities,) mean inside less outside.
        steps: Characters after the edit to report.
    """
    effects: list[EditEffect] = []
    for name, number in numbers.items():
        for step in (None, *steps):
            effects += _effects_at(name, number, step, edits, random, float(references[number]))
    units = [n for n, effect in enumerate(effects) if effect.quantity not in (LOSS, PROBE) and effect.n_after is None]
    for where in WHERE:
        chosen = [n for n in units if effects[n].where == where]
        q = q_values(np.array([effects[n].p for n in chosen]))
        for n, value in zip(chosen, q, strict=True):
            effects[n] = replace(effects[n], q=float(value))
    return effects


def beyond_random(number: int, where: str, edits: EditSample, random: EditSample) -> Estimate:
    """Return the mean change of a unit in a set of characters, less that by random edits."""
    by_edits, by_random = (_means(sample, number, None, has_signs=True)[where][0] for sample in (edits, random))
    return _less(by_edits, by_random)


def _less(mean: Estimate, mean_of_random: Estimate) -> Estimate:
    return replace(mean, value=mean.value - mean_of_random.value, influence=mean.influence - mean_of_random.influence)


def _effects_at(
    name: str, number: int, step: int | None, edits: EditSample, random: EditSample, reference: float
) -> Iterator[EditEffect]:
    by_edits, by_random = (_means(sample, number, step, has_signs=name != LOSS) for sample in (edits, random))
    for where in WHERE:
        mean, n_places, n_chars = by_edits[where]
        mean_of_random, n_random, _ = by_random[where]
        beyond = _less(mean, mean_of_random)
        low, high = _interval(mean)
        yield EditEffect(
            quantity=name,
            where=where,
            n_after=step,
            n_places=n_places,
            n_chars=n_chars,
            change=mean.value,
            low=low,
            high=high,
            random=mean_of_random.value,
            beyond_random=beyond.value,
            p=_p_value(beyond, n_places) if n_random >= FEWEST_PLACES else np.nan,
            reference=reference,
        )


def _means(
    sample: EditSample, number: int, step: int | None, *, has_signs: bool
) -> dict[str, tuple[Estimate, int, int]]:
    """Return the mean change in each set of characters, with its numbers of places and characters."""
    chosen = slice(1, None) if step is None else slice(step, step + 1)
    changes, n_atoms = sample.changes[number][:, chosen], sample.n_atoms
    means = {}
    for where, mask in sample.weights.items():
        w = mask[:, chosen]
        y = np.where(w, changes * sample.signs[where][:, chosen] if has_signs else changes, 0.0)
        n = np.bincount(sample.atoms, w.sum(axis=1), n_atoms).astype(np.float64)
        sums = np.bincount(sample.atoms, y.sum(axis=1), n_atoms).astype(np.float64)
        means[where] = _mean(sums, n), int(w.any(axis=1).sum()), int(w.sum())
    masks = [sample.weights[where][:, chosen] for where in (CHANGES, STAYS)]
    signed = [changes * sample.signs[where][:, chosen] if has_signs else changes for where in (CHANGES, STAYS)]
    return means | {CONTRAST: _contrast(signed, masks, sample.atoms, n_atoms)}


def _contrast(
    values: Sequence[Floats], masks: Sequence[NDArray[np.bool_]], atoms: NDArray[np.int64], n_atoms: int
) -> tuple[Estimate, int, int]:
    """Return the mean difference of two sets of characters that are equally far after their edits.

    It is the mean over these distances of the differences of means, each with the weight n₁ n₂ / (n₁ + n₂).

    Args:
        values: For each set, (n_edits, n_distances) changes.
        masks: For each set, (n_edits, n_distances) its characters.
        atoms: (n_edits,) the atom of each.
        n_atoms: Number of atoms.

    Returns:
        The difference, the smaller number of places of the two sets, and the number of characters.

    Source:
        The weights are those of Mantel & Haenszel 1959, Journal of the National Cancer Institute 22:719-748.
    """
    counts = np.stack([mask.sum(axis=0) for mask in masks]).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = np.nan_to_num(counts.prod(axis=0) / counts.sum(axis=0))
    total = weights.sum()
    difference, influence, n_places, n_chars = 0.0, np.zeros(n_atoms), [], 0
    for sign, value, mask, n in zip((1, -1), values, masks, counts, strict=True):
        counted = mask & (weights > 0)
        of_each = np.divide(weights, n, out=np.zeros_like(weights), where=n > 0) / max(total, 1e-300)
        means = np.where(counted, value, 0.0).sum(axis=0) / np.maximum(n, 1)
        difference += sign * float((means * weights).sum() / total) if total else np.nan
        residuals = np.where(counted, (value - means) * of_each, 0.0).sum(axis=1)
        influence += sign * np.bincount(atoms, residuals, n_atoms)
        n_places.append(int(counted.any(axis=1).sum()))
        n_chars += int(counted.sum())
    estimate = Estimate(
        value=difference,
        influence=influence,
        n_atoms=n_atoms,
        n_cosines=n_cosines(n_atoms),
        no_interval_reason=_too_few(min(n_places)),
    )
    return estimate, min(n_places), n_chars


def _mean(sums: Floats, n: Floats) -> Estimate:
    total = n.sum()
    value = float(sums.sum() / total) if total else np.nan
    return Estimate(
        value=value,
        influence=(sums - value * n) / max(total, 1),
        n_atoms=len(n),
        n_cosines=n_cosines(len(n)),
        no_interval_reason=_too_few(int(np.count_nonzero(n))),
    )


def _too_few(n_places: int) -> str:
    """Say why there is no interval, as a sentence; empty if there is one."""
    return "" if n_places >= FEWEST_PLACES else f"there are {n_places} such places, and {FEWEST_PLACES} are needed"


def _interval(mean: Estimate) -> tuple[float, float]:
    """Return the 95 % interval; where all places agree to rounding, it is the value itself."""
    if mean.no_interval_reason or not np.isfinite(mean.value):
        return np.nan, np.nan
    return mean.interval if _varies(mean) else (mean.value, mean.value)


def _varies(mean: Estimate) -> bool:
    return bool(mean.standard_error > _ROUNDING)


def _p_value(beyond: Estimate, n_places: int) -> float:
    """Return the two-sided p-value of a difference; where all places agree to rounding, that of the sign test."""
    if beyond.no_interval_reason or not np.isfinite(beyond.value):
        return np.nan
    if not _varies(beyond):
        return 1.0 if abs(beyond.value) < 1e-9 else float(2.0 ** (1 - n_places))
    return float(two_sided_p(beyond.value / beyond.standard_error, beyond.degrees_of_freedom))
