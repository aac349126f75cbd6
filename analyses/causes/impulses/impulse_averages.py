"""Averages of impulses over the places where units are changed: shares, losses and durations, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from activations.progress import Advance, Progress, counting
from activations.units import Unit
from analyses.causes.impulses.impulse_results import Duration, ImpulseStep, UnitImpulse
from analyses.causes.place_estimates import PlaceAtoms
from analyses.intervals.estimates import Estimate
from analyses.intervals.significance import q_values
from analyses.passages.effects import beside_matched

_LEVELS = {"half": 0.5, "1/e": float(np.exp(-1))}


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """Changes by each variant, at each place, at the character of the change and at those that follow it.

    Attributes:
        unit: (n_variants, n_places, n_steps) of its own unit.
        state: (n_variants, n_places, n_steps) the norm of that of the whole state.
        loss: (n_variants, n_places, n_steps) of the loss of the next character, in nats.
    """

    unit: NDArray[np.float32]
    state: NDArray[np.float32]
    loss: NDArray[np.float32]


def unit_impulses(
    units: Sequence[Unit],
    changes: Changes,
    matched: Sequence[Sequence[int]],
    atoms: PlaceAtoms,
    distance: float,
    progress: Progress,
) -> list[UnitImpulse]:
    """Average the changes by each unit over the places, with q-values over all units.

    Args:
        units: The units that are tested, the first variants.
        changes: The changes by all variants.
        matched: For each unit, the numbers of the variants matched to it.
        atoms: The atom of each place.
        distance: The distance between two random states.
        progress: Called with the numbers of characters since the change that are averaged, of all units, and of all.
    """
    advance = counting(progress, len(units) * changes.loss.shape[-1])
    results = [
        _unit_impulse(str(unit), changes, number, matched[number], atoms, distance, advance)
        for number, unit in enumerate(units)
    ]
    q = q_values(np.array([result.loss_p for result in results]))
    return [replace(result, loss_q=float(value)) for result, value in zip(results, q, strict=True)]


def _unit_impulse(
    unit: str,
    changes: Changes,
    number: int,
    matched: Sequence[int],
    atoms: PlaceAtoms,
    distance: float,
    advance: Advance,
) -> UnitImpulse:
    """Average the changes by one unit over the places, beside those by its matched units."""
    remaining = [_remaining(changes.unit[number], k, atoms) for k in range(changes.unit.shape[-1])]
    steps = []
    for k, share in enumerate(remaining):
        steps.append(_step(unit, k, changes, number, matched, atoms, distance, share))
        advance(1)
    loss, *of_matched = (
        atoms.mean(changes.loss[variant].mean(axis=-1, dtype=np.float64)) for variant in (number, *matched)
    )
    comparison = beside_matched(loss, of_matched, atoms.n_used)
    low, high = loss.interval
    return UnitImpulse(
        unit=unit,
        steps=steps,
        durations=[duration_of(name, level, remaining) for name, level in _LEVELS.items()],
        loss=loss.value,
        loss_low=low,
        loss_high=high,
        loss_matched=comparison.matched,
        loss_p=comparison.p,
        loss_q=float("nan"),
        n_matched=len(matched),
        no_interval_reason=loss.no_interval_reason,
    )


def _remaining(change: NDArray[np.float32], k: int, atoms: PlaceAtoms) -> Estimate:
    """Return the slope of the change after k characters on the change at first, through 0."""
    first, later = change[:, 0].astype(np.float64), change[:, k].astype(np.float64)
    return atoms.ratio(later * first, first**2)


def _step(
    unit: str,
    k: int,
    changes: Changes,
    number: int,
    matched: Sequence[int],
    atoms: PlaceAtoms,
    distance: float,
    remaining: Estimate,
) -> ImpulseStep:
    loss, state = atoms.mean(changes.loss[number, :, k]), atoms.mean(changes.state[number, :, k] / distance)
    comparison = beside_matched(loss, [atoms.mean(changes.loss[partner, :, k]) for partner in matched], atoms.n_used)
    of_matched = [_remaining(changes.unit[partner], k, atoms).value for partner in matched]
    return ImpulseStep(
        unit=unit,
        k=k,
        remaining=remaining.value,
        remaining_low=remaining.interval[0],
        remaining_high=remaining.interval[1],
        remaining_matched=_mean(of_matched),
        state=state.value,
        state_low=state.interval[0],
        state_high=state.interval[1],
        state_matched=_mean([changes.state[partner, :, k].mean(dtype=np.float64) / distance for partner in matched]),
        loss=loss.value,
        loss_low=loss.interval[0],
        loss_high=loss.interval[1],
        loss_matched=comparison.matched,
        loss_matched_sd=comparison.matched_sd,
        loss_p=comparison.p,
    )


def duration_of(name: str, level: float, remaining: Sequence[Estimate]) -> Duration:
    """Find from where on the size of the share that remains is at most `level`.

    The ends of its interval are where those of the share's interval are at most `level`, first up to there and first
    from there on: of the many intervals of later steps, some are wide by chance.
    """
    shares, n_steps = np.array([share.value for share in remaining]), len(remaining) - 1
    if np.isnan(shares[0]):
        return Duration(level=name, k=None, low=None, high=None, n_steps=n_steps, is_changed=False)
    k = _end_of(np.abs(shares) > level)
    is_reversed = shares < -level
    reversed_after = int(is_reversed.argmax()) if is_reversed.any() else None
    if remaining[0].no_interval_reason:
        return Duration(level=name, k=k, low=None, high=None, n_steps=n_steps, reversed_after=reversed_after)
    # where all places agree exactly, as at k = 0, an estimate has no interval, and stands for itself
    ends = np.array([share.interval for share in remaining])  # (n_steps + 1, 2)
    ends = np.where(np.isnan(ends), shares[:, None], ends)
    nearest = np.where(np.sign(ends).prod(axis=1) > 0, np.abs(ends).min(axis=1), 0.0)
    return Duration(
        level=name,
        k=k,
        low=_first(nearest <= level),
        high=None if k is None else _first(np.abs(ends).max(axis=1) <= level, k),
        n_steps=n_steps,
        reversed_after=reversed_after,
    )


def _end_of(is_there: NDArray[np.bool_]) -> int | None:
    """Return the number of characters from which on something is there no more; None if it is there at the last one."""
    return None if is_there[-1] else len(is_there) - int(is_there[::-1].argmax())


def _first(is_so: NDArray[np.bool_], start: int = 0) -> int | None:
    """Return the first number of characters, from `start` on, at which something is so; None if there is none."""
    return start + int(is_so[start:].argmax()) if is_so[start:].any() else None


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
