"""Lanes of a text read side by side by a `CharRNN`: from tokens to the activations and predictions of a turn."""

from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations.errors import ActivationError
from activations.interventions import Intervention, LanePositions, LayerInterventions
from activations.models.cells.steps import Overwrite, RecurrentWeights, State, Views
from activations.models.char_rnn import CharRNN
from activations.predictions import DISTRIBUTION, LOG_PROB, N_TOP, TOP_IDS, TOP_LOG_PROBS
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.lanes.prefetching import prefetch
from activations.units import Site

if TYPE_CHECKING:
    from activations.models.cells.single_lane import SingleLaneLayer

Arrays = Mapping[Site | str, NDArray[Any]]
Sinks = Mapping[Site | str, Tensor]

_LARGEST_FLOAT16 = 65504.0
_STEPS = 16  # few, so that the gates of a step are still in the processor's cache when they are stored
_SINGLE_LANE_STEPS = 128  # many, so that the layers' threads seldom wait for each other
_FEWEST_CHUNKS = 16  # of a long turn: the last layer cannot begin before the first has read a chunk


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadOptions:
    """Options of reading a turn.

    Attributes:
        lanes: The lanes whose activations are wanted, side by side; may be none.
        n_wanted: How many steps to read; the rest of their chunk may be read, too. None is all. How the results are
            rounded does not depend on it.
        begins: (n_steps, n_lanes) bool, where a lane starts from the zero state, as at the beginning of a document;
            None is nowhere.
        where: (n_steps, n_lanes) what is read, for interventions; may be None if there are none.
    """

    lanes: range
    n_wanted: int | None = None
    begins: Tensor | None = None
    where: LanePositions | None = None

    def part(self, start: int, stop: int) -> "ReadOptions":
        """Return the options of the steps from `start` up to `stop`."""
        return replace(
            self,
            n_wanted=None if self.n_wanted is None else min(self.n_wanted, stop) - start,
            begins=None if self.begins is None else self.begins[start:stop],
            where=None if self.where is None else LanePositions(*(tensor[start:stop] for tensor in self.where)),
        )


class Weights:
    """A model's weights, made ready for reading: read-only, and shared by all groups of lanes.

    They are made in one thread, without gradients: several threads that begin graphs of the same parameters can block
    each other in PyTorch for good.
    """

    @torch.no_grad()
    def __init__(
        self,
        model: CharRNN,
        compute: ComputeOptions,
        *,
        single_lane: bool,
        interventions: Sequence[Intervention] = (),
    ) -> None:
        """Make the weights of a model ready.

        Args:
            model: The model.
            compute: Device and precision.
            single_lane: Whether there is one lane only, on a CPU.
            interventions: Changes of values while the model reads.
        """
        device = compute.torch_device
        product_dtype = torch.bfloat16 if compute.precision == "bf16" else torch.float32
        layers = range(model.config.n_layers)
        recurrent = [model.recurrent_weights(layer).to(device, product_dtype) for layer in layers]
        self.model = model
        self.device = device
        self.table = model.input_table().to(device)
        self.inputs = [model.input_weights(layer).to(device, product_dtype) for layer in layers[1:]]
        self.readout = model.readout.bias.detach().to(device), model.readout.weight.t().to(device).contiguous()
        self.recurrent = [] if single_lane else recurrent
        self.single_lane_layers = _single_lane_layers(model, recurrent) if single_lane else []
        self.product_dtype = product_dtype
        self.interventions = [LayerInterventions(interventions, layer) for layer in layers]


class _Chunk(NamedTuple):
    """A few steps of a turn, which a layer reads at one time.

    Attributes:
        steps: The steps.
        half: Alternately 0 and 1: the memory for its results, since those of the chunk before are still in use.
        below: What a layer reads: tokens, or the hidden states of the layer below.
    """

    steps: slice
    half: int
    below: Tensor


_Chunks = Generator[_Chunk, None, None]


class _TurnContext(NamedTuple):
    """The part of a turn that is the same for all layers.

    Attributes:
        sinks: The tensors to fill, on the model's device.
        lanes: The lanes whose activations are wanted.
        fresh: (n_lanes, 1) bool, which lanes start from the zero state, for each step before which any does.
        where: What is read, for interventions.
    """

    sinks: Sinks
    lanes: slice
    fresh: Mapping[int, Tensor]
    where: LanePositions | None


class LaneReader:
    """The states of some lanes, and how the lanes read on.

    A turn is read a chunk of steps at a time, and each chunk layer by layer. With a single lane, products have one row,
    and several cores would wait for each other at each step: there, every layer has a thread of its own, and reads a
    chunk while the layer above it reads the chunk before.
    """

    def __init__(self, weights: Weights, n_lanes: int) -> None:
        config = weights.model.config
        self._weights = weights
        self._single_lane = bool(weights.single_lane_layers)
        self._n_steps = _SINGLE_LANE_STEPS if self._single_lane else _STEPS
        self._model = weights.model
        self._cell = weights.model.cell
        self._device = weights.device
        self._states: list[State] = [
            {s: torch.zeros(n_lanes, config.n_units_of(s), device=self._device) for s in self._cell.state}
            for _ in range(config.n_layers)
        ]
        self._preactivations: list[Tensor] = []
        self._product = torch.empty(0)
        self._results: list[dict[str, Tensor]] = []
        self._views: list[list[Views]] = []

    @property
    def n_lanes(self) -> int:
        """Number of lanes that are still reading."""
        return len(self._states[0]["hidden"])

    def narrow(self, n_lanes: int) -> None:
        """Go on with the first `n_lanes` lanes only."""
        if n_lanes < self.n_lanes:
            self._states = [
                {signal: state[:n_lanes].clone() for signal, state in of_layer.items()} for of_layer in self._states
            ]
            self._results = []

    def reset(self, *lanes: int) -> None:
        """Set the states of some lanes to zero."""
        for of_layer in self._states:
            for state in of_layer.values():
                state[list(lanes)] = 0

    @property
    def states(self) -> dict[Site, NDArray[np.float32]]:
        """The state of every lane, (n_lanes, n_units), for each site that carries one; a copy."""
        return {
            Site.of(layer, signal): state.cpu().numpy().copy()
            for layer, of_layer in enumerate(self._states)
            for signal, state in of_layer.items()
        }

    def restore(self, states: Mapping[Site, NDArray[np.float32]]) -> None:
        """Go on from states that `states` gave; without any, from those there are."""
        for layer, of_layer in enumerate(self._states if states else ()):
            for signal in of_layer:
                of_layer[signal] = torch.from_numpy(states[Site.of(layer, signal)].copy()).to(self._device)
        self._results = []

    def read(self, ids: Tensor, following: Tensor, into: Arrays, options: ReadOptions) -> None:
        """Let every lane read a turn.

        Args:
            ids: (n_steps, n_lanes) tokens.
            following: (n_steps, n_lanes) the tokens that follow; -1 where none does.
            into: Arrays to fill for each site and kind of prediction that is wanted, (n_wanted_lanes, n_steps, ...).
            options: The lanes that are wanted, and more.
        """
        ids, following = ids.to(self._device), following.to(self._device)
        wanted = {key: torch.from_numpy(array) for key, array in into.items()} if options.lanes else {}
        sinks = wanted
        if self._device.type != "cpu":
            sinks = {key: torch.empty_like(tensor, device=self._device) for key, tensor in wanted.items()}
        context = _TurnContext(
            sinks=sinks,
            lanes=slice(options.lanes.start, options.lanes.stop),
            fresh={} if options.begins is None else _fresh(options.begins, self._device),
            where=None if options.where is None else LanePositions(*(t.to(self._device) for t in options.where)),
        )
        n_wanted = len(ids) if options.n_wanted is None else options.n_wanted
        for steps, _, top in self._read_layers(ids, n_wanted, context):
            if LOG_PROB in into and options.lanes:
                made = predictions(self._logits(top[:, context.lanes]), following[steps, context.lanes], into)
                for name, values in made.items():
                    sinks[name][:, steps].copy_(values.transpose(0, 1))
        if sinks is not wanted:
            _copy_from_gpu(sinks, wanted)

    def _read_layers(self, ids: Tensor, n_wanted: int, context: _TurnContext) -> _Chunks:
        """Give the hidden states of the last layer, (n_steps, n_lanes, n_units), one chunk after another."""
        self._make_room()
        n_of_chunk = min(max(_STEPS, len(ids) // _FEWEST_CHUNKS), self._n_steps)
        borders = [*range(0, len(ids), n_of_chunk), len(ids)]
        chunks: _Chunks = (
            _Chunk(slice(start, stop), number % 2, ids[start:stop])
            for number, (start, stop) in enumerate(pairwise(borders))
            if start < n_wanted
        )
        for layer in range(len(self._states)):
            chunks = self._read_layer(layer, chunks, context)
            if self._single_lane:
                chunks = prefetch([chunks], lambda: torch.set_num_threads(1))
        return chunks

    @torch.inference_mode()
    def _read_layer(self, layer: int, chunks: _Chunks, context: _TurnContext) -> _Chunks:
        """Read the hidden states of the layer below, or tokens, and give a layer's own, one chunk after another."""
        with closing(chunks):  # and with it the threads of the layers below
            for steps, half, below in chunks:
                first = half * self._n_steps if self._single_lane else 0
                preactivations = self._preactivations[layer][: len(below)]
                results = {signal: all_[first : first + len(below)] for signal, all_ in self._results[layer].items()}
                self._project(layer, below, preactivations)
                overwrite = _overwrites(self._weights.interventions[layer], context.where, steps)
                if self._single_lane:
                    begins = [n - steps.start for n in range(steps.start, steps.stop) if n in context.fresh]
                    self._read_single_lane(layer, preactivations, results, begins, overwrite)
                else:
                    self._step(layer, [context.fresh.get(n) for n in range(steps.start, steps.stop)], overwrite)
                for signal, values in self._cell.named_signals(preactivations, results).items():  # now the gates
                    if (sink := context.sinks.get(Site.of(layer, signal))) is not None:
                        sink[:, steps].copy_(values[:, context.lanes].transpose(0, 1))
                yield _Chunk(steps, half, results["hidden"])

    def _step(self, layer: int, fresh: Sequence[Tensor | None], overwrite: Sequence[Overwrite] | None) -> None:
        """Read a few steps of a layer, one after another; before each, some lanes may start from the zero state."""
        step, recurrent = self._cell.step, self._weights.recurrent[layer]
        state = dict(self._states[layer])
        for t, (views, lanes) in enumerate(zip(self._views[layer], fresh, strict=False)):
            if lanes is not None:
                state = {signal: values.masked_fill(lanes, 0) for signal, values in state.items()}
            step(views, state, recurrent, None if overwrite is None else overwrite[t])
        for signal, values in state.items():
            self._states[layer][signal].copy_(values)

    def _project(self, layer: int, below: Tensor, preactivations: Tensor) -> None:
        """Compute the input's share of a layer's pre-activations."""
        flat = preactivations.flatten(0, 1)
        if layer == 0:
            torch.index_select(self._weights.table, 0, below.flatten(), out=flat)
        else:
            product = self._product[: len(flat)] if len(self._product) else None
            self._weights.inputs[layer - 1].project(below.flatten(0, 1), flat, product)

    def _read_single_lane(
        self,
        layer: int,
        preactivations: Tensor,
        results: Mapping[str, Tensor],
        fresh: Sequence[int],
        overwrite: Sequence[Overwrite] | None,
    ) -> None:
        """Read a few steps of a layer in its only lane, which starts from the zero state before some of them."""
        lane = {signal: state[0] for signal, state in self._states[layer].items()}
        for start, stop in pairwise([*sorted({0, *fresh}), len(preactivations)]):
            if start in fresh:
                for state in lane.values():
                    state.zero_()
            part = {signal: values[start:stop, 0] for signal, values in results.items()}
            now = None if overwrite is None else overwrite[start:stop]
            self._weights.single_lane_layers[layer].read(preactivations[start:stop, 0], lane, part, now)

    def _logits(self, top: Tensor) -> Tensor:
        bias, weight = self._weights.readout
        logits = torch.addmm(bias, top.reshape(-1, top.shape[-1]), weight)
        return logits.view(*top.shape[:2], -1)

    def _make_room(self) -> None:
        """Allocate tensors to compute in: for each layer that has a thread of its own, its own, and for two chunks."""
        if self._results:
            return
        n_layers, config, n_gates = len(self._states), self._model.config, len(self._cell.gate_names)
        preactivations = [
            torch.empty(self._n_steps, self.n_lanes, n_gates * config.n_units, device=self._device)
            for _ in range(n_layers if self._single_lane else 1)
        ]
        if self._weights.product_dtype != preactivations[0].dtype:
            self._product = torch.empty_like(preactivations[0], dtype=self._weights.product_dtype).flatten(0, 1)
        self._preactivations = [preactivations[layer % len(preactivations)] for layer in range(n_layers)]
        n_steps = (2 if self._single_lane else 1) * self._n_steps
        self._results = [
            {
                signal: torch.empty(n_steps, self.n_lanes, config.n_units_of(signal), device=self._device)
                for signal in self._cell.state
            }
            for _ in self._states
        ]
        if not self._single_lane:
            self._views = [
                [
                    self._cell.views(preactivations[0][t], {s: values[t] for s, values in of_layer.items()})
                    for t in range(n_steps)
                ]
                for of_layer in self._results
            ]


def _single_lane_layers(model: CharRNN, recurrent: Sequence[RecurrentWeights]) -> list["SingleLaneLayer"]:
    """Compile the layers of a model for a single lane."""
    from activations.models.cells.single_lane import SingleLaneLayer

    return [SingleLaneLayer(model.cell, weights) for weights in recurrent]


def _overwrites(interventions: LayerInterventions, where: LanePositions | None, steps: slice) -> list[Overwrite] | None:
    """Return what overwrites values at each of some steps; None if nothing is changed."""
    if not interventions:
        return None
    if where is None:
        raise ActivationError("interventions need to know what is read; pass `where` to LaneReader.read")
    return [
        interventions.at(LanePositions(*at_step))
        for at_step in zip(where.documents[steps], where.positions[steps], strict=True)
    ]


def _fresh(begins: Tensor, device: torch.device) -> dict[int, Tensor]:
    """(n_lanes, 1) bool, which lanes start from the zero state, for each step before which any does."""
    lanes = begins.to(device)[..., None]
    return {step: lanes[step] for step in begins.any(1).nonzero().flatten().tolist()}


def predictions(logits: Tensor, following: Tensor, wanted: Collection[Site | str]) -> dict[str, Tensor]:
    """Compute predictions by kind, each (n_steps, n_lanes) or (n_steps, n_lanes, n).

    Args:
        logits: (n_steps, n_lanes, n_characters)
        following: (n_steps, n_lanes) the tokens that follow; -1 where none does.
        wanted: The kinds to compute; see `activations.predictions`.
    """
    log_probs = torch.log_softmax(logits, -1)
    of_true = log_probs.gather(-1, following.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    made = {LOG_PROB: of_true.masked_fill(following < 0, torch.nan)}
    if DISTRIBUTION in wanted:
        made[DISTRIBUTION] = log_probs.clamp(min=-_LARGEST_FLOAT16)
    if TOP_IDS in wanted:
        best = log_probs.topk(N_TOP)
        made[TOP_IDS] = best.indices
        made[TOP_LOG_PROBS] = best.values.clamp(min=-_LARGEST_FLOAT16)
    return made


def _copy_from_gpu(sinks: Sinks, wanted: Sinks) -> None:
    """Copy results from a GPU to where they are wanted."""
    for key, tensor in wanted.items():
        tensor.copy_(sinks[key], non_blocking=True)
    torch.cuda.synchronize()
