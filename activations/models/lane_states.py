"""What a guest model carries from one character to the next, for some lanes; its form is the model's own affair.

A state is a nest of tuples, lists and dictionaries around arrays (of torch or numpy, of any number type and shape) and
plain numbers. If the first axis of every array is lanes, one call of the model reads all lanes together. If not, or if
there are plain numbers, each lane has a state of its own, and is read by a call of its own.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations.errors import ActivationError
from activations.lane_differences import States
from activations.models.char_model import CharModel
from activations.units import Site

Nest = Any
Leaf = Tensor | NDArray[Any] | int | float | bool
_TRIED = (2, 3)  # lanes: an axis that is of either length is that of the lanes


class LaneStates:
    """The state of each of some lanes.

    Attributes:
        nests: What the model is given: one nest for all lanes, or one for each.
        are_together: Whether it is one for all of them.
    """

    def __init__(self, start: Callable[[int], Nest], n_lanes: int) -> None:
        """Begin.

        Args:
            start: Gives the state of so many lanes before the first character; see `CharModel.start`.
            n_lanes: How many there are.

        Raises:
            ActivationError: If a state is no such nest.
        """
        self._start = start
        self.are_together = all(_has_lanes(start(n), n) for n in _TRIED)
        self.nests: list[Nest] = [start(n_lanes)] if self.are_together else [start(1) for _ in range(n_lanes)]
        self._fresh = _leaves(start(1))
        if not self._fresh:
            raise ActivationError("the model's state is empty; it should hold all that passes to the next character")

    @property
    def n_lanes(self) -> int:
        """How many there are."""
        return len(next(iter(_leaves(self.nests[0]).values()))) if self.are_together else len(self.nests)  # type: ignore[arg-type]

    def groups(self) -> Iterator[tuple[slice, Nest]]:
        """The lanes that one call of the model reads, and their state."""
        if self.are_together:
            yield slice(0, self.n_lanes), self.nests[0]
        else:
            yield from ((slice(lane, lane + 1), nest) for lane, nest in enumerate(self.nests))

    def replace(self, nests: Sequence[Nest]) -> None:
        """Take the states after reading, of each of the groups.

        Raises:
            ActivationError: If they are of another form than those before.
        """
        for before, after in zip(self.nests, nests, strict=True):
            _check_form(_leaves(before), _leaves(after), self.n_lanes if self.are_together else None)
        self.nests = list(nests)

    def narrow(self, n_lanes: int) -> None:
        """Go on with the first lanes."""
        if not self.are_together:
            del self.nests[n_lanes:]
        elif n_lanes < self.n_lanes:
            self.nests = [_rebuilt(self.nests[0], {name: each[:n_lanes] for name, each in self._arrays().items()})]

    def reset(self, *lanes: int) -> None:
        """Let some lanes begin anew."""
        if not self.are_together:
            for lane in lanes:
                self.nests[lane] = self._start(1)
            return
        if len(set(lanes)) == self.n_lanes:
            self.nests = [self._start(self.n_lanes)]
            return
        arrays = {}
        for name, own in self._arrays().items():
            fresh = self._fresh[name]
            if own.shape[1:] != fresh.shape[1:]:  # type: ignore[union-attr]
                raise ActivationError(
                    f"the model's state {name} changes its shape while it reads, so that lanes cannot begin anew one "
                    "by one; read it with --lanes 1, or give each lane a state of its own"
                )
            own = own.clone() if isinstance(own, Tensor) else own.copy()
            own[list(lanes)] = fresh[0]  # type: ignore[index]
            arrays[name] = own
        self.nests = [_rebuilt(self.nests[0], arrays)]

    @property
    def values(self) -> States:
        """(n_lanes, ...) all arrays and numbers, under names that say where in the nest they stand; copies."""
        if self.are_together:
            return {Site(name): _to_numpy(own).copy() for name, own in self._arrays().items()}
        of_lanes = [_leaves(nest) for nest in self.nests]
        try:
            return {Site(name): np.stack([_to_numpy(own[name]) for own in of_lanes]) for name in self._fresh}
        except ValueError as error:
            raise ActivationError(
                "the model's state has other shapes in some lanes than in others; read it with --lanes 1"
            ) from error

    def restore(self, values: States) -> None:
        """Go on from what `values` gave."""
        if self.are_together:
            found = {name: _like(own, values[Site(name)]) for name, own in self._arrays().items()}
            self.nests = [_rebuilt(self.nests[0], found)]
            return
        for lane, nest in enumerate(self.nests):
            own = {name: _like(leaf, values[Site(name)][lane]) for name, leaf in _leaves(nest).items()}
            self.nests[lane] = _rebuilt(nest, own)

    def _arrays(self) -> dict[str, Any]:
        return _leaves(self.nests[0])


def read_lanes(model: CharModel, ids: Tensor, states: LaneStates) -> tuple[Tensor, dict[Site, Tensor]]:
    """Let a guest model read on in all lanes.

    Args:
        model: What reads.
        ids: (n_steps, n_lanes) characters.
        states: After the last character before them; those after the last of them, afterwards.

    Returns:
        (n_steps, n_lanes, n_characters) logits of the characters that follow, and (n_steps, n_lanes, n_units) values of
        every site.

    Raises:
        ActivationError: If the model gives something else than it says.
    """
    found = []
    for lanes, nest in states.groups():
        own = ids[:, lanes]
        logits, values, state = _results(model.read(own, nest))
        shape = tuple(own.shape)
        logits = _checked("the logits", logits, (*shape, len(model.vocabulary)))
        sites = model.sites.items()
        shown = {site: _checked(str(site), values.get(site), (*shape, n_units)) for site, n_units in sites}
        found.append((logits, shown, state))
    states.replace([state for _, _, state in found])
    if len(found) == 1:
        return found[0][:2]
    together = {site: torch.cat([shown[site] for _, shown, _ in found], dim=1) for site in model.sites}
    return torch.cat([logits for logits, _, _ in found], dim=1), together


def _results(found: object) -> tuple[object, Mapping[Site, object], object]:
    if not (isinstance(found, tuple) and len(found) == 3 and isinstance(found[1], Mapping)):
        raise ActivationError(
            "the model's read should give three things: logits, a dictionary of values by site, and the state"
        )
    return found


def _checked(what: str, values: object, shape: tuple[int, ...]) -> Tensor:
    """What a model gave, as a tensor; its author is told what came and what was due."""
    found = torch.from_numpy(values) if isinstance(values, np.ndarray) else values
    if not isinstance(found, Tensor):
        raise ActivationError(f"the model gave {type(values).__name__} for {what}; a tensor of shape {shape} is due")
    if tuple(found.shape) != shape:
        raise ActivationError(f"the model gave {what} of shape {tuple(found.shape)}; {shape} is due")
    return found


def _has_lanes(nest: Nest, n_lanes: int) -> bool:
    """Whether the first axis of all that is in a nest is that of so many lanes."""
    return all(
        isinstance(leaf, Tensor | np.ndarray) and leaf.ndim > 0 and len(leaf) == n_lanes
        for leaf in _leaves(nest).values()
    )


def _leaves(nest: Nest) -> dict[str, Leaf]:
    """What stands in a nest, by the way to it: `0/hidden`, `state/1`.

    Raises:
        ActivationError: If something else than arrays and numbers does.
    """
    found: dict[str, Leaf] = {}
    for name, leaf in _walk(nest, ""):
        if isinstance(leaf, np.generic):
            leaf = leaf.item()
        if not isinstance(leaf, Tensor | np.ndarray | int | float):
            raise ActivationError(
                f"the model's state has a {type(leaf).__name__} at {name}; tensors, arrays and numbers in tuples, "
                "lists and dictionaries are due"
            )
        if name in found:
            raise ActivationError(f"the model's state has two things that are named {name}")
        found[name] = leaf
    return found


def _walk(nest: Nest, way: str) -> Iterator[tuple[str, Any]]:
    if isinstance(nest, Mapping):
        parts = [(_joined(way, key), each) for key, each in nest.items()]
    elif isinstance(nest, tuple | list):
        parts = [(f"{way or 'state'}/{place}", each) for place, each in enumerate(nest)]
    else:
        if nest is not None:
            yield way or "state", nest
        return
    for name, each in parts:
        yield from _walk(each, name)


def _joined(way: str, key: object) -> str:
    """The way to what a dictionary has: what stands under a site at the top has its name."""
    if isinstance(key, Site):
        return f"{way}/{key}" if way else key.name
    name = re.sub(r"[^\w.-]+|^\.{1,2}$", "_", str(key)) or "_"
    return f"{way or 'state'}/{name}"


def _rebuilt(nest: Nest, leaves: Mapping[str, Any]) -> Nest:
    """A nest of the same form with other arrays and numbers."""
    names = (name for name, _ in _walk(nest, ""))

    def build(own: Nest) -> Nest:
        if isinstance(own, Mapping):
            return {key: build(each) for key, each in own.items()}
        if isinstance(own, tuple) and hasattr(own, "_fields"):
            return type(own)(*map(build, own))
        if isinstance(own, tuple | list):
            return type(own)(map(build, own))
        return None if own is None else leaves[next(names)]

    return build(nest)


def _to_numpy(leaf: Leaf) -> NDArray[Any]:
    if isinstance(leaf, Tensor):
        own = leaf.detach().cpu()
        return (own.float() if own.dtype == torch.bfloat16 else own).numpy()
    return np.asarray(leaf)


def _like(leaf: Leaf, value: NDArray[Any]) -> Leaf:
    """What was kept, as the kind of thing that it was."""
    if isinstance(leaf, Tensor):
        return torch.from_numpy(np.array(value)).to(leaf.device, leaf.dtype)
    if isinstance(leaf, np.ndarray):
        return np.array(value, leaf.dtype)
    return type(leaf)(value.item())


def _check_form(before: Mapping[str, Leaf], after: Mapping[str, Leaf], n_lanes: int | None) -> None:
    if before.keys() != after.keys():
        raise ActivationError(
            f"the model's state has {', '.join(after) or 'nothing'} after reading, and began with {', '.join(before)}"
        )
    for name, leaf in after.items():
        first = before[name]
        if _kind(leaf) != _kind(first):
            raise ActivationError(
                f"the model's state {name} began as {_kind(first)} and is {_kind(leaf)} after reading"
            )
        if n_lanes is not None and not (leaf.ndim and len(leaf) == n_lanes):  # type: ignore[union-attr,arg-type]
            raise ActivationError(
                f"the model gave its state {name} of shape {tuple(leaf.shape)}; the first axis is due to be of "  # type: ignore[union-attr]
                f"{n_lanes} lanes"
            )


def _kind(leaf: Leaf) -> str:
    return str(leaf.dtype) if isinstance(leaf, Tensor | np.ndarray) else type(leaf).__name__
