"""Some lanes of a text, read by a model that is not ours."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations.errors import ActivationError
from activations.interventions import Where
from activations.lane_differences import Values
from activations.models.char_model import CharModel
from activations.models.lane_states import LaneStates, read_lanes
from activations.reading.lane_reader import predictions
from activations.recordings import layout
from activations.texts.vocab import Vocabulary
from activations.units import Site

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

    def reset(self, *lanes: int) -> None:
        """Let some lanes start from the beginning."""
        self._states.reset(*lanes)

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
        where: Where | None = None,
    ) -> None:
        """Let every lane read its turn; see `Reading.read`. Where documents begin, the model is asked anew.

        There are no interventions, for which alone `where` is.
        """
        sinks = {key: torch.from_numpy(array) for key, array in into.items()} if kept else {}
        lanes = slice(kept.start, kept.stop)
        fresh = {} if begins is None else {n: begins[n] for n in begins.any(1).nonzero().flatten().tolist()}
        starts = sorted({*range(0, len(ids), _STEPS), *fresh})
        for start, stop in pairwise([*starts, len(ids)]):
            if start >= (len(ids) if n_wanted is None else n_wanted):
                break
            if start in fresh:
                self._states.reset(*fresh[start].nonzero().flatten().tolist())
            logits, values = read_lanes(self._model, ids[start:stop], self._states)
            for key, sink in sinks.items():
                if isinstance(key, Site):
                    sink[:, start:stop].copy_(values[key][:, lanes].transpose(0, 1))
            if layout.LOG_PROB in into and kept:
                told = predictions(logits[:, lanes].float().cpu(), following[start:stop, lanes], into)
                for name, each in told.items():
                    sinks[name][:, start:stop].copy_(each.transpose(0, 1))


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
        layout.check_names(reading.states)  # since a recording says how far each part differs where lanes meet
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
