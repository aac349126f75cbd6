"""The states of a protocol model in several lanes, whatever form the model gives them.

A state is a nest: tuples, lists and dictionaries around arrays (of torch or numpy, of any dtype and shape) and plain
numbers. If the first axis of every array is lanes, the state is batched, and one call of the model reads all lanes.
Otherwise each lane has a state of its own and is read by a call of its own.
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
NO_PREDICTIONS = (
    "the model predicts no characters: its `read` returns None in place of logits; other questions work, as in "
    "`probe extract`, `probe rank` and `probe fit`"
)
_TRIAL_LANES = (2, 3)  # an axis whose length follows both of these is that of the lanes


class LaneStates:
    """The current state of every lane.

    Attributes:
        nests: The states as the model takes them: one nest for all lanes if they are batched, otherwise one per lane.
        is_batched: True if one nest holds the states of all lanes.
    """

    def __init__(self, start: Callable[[int], Nest], n_lanes: int) -> None:
        """Set all lanes to the state before the first character.

        Args:
            start: Returns the state of `n_lanes` lanes before the first character; see `CharModel.start`.
            n_lanes: Number of lanes.

        Raises:
            ActivationError: If a state is not a nest of arrays and numbers, or is empty.
        """
        self._start = start
        self.is_batched = all(_has_lanes(start(n), n) for n in _TRIAL_LANES)
        self.nests: list[Nest] = [start(n_lanes)] if self.is_batched else [start(1) for _ in range(n_lanes)]
        self._fresh_leaves = _leaves(start(1))
        if not self._fresh_leaves:
            raise ActivationError("the model's state is empty; it should hold all that passes to the next character")

    @property
    def n_lanes(self) -> int:
        """Number of lanes that are still being read."""
        return len(next(iter(_leaves(self.nests[0]).values()))) if self.is_batched else len(self.nests)  # type: ignore[arg-type]

    def groups(self) -> Iterator[tuple[slice, Nest]]:
        """Yield the lanes that one call of the model reads, together with their state."""
        if self.is_batched:
            yield slice(0, self.n_lanes), self.nests[0]
        else:
            yield from ((slice(lane, lane + 1), nest) for lane, nest in enumerate(self.nests))

    def replace(self, nests: Sequence[Nest]) -> None:
        """Set the states that the model returned for each of the groups.

        Raises:
            ActivationError: If their form differs from that of the previous states.
        """
        for before, after in zip(self.nests, nests, strict=True):
            _check_form(_leaves(before), _leaves(after), self.n_lanes if self.is_batched else None)
        self.nests = list(nests)

    def narrow(self, n_lanes: int) -> None:
        """Keep only the first lanes."""
        if not self.is_batched:
            del self.nests[n_lanes:]
        elif n_lanes < self.n_lanes:
            first_lanes = {name: array[:n_lanes] for name, array in self._arrays().items()}
            self.nests = [_rebuilt(self.nests[0], first_lanes)]

    def reset(self, *lanes: int) -> None:
        """Set some lanes to the state before the first character.

        Raises:
            ActivationError: If only some of the lanes are reset, and their state has another shape than at the start.
        """
        if not self.is_batched:
            for lane in lanes:
                self.nests[lane] = self._start(1)
            return
        if len(set(lanes)) == self.n_lanes:
            self.nests = [self._start(self.n_lanes)]
            return
        arrays = {}
        for name, array in self._arrays().items():
            fresh = self._fresh_leaves[name]
            if array.shape[1:] != fresh.shape[1:]:  # type: ignore[union-attr]
                raise ActivationError(
                    f"the model's state {name} changes its shape while it reads, so that single lanes cannot be reset; "
                    "read it with --lanes 1, or give each lane a state of its own"
                )
            arrays[name] = array.clone() if isinstance(array, Tensor) else array.copy()
            arrays[name][list(lanes)] = fresh[0]  # type: ignore[index]
        self.nests = [_rebuilt(self.nests[0], arrays)]

    @property
    def values(self) -> States:
        """Copies of all arrays and numbers, (n_lanes, ...) each, named by their path in the nest."""
        if self.is_batched:
            return {Site(name): _to_numpy(array).copy() for name, array in self._arrays().items()}
        leaves_by_lane = [_leaves(nest) for nest in self.nests]
        try:
            return {
                Site(name): np.stack([_to_numpy(leaves[name]) for leaves in leaves_by_lane])
                for name in self._fresh_leaves
            }
        except ValueError as error:
            raise ActivationError(
                "the model's state has other shapes in some lanes than in others; read it with --lanes 1"
            ) from error

    def restore(self, values: States) -> None:
        """Set the states to those that `values` returned earlier."""
        if self.is_batched:
            arrays = {name: _like(array, values[Site(name)]) for name, array in self._arrays().items()}
            self.nests = [_rebuilt(self.nests[0], arrays)]
            return
        for lane, nest in enumerate(self.nests):
            leaves = {name: _like(leaf, values[Site(name)][lane]) for name, leaf in _leaves(nest).items()}
            self.nests[lane] = _rebuilt(nest, leaves)

    def _arrays(self) -> dict[str, Any]:
        return _leaves(self.nests[0])


def read_predicting_lanes(model: CharModel, ids: Tensor, states: LaneStates) -> Tensor:
    """Read characters in all lanes with a protocol model that predicts characters; see `read_lanes`.

    Returns:
        (n_steps, n_lanes, n_characters) logits of the next character.

    Raises:
        ActivationError: If the model has no predictions, or returns something else than it promises.
    """
    logits, _ = read_lanes(model, ids, states)
    if logits is None:
        raise ActivationError(NO_PREDICTIONS)
    return logits


def read_lanes(model: CharModel, ids: Tensor, states: LaneStates) -> tuple[Tensor | None, dict[Site, Tensor]]:
    """Read characters in all lanes with a protocol model.

    Args:
        model: The model to read with.
        ids: (n_steps, n_lanes) characters.
        states: The states after the previous character; updated to those after the last one.

    Returns:
        (n_steps, n_lanes, n_characters) logits of the next character, None if the model has no predictions, and
        (n_steps, n_lanes, n_units) values of every site.

    Raises:
        ActivationError: If the model returns something else than its vocabulary and sites promise.
    """
    results = []
    for lanes, nest in states.groups():
        group_ids = ids[:, lanes]
        logits, values, state = _unpacked(model.read(group_ids, nest))
        shape = tuple(group_ids.shape)
        if logits is not None:
            logits = _checked("the logits", logits, (*shape, len(model.vocabulary)))
        values_by_site = {
            site: _checked(str(site), values.get(site), (*shape, n_units)) for site, n_units in model.sites.items()
        }
        results.append((logits, values_by_site, state))
    states.replace([state for _, _, state in results])
    if len(results) == 1:
        return results[0][:2]
    joined_values = {site: torch.cat([values[site] for _, values, _ in results], dim=1) for site in model.sites}
    of_lanes = [logits for logits, _, _ in results if logits is not None]
    return torch.cat(of_lanes, dim=1) if len(of_lanes) == len(results) else None, joined_values


def _unpacked(result: object) -> tuple[object, Mapping[Site, object], object]:
    if not (isinstance(result, tuple) and len(result) == 3 and isinstance(result[1], Mapping)):
        raise ActivationError(
            "the model's read should return three things: logits or None, a dictionary of values by site, and the state"
        )
    return result


def _checked(name: str, values: object, shape: tuple[int, ...]) -> Tensor:
    """Return values that a model computed as a tensor, or say how they differ from what is expected."""
    tensor = torch.from_numpy(values) if isinstance(values, np.ndarray) else values
    if not isinstance(tensor, Tensor):
        raise ActivationError(
            f"the model returned {type(values).__name__} for {name}; expected a tensor of shape {shape}"
        )
    if tuple(tensor.shape) != shape:
        raise ActivationError(f"the model returned {name} of shape {tuple(tensor.shape)}; expected {shape}")
    return tensor


def _has_lanes(nest: Nest, n_lanes: int) -> bool:
    """Is the first axis of everything in a nest that of the lanes?"""
    return all(
        isinstance(leaf, Tensor | np.ndarray) and leaf.ndim > 0 and len(leaf) == n_lanes
        for leaf in _leaves(nest).values()
    )


def _leaves(nest: Nest) -> dict[str, Leaf]:
    """Return all arrays and numbers of a nest by their path in it, such as `0/hidden` or `state/1`.

    Raises:
        ActivationError: If the nest holds anything else.
    """
    leaves: dict[str, Leaf] = {}
    for name, leaf in _walk(nest, ""):
        if isinstance(leaf, np.generic):
            leaf = leaf.item()
        if not isinstance(leaf, Tensor | np.ndarray | int | float):
            raise ActivationError(
                f"the model's state has a {type(leaf).__name__} at {name}; expected tensors, arrays and numbers in "
                "tuples, lists and dictionaries"
            )
        if name in leaves:
            raise ActivationError(f"the model's state has two things that are named {name}")
        leaves[name] = leaf
    return leaves


def _walk(nest: Nest, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(nest, Mapping):
        parts = [(_joined(path, key), part) for key, part in nest.items()]
    elif isinstance(nest, tuple | list):
        parts = [(f"{path or 'state'}/{n}", part) for n, part in enumerate(nest)]
    else:
        if nest is not None:
            yield path or "state", nest
        return
    for name, part in parts:
        yield from _walk(part, name)


def _joined(path: str, key: object) -> str:
    """Append a dictionary's key to a path; a site at the top of the nest keeps its own name."""
    if isinstance(key, Site):
        return f"{path}/{key}" if path else key.name
    name = re.sub(r"[^\w.-]+|^\.{1,2}$", "_", str(key)) or "_"
    return f"{path or 'state'}/{name}"


def _rebuilt(nest: Nest, leaves: Mapping[str, Any]) -> Nest:
    """Build a nest of the same form from other arrays and numbers."""
    names = (name for name, _ in _walk(nest, ""))

    def build(part: Nest) -> Nest:
        if isinstance(part, Mapping):
            return {key: build(value) for key, value in part.items()}
        if isinstance(part, tuple) and hasattr(part, "_fields"):
            return type(part)(*map(build, part))
        if isinstance(part, tuple | list):
            return type(part)(map(build, part))
        return None if part is None else leaves[next(names)]

    return build(nest)


def _to_numpy(leaf: Leaf) -> NDArray[Any]:
    if isinstance(leaf, Tensor):
        tensor = leaf.detach().cpu()
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return np.asarray(leaf)


def _like(leaf: Leaf, value: NDArray[Any]) -> Leaf:
    """Convert a stored value back to the type, dtype and device of a leaf."""
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
                f"the model returned its state {name} of shape {tuple(leaf.shape)}; "  # type: ignore[union-attr]
                f"expected {n_lanes} lanes along the first axis"
            )


def _kind(leaf: Leaf) -> str:
    return str(leaf.dtype) if isinstance(leaf, Tensor | np.ndarray) else type(leaf).__name__
