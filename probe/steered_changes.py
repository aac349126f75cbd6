"""Changes that a model is steered by, and the matched ones that they are compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from activations.errors import ActivationError
from activations.interventions import Intervention, add, checked_interventions, clamp
from activations.models.char_rnn import CharRNN
from activations.models.intervening import bind
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.site_names import select_sites, select_units
from activations.texts.corpus import Corpus
from activations.units import Site, Unit
from activations.value_ranges import check_in_range, fits, value_range
from analyses.causes.directions import Direction
from analyses.passages.matching import matched_units

Holds = Mapping[str, float | Sequence[float]] | Mapping[Unit, float | Sequence[float]]
"""The value at which each unit is held, or several values for one set of texts after another."""
Steered = Holds | Direction | tuple[Site | str, ArrayLike]
"""Units that are held, or a direction that is added."""
_MOST_DRAWS = 100  # of two characters whose values differ


@dataclass(frozen=True, slots=True, eq=False)
class SteeredChange:
    """Interventions with which texts are written, and those that are matched to them.

    Attributes:
        name: What is changed, such as `0/cell/163 = 1`.
        at: The value at which units are held (of several, the first one's), or the factor of the direction.
        interventions: What changes it.
        matched: Those of each matched variant.
    """

    name: str
    at: float
    interventions: list[Intervention]
    matched: list[list[Intervention]]


def held_units(holds: Holds, model: CharRNN, *, force: bool) -> dict[Unit, tuple[float, ...]]:
    """Return the values of each unit that is to be held, as many for each.

    Raises:
        ActivationError: If a unit does not exist or is named twice, there is no value, or one outside the unit's range;
            if one unit has more values than another.
    """
    values_by_unit: dict[Unit, tuple[float, ...]] = {}
    for name, values in holds.items():
        [unit] = select_units(model.sites, name)
        if unit in values_by_unit:
            raise ActivationError(f"{unit} is named twice; give all of its values at once")
        listed = np.atleast_1d(np.asarray(values, np.float64)).tolist()
        for value in listed:
            clamp(value)  # which refuses what is no number
            if not force:
                check_in_range(unit.site, value, model.unbounded)
        values_by_unit[unit] = tuple(listed)
    if len({len(values) for values in values_by_unit.values()}) != 1 or not all(values_by_unit.values()):
        numbers = ", ".join(f"{unit} has {len(values)}" for unit, values in values_by_unit.items())
        raise ActivationError(
            f"units that are held together need as many values as each other, one or more; {numbers or 'none is held'}"
        )
    return values_by_unit


def checked_direction(direction: Direction | tuple[Site | str, ArrayLike], model: CharRNN) -> Direction:
    """Return a direction of a site that the model has.

    Raises:
        ActivationError: If it has no such site, or another number of units; if the vector has no length.
    """
    if not isinstance(direction, Direction):
        site, vector = direction
        direction = Direction("a vector", Site.parse(str(site)), np.asarray(vector, np.float64))
    select_sites(model.sites, direction.site)
    checked_interventions([Intervention(direction.site, add(direction.vector))], model.sites)
    if not direction.vector.any():
        raise ActivationError(f"the direction {direction.name} is 0 everywhere, so that adding it changes nothing")
    return direction


def check_factors(direction: Direction, factors: Sequence[float], model: CharRNN, *, force: bool) -> None:
    """Refuse factors of a direction that cannot be used.

    Args:
        direction: The direction.
        factors: Its factors.
        model: The model.
        force: Whether more may be added to a unit than its range is wide.

    Raises:
        ActivationError: If there is no factor, one is no number, or one takes a unit out of its range, whatever its
            value is; the sentence names the range.
    """
    if not len(factors) or not np.isfinite(factors).all():
        raise ActivationError(f"the factors of the direction are {list(factors)}; give one number or more")
    index = int(np.abs(direction.vector).argmax())
    largest, factor = abs(float(direction.vector[index])), max(factors, key=abs)
    if not fits(factor * largest):
        raise ActivationError(f"the factor {factor:g} is too large; models compute with float32")
    limits = value_range(direction.site, model.unbounded)
    if limits is None or force:
        return
    width = limits[1] - limits[0]
    if abs(factor) * largest > width:
        most = 0.995 * width / largest  # so that the rounded number is no larger
        raise ActivationError(
            f"the factor {factor:g} adds {factor * direction.vector[index]:+.3g} to {Unit(direction.site, index)}, and "
            f"so takes it out of its range [{limits[0]:g}, {limits[1]:g}] whatever its value is; choose factors from "
            f"{-most:.3g} to {most:.3g}, or add it all the same with --force (in Python force=True)"
        )


def holding(
    held: Mapping[Unit, tuple[float, ...]], model: CharRNN, texts: Corpus, n_matched: int, rng: np.random.Generator
) -> list[SteeredChange]:
    """Return what holds units, one set of values after another, and what holds matched units.

    A matched unit is held as many standard deviations from its mean as the unit itself, to either side, and within its
    range. Where a unit never changes in the texts, that is no measure, and the matched one is held at the same value.

    Args:
        held: The values of each unit.
        model: The model.
        texts: The texts that it writes unsteered, whose means and standard deviations count.
        n_matched: Number of matched variants.
        rng: Draws the matched units and their sides.
    """
    values_by_site = site_values(model, texts, dict.fromkeys(unit.site for unit in held))
    moments = {site: (values.mean(axis=0), values.std(axis=0)) for site, values in values_by_site.items()}
    partners = _partners(list(held), {site: sd**2 for site, (_, sd) in moments.items()}, n_matched, rng)
    sides = rng.choice([-1, 1], size=(n_matched, len(held)))
    changes = []
    for numbers in zip(*held.values(), strict=True):
        matched = [
            [
                (partner, _as_far(unit, value, partner, int(side), model, moments[unit.site]))
                for unit, value, partner, side in zip(held, numbers, partners_of_variant, of_variant, strict=True)
            ]
            for partners_of_variant, of_variant in zip(partners, sides, strict=False)
        ]
        name = " + ".join(f"{unit} = {value:g}" for unit, value in zip(held, numbers, strict=True))
        interventions = _clamped(list(zip(held, numbers, strict=True)), model)
        changes.append(SteeredChange(name, numbers[0], interventions, [_clamped(pairs, model) for pairs in matched]))
    return changes


def adding(
    direction: Direction,
    factors: Sequence[float],
    model: CharRNN,
    texts: Corpus,
    n_matched: int,
    rng: np.random.Generator,
) -> list[SteeredChange]:
    """Return what adds a direction, one factor after another, and what adds random directions of the same length.

    Args:
        direction: The direction.
        factors: Its factors.
        model: The model.
        texts: The texts that it writes unsteered: a random direction is the difference between the site's values at two
            of their characters, so that it is one in which the values do differ.
        n_matched: Number of random directions.
        rng: Draws these.
    """
    values = site_values(model, texts, [direction.site])[direction.site]
    length = float(np.linalg.norm(direction.vector))
    drawn = [_random_direction(values, length, rng) for _ in range(n_matched)]

    def added(vector: NDArray[np.float64], factor: float) -> list[Intervention]:
        return [Intervention(direction.site, add(factor * vector))]

    return [
        SteeredChange(
            f"{direction.name} at {direction.site} × {factor:g}",
            float(factor),
            added(direction.vector, factor),
            [added(vector, factor) for vector in drawn],
        )
        for factor in factors
    ]


def site_values(model: CharRNN, texts: Corpus, sites: Sequence[Site] | Mapping[Site, None]) -> dict[Site, NDArray[Any]]:
    """Return (n_chars, n_units) float32 values of sites while a model reads texts."""
    live = LiveActivations(model, texts, replace_unknown=True, compute=ComputeOptions(dtype="float32"))
    return live.read(list(sites))


def _random_direction(values: NDArray[Any], length: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw the difference between the values at two characters, and scale it to a length."""
    for _ in range(_MOST_DRAWS):
        first, second = rng.integers(len(values), size=2)
        difference: NDArray[np.float64] = values[first].astype(np.float64) - values[second]
        if (norm := float(np.linalg.norm(difference))) > 0:
            return difference * (length / norm)
    raise ActivationError("the site's values never change in the texts, so that there is no random direction of them")


def _partners(
    units: Sequence[Unit], variances: Mapping[Site, NDArray[Any]], n_matched: int, rng: np.random.Generator
) -> list[tuple[Unit, ...]]:
    """Draw units for several variants that are matched to the given ones, none of them among these.

    There are fewer variants if a site has fewer units.
    """
    columns = []
    for unit in units:
        excluded = [held.index for held in units if held.site == unit.site]
        drawn = matched_units(variances[unit.site], unit.index, n_matched, excluded, rng)
        columns.append([Unit(unit.site, index) for index in rng.permutation(drawn).tolist()])
    return list(zip(*columns, strict=False))


def _as_far(
    unit: Unit, value: float, other: Unit, side: int, model: CharRNN, moments: tuple[NDArray[Any], NDArray[Any]]
) -> float:
    """Return the value of another unit of the site as far from its mean, in standard deviations, within its range."""
    mean, sd = moments
    if not sd[unit.index] > 0:
        return value
    far = float(mean[other.index] + side * (value - mean[unit.index]) / sd[unit.index] * sd[other.index])
    limits = value_range(unit.site, model.unbounded)
    return far if limits is None else min(max(far, limits[0]), limits[1])


def _clamped(pairs: Sequence[tuple[Unit, float]], model: CharRNN) -> list[Intervention]:
    values_by_unit = dict(pairs)  # two units may have drawn the same one
    return bind(clamp(list(values_by_unit.values())), model.sites, list(values_by_unit))
