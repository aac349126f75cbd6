"""One lane, read by itself: the equations of `equations`, compiled, a layer and a stretch of steps at a time.

PyTorch's own fused layers do not tell the gates, and have no use for a second core in most cells. All of these take:

- the parts of the layer's recurrent half: its matrices as (n_outputs, n_inputs), the others
  as in `steps.RecurrentWeights`;
  what the layer has not is empty, and a `slope` of 0 is the sigmoid.
- `gates`: (n_steps, n_gates * n_units) the input's share of each, in the order of `Cell.gate_order`;
  the gates, afterwards.
- `hidden`, `cell`: (n_hidden,) and (n_units,) the state before the first step; that after the last, afterwards.
- `hiddens`, `cells`: (n_steps, ...), filled with the state after each.
- `room`: 12 * n_units numbers, in which nothing is to be changed between the stages of a step.
- `stage`: which of `Cell.stages` to do; `ALL`, or a single one, of a single step, by which a step is interrupted.

They hold no lock, so that layers can be read side by side in threads.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from activations.models.cells.equations import NORM_EPSILON
from activations.models.cells.kinds import Cell
from activations.models.cells.steps import Overwrite, RecurrentWeights

Floats = NDArray[np.float32]
_ONE, _HALF = np.float32(1), np.float32(0.5)
_LOWEST, _HIGHEST = np.float32(-87), np.float32(88)  # of which float32 has the exponentials
_PER_LN2 = np.float32(1.44269504088896341)
_LN2, _LN2_REST = np.float32(0.693359375), np.float32(-2.12194440e-4)
_ROUNDER = np.float32(12582912)  # what this is added to has no digits left behind the point
_ONE_BITS = np.int32(0x3F800000)
_SMALL = np.float32(0.625)
ALL = -1


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _add_product(weight: Floats, hidden: Floats, gates: Floats, t: int) -> None:
    """Add the product of the weights and the hidden states to the gates.

    Every other step begins with the rows that the step before ended with, which are still in the cache.
    """
    n_rows = len(gates)
    for n in range(n_rows):
        row = n_rows - 1 - n if t % 2 else n
        own, total = weight[row], np.float32(0)
        for unit in range(len(hidden)):
            total += own[unit] * hidden[unit]
        gates[row] += total


@njit(nogil=True, cache=True)
def _to_exponentials(x: Floats, powers: Floats) -> None:
    """Turn numbers into their exponentials, as Cephes does (Moshier 1992), all of them at once."""
    bits = powers.view(np.int32)
    for n in range(len(x)):
        own = _LOWEST if x[n] < _LOWEST else x[n]
        own = _HIGHEST if own > _HIGHEST else own
        rounded = own * _PER_LN2 + _ROUNDER
        powers[n] = rounded
        whole = rounded - _ROUNDER
        r = (own - whole * _LN2) - whole * _LN2_REST
        p = np.float32(1.9875691500e-4) * r + np.float32(1.3981999507e-3)
        p = p * r + np.float32(8.3334519073e-3)
        p = p * r + np.float32(4.1665795894e-2)
        p = p * r + np.float32(1.6666665459e-1)
        p = p * r + np.float32(5.0000001201e-1)
        x[n] = p * (r * r) + r + _ONE
    for n in range(len(x)):
        bits[n] = np.int32(bits[n] << np.int32(23)) + _ONE_BITS
    for n in range(len(x)):
        x[n] *= powers[n]


@njit(nogil=True, cache=True)
def to_sigmoids(x: Floats, room: Floats) -> None:
    """Turn numbers into their sigmoids; `room` is for as many."""
    for n in range(len(x)):
        x[n] = -x[n]
    _to_exponentials(x, room)
    for n in range(len(x)):
        x[n] = _ONE / (_ONE + x[n])


@njit(nogil=True, cache=True)
def to_tanhs(x: Floats, into: Floats, room: Floats) -> None:
    """Write hyperbolic tangents, which may overwrite the numbers themselves; `room` is for twice as many."""
    exponentials, powers = room[: len(x)], room[len(x) :]
    for n in range(len(x)):
        exponentials[n] = np.float32(-2) * abs(x[n])
    _to_exponentials(exponentials, powers)
    for n in range(len(x)):
        own, z = x[n], x[n] * x[n]
        large = (_ONE - exponentials[n]) / (_ONE + exponentials[n])
        p = np.float32(-5.70498872745e-3) * z + np.float32(2.06390887954e-2)
        p = p * z + np.float32(-5.37397155531e-2)
        p = p * z + np.float32(1.33314422036e-1)
        p = p * z + np.float32(-3.33332819422e-1)
        small = p * z * own + own
        large = -large if own < 0 else large
        into[n] = small if abs(own) < _SMALL else large


@njit(nogil=True, cache=True)
def _open(x: Floats, slope: np.float32, room: Floats) -> None:
    """Turn numbers into gates; `room` is for as many."""
    if slope == 0:
        to_sigmoids(x, room)
        return
    for n in range(len(x)):
        own = slope * x[n] + _HALF
        own = np.float32(0) if own < 0 else own
        x[n] = _ONE if own > 1 else own


@njit(nogil=True, cache=True)
def _normalise(x: Floats, gain: Floats) -> None:
    """Give numbers a mean of 0 and a variance of 1, and multiply them by a gain."""
    mean, square = 0.0, 0.0
    for n in range(len(x)):
        mean += x[n]
    mean /= len(x)
    for n in range(len(x)):
        square += (x[n] - mean) ** 2
    scale = 1 / np.sqrt(square / len(x) + NORM_EPSILON)
    for n in range(len(x)):
        x[n] = np.float32((x[n] - mean) * scale) * gain[n]


@njit(nogil=True, cache=True)
def _interpolate(candidate: Floats, z: Floats, hidden: Floats) -> None:
    """Turn a state into (1 - z) candidate + z state, exactly where all is kept, or nothing."""
    for unit in range(len(hidden)):
        change = hidden[unit] - candidate[unit]
        kept = candidate[unit] + z[unit] * change if z[unit] < _HALF else hidden[unit] - (_ONE - z[unit]) * change
        hidden[unit] = kept


@njit(nogil=True, cache=True)
def read_lstm(
    weight: Floats,
    projection: Floats,
    peepholes: Floats,
    gain: Floats,
    norm_cell: Floats,
    slope: np.float32,
    gates: Floats,
    hidden: Floats,
    hiddens: Floats,
    cell: Floats,
    cells: Floats,
    room: Floats,
    stage: int,
) -> None:
    """See `equations.lstm`."""
    n = len(cell)
    has_peepholes, is_projected = len(peepholes) > 0, len(projection) > 0
    made = room[11 * n :] if is_projected else hidden
    for t in range(len(gates)):
        own = gates[t]
        i, f, o, g = own[:n], own[n : 2 * n], own[2 * n : 3 * n], own[3 * n :]
        if stage in (ALL, 0):
            if len(gain) == 0:
                _add_product(weight, hidden, own, t)
            else:
                product = room[4 * n : 8 * n]
                product[:] = 0
                _add_product(weight, hidden, product, t)
                _normalise(product, gain)
                own += product
            if has_peepholes:
                i += peepholes[0] * cell
                f += peepholes[1] * cell
                _open(own[: 2 * n], slope, room)
            else:
                _open(own[: 3 * n], slope, room)
            to_tanhs(g, g, room)
        if stage in (ALL, 1):
            for unit in range(n):
                cell[unit] = f[unit] * cell[unit] + i[unit] * g[unit]
        if stage in (ALL, 2) and has_peepholes:
            o += peepholes[2] * cell
            _open(o, slope, room)
        if stage in (ALL, 3):
            if len(norm_cell) == 0:
                to_tanhs(cell, made, room)
            else:
                normed = room[10 * n : 11 * n]
                normed[:] = cell
                _normalise(normed, norm_cell[0])
                normed += norm_cell[1]
                to_tanhs(normed, made, room)
            for unit in range(n):
                made[unit] *= o[unit]
            if is_projected:
                hidden[:] = 0
                _add_product(projection, made, hidden, t)
        hiddens[t] = hidden
        cells[t] = cell


@njit(nogil=True, cache=True)
def read_gru(
    weight: Floats,
    candidate_bias: Floats,
    slope: np.float32,
    gates: Floats,
    hidden: Floats,
    hiddens: Floats,
    room: Floats,
    stage: int,
) -> None:
    """See `equations.gru`."""
    n = len(hidden)
    product, scratch = room[: 3 * n], room[3 * n :]
    for t in range(len(gates)):
        own = gates[t]
        r, z, g = own[:n], own[n : 2 * n], own[2 * n :]
        if stage in (ALL, 0):
            product[: 2 * n] = own[: 2 * n]
            product[2 * n :] = candidate_bias
            _add_product(weight, hidden, product, t)
            own[: 2 * n] = product[: 2 * n]
            _open(own[: 2 * n], slope, scratch)
        if stage in (ALL, 1):
            for unit in range(n):
                g[unit] += r[unit] * product[2 * n + unit]
            to_tanhs(g, g, scratch)
        if stage in (ALL, 2):
            _interpolate(g, z, hidden)
        hiddens[t] = hidden


@njit(nogil=True, cache=True)
def read_gru_reset_before(
    weight: Floats,
    candidate_weight: Floats,
    slope: np.float32,
    gates: Floats,
    hidden: Floats,
    hiddens: Floats,
    room: Floats,
    stage: int,
) -> None:
    """See `equations.gru_reset_before`."""
    n = len(hidden)
    left, scratch = room[:n], room[n:]
    for t in range(len(gates)):
        own = gates[t]
        r, z, g = own[:n], own[n : 2 * n], own[2 * n :]
        if stage in (ALL, 0):
            _add_product(weight, hidden, own[: 2 * n], t)
            _open(own[: 2 * n], slope, scratch)
        if stage in (ALL, 1):
            for unit in range(n):
                left[unit] = r[unit] * hidden[unit]
            _add_product(candidate_weight, left, g, t)
            to_tanhs(g, g, scratch)
        if stage in (ALL, 2):
            _interpolate(g, z, hidden)
        hiddens[t] = hidden


@njit(nogil=True, cache=True)
def read_rnn(weight: Floats, gates: Floats, hidden: Floats, hiddens: Floats, room: Floats, stage: int) -> None:
    """See `equations.rnn`."""
    for t in range(len(gates)):
        _add_product(weight, hidden, gates[t], t)
        to_tanhs(gates[t], hidden, room)
        hiddens[t] = hidden


@njit(nogil=True, cache=True)
def read_rnn_relu(weight: Floats, gates: Floats, hidden: Floats, hiddens: Floats, room: Floats, stage: int) -> None:
    """See `equations.rnn_relu`."""
    for t in range(len(gates)):
        _add_product(weight, hidden, gates[t], t)
        hidden[:] = np.maximum(gates[t], np.float32(0))
        hiddens[t] = hidden


_READERS: dict[str, tuple[Any, tuple[str, ...]]] = {  # and the parts of `RecurrentWeights` that each is given
    "lstm": (read_lstm, ("weight", "projection", "peepholes", "gain", "norm_cell", "slope")),
    "gru": (read_gru, ("weight", "candidate_bias", "slope")),
    "gru_reset_before": (read_gru_reset_before, ("weight", "candidate_weight", "slope")),
    "rnn": (read_rnn, ("weight",)),
    "rnn_relu": (read_rnn_relu, ("weight",)),
}
_N_AXES = {"gain": 1, "candidate_bias": 1}
_MATRICES = ("weight", "projection", "candidate_weight")


class SingleLaneLayer:
    """A layer that reads a single lane."""

    def __init__(self, cell: Cell, recurrent: RecurrentWeights) -> None:
        read, parts = _READERS[cell.name]
        self._cell = cell
        self._read = partial(read, *(_as_array(name, getattr(recurrent, name)) for name in parts))
        self._room_size = 12 * len(recurrent.candidate_bias)

    def read(
        self,
        gates: Tensor,
        state: Mapping[str, Tensor],
        results: Mapping[str, Tensor],
        overwrite: Sequence[Overwrite] | None,
    ) -> None:
        """Read on.

        Args:
            gates: (n_steps, n_gates * n_units) the input's share of the gates; the gates, afterwards.
            state: (n_units,) each, which is overwritten with the state after the last step.
            results: (n_steps, n_units) for each signal of the state, which is written.
            overwrite: For each step, what is shown its values; None lets them be.
        """
        room = np.empty(self._room_size, np.float32)
        if overwrite is None:
            self._read(gates.numpy(), *self._arrays(state, results), room, ALL)
            return
        for t, at in enumerate(overwrite):
            now = {signal: each[t : t + 1] for signal, each in results.items()}
            values = self._cell.named_signals(gates[t], state)
            arrays = gates[t : t + 1].numpy(), *self._arrays(state, now)
            for stage, signals in enumerate(self._cell.stages):
                self._read(*arrays, room, stage)
                for signal in signals:
                    at(signal, values[signal][None])
            for signal, each in state.items():
                now[signal][0] = each

    def _arrays(self, state: Mapping[str, Tensor], results: Mapping[str, Tensor]) -> list[Floats]:
        return [each.numpy() for signal in self._cell.state for each in (state[signal], results[signal])]


def _as_array(name: str, part: Tensor | float | None) -> Floats | np.float32:
    """A part of a layer as it is given to what reads."""
    if isinstance(part, Tensor):
        return (part.t().contiguous() if name in _MATRICES else part).numpy()
    return np.zeros((0,) * _N_AXES.get(name, 2), np.float32) if part is None else np.float32(part)
