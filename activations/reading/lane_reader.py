"""Some lanes of a text, read side by side: from characters to the activations and predictions of a turn."""

from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations.devices import place_of
from activations.errors import ActivationError
from activations.interventions import Interruption, Intervention, Where
from activations.models.cells.steps import Overwrite, RecurrentWeights, State, Views
from activations.models.char_rnn import CharRNN
from activations.reading.prefetching import side_by_side
from activations.reading.slabs import Bytes, Slabs, pages
from activations.recordings import layout
from activations.recordings.codings import CODINGS, Coding
from activations.units import Site

if TYPE_CHECKING:
    from activations.models.cells.single_lane import SingleLaneLayer

PRECISIONS = ("float32", "bf16")
DTYPES = ("auto", "float16", "float32", "near_one")
_LARGEST_FLOAT16 = 65504.0
_STEPS = 16  # so few that what the gates of a step need is still near the processor when they are stored
_STEPS_ALONE = 128  # so many that threads seldom meet
_STRETCHES = 16  # of a turn at least, if it is long enough: the last layer waits for the first at its beginning


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """Where, and in what numbers, a model is computed and its activations are kept.

    Attributes:
        device: `cpu`, `cuda`, or `auto`, which is `cuda` where there is one.
        precision: Of the matrix products: `float32`, or `bf16`, which is faster where the processor has units for
            it, and rounds weights and hidden states to 8 significant bits.
        dtype: What activations are kept in. `auto` is float16 for signals within [-1, 1], and float32 for those
            that may grow and for those whose order float16 would lose (see `saturation`); `float16` and `float32` are
            for all; `near_one` is for signals within [-1, 1], the others being in float32 (see `codings`).
    """

    device: str = "cpu"
    precision: str = "float32"
    dtype: str = "auto"

    def __post_init__(self) -> None:
        place_of(self.device)
        for name, allowed in (("precision", PRECISIONS), ("dtype", DTYPES)):
            if getattr(self, name) not in allowed:
                raise ActivationError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(allowed)}")

    @property
    def place(self) -> torch.device:
        """The device itself."""
        return place_of(self.device)

    def slabs(self) -> Slabs:
        """Memory for blocks that this device writes to at full speed."""
        return Slabs(pages if self.place.type == "cpu" else _pinned)

    def coding(self, *, is_bounded: bool, is_saturated: bool) -> Coding:
        """How the values of a signal are kept."""
        if self.dtype == "auto":
            return CODINGS["float16" if is_bounded and not is_saturated else "float32"]
        return CODINGS["float32" if self.dtype == "near_one" and not is_bounded else self.dtype]


class Weights:
    """A model's weights, made ready for reading: read-only, shared by all groups of lanes.

    They are made in one thread, without gradients: several threads that begin graphs of the same parameters can block
    each other in PyTorch for good.
    """

    @torch.no_grad()
    def __init__(
        self,
        model: CharRNN,
        arithmetic: Arithmetic,
        *,
        is_alone: bool,
        interventions: Sequence[Intervention] = (),
    ) -> None:
        """Make them ready.

        Args:
            model: What reads.
            arithmetic: Where, and in what numbers.
            is_alone: Whether there is but one lane, on a CPU.
            interventions: What is changed while it reads.
        """
        place = arithmetic.place
        product_dtype = torch.bfloat16 if arithmetic.precision == "bf16" else torch.float32
        layers = range(model.config.n_layers)
        self.model = model
        self.place = place
        self.table = model.input_table().to(place)
        self.inputs = [model.input_weights(layer).to(place, product_dtype) for layer in layers[1:]]
        recurrent = [model.recurrent_weights(layer).to(place, product_dtype) for layer in layers]
        self.readout = model.readout.bias.detach().to(place), model.readout.weight.t().to(place).contiguous()
        self.recurrent = [] if is_alone else recurrent
        self.alone = _alone(model, recurrent) if is_alone else []
        self.product_dtype = product_dtype
        self.interruptions = [Interruption(interventions, layer) for layer in layers]


class _Stretch(NamedTuple):
    """Some steps of a turn.

    Attributes:
        steps: Which.
        half: 0 and 1 in turn: the results of the next have another place while those of this one are in use.
        below: What a layer is given there: characters, or the hidden states of the layer below.
    """

    steps: slice
    half: int
    below: Tensor


_Stretches = Generator[_Stretch, None, None]


class Reading:
    """The states of some lanes.

    A turn is read a stretch of steps at a time, and each of these layer by layer. Where there is but one lane, products
    have one row, for which several cores would wait for each other at each step: there every layer has a thread of its
    own, and reads a stretch while the layer above it reads the one before.
    """

    def __init__(self, weights: Weights, n_lanes: int) -> None:
        config = weights.model.config
        self._weights = weights
        self._is_alone = bool(weights.alone)
        self._n_steps = _STEPS_ALONE if self._is_alone else _STEPS
        self._model = weights.model
        self._cell = weights.model.cell
        self._place = weights.place
        self._states: list[State] = [
            {s: torch.zeros(n_lanes, config.n_units_of(s), device=self._place) for s in self._cell.state}
            for _ in range(config.n_layers)
        ]
        self._gates: list[Tensor] = []
        self._product = torch.empty(0)
        self._own: list[dict[str, Tensor]] = []
        self._views: list[list[Views]] = []

    @property
    def n_lanes(self) -> int:
        """How many lanes are still reading."""
        return len(self._states[0]["hidden"])

    def narrow(self, n_lanes: int) -> None:
        """Go on with the first `n_lanes` lanes."""
        if n_lanes < self.n_lanes:
            self._states = [{signal: state[:n_lanes].clone() for signal, state in own.items()} for own in self._states]
            self._own = []

    def reset(self, *lanes: int) -> None:
        """Let some lanes start from the zero state."""
        for own in self._states:
            for state in own.values():
                state[list(lanes)] = 0

    @property
    def states(self) -> dict[Site, NDArray[np.float32]]:
        """The state of every lane, (n_lanes, n_units), for each site that carries it; a copy."""
        return {
            Site.of(layer, signal): state.cpu().numpy().copy()
            for layer, own in enumerate(self._states)
            for signal, state in own.items()
        }

    def restore(self, states: Mapping[Site, NDArray[np.float32]]) -> None:
        """Go on from states that were kept."""
        for layer, own in enumerate(self._states if states else ()):
            for signal in own:
                own[signal] = torch.from_numpy(states[Site.of(layer, signal)].copy()).to(self._place)
        self._own = []

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
        """Let every lane read its turn.

        Args:
            ids: (n_steps, n_lanes) characters.
            following: (n_steps, n_lanes) the characters that follow; -1 where none does.
            kept: The lanes whose activations are wanted, side by side; may be none.
            into: What is wanted: sites and kinds of prediction, each filled with what the lanes `kept` find,
                (n_kept, n_steps, ...).
            n_wanted: How many of the steps to read, and the rest of their stretch; None is all. How what is read is
                rounded does not depend on it.
            begins: (n_steps, n_lanes) bool, where a lane starts from the zero state, as at the beginning of a document;
                None is nowhere.
            where: What is read, (n_steps, n_lanes) each, for interventions; without any, it is not asked for.
        """
        fresh = {} if begins is None else _fresh(begins, self._place)
        ids, following = ids.to(self._place), following.to(self._place)
        where = None if where is None else Where(*(each.to(self._place) for each in where))
        wanted = {key: torch.from_numpy(array) for key, array in into.items()} if kept else {}
        sinks = wanted
        if self._place.type != "cpu":
            sinks = {key: torch.empty_like(each, device=self._place) for key, each in wanted.items()}
        n_wanted = len(ids) if n_wanted is None else n_wanted
        for steps, _, top in self._stretches(ids, n_wanted, kept, sinks, fresh, where):
            if layout.LOG_PROB in into and kept:
                lanes = slice(kept.start, kept.stop)
                found = predictions(self._logits(top[:, lanes]), following[steps, lanes], into)
                for name, values in found.items():
                    sinks[name][:, steps].copy_(values.transpose(0, 1))
        if sinks is not wanted:
            _bring_back(sinks, wanted)

    def _stretches(
        self,
        ids: Tensor,
        n_wanted: int,
        kept: range,
        sinks: Mapping[Site | str, Tensor],
        fresh: Mapping[int, Tensor],
        where: Where | None,
    ) -> _Stretches:
        """The hidden states of the last layer, (n_steps, n_lanes, n_units), one stretch after another."""
        self._make_room()
        n_each = min(max(_STEPS, len(ids) // _STRETCHES), self._n_steps)
        borders = [*range(0, len(ids), n_each), len(ids)]
        found: _Stretches = (
            _Stretch(slice(start, stop), number % 2, ids[start:stop])
            for number, (start, stop) in enumerate(pairwise(borders))
            if start < n_wanted
        )
        for layer in range(len(self._states)):
            found = self._read_layer(layer, found, kept, sinks, fresh, where)
            if self._is_alone:
                found = side_by_side([found], lambda: torch.set_num_threads(1))
        return found

    @torch.inference_mode()
    def _read_layer(
        self,
        layer: int,
        below: _Stretches,
        kept: range,
        sinks: Mapping[Site | str, Tensor],
        fresh: Mapping[int, Tensor],
        where: Where | None,
    ) -> _Stretches:
        """What a layer makes of what it is given, one stretch after another."""
        with closing(below):  # and the threads of the layers below with it
            for steps, half, given in below:
                first = half * self._n_steps if self._is_alone else 0
                gates = self._gates[layer][: len(given)]
                own = {signal: tensor[first : first + len(given)] for signal, tensor in self._own[layer].items()}
                self._project(layer, given, gates)
                overwrite = _overwriting(self._weights.interruptions[layer], where, steps)
                if self._is_alone:
                    begins = [n - steps.start for n in range(steps.start, steps.stop) if n in fresh]
                    self._read_alone(layer, gates, own, begins, overwrite)
                else:
                    self._step(layer, [fresh.get(n) for n in range(steps.start, steps.stop)], overwrite)
                for signal, values in self._cell.named_signals(gates, own).items():
                    if (sink := sinks.get(Site.of(layer, signal))) is not None:
                        sink[:, steps].copy_(values[:, kept.start : kept.stop].transpose(0, 1))
                yield _Stretch(steps, half, own["hidden"])

    def _step(self, layer: int, fresh: Sequence[Tensor | None], overwrite: Sequence[Overwrite] | None) -> None:
        """Read a few steps of a layer, one after another; before each, some lanes start from the zero state."""
        step, recurrent = self._cell.step, self._weights.recurrent[layer]
        state = dict(self._states[layer])
        for t, (views, lanes) in enumerate(zip(self._views[layer], fresh, strict=False)):
            if lanes is not None:
                state = {signal: values.masked_fill(lanes, 0) for signal, values in state.items()}
            step(views, state, recurrent, None if overwrite is None else overwrite[t])
        for signal, values in state.items():
            self._states[layer][signal].copy_(values)

    def _project(self, layer: int, below: Tensor, gates: Tensor) -> None:
        """The input's share of the gates of a layer."""
        flat = gates.flatten(0, 1)
        if layer == 0:
            torch.index_select(self._weights.table, 0, below.flatten(), out=flat)
        else:
            product = self._product[: len(flat)] if len(self._product) else None
            self._weights.inputs[layer - 1].project(below.flatten(0, 1), flat, product)

    def _read_alone(
        self,
        layer: int,
        gates: Tensor,
        own: Mapping[str, Tensor],
        fresh: Sequence[int],
        overwrite: Sequence[Overwrite] | None,
    ) -> None:
        """Read a few steps of a layer in its only lane, which starts from the zero state before some of them."""
        lane = {signal: state[0] for signal, state in self._states[layer].items()}
        for start, stop in pairwise([*sorted({0, *fresh}), len(gates)]):
            if start in fresh:
                for state in lane.values():
                    state.zero_()
            results = {signal: each[start:stop, 0] for signal, each in own.items()}
            now = None if overwrite is None else overwrite[start:stop]
            self._weights.alone[layer].read(gates[start:stop, 0], lane, results, now)

    def _logits(self, top: Tensor) -> Tensor:
        bias, weight = self._weights.readout
        logits = torch.addmm(bias, top.reshape(-1, top.shape[-1]), weight)
        return logits.view(*top.shape[:2], -1)

    def _make_room(self) -> None:
        """Tensors to compute in; own ones for each layer that has a thread of its own, and for two stretches each."""
        if self._own:
            return
        n_layers, config, n_gates = len(self._states), self._model.config, len(self._cell.gates)
        gates = [
            torch.empty(self._n_steps, self.n_lanes, n_gates * config.n_units, device=self._place)
            for _ in range(n_layers if self._is_alone else 1)
        ]
        if self._weights.product_dtype != gates[0].dtype:
            self._product = torch.empty_like(gates[0], dtype=self._weights.product_dtype).flatten(0, 1)
        self._gates = [gates[layer % len(gates)] for layer in range(n_layers)]
        n_steps = (2 if self._is_alone else 1) * self._n_steps
        self._own = [
            {
                signal: torch.empty(n_steps, self.n_lanes, config.n_units_of(signal), device=self._place)
                for signal in self._cell.state
            }
            for _ in self._states
        ]
        if not self._is_alone:
            self._views = [
                [self._cell.views(gates[0][t], {s: each[t] for s, each in own.items()}) for t in range(self._n_steps)]
                for own in self._own
            ]


def _alone(model: CharRNN, recurrent: Sequence[RecurrentWeights]) -> list["SingleLaneLayer"]:
    """The layers of a model for a single lane."""
    from activations.models.cells.single_lane import SingleLaneLayer

    return [SingleLaneLayer(model.cell, each) for each in recurrent]


def _overwriting(interruption: Interruption, where: Where | None, steps: slice) -> list[Overwrite] | None:
    """What overwrites values at each of some steps; None if nothing is changed."""
    if not interruption:
        return None
    if where is None:
        raise ActivationError("an intervention has to be told what is read; give its place to Reading.read")
    return [interruption.at(Where(*now)) for now in zip(where.documents[steps], where.positions[steps], strict=True)]


def _fresh(begins: Tensor, place: torch.device) -> dict[int, Tensor]:
    """(n_lanes, 1) bool, which lanes start from the zero state, for each step before which any does."""
    lanes = begins.to(place)[..., None]
    return {step: lanes[step] for step in begins.any(1).nonzero().flatten().tolist()}


def predictions(logits: Tensor, following: Tensor, into: Collection[Site | str]) -> dict[str, Tensor]:
    """Predictions by kind, each (n_steps, n_lanes) or (n_steps, n_lanes, n).

    Args:
        logits: (n_steps, n_lanes, n_characters)
        following: (n_steps, n_lanes) the characters that follow; -1 where none does.
        into: The kinds that are wanted.
    """
    log_probs = torch.log_softmax(logits, -1)
    true = log_probs.gather(-1, following.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    found = {layout.LOG_PROB: true.masked_fill(following < 0, torch.nan)}
    if layout.DISTRIBUTION in into:
        found[layout.DISTRIBUTION] = log_probs.clamp(min=-_LARGEST_FLOAT16)
    if layout.TOP_IDS in into:
        best = log_probs.topk(layout.N_TOP)
        found[layout.TOP_IDS] = best.indices
        found[layout.TOP_LOG_PROBS] = best.values.clamp(min=-_LARGEST_FLOAT16)
    return found


def _bring_back(found: Mapping[Site | str, Tensor], into: Mapping[Site | str, Tensor]) -> None:
    """Copy what was found on a GPU to where it is wanted."""
    for key, each in into.items():
        each.copy_(found[key], non_blocking=True)
    torch.cuda.synchronize()


def _pinned(n_bytes: int) -> Bytes:
    return torch.empty(n_bytes, dtype=torch.uint8, pin_memory=True).numpy()
