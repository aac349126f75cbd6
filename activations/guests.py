"""Some lanes of a text, read by a model that is not ours."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations import layout
from activations.errors import ActivationError
from activations.models.char_model import CharModel, State
from activations.reading import predictions
from activations.units import Site
from activations.vocab import Vocabulary

_STEPS = 128
_TRIED = 32


class GuestReading:
    """The states of some lanes, as `Reading` is for our own models."""

    def __init__(self, model: CharModel, n_lanes: int) -> None:
        if not all(isinstance(site, Site) for site in model.sites):
            raise ActivationError(
                f"the model's sites should be made by Site(layer, signal), not {list(model.sites)[:2]}"
            )
        self._model = model
        self._state: dict[Site, Tensor] = {}
        self._keep(model.start(n_lanes), n_lanes)

    @property
    def n_lanes(self) -> int:
        """How many lanes are still reading."""
        return len(next(iter(self._state.values())))

    def narrow(self, n_lanes: int) -> None:
        """Go on with the first `n_lanes` lanes."""
        self._state = {site: values[:n_lanes] for site, values in self._state.items()}

    def reset(self, lane: int) -> None:
        """Let a lane start from the beginning."""
        self._restart(torch.arange(self.n_lanes) == lane)

    def _restart(self, lanes: Tensor) -> None:
        """Let some lanes, (n_lanes,) bool, start from the beginning."""
        beginning = self._model.start(1)
        self._state = {
            site: torch.where(lanes[:, None].to(values.device), beginning[site].to(values.device), values)
            for site, values in self._state.items()
        }

    @property
    def states(self) -> dict[Site, NDArray[np.float32]]:
        """The state of every lane, (n_lanes, n_units), for each site that carries it; a copy."""
        return {site: values.cpu().numpy().copy() for site, values in self._state.items()}

    def restore(self, states: Mapping[Site, NDArray[np.float32]]) -> None:
        """Go on from states that were kept."""
        for site, values in states.items():
            like = self._state[site]
            self._state[site] = torch.from_numpy(values.copy()).to(like.device)

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
                self._restart(fresh[start])
            logits, values, state = _results(self._model.read(ids[start:stop], self._state))
            if set(state) != set(self._state):
                raise ActivationError("the model's state has other sites after reading than it began with")
            self._keep(state, ids.shape[1])
            _check("the logits", logits, (stop - start, ids.shape[1], len(self._model.vocabulary)))
            for key, sink in sinks.items():
                if isinstance(key, Site):
                    found = values.get(key)
                    _check(str(key), found, (stop - start, ids.shape[1], self._model.sites[key]))
                    sink[:, start:stop].copy_(values[key][:, lanes].transpose(0, 1))
            if layout.LOG_PROB in into and kept:
                told = predictions(logits[:, lanes].float().cpu(), following[start:stop, lanes], into)
                for name, each in told.items():
                    sinks[name][:, start:stop].copy_(each.transpose(0, 1))

    def _keep(self, state: object, n_lanes: int) -> None:
        if not isinstance(state, Mapping) or not state or not all(isinstance(site, Site) for site in state):
            raise ActivationError(
                "the model's state should be a dictionary from sites to tensors, of all that passes from one character "
                "to the next"
            )
        for site, values in state.items():
            width = values.shape[-1] if isinstance(values, Tensor) and values.ndim else 1
            _check(f"the state {site}", values, (n_lanes, width))
            if values.dtype != torch.float32:
                raise ActivationError(f"the state {site} is of {values.dtype}; float32 is due")
        self._state = dict(state)


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


def _results(found: object) -> tuple[Tensor, Mapping[Site, Tensor], State]:
    if not (isinstance(found, tuple) and len(found) == 3 and isinstance(found[1], Mapping)):
        raise ActivationError(
            "the model's read should give three things: logits, a dictionary of values by site, and the state"
        )
    return found


def _check(what: str, values: object, shape: tuple[int, ...]) -> None:
    """Tell the author of a model what came of it and what was due."""
    if not isinstance(values, Tensor):
        raise ActivationError(f"the model gave {type(values).__name__} for {what}; a tensor of shape {shape} is due")
    if tuple(values.shape) != shape:
        raise ActivationError(f"the model gave {what} of shape {tuple(values.shape)}; {shape} is due")
