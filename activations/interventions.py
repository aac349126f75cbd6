"""Interventions: values that are changed inside the step that makes them, while a model reads or writes.

A gate that is changed is what the rest of the step uses; of a cell that is changed the hidden state is made; and a
hidden state that is changed is what the next step, the layer above and the read-out see. What is recorded are the
changed values. Characters of a warm-up are read like all others.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from activations.errors import ActivationError
from activations.units import Site


class Where(NamedTuple):
    """What is being read, lane by lane.

    Attributes:
        documents: (n_lanes,) int64 places of documents in the corpus, or of texts that are written.
        positions: (n_lanes,) int64 places of characters in the corpus, or in the text that is written; -1 where a lane
            has nothing to read and waits for the others.
    """

    documents: Tensor
    positions: Tensor


class Change(Protocol):
    """What is done to the values of a site. It may be called by several threads at once, for other lanes or layers."""

    def __call__(self, values: Tensor, where: Where, /) -> Tensor:
        """Give what takes the place of values.

        Args:
            values: (n_lanes, n_units) float32, as the step has just made them. Not to be changed, and not to be kept:
                their memory is used again.
            where: What is being read.

        Returns:
            (n_lanes, n_units).
        """


@dataclass(frozen=True, slots=True, eq=False)
class Intervention:
    """A change at a site.

    Attributes:
        site: Where.
        change: What is done there to the values of each character.
        description: What a recording says of it, and by which it is told from others.
        stays_bounded: Whether values within [-1, 1] stay there. If not, the site and the hidden states of its layer
            are recorded as values that may grow.
    """

    site: Site
    change: Change
    description: str
    stays_bounded: bool = False

    def __str__(self) -> str:
        return f"{self.site}: {self.description}"

    def overwrite(self, values: Tensor, where: Where) -> None:
        """Change values where they stand.

        Raises:
            ActivationError: If what is given for them has another shape.
        """
        changed: object = self.change(values, where)
        if not isinstance(changed, Tensor) or changed.shape != values.shape:
            given = f"shape {tuple(changed.shape)}" if isinstance(changed, Tensor) else f"type {type(changed).__name__}"
            raise ActivationError(
                f"the intervention at {self.site} gave a value of {given}; expected a tensor of shape "
                f"{tuple(values.shape)}, (n_lanes, n_units)"
            )
        if changed.is_complex():
            raise ActivationError(
                f"the intervention at {self.site} gave a value of complex numbers; expected real ones"
            )
        if changed is not values:
            values.copy_(changed)


def identity(site: Site) -> Intervention:
    """Leave the values of a site as they are."""
    return Intervention(site, lambda values, where: values, "as it is", stays_bounded=True)


def clamp(site: Site, values: Mapping[int, float]) -> Intervention:
    """Hold some units of a site at a value each.

    Args:
        site: Where.
        values: The value of each unit, by its index.

    Raises:
        ActivationError: If there is something else among them.
    """
    for unit, value in values.items():
        if not isinstance(unit, int | np.integer):
            raise ActivationError(f"{unit!r} is no unit of {site}; units are counted from 0")
        if not isinstance(value, float | int | np.number) or not np.isfinite(value):
            raise ActivationError(f"{value!r} is no number to clamp unit {unit} of {site} to")
    units = torch.tensor(sorted(values), dtype=torch.int64)
    held = torch.tensor([values[unit] for unit in units.tolist()], dtype=torch.float32)

    def change(given: Tensor, where: Where) -> Tensor:
        if len(units) and not 0 <= int(units[0]) <= int(units[-1]) < given.shape[1]:
            raise ActivationError(
                f"units {units.tolist()} of {site} cannot be clamped; it has {given.shape[1]} units, counted from 0"
            )
        changed = given.clone()
        changed[:, units.to(given.device)] = held.to(given)
        return changed

    said = ", ".join(f"{unit} to {float(values[unit])!r}" for unit in sorted(values))
    return Intervention(site, change, f"clamp {said}", stays_bounded=bool((held.abs() <= 1).all()))


def add(site: Site, vector: ArrayLike | Tensor) -> Intervention:
    """Add a vector to the values of a site.

    Args:
        site: Where.
        vector: (n_units,).

    Raises:
        ActivationError: If it is no array of numbers.
    """
    given_numbers = vector.numpy(force=True) if isinstance(vector, Tensor) else vector
    try:
        numbers = np.array(given_numbers).astype(np.float32, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise ActivationError(f"expected a vector of numbers to add to {site}: {error}") from error
    if not np.isfinite(numbers).all():
        raise ActivationError(f"the vector to add to {site} has values that are no numbers")
    added = torch.from_numpy(numbers)
    digest = hashlib.sha256(numbers.tobytes()).hexdigest()[:16]

    def change(given: Tensor, where: Where) -> Tensor:
        if added.shape != given.shape[1:]:
            raise ActivationError(
                f"a vector of shape {tuple(added.shape)} cannot be added to {site}; it has {given.shape[1]} units"
            )
        return given + added.to(given)

    return Intervention(site, change, f"add a vector of SHA-256 {digest}")


def checked(interventions: Iterable[Intervention], sites: Collection[Site]) -> tuple[Intervention, ...]:
    """Interventions in their order.

    Raises:
        ActivationError: If one is at a site that the model does not have, or they are something else.
    """
    found: tuple[object, ...] = tuple(interventions) if isinstance(interventions, Iterable) else (interventions,)
    ours = tuple(each for each in found if isinstance(each, Intervention))
    if isinstance(interventions, Intervention) or len(ours) < len(found):
        raise ActivationError(f"interventions are a list of Intervention, and what is given is {interventions!r}")
    for each in ours:
        if each.site not in sites:
            raise ActivationError(
                f"there is no site {each.site} to intervene at; the model has {', '.join(map(str, sites))}"
            )
    return ours


def freed(interventions: Iterable[Intervention], sites: Iterable[Site]) -> set[Site]:
    """The sites whose values may leave [-1, 1] because of interventions: their own, and the hidden states there."""
    beyond = {each.site for each in interventions if not each.stays_bounded}
    layers = {site.layer for site in beyond}
    return {site for site in sites if site in beyond or (site.layer in layers and site.signal == "hidden")}


def intervened_sha256(model_sha256: str, interventions: Sequence[Intervention]) -> str:
    """A hash of a model with interventions, in hexadecimal; without any, that of the model."""
    if not interventions:
        return model_sha256
    return hashlib.sha256("\n".join([model_sha256, *map(str, interventions)]).encode()).hexdigest()


class Interruption:
    """The interventions at one layer, in the order in which they are given."""

    def __init__(self, interventions: Iterable[Intervention], layer: int) -> None:
        self._by_signal: dict[str, list[Intervention]] = {}
        for each in interventions:
            of_layer, _, signal = each.site.name.partition("/")
            if of_layer == str(layer):
                self._by_signal.setdefault(signal, []).append(each)

    def __bool__(self) -> bool:
        return bool(self._by_signal)

    def at(self, where: Where) -> Callable[[str, Tensor], None]:
        """What overwrites values of a character, which are (n_lanes, n_units), by their signal."""
        return partial(self.overwrite, where)

    def overwrite(self, where: Where, signal: str, values: Tensor) -> None:
        """Change values of a signal where they stand."""
        for each in self._by_signal.get(signal, ()):
            each.overwrite(values, where)


def read_elsewhere(intervention: Intervention, places: Tensor, starts: Tensor) -> Intervention:
    """The same intervention for a text that is put together of pieces of another.

    Args:
        intervention: What it is in the other text.
        places: (n_chars,) int64, where each character stands in the other text.
        starts: (n_documents,) int64, where the documents of the other text start.
    """

    def change(values: Tensor, where: Where) -> Tensor:
        there = places.to(where.positions.device)[where.positions.clamp(min=0)]
        documents = torch.searchsorted(starts.to(there.device), there, right=True) - 1
        return intervention.change(values, Where(documents, torch.where(where.positions < 0, -1, there)))

    return replace(intervention, change=change)
