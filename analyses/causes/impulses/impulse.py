"""Impulses: what does a unit store, and for how long? One change at one character, and what it does from then on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from activations.progress import Progress, no_progress
from activations.site_names import AnyUnits, select_units
from activations.units import Site, Unit
from activations.value_ranges import check_in_range, fits
from activations.variants import AddOnce, ModelSource, ReplaceOnce, VariantChange
from analyses.causes.choosing_units import best_ranked_units
from analyses.causes.impulses.impulse_results import Duration, Impulse, ImpulseStep, UnitImpulse
from analyses.causes.known_states import (
    OFFSET,
    Places,
    check_forwards,
    check_sizes,
    read_from_places,
    read_places,
    rows_with_context,
)
from analyses.causes.place_estimates import PlaceAtoms, place_atoms, spread_draw
from analyses.errors import AnalysisError
from analyses.intervals.estimates import Estimate
from analyses.intervals.significance import q_values
from analyses.passages.base_reading import SiteMoments, read_base
from analyses.passages.character_sets import INSIDE, CharacterSets, character_sets
from analyses.passages.effects import beside_matched
from analyses.passages.matching import matched_groups
from analyses.passages.models import model_source
from analyses.passages.passages import Passages, spread_passages
from analyses.session import AnySource
from analyses.targets.labelling import AnyHypothesis, target_for
from analyses.targets.target import Target

SET_TO = {
    "other": "the mean where the hypothesis does not hold",
    "mean": "the mean over the characters that are read",
    "zero": "0",
}
"""The values to which a unit can be set, and how each is described."""
N_BEST, N_STARTS, N_STEPS, N_MATCHED, N_CHARS = 3, 200, 64, 20, 20_000
_LEVELS = {"half": 0.5, "1/e": float(np.exp(-1))}

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Changes:
    """(n_variants, n_places, n_steps) changes by each variant: of its own unit, of the whole state, and of the loss."""

    unit: Array
    state: Array
    loss: Array


def impulse(
    source: AnySource,
    hypothesis: AnyHypothesis | Target,
    units: AnyUnits | None = None,
    *,
    to: str | float = "other",
    n_starts: int = N_STARTS,
    n_steps: int = N_STEPS,
    n_matched: int = N_MATCHED,
    n_chars: int = N_CHARS,
    force: bool = False,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Impulse:
    """Change a unit at one character where a hypothesis holds, and follow what is left of the change.

    Unlike `ablate`, which holds a unit at every character, this changes it once; the model goes on by itself. So it
    says what the unit stores, and for how long.

    Args:
        source: Live activations: the model and the text.
        hypothesis: A hypothesis that is True or False; changes are made where it is True.
        units: The units, such as `0/cell/163` or a list of such names; each is changed by itself. None takes the three
            that `rank` puts first.
        to: One of `SET_TO`, a number, or `+` and a number that is added.
        n_starts: Number of characters at which a change is made, spread over the text.
        n_steps: Number of characters that are followed after it.
        n_matched: Matched units beside each unit.
        n_chars: The characters among which the starts are drawn, in passages spread over the text.
        force: Whether units may be set to a number outside their range.
        seed: Seed of the draws.
        progress: Called with the starts done and their number.

    Raises:
        ActivationError: If there is no such unit, or it never has such a number.
        AnalysisError: If there is no such value, the hypothesis holds nowhere with that many characters behind it, the
            model reads backwards, or the source has no model.
    """
    live = model_source(source)
    check_forwards(live, "an impulse")
    check_sizes(n_starts=n_starts, n_steps=n_steps)
    read_value(to)  # refuses a wrong one before any work
    target = target_for(live, hypothesis)
    named = best_ranked_units(live, target, N_BEST) if units is None else select_units(live.sites, units)
    chosen = list(dict.fromkeys(named))
    if not force:
        _check_values(live, chosen, to)
    passages = spread_passages(live, n_chars)
    sets = character_sets(target, live, passages)
    sites = list(dict.fromkeys([*live.carried, *(unit.site for unit in chosen)]))
    moments = read_base(live, passages, sets, sites).moments
    rng = np.random.default_rng(seed)
    rows, atoms = _starts(live, passages, sets, n_starts, n_steps, rng)
    places = read_places(live, live.corpus, passages, rows, ())
    variances = {site: of_site.variance for site, of_site in moments.items()}
    changed, matched = _with_matched(chosen, variances, n_matched, rng)
    changes = _measure(live, places, changed, _new_values(changed, live.sites, moments, to), n_steps, progress)
    distance = float(np.sqrt(2 * sum(variances[site].sum() for site in live.carried))) or float("nan")
    return Impulse(
        hypothesis=target.hypothesis,
        set_to=str(to),
        units=_unit_impulses(chosen, changes, matched, atoms, distance),
        n_starts=len(places),
        n_steps=n_steps,
        seed=seed,
        no_interval_reason=atoms.no_interval_reason,
    )


def _check_values(live: ModelSource, units: Sequence[Unit], to: str | float) -> None:
    """Refuse a number to which units are set if one of them never has it."""
    number = read_value(to)
    if number is not None and not str(to).startswith("+"):
        for unit in units:
            check_in_range(unit.site, number, live.unbounded)


def read_value(to: str | float) -> float | None:
    """Return the number to which a unit is set, or that is added to it; None for a value with a name.

    Raises:
        AnalysisError: If it is no such value.
    """
    if isinstance(to, str) and to in SET_TO:
        return None
    try:
        number = float(to)
    except ValueError as error:
        raise AnalysisError(
            f"a unit cannot be set to {to!r}; choose {', '.join(SET_TO)}, a number, or an amount to add, such as +0.5"
        ) from error
    if not fits(number):
        raise AnalysisError(f"{to} is no number to set a unit to; models compute with float32")
    return number


def _starts(
    live: ModelSource,
    passages: Passages,
    sets: CharacterSets,
    n_starts: int,
    n_steps: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], PlaceAtoms]:
    """Draw characters where the hypothesis holds, and which have enough characters after them."""
    counted = np.flatnonzero(passages.is_counted)
    inside = counted[sets.members[INSIDE]]
    candidates = inside[rows_with_context(live, passages, n_steps + 1)[inside]]
    if not len(candidates):
        raise AnalysisError(
            f"{sets.hypothesis!r} holds at {len(inside):,} characters that are read, and none of them has "
            f"{n_steps + 1:,} characters after it in its document; follow the change for fewer characters (--steps)"
        )
    rows = spread_draw(candidates, n_starts, rng)
    return rows, place_atoms(passages, sets, rows)


def _with_matched(
    units: Sequence[Unit], variances: Mapping[Site, Array], n: int, rng: np.random.Generator
) -> tuple[list[Unit], list[list[int]]]:
    """Draw units that are matched to each of some units.

    Returns:
        These units and the matched ones, each once; and for each of these units the numbers of those matched to it.
    """
    number_of = {unit: number for number, unit in enumerate(units)}
    matched = []
    for unit in units:
        n_others = len(variances[unit.site]) - sum(tested.site == unit.site for tested in units)
        excluded = units if n_others >= n else [unit]  # all units of a site may be tested
        drawn = [partner for (partner,) in matched_groups(variances, (unit,), n, excluded, rng)]
        matched.append([number_of.setdefault(partner, len(number_of)) for partner in drawn])
    return list(number_of), matched


def _new_values(
    units: Sequence[Unit], sites: Mapping[Site, int], moments: Mapping[Site, SiteMoments], to: str | float
) -> list[VariantChange]:
    """Return the changes of variants in each of which one unit is changed."""
    amount = read_value(to)
    changes: list[VariantChange] = []
    for site in dict.fromkeys(unit.site for unit in units):
        is_changed = np.zeros((1 + len(units), sites[site]), bool)
        for number, unit in enumerate(units, 1):
            if unit.site == site:
                is_changed[number, unit.index] = True
        if isinstance(to, str) and to.startswith("+"):
            changes.append(AddOnce(site, np.where(is_changed, amount or 0.0, 0.0)[:, None], OFFSET))
            continue
        by_name = {"other": moments[site].outside, "mean": moments[site].mean, "zero": np.zeros(sites[site])}
        values = by_name[str(to)] if amount is None else np.full(sites[site], amount)
        changes.append(ReplaceOnce(site, is_changed, values[None, None].astype(np.float32), OFFSET))
    return changes


def _measure(
    live: ModelSource,
    places: Places,
    units: Sequence[Unit],
    changes: Sequence[VariantChange],
    n_steps: int,
    progress: Progress,
) -> _Changes:
    """Let variants in each of which one unit is changed read on from the places."""
    shape = (len(units), len(places), n_steps + 1)
    of_unit, state, loss = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    sites = list(dict.fromkeys([*live.carried, *(unit.site for unit in units)]))
    for batch in read_from_places(
        live, places, lambda _: changes, len(units), n_steps + 1, sites=sites, progress=progress
    ):
        cell = batch.variants, batch.places
        loss[cell] = batch.losses - batch.unchanged
        squares = np.zeros(batch.losses.shape)
        for site, values in batch.values.items():
            difference = values[1:] - values[:1]
            if site in live.carried:
                squares += np.einsum("vpku,vpku->vpk", difference, difference)
            for number, unit in enumerate(units[batch.variants]):
                if unit.site == site:
                    of_unit[batch.variants.start + number, batch.places] = difference[number, :, :, unit.index]
        state[cell] = np.sqrt(squares)
    return _Changes(of_unit, state, loss)


def _unit_impulses(
    units: Sequence[Unit], changes: _Changes, matched: Sequence[Sequence[int]], atoms: PlaceAtoms, distance: float
) -> list[UnitImpulse]:
    """Average the changes by each unit over the places, with q-values over all units."""
    results = [
        _unit_impulse(str(unit), changes, number, matched[number], atoms, distance) for number, unit in enumerate(units)
    ]
    q = q_values(np.array([result.loss_p for result in results]))
    return [replace(result, loss_q=float(value)) for result, value in zip(results, q, strict=True)]


def _unit_impulse(
    unit: str, changes: _Changes, number: int, matched: Sequence[int], atoms: PlaceAtoms, distance: float
) -> UnitImpulse:
    """Average the changes by one unit over the places, beside those by its matched units."""
    remaining = [_remaining(changes.unit[number], k, atoms) for k in range(changes.unit.shape[-1])]
    steps = [_step(unit, k, changes, number, matched, atoms, distance, remaining[k]) for k in range(len(remaining))]
    loss = atoms.mean(changes.loss[number].mean(axis=-1))
    comparison = beside_matched(
        loss, [atoms.mean(changes.loss[partner].mean(axis=-1)) for partner in matched], atoms.n_used
    )
    low, high = loss.interval
    return UnitImpulse(
        unit=unit,
        steps=steps,
        durations=[_duration(name, level, remaining) for name, level in _LEVELS.items()],
        loss=loss.value,
        loss_low=low,
        loss_high=high,
        loss_matched=comparison.matched,
        loss_p=comparison.p,
        loss_q=float("nan"),
        n_matched=len(matched),
        no_interval_reason=loss.no_interval_reason,
    )


def _remaining(change: Array, k: int, atoms: PlaceAtoms) -> Estimate:
    """Return the slope of the change after k characters on the change at first, through 0."""
    return atoms.ratio(change[:, k] * change[:, 0], change[:, 0] ** 2)


def _step(
    unit: str,
    k: int,
    changes: _Changes,
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
        state_matched=_mean([changes.state[partner, :, k].mean() / distance for partner in matched]),
        loss=loss.value,
        loss_low=loss.interval[0],
        loss_high=loss.interval[1],
        loss_matched=comparison.matched,
        loss_matched_sd=comparison.matched_sd,
        loss_p=comparison.p,
    )


def _duration(name: str, level: float, remaining: Sequence[Estimate]) -> Duration:
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
