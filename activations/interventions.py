"""Interventions: values that are changed inside the step that makes them, while a model reads or writes.

The rest of the step uses a changed gate; the hidden state is made of a changed cell; and the next step, the layer above
and the read-out use a changed hidden state. The changed values are what is recorded. Characters of a warm-up are read
like all others.
"""

import hashlib
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, Protocol, overload

import torch
from torch import Tensor

from activations.errors import ActivationError
from activations.unit_changes import Kind, Numbers, UnitChange, unit_change
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
        change: What changes the values of each character: `clamp`, `add` or `identity`, or a function of your own.
        description: The text by which a recording describes it and distinguishes it from other interventions; that of
            `clamp`, `add` and `identity` by default.
        stays_bounded: Whether values within [-1, 1] stay there. If not, the site and the hidden states of its layer
            are recorded as unbounded.
    """

    site: Site
    change: Change
    description: str = ""
    stays_bounded: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.site, str):
            object.__setattr__(self, "site", Site.parse(self.site))
        if isinstance(self.change, UnitChange):
            object.__setattr__(self, "description", self.description or self.change.description)
            object.__setattr__(self, "stays_bounded", self.stays_bounded or self.change.stays_bounded)
        elif not self.description:
            raise ActivationError(
                "an intervention of your own needs a description, by which a recording distinguishes it: "
                "Intervention(site, change, 'what it does')"
            )

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


@overload
def clamp(values: Numbers) -> UnitChange: ...
@overload
def clamp(values: Site, former: Mapping[int, float]) -> Intervention: ...
def clamp(values: Numbers | Site, former: Mapping[int, float] | None = None) -> UnitChange | Intervention:
    """Hold units at fixed values.

    >>> clamp({3: 1.0}).description
    'clamp 3 to 1.0'

    Args:
        values: One value for all units that are named elsewhere, or for all of a site; a value for each of them; or
            values of some units of a site, by their index.
        former: The values, if a site comes first, as it once did.

    Raises:
        ActivationError: If an index is no whole number, or a value is not finite.
    """
    if isinstance(values, Site):
        return _bound("clamp", values, former or {})
    return unit_change("clamp", values)


@overload
def add(values: Numbers) -> UnitChange: ...
@overload
def add(values: Site, former: Numbers) -> Intervention: ...
def add(values: Numbers | Site, former: Numbers | None = None) -> UnitChange | Intervention:
    """Add numbers to the values of units.

    Args:
        values: A number for all units, (n_units,) numbers, or numbers of some units of a site, by their index.
        former: The numbers, if a site comes first, as it once did.

    Raises:
        ActivationError: If they are no finite numbers.
    """
    if isinstance(values, Site):
        return _bound("add", values, 0.0 if former is None else former)
    return unit_change("add", values)


@overload
def identity() -> UnitChange: ...
@overload
def identity(site: Site) -> Intervention: ...
def identity(site: Site | None = None) -> UnitChange | Intervention:
    """Leave values as they are.

    Args:
        site: The site, as it was once given here.
    """
    return unit_change("identity", 0.0) if site is None else _bound("identity", site, 0.0)


def _bound(kind: Kind, site: Site, values: Numbers) -> Intervention:
    """Return a change of a site that was named in the former way."""
    warnings.warn(
        f"{kind}(site, …) is called Intervention(site, {kind}(…)) now, or intervene(model, site, {kind}(…))",
        DeprecationWarning,
        stacklevel=3,
    )
    return Intervention(site, unit_change(kind, values))


def checked_interventions(interventions: Iterable[Intervention], sites: Mapping[Site, int]) -> tuple[Intervention, ...]:
    """Return interventions in their order, all of them at sites and units that a model has.

    Args:
        interventions: The interventions.
        sites: How many units each site of the model has.

    Raises:
        ActivationError: If one is at a site or of units that the model does not have, or is no intervention.
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
        if isinstance(intervention.change, UnitChange):
            intervention.change.check(intervention.site, sites[intervention.site])
    return listed


class ActiveInterventions:
    """The interventions that act on a model at present.

    Shallow copies of a model share them, since they share its weights; a deep copy is another model and has none.

    Attributes:
        listed: The interventions, in the order in which they act.
    """

    def __init__(self) -> None:
        self.listed: tuple[Intervention, ...] = ()

    def __deepcopy__(self, memo: object) -> "ActiveInterventions":
        return ActiveInterventions()


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
