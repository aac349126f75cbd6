"""Some lanes of a text, read side by side: from characters to the activations and predictions of a turn."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations import layout
from activations.errors import ActivationError
from activations.lanes import EXACT_TURN_CHARS
from activations.models.cells import State, Views
from activations.models.char_rnn import CharRNN
from activations.slabs import Bytes, Slabs, pages
from activations.units import Site

DEVICES = ("cpu", "cuda", "auto")
PRECISIONS = ("float32", "bf16")
DTYPES = ("auto", "float16", "float32")
_LARGEST_FLOAT16 = 65504.0
_STEPS = 16  # so few that what the gates of a step need is still near the processor when they are stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """Where, and in what numbers, a model is computed and its activations are kept.

    Attributes:
        device: `cpu`, `cuda`, or `auto`, which is `cuda` where there is one.
        precision: Of the matrix products: `float32`, or `bf16`, which is faster where the processor has units for
            it, and rounds weights and hidden states to 8 significant bits.
        dtype: What activations are kept in. `auto` is float16 for signals within [-1, 1] and float32 for those
            that may grow; `float16` and `float32` are for all.
    """

    device: str = "cpu"
    precision: str = "float32"
    dtype: str = "auto"

    def __post_init__(self) -> None:
        for name, allowed in (("device", DEVICES), ("precision", PRECISIONS), ("dtype", DTYPES)):
            if getattr(self, name) not in allowed:
                raise ActivationError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(allowed)}")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ActivationError("there is no CUDA device here, or this torch cannot use it; use --device cpu")

    @property
    def place(self) -> torch.device:
        """The device itself."""
        use_cuda = self.device == "cuda" or (self.device == "auto" and torch.cuda.is_available())
        return torch.device("cuda" if use_cuda else "cpu")

    def slabs(self) -> Slabs:
        """Memory for blocks that this device writes to at full speed."""
        return Slabs(pages if self.place.type == "cpu" else _pinned)

    def kept_as(self, *, unbounded: bool) -> np.dtype[Any]:
        """The number type of a signal."""
        wide = self.dtype == "float32" or (self.dtype == "auto" and unbounded)
        return np.dtype(np.float32 if wide else np.float16)


class Weights:
    """A model's weights, made ready for reading: read-only, shared by all groups of lanes.

    They are made in one thread, without gradients: several threads that begin graphs of the same parameters can block
    each other in PyTorch for good.
    """

    @torch.no_grad()
    def __init__(self, model: CharRNN, arithmetic: Arithmetic, *, exact: bool) -> None:
        """Make them ready.

        Args:
            model: What reads.
            arithmetic: Where, and in what numbers.
            exact: Whether there is but one lane; where there are gates, PyTorch's fused layers find its hidden states.
        """
        place = arithmetic.place
        product_dtype = torch.bfloat16 if arithmetic.precision == "bf16" else torch.float32
        layers = range(model.config.n_layers)
        self.model = model
        self.place = place
        self.table = model.input_table().to(place)
        self.inputs = [
            (weight.to(place, product_dtype).contiguous(), bias.to(place))
            for weight, bias in map(model.input_weights, layers[1:])
        ]
        self.recurrent = [model.recurrent(layer).to(place, product_dtype) for layer in layers]
        self.readout = model.readout.bias.detach().to(place), model.readout.weight.t().to(place).contiguous()
        self.exact = exact
        self.fused = [model.fused(layer).to(place) for layer in layers] if exact and model.cell.fill else []


class Reading:
    """The states of some lanes."""

    def __init__(self, weights: Weights, n_lanes: int) -> None:
        config = weights.model.config
        self._weights = weights
        self._n_steps = EXACT_TURN_CHARS if weights.exact else _STEPS
        self._model = weights.model
        self._cell = weights.model.cell
        self._place = weights.place
        self._states: list[State] = [
            {signal: torch.zeros(n_lanes, config.n_units, device=self._place) for signal in self._cell.state}
            for _ in range(config.n_layers)
        ]
        self._gates = torch.empty(0)
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

    def reset(self, lane: int) -> None:
        """Let a lane start from the zero state."""
        for own in self._states:
            for state in own.values():
                state[lane] = 0

    @property
    def states(self) -> dict[Site, NDArray[np.float32]]:
        """The state of every lane, (n_lanes, n_units), for each site that carries it; a copy."""
        return {
            Site(layer, signal): state.cpu().numpy().copy()
            for layer, own in enumerate(self._states)
            for signal, state in own.items()
        }

    def restore(self, states: Mapping[Site, NDArray[np.float32]]) -> None:
        """Go on from states that were kept."""
        for site, values in states.items():
            self._states[site.layer][site.signal] = torch.from_numpy(values.copy()).to(self._place)
        self._own = []

    def read(self, ids: Tensor, following: Tensor, kept: range, into: Mapping[Site | str, NDArray[Any]]) -> None:
        """Let every lane read its turn.

        Args:
            ids: (n_steps, n_lanes) characters.
            following: (n_steps, n_lanes) the characters that follow; -1 where none does.
            kept: The lanes whose activations are wanted, side by side; may be none.
            into: What is wanted: sites and kinds of prediction, each filled with what the lanes `kept` find,
                (n_kept, n_steps, ...).
        """
        ids, following = ids.to(self._place), following.to(self._place)
        wanted = {key: torch.from_numpy(array) for key, array in into.items()} if kept else {}
        sinks = {key: each.to(self._place) for key, each in wanted.items()}  # itself, on a CPU
        for start in range(0, len(ids), self._n_steps):
            stop = min(start + self._n_steps, len(ids))
            top = self._read_steps(ids[start:stop], kept, {key: sink[:, start:stop] for key, sink in sinks.items()})
            if layout.LOG_PROB in into and kept:
                lanes = slice(kept.start, kept.stop)
                found = predictions(self._logits(top[:, lanes]), following[start:stop, lanes], into)
                for name, values in found.items():
                    sinks[name][:, start:stop].copy_(values.transpose(0, 1))
        if self._place.type == "cuda":
            for key, each in wanted.items():
                each.copy_(sinks[key], non_blocking=True)
            torch.cuda.synchronize()

    def _read_steps(self, ids: Tensor, kept: range, sinks: Mapping[Site | str, Tensor]) -> Tensor:
        """Read a few steps, layer by layer; the hidden states of the last layer, (n_steps, n_lanes, n_units)."""
        self._make_room(len(ids))
        below = ids
        for layer in range(len(self._states)):
            gates = self._gates[: len(ids)]
            own = {signal: tensor[: len(ids)] for signal, tensor in self._own[layer].items()}
            self._project(layer, below, gates)
            if self._weights.fused:
                self._fill(layer, self._inputs_of(ids) if layer == 0 else below, gates, own)
            else:
                self._step(layer, len(ids))
            for signal, values in self._cell.named(gates, own).items():
                if (sink := sinks.get(Site(layer, signal))) is not None:
                    sink.copy_(values[:, kept.start : kept.stop].transpose(0, 1))
            below = own["hidden"]
        return below

    def _step(self, layer: int, n_steps: int) -> None:
        """Read a few steps of a layer, one after another."""
        step, recurrent = self._cell.step, self._weights.recurrent[layer]
        state = dict(self._states[layer])
        for views in self._views[layer][:n_steps]:
            step(views, state, recurrent)
        for signal, values in state.items():
            self._states[layer][signal].copy_(values)

    def _project(self, layer: int, below: Tensor, gates: Tensor) -> None:
        """The input's share of the gates of a layer."""
        flat = gates.flatten(0, 1)
        if layer == 0:
            torch.index_select(self._weights.table, 0, below.flatten(), out=flat)
            return
        weight, bias = self._weights.inputs[layer - 1]
        if weight.dtype == flat.dtype:
            torch.addmm(bias, below.flatten(0, 1), weight, out=flat)
            return
        product = self._product[: len(flat)]  # fresh memory for each product would cost as much as the product
        torch.mm(below.flatten(0, 1).to(weight.dtype), weight, out=product)
        flat.copy_(product).add_(bias)

    def _fill(self, layer: int, inputs: Tensor, gates: Tensor, own: dict[str, Tensor]) -> None:
        """A layer whose hidden states its fused module finds."""
        state = self._states[layer]
        carried = tuple(state[signal][None] for signal in self._cell.state)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            outputs, after = self._weights.fused[layer](inputs, carried if len(carried) > 1 else carried[0])
        own["hidden"].copy_(outputs)
        before = torch.cat([state["hidden"][None], outputs[:-1]])
        if self._cell.fill is not None:
            self._cell.fill(gates, state, self._weights.recurrent[layer], before, own)
        for signal, value in zip(self._cell.state, after if len(carried) > 1 else (after,), strict=True):
            state[signal].copy_(value[0])

    def _inputs_of(self, ids: Tensor) -> Tensor:
        return self._model.input_vectors(ids.to(self._model.readout.weight.device)).to(self._place)

    def _logits(self, top: Tensor) -> Tensor:
        bias, weight = self._weights.readout
        logits = torch.addmm(bias, top.reshape(-1, top.shape[-1]), weight)
        return logits.view(*top.shape[:2], -1)

    def _make_room(self, n_steps: int) -> None:
        """Tensors to compute in, for turns of this many steps."""
        if self._own and n_steps <= len(self._gates):
            return
        n_units, n_gates = self._model.config.n_units, len(self._cell.gates)
        shape = (n_steps, self.n_lanes, n_units)
        self._gates = torch.empty(*shape[:2], n_gates * n_units, device=self._place)
        product_dtype = self._weights.recurrent[0].weight.dtype
        if product_dtype != self._gates.dtype:
            self._product = torch.empty_like(self._gates, dtype=product_dtype).flatten(0, 1)
        self._own = [{s: torch.empty(shape, device=self._place) for s in self._cell.state} for _ in self._states]
        self._views = [
            [self._cell.views(self._gates[t], {s: each[t] for s, each in own.items()}) for t in range(n_steps)]
            for own in self._own
        ]


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


def _pinned(n_bytes: int) -> Bytes:
    return torch.empty(n_bytes, dtype=torch.uint8, pin_memory=True).numpy()
