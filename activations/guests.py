"""Some lanes of a text, read by a model that is not ours."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations import layout
from activations.borders import Values
from activations.errors import ActivationError
from activations.models.char_model import CharModel
from activations.models.lane_states import LaneStates
from activations.reading import predictions
from activations.units import Site
from activations.vocab import Vocabulary

_STEPS = 128
_TRIED = 32


class GuestReading:
    """The states of some lanes, as `Reading` is for our own models."""

    def __init__(self, model: CharModel, n_lanes: int) -> None:
        if not all(isinstance(site, Site) for site in model.sites):
            raise ActivationError(f"the model's sites should be made by Site(name), not {list(model.sites)[:2]}")
        self._model = model
        self._states = LaneStates(model.start, n_lanes)

    @property
    def n_lanes(self) -> int:
        """How many lanes are still reading."""
        return self._states.n_lanes

    def narrow(self, n_lanes: int) -> None:
        """Go on with the first `n_lanes` lanes."""
        self._states.narrow(n_lanes)

    def reset(self, lane: int) -> None:
        """Let a lane start from the beginning."""
        self._states.reset(lane)

    @property
    def states(self) -> Values:
        """The state of every lane, (n_lanes, ...), by where in the model's own form it stands; a copy."""
        return self._states.values

    def restore(self, states: Values) -> None:
        """Go on from states that were kept."""
        if states:
            self._states.restore(states)

    def read(
        self,
        ids: Tensor,
        following: Tensor,
        kept: range,
        into: Mapping[Site | str, NDArray[Any]],
        n_wanted: int | None = None,
        *,
        begins: Tensor | None = None,
    ) -> None:
        """Let every lane read its turn; see `Reading.read`. Where documents begin, the model is asked anew."""
        sinks = {key: torch.from_numpy(array) for key, array in into.items()} if kept else {}
        lanes = slice(kept.start, kept.stop)
        fresh = {} if begins is None else {n: begins[n] for n in begins.any(1).nonzero().flatten().tolist()}
        starts = sorted({*range(0, len(ids), _STEPS), *fresh})
        for start, stop in pairwise([*starts, len(ids)]):
            if start >= (len(ids) if n_wanted is None else n_wanted):
                break
            if start in fresh:
                self._states.reset(*fresh[start].nonzero().flatten().tolist())
            logits, values = self._read(ids[start:stop])
            for key, sink in sinks.items():
                if isinstance(key, Site):
                    sink[:, start:stop].copy_(values[key][:, lanes].transpose(0, 1))
            if layout.LOG_PROB in into and kept:
                told = predictions(logits[:, lanes].float().cpu(), following[start:stop, lanes], into)
                for name, each in told.items():
                    sinks[name][:, start:stop].copy_(each.transpose(0, 1))

    def _read(self, ids: Tensor) -> tuple[Tensor, dict[Site, Tensor]]:
        """What the model gives of all lanes: logits, and values of all its sites."""
        found = []
        for lanes, nest in self._states.groups():
            own = ids[:, lanes]
            logits, values, state = _results(self._model.read(own, nest))
            shape = tuple(own.shape)
            logits = _checked("the logits", logits, (*shape, len(self._model.vocabulary)))
            sites = self._model.sites.items()
            shown = {site: _checked(str(site), values.get(site), (*shape, n_units)) for site, n_units in sites}
            found.append((logits, shown, state))
        self._states.replace([state for _, _, state in found])
        if len(found) == 1:
            return found[0][:2]
        together = {site: torch.cat([shown[site] for _, shown, _ in found], dim=1) for site in self._model.sites}
        return torch.cat([logits for logits, _, _ in found], dim=1), together


@torch.inference_mode()
def check_guest(model: CharModel) -> None:
    """Let a model read a few characters, whole and in two parts, and see that it comes to the same.

    Raises:
        ActivationError: If it does not, or shows something else than it says.
    """
    if not isinstance(model.vocabulary, Vocabulary):
        raise ActivationError(
            f"the model's vocabulary is a {type(model.vocabulary).__name__}; make it by Vocabulary(...)"
        )
    ids = torch.arange(_TRIED).remainder(len(model.vocabulary))[:, None].repeat(1, 2)
    following = torch.full_like(ids, -1)
    found = []
    for parts in ([ids], [ids[: _TRIED // 2], ids[_TRIED // 2 :]]):
        reading = GuestReading(model, 2)
        values: dict[Site | str, list[NDArray[Any]]] = {site: [] for site in model.sites}
        for part in parts:
            into: dict[Site | str, NDArray[Any]] = {
                site: np.zeros((2, len(part), n_units), np.float32) for site, n_units in model.sites.items()
            }
            reading.read(part, following[: len(part)], range(2), into)
            for site, array in into.items():
                values[site].append(array)
        found.append({site: np.concatenate(arrays, axis=1) for site, arrays in values.items()})
    for site, whole in found[0].items():
        if not np.isfinite(whole).all():
            raise ActivationError(f"the model's {site} has values that are no numbers")
        if not np.allclose(whole, found[1][site], rtol=1e-3, atol=1e-4):
            raise ActivationError(
                f"the model's {site} depends on where one stretch of reading ends and the next begins; all that passes "
                "from one character to the next has to be in the state that `read` is given and returns"
            )


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
