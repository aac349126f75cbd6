"""Lanes of a text read side by side by a protocol model: a user's model that follows the `CharModel` protocol."""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations.errors import ActivationError
from activations.lane_differences import States
from activations.models.char_model import CharModel
from activations.models.lane_states import NO_PREDICTIONS, LaneStates, read_lanes
from activations.predictions import LOG_PROB
from activations.reading.lanes.lane_reader import Arrays, ReadOptions, predictions
from activations.recordings.format.layout import check_names
from activations.texts.vocab import Vocabulary
from activations.units import Site

_STEPS = 128
_TRIAL_CHARS = 32


class ProtocolReader:
    """The states of some lanes, and how the lanes read on: what `LaneReader` is for a `CharRNN`."""

    def __init__(self, model: CharModel, n_lanes: int) -> None:
        if not all(isinstance(site, Site) for site in model.sites):
            raise ActivationError(f"the model's sites should be made by Site(name), not {list(model.sites)[:2]}")
        self._model = model
        self._states = LaneStates(model.start, n_lanes)

    @property
    def n_lanes(self) -> int:
        """Number of lanes that are still reading."""
        return self._states.n_lanes

    def narrow(self, n_lanes: int) -> None:
        """Go on with the first `n_lanes` lanes only."""
        self._states.narrow(n_lanes)

    def reset(self, *lanes: int) -> None:
        """Set some lanes to the model's initial state."""
        self._states.reset(*lanes)

    @property
    def states(self) -> States:
        """The state of every lane, (n_lanes, ...), by its place in the model's own structure; a copy."""
        return self._states.values

    def restore(self, states: States) -> None:
        """Go on from states that `states` gave; without any, from those there are."""
        if states:
            self._states.restore(states)

    def read(self, ids: Tensor, following: Tensor, into: Arrays, options: ReadOptions) -> None:
        """Let every lane read a turn; see `LaneReader.read`.

        Where documents begin, the model makes a new initial state. There are no interventions, so that `options.where`
        is not used.
        """
        sinks = {key: torch.from_numpy(array) for key, array in into.items()} if options.lanes else {}
        lanes = slice(options.lanes.start, options.lanes.stop)
        begins = options.begins
        fresh = {} if begins is None else {n: begins[n] for n in begins.any(1).nonzero().flatten().tolist()}
        starts = sorted({*range(0, len(ids), _STEPS), *fresh})
        for start, stop in pairwise([*starts, len(ids)]):
            if start >= (len(ids) if options.n_wanted is None else options.n_wanted):
                break
            if start in fresh:
                self._states.reset(*fresh[start].nonzero().flatten().tolist())
            logits, values = read_lanes(self._model, ids[start:stop], self._states)
            for key, sink in sinks.items():
                if isinstance(key, Site):
                    sink[:, start:stop].copy_(values[key][:, lanes].transpose(0, 1))
            if LOG_PROB in into and options.lanes:
                if logits is None:
                    raise ActivationError(NO_PREDICTIONS)
                made = predictions(logits[:, lanes].float().cpu(), following[start:stop, lanes], into)
                for name, of_kind in made.items():
                    sinks[name][:, start:stop].copy_(of_kind.transpose(0, 1))


@torch.inference_mode()
def check_protocol_model(model: CharModel) -> None:
    """Let a protocol model read a few characters at once and in two parts, and compare.

    Raises:
        ActivationError: If the values differ, or the model shows something else than it declares.
    """
    if not isinstance(model.vocabulary, Vocabulary):
        raise ActivationError(
            f"the model's vocabulary is a {type(model.vocabulary).__name__}; make it by Vocabulary(...)"
        )
    ids = torch.arange(_TRIAL_CHARS).remainder(len(model.vocabulary))[:, None].repeat(1, 2)
    at_once = _values_of(model, [ids])
    in_parts = _values_of(model, [ids[: _TRIAL_CHARS // 2], ids[_TRIAL_CHARS // 2 :]])
    for site, values in at_once.items():
        if not np.isfinite(values).all():
            raise ActivationError(f"the model's {site} has values that are no numbers")
        if not np.allclose(values, in_parts[site], rtol=1e-3, atol=1e-4):
            raise ActivationError(
                f"the model's {site} depends on where one call of `read` ends and the next begins; all that passes "
                "from one character to the next has to be in the state that `read` is given and returns"
            )


def _values_of(model: CharModel, parts: list[Tensor]) -> dict[Site | str, NDArray[Any]]:
    """Let two new lanes read parts of a text one after another, and return (2, n_chars, n_units) for each site."""
    reader = ProtocolReader(model, 2)
    check_names(reader.states)  # since a recording says of each part of the state how far lanes differ where they meet
    values: dict[Site | str, list[NDArray[Any]]] = {site: [] for site in model.sites}
    for part in parts:
        into: dict[Site | str, NDArray[Any]] = {
            site: np.zeros((2, len(part), n_units), np.float32) for site, n_units in model.sites.items()
        }
        reader.read(part, torch.full_like(part, -1), into, ReadOptions(lanes=range(2)))
        for site, array in into.items():
            values[site].append(array)
    return {site: np.concatenate(arrays, axis=1) for site, arrays in values.items()}
