"""Interventions: values that are changed inside the step that makes them, while a model reads or writes.

The rest of the step uses a changed gate; the hidden state is made of a changed cell; and the next step, the layer above
and the read-out use a changed hidden state. The changed values are what is recorded. Characters of a warm-up are read
like all others.
"""

import hashlib
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from activations.errors import ActivationError
from activations.units import Site


class LanePositions(NamedTuple):
    """The document and the position of the character that each lane reads.

    Attributes:
        documents: (n_lanes,) int64 indices of documents in the corpus, or of texts that are written.
        positions: (n_lanes,) int64 positions of characters in the corpus, or in the text that is written; -1 where a
            lane has nothing to read and waits for the others.
    """

    documents: Tensor
    positions: Tensor


class Change(Protocol):
    """A change of a site's values. Several threads may call it at once, for different lanes or layers."""

    def __call__(self, values: Tensor, where: LanePositions, /) -> Tensor:
        """Return the values that take the place of `values`.

        Args:
            values: (n_lanes, n_units) float32, as the step has just made them. Do not change or keep them: their
                memory is used again.
            where: What each lane reads.

        Returns:
            (n_lanes, n_units).
        """


@dataclass(frozen=True, slots=True, eq=False)
class Intervention:
    """A change of values at a site.

    Attributes:
        site: The site.
        change: What changes the values of each character.
        description: The text by which a recording describes it and distinguishes it from other interventions.
        stays_bounded: Whether values within [-1, 1] stay there. If not, the site and the hidden states of its layer
            are recorded as unbounded.
    """

    site: Site
    change: Change
    description: str
    stays_bounded: bool = False

    def __str__(self) -> str:
        return f"{self.site}: {self.description}"

    def overwrite(self, values: Tensor, where: LanePositions) -> None:
        """Change values of a site in place.

        Raises:
            ActivationError: If the change returns something else than a real tensor of the same shape.
        """
        changed: object = self.change(values, where)
        if not isinstance(changed, Tensor) or changed.shape != values.shape:
            kind = f"shape {tuple(changed.shape)}" if isinstance(changed, Tensor) else f"type {type(changed).__name__}"
            raise ActivationError(
                f"the intervention at {self.site} gave a value of {kind}; expected a tensor of shape "
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
    """Hold units of a site at fixed values.

    Args:
        site: The site.
        values: The value of each unit, by the unit's index.

    Raises:
        ActivationError: If an index is no whole number, or a value is not finite.
    """
    unchecked: Mapping[Any, Any] = values
    for unit, value in unchecked.items():
        if not isinstance(unit, int | np.integer):
            raise ActivationError(f"{unit!r} is no unit of {site}; units are counted from 0")
        if not isinstance(value, float | int | np.number) or not np.isfinite(value):
            raise ActivationError(f"{value!r} is no number to clamp unit {unit} of {site} to")
    units = torch.tensor(sorted(values), dtype=torch.int64)
    held_at = torch.tensor([values[unit] for unit in units.tolist()], dtype=torch.float32)

    def change(current: Tensor, where: LanePositions) -> Tensor:
        if len(units) and not 0 <= int(units[0]) <= int(units[-1]) < current.shape[1]:
            raise ActivationError(
                f"units {units.tolist()} of {site} cannot be clamped; it has {current.shape[1]} units, counted from 0"
            )
        changed = current.clone()
        changed[:, units.to(current.device)] = held_at.to(current)
        return changed

    pairs = ", ".join(f"{unit} to {float(values[unit])!r}" for unit in sorted(values))
    return Intervention(site, change, f"clamp {pairs}", stays_bounded=bool((held_at.abs() <= 1).all()))


def add(site: Site, vector: ArrayLike | Tensor) -> Intervention:
    """Add a vector to the values of a site.

    Args:
        site: The site.
        vector: (n_units,).

    Raises:
        ActivationError: If it is no array of finite numbers.
    """
    array = vector.numpy(force=True) if isinstance(vector, Tensor) else vector
    try:
        numbers = np.array(array).astype(np.float32, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise ActivationError(f"expected a vector of numbers to add to {site}: {error}") from error
    if not np.isfinite(numbers).all():
        raise ActivationError(f"the vector to add to {site} has values that are no numbers")
    added = torch.from_numpy(numbers)
    digest = hashlib.sha256(numbers.tobytes()).hexdigest()[:16]

    def change(current: Tensor, where: LanePositions) -> Tensor:
        if added.shape != current.shape[1:]:
            raise ActivationError(
                f"a vector of shape {tuple(added.shape)} cannot be added to {site}; it has {current.shape[1]} units"
            )
        return current + added.to(current)

    return Intervention(site, change, f"add a vector of SHA-256 {digest}")


def checked_interventions(interventions: Iterable[Intervention], sites: Collection[Site]) -> tuple[Intervention, ...]:
    """Return interventions in their order, all of them at sites that a model has.

    Raises:
        ActivationError: If one is at a site that the model does not have, or is no intervention.
    """
    unchecked: Any = interventions
    listed: tuple[Any, ...] = tuple(unchecked) if isinstance(unchecked, Iterable) else (unchecked,)
    if isinstance(unchecked, Intervention) or not all(isinstance(item, Intervention) for item in listed):
        raise ActivationError(f"interventions are a list of Intervention, but got {unchecked!r}")
    for intervention in listed:
        if intervention.site not in sites:
            raise ActivationError(
                f"there is no site {intervention.site} to intervene at; the model has {', '.join(map(str, sites))}"
            )
    return listed


def unbounded_by(interventions: Iterable[Intervention], sites: Iterable[Site]) -> set[Site]:
    """Return the sites that interventions may lead beyond [-1, 1]: their own, and the hidden states of their layers."""
    beyond = {intervention.site for intervention in interventions if not intervention.stays_bounded}
    layers = {site.layer for site in beyond}
    return {site for site in sites if site in beyond or (site.layer in layers and site.signal == "hidden")}


def intervened_sha256(model_sha256: str, interventions: Sequence[Intervention]) -> str:
    """Return a hash of a model with interventions, in hexadecimal; without any, that of the model."""
    if not interventions:
        return model_sha256
    return hashlib.sha256("\n".join([model_sha256, *map(str, interventions)]).encode()).hexdigest()


class LayerInterventions:
    """The interventions at one layer, in the order in which they act."""

    def __init__(self, interventions: Iterable[Intervention], layer: int) -> None:
        self._by_signal: dict[str, list[Intervention]] = {}
        for intervention in interventions:
            of_layer, _, signal = intervention.site.name.partition("/")
            if of_layer == str(layer):
                self._by_signal.setdefault(signal, []).append(intervention)

    def __bool__(self) -> bool:
        return bool(self._by_signal)

    def at(self, where: LanePositions) -> Callable[[str, Tensor], None]:
        """Return what changes a signal's values of one character, (n_lanes, n_units), in place."""
        return partial(self.overwrite, where)

    def overwrite(self, where: LanePositions, signal: str, values: Tensor) -> None:
        """Change the values of a signal in place."""
        for intervention in self._by_signal.get(signal, ()):
            intervention.overwrite(values, where)


def transplanted(intervention: Intervention, positions: Tensor, starts: Tensor) -> Intervention:
    """Return the same intervention for a text that is made of pieces of another text.

    Args:
        intervention: The intervention in the other text.
        positions: (n_chars,) int64, the position of each character in the other text.
        starts: (n_documents,) int64, where the documents of the other text start.
    """

    def change(values: Tensor, where: LanePositions) -> Tensor:
        there = positions.to(where.positions.device)[where.positions.clamp(min=0)]
        documents = torch.searchsorted(starts.to(there.device), there, right=True) - 1
        return intervention.change(values, LanePositions(documents, torch.where(where.positions < 0, -1, there)))

    return replace(intervention, change=change)


def __getattr__(name: str) -> type[LanePositions]:
    """Give the former name of `LanePositions`."""
    if name == "Where":
        warnings.warn("interventions.Where is called LanePositions now", DeprecationWarning, stacklevel=2)
        return LanePositions
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
