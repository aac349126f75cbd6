"""Impulses: what does a unit store, and for how long? One change at one character, and what it does from then on."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.progress import Progress, no_progress, steps_of
from activations.site_names import AnyUnits, select_units
from activations.units import Site, Unit
from activations.value_ranges import check_added, check_in_range, fits
from activations.variants import AddOnce, ModelSource, ReplaceOnce, VariantChange
from analyses.causes.choosing_units import best_ranked_units
from analyses.causes.impulses.impulse_averages import Changes, unit_impulses
from analyses.causes.impulses.impulse_results import Impulse
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
from analyses.passages.base_reading import BASE_WEIGHT, SiteMoments, read_base
from analyses.passages.character_sets import INSIDE, CharacterSets, character_sets
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
_AVERAGE_WEIGHT = 50  # how long the averages of one step take, in readings of a character by one variant

Array = NDArray[np.float64]


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
        to: One of `SET_TO`, a number, or `+` and a number that is added, such as `+0.5` or `+-0.5`.
        n_starts: Number of characters at which a change is made, spread over the text.
        n_steps: Number of characters that are followed after it.
        n_matched: Matched units beside each unit.
        n_chars: The characters among which the starts are drawn, in passages spread over the text.
        force: Whether units may be set to a number outside their range, or an amount be added that is larger than it.
        seed: Seed of the draws.
        progress: Called with the amount done and the total.

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
    steps = _steps(progress, len(passages.corpus), len(chosen), n_matched, n_starts, n_steps)
    moments = read_base(live, passages, sets, sites, steps.reading).moments
    rng = np.random.default_rng(seed)
    rows, atoms = _starts(live, passages, sets, n_starts, n_steps, rng)
    places = read_places(live, live.corpus, passages, rows, (), steps.finding_states)
    variances = {site: of_site.variance for site, of_site in moments.items()}
    changed, matched = _with_matched(chosen, variances, n_matched, rng)
    changes = _measure(live, places, changed, _new_values(changed, live.sites, moments, to), n_steps, steps.following)
    distance = float(np.sqrt(2 * sum(variances[site].sum() for site in live.carried))) or float("nan")
    return Impulse(
        hypothesis=target.hypothesis,
        set_to=str(to),
        units=unit_impulses(chosen, changes, matched, atoms, distance, steps.averaging),
        n_starts=len(places),
        n_steps=n_steps,
        seed=seed,
        no_interval_reason=atoms.no_interval_reason,
    )


class _Steps(NamedTuple):
    """The progress of each step of the work."""

    reading: Progress
    finding_states: Progress
    following: Progress
    averaging: Progress


def _steps(progress: Progress, n_chars: int, n_units: int, n_matched: int, n_starts: int, n_steps: int) -> _Steps:
    """Divide the progress by about how long each step takes."""
    n_followed = n_units * (1 + n_matched) * n_starts * (n_steps + 2)
    n_averaged = _AVERAGE_WEIGHT * n_units * (n_steps + 1)
    return _Steps(*steps_of(progress, [BASE_WEIGHT * n_chars, BASE_WEIGHT * n_chars, n_followed, n_averaged]))


def _check_values(live: ModelSource, units: Sequence[Unit], to: str | float) -> None:
    """Refuse a number to which units are set, or which is added to them, if it takes one out of its range."""
    number = read_value(to)
    if number is not None:
        check = check_added if _is_added(to) else check_in_range
        for unit in units:
            check(unit.site, number, live.unbounded)


def read_value(to: str | float) -> float | None:
    """Return the number to which a unit is set, or that is added to it; None for a value with a name.

    Raises:
        AnalysisError: If it is no such value.
    """
    if isinstance(to, str) and to in SET_TO:
        return None
    try:
        number = float(str(to)[1:]) if _is_added(to) else float(to)
    except ValueError as error:
        raise AnalysisError(
            f"a unit cannot be set to {to!r}; choose {', '.join(SET_TO)}, a number, or an amount to add, such as +0.5 "
            "or +-0.5"
        ) from error
    if not fits(number):
        raise AnalysisError(f"{to} is no number to set a unit to; models compute with float32")
    return number


def _is_added(to: str | float) -> bool:
    return isinstance(to, str) and to.startswith("+")


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
        if _is_added(to):
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
) -> Changes:
    """Let variants in each of which one unit is changed read on from the places."""
    shape = (len(units), len(places), n_steps + 1)
    of_unit, state, loss = (np.zeros(shape, np.float32) for _ in range(3))  # as precise as what is read
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
    return Changes(of_unit, state, loss)
