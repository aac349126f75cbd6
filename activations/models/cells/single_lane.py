"""The steps of the cells for a single lane: `equations`, compiled, one layer and many steps per call.

PyTorch's fused layers do not expose the gates, and most of them make no use of a second core. All kernels take:

- the recurrent weights of the layer: matrices as (n_outputs, n_inputs), the rest as in `steps.RecurrentWeights`. What
  the layer does not have is an empty array; a `slope` of 0 is the sigmoid.
- `preactivations`: (n_steps, n_gates * n_units) the input's share of the gates' pre-activations, in the order of
  `Cell.gate_order`; overwritten with the gates.
- `hidden`, `cell`: (n_hidden,) and (n_units,) the state before the first step; then holds the state after the last.
- `hiddens`, `cells`: (n_steps, ...), overwritten with the state after each step.
- `workspace`: 12 * n_units numbers, in which one stage of a step leaves values for later stages.
- `stage`: which of `Cell.stages` to compute: `ALL`, or a single stage of a single step, for interventions.

They release Python's global lock, so that threads can compute layers at the same time.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from activations.models.cells.equations import NORM_EPSILON
from activations.models.cells.kinds import Cell
from activations.models.cells.steps import Overwrite, RecurrentWeights
from hypotheses.kernels import compiled

Floats = NDArray[np.float32]
_ONE, _HALF = np.float32(1), np.float32(0.5)
_LOWEST, _HIGHEST = np.float32(-87), np.float32(88)  # float32 can hold the exponentials of numbers between these
_PER_LN2 = np.float32(1.44269504088896341)
_LN2, _LN2_REST = np.float32(0.693359375), np.float32(-2.12194440e-4)
_ROUNDER = np.float32(12582912)  # adding it to a float32 rounds that to an integer
_ONE_BITS = np.int32(0x3F800000)
_SMALL = np.float32(0.625)
ALL = -1


@compiled(nogil=True, fastmath={"reassoc", "contract"})
def _add_product(weight: Floats, hidden: Floats, sums: Floats, t: int) -> None:
    """Add the product of the weights and the hidden states to `sums`, which has an element for each row of weights.

    Odd steps take the rows in reverse order, since the last rows of the previous step are still in the cache.
    """
    n_rows = len(sums)
    for n in range(n_rows):
        row = n_rows - 1 - n if t % 2 else n
        row_weights, total = weight[row], np.float32(0)
        for unit in range(len(hidden)):
            total += row_weights[unit] * hidden[unit]
        sums[row] += total


@compiled(nogil=True)
def _to_exponentials(x: Floats, powers: Floats) -> None:
    """Replace numbers by their exponentials, computed as in Cephes (Moshier 1992)."""
    bits = powers.view(np.int32)
    for n in range(len(x)):
        clipped = _LOWEST if x[n] < _LOWEST else x[n]
        clipped = _HIGHEST if clipped > _HIGHEST else clipped
        rounded = clipped * _PER_LN2 + _ROUNDER
        powers[n] = rounded
        whole = rounded - _ROUNDER
        r = (clipped - whole * _LN2) - whole * _LN2_REST
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


@compiled(nogil=True)
def to_sigmoids(x: Floats, workspace: Floats) -> None:
    """Replace numbers by their sigmoids; `workspace` has as many elements."""
    for n in range(len(x)):
        x[n] = -x[n]
    _to_exponentials(x, workspace)
    for n in range(len(x)):
        x[n] = _ONE / (_ONE + x[n])


@compiled(nogil=True)
def to_tanhs(x: Floats, into: Floats, workspace: Floats) -> None:
    """Write hyperbolic tangents of `x` into `into`, which may be `x` itself; `workspace` has twice as many elements."""
    exponentials, powers = workspace[: len(x)], workspace[len(x) :]
    for n in range(len(x)):
        exponentials[n] = np.float32(-2) * abs(x[n])
    _to_exponentials(exponentials, powers)
    for n in range(len(x)):
        value, z = x[n], x[n] * x[n]
        large = (_ONE - exponentials[n]) / (_ONE + exponentials[n])
        p = np.float32(-5.70498872745e-3) * z + np.float32(2.06390887954e-2)
        p = p * z + np.float32(-5.37397155531e-2)
        p = p * z + np.float32(1.33314422036e-1)
        p = p * z + np.float32(-3.33332819422e-1)
        small = p * z * value + value
        large = -large if value < 0 else large
        into[n] = small if abs(value) < _SMALL else large


@compiled(nogil=True)
def _activate(x: Floats, slope: np.float32, workspace: Floats) -> None:
    """Apply the activation function of the gates; `workspace` has as many elements."""
    if slope == 0:
        to_sigmoids(x, workspace)
        return
    for n in range(len(x)):
        linear = slope * x[n] + _HALF
        linear = np.float32(0) if linear < 0 else linear
        x[n] = _ONE if linear > 1 else linear


@compiled(nogil=True)
def _normalise(x: Floats, gain: Floats) -> None:
    """Normalise numbers to mean 0 and variance 1, and multiply them by a gain."""
    mean, square = 0.0, 0.0
    for n in range(len(x)):
        mean += x[n]
    mean /= len(x)
    for n in range(len(x)):
        square += (x[n] - mean) ** 2
    scale = 1 / np.sqrt(square / len(x) + NORM_EPSILON)
    for n in range(len(x)):
        x[n] = np.float32((x[n] - mean) * scale) * gain[n]


@compiled(nogil=True)
def _interpolate(candidate: Floats, z: Floats, hidden: Floats) -> None:
    """Replace a state by (1 - z) candidate + z state, exact where z is 0 or 1."""
    for unit in range(len(hidden)):
        change = hidden[unit] - candidate[unit]
        hidden[unit] = (
            candidate[unit] + z[unit] * change if z[unit] < _HALF else hidden[unit] - (_ONE - z[unit]) * change
        )


@compiled(nogil=True)
def read_lstm(
    weight: Floats,
    projection: Floats,
    peepholes: Floats,
    gain: Floats,
    norm_cell: Floats,
    slope: np.float32,
    preactivations: Floats,
    hidden: Floats,
    hiddens: Floats,
    cell: Floats,
    cells: Floats,
    workspace: Floats,
    stage: int,
) -> None:
    """Compute `equations.lstm` for each step."""
    n = len(cell)
    has_peepholes, is_projected = len(peepholes) > 0, len(projection) > 0
    output = workspace[11 * n :] if is_projected else hidden
    for t in range(len(preactivations)):
        a = preactivations[t]
        i, f, o, g = a[:n], a[n : 2 * n], a[2 * n : 3 * n], a[3 * n :]
        if stage in (ALL, 0):
            if len(gain) == 0:
                _add_product(weight, hidden, a, t)
            else:
                product = workspace[4 * n : 8 * n]
                product[:] = 0
                _add_product(weight, hidden, product, t)
                _normalise(product, gain)
                a += product
            if has_peepholes:
                i += peepholes[0] * cell
                f += peepholes[1] * cell
                _activate(a[: 2 * n], slope, workspace)
            else:
                _activate(a[: 3 * n], slope, workspace)
            to_tanhs(g, g, workspace)
        if stage in (ALL, 1):
            for unit in range(n):
                cell[unit] = f[unit] * cell[unit] + i[unit] * g[unit]
        if stage in (ALL, 2) and has_peepholes:
            o += peepholes[2] * cell
            _activate(o, slope, workspace)
        if stage in (ALL, 3):
            if len(norm_cell) == 0:
                to_tanhs(cell, output, workspace)
            else:
                normalised = workspace[10 * n : 11 * n]
                normalised[:] = cell
                _normalise(normalised, norm_cell[0])
                normalised += norm_cell[1]
                to_tanhs(normalised, output, workspace)
            for unit in range(n):
                output[unit] *= o[unit]
            if is_projected:
                hidden[:] = 0
                _add_product(projection, output, hidden, t)
        hiddens[t] = hidden
        cells[t] = cell


@compiled(nogil=True)
def read_gru(
    weight: Floats,
    candidate_bias: Floats,
    slope: np.float32,
    preactivations: Floats,
    hidden: Floats,
    hiddens: Floats,
    workspace: Floats,
    stage: int,
) -> None:
    """Compute `equations.gru` for each step."""
    n = len(hidden)
    product, scratch = workspace[: 3 * n], workspace[3 * n :]
    for t in range(len(preactivations)):
        a = preactivations[t]
        r, z, g = a[:n], a[n : 2 * n], a[2 * n :]
        if stage in (ALL, 0):
            product[: 2 * n] = a[: 2 * n]
            product[2 * n :] = candidate_bias
            _add_product(weight, hidden, product, t)
            a[: 2 * n] = product[: 2 * n]
            _activate(a[: 2 * n], slope, scratch)
        if stage in (ALL, 1):
            for unit in range(n):
                g[unit] += r[unit] * product[2 * n + unit]
            to_tanhs(g, g, scratch)
        if stage in (ALL, 2):
            _interpolate(g, z, hidden)
        hiddens[t] = hidden


@compiled(nogil=True)
def read_gru_reset_before(
    weight: Floats,
    candidate_weight: Floats,
    slope: np.float32,
    preactivations: Floats,
    hidden: Floats,
    hiddens: Floats,
    workspace: Floats,
    stage: int,
) -> None:
    """Compute `equations.gru_reset_before` for each step."""
    n = len(hidden)
    reset_hidden, scratch = workspace[:n], workspace[n:]
    for t in range(len(preactivations)):
        a = preactivations[t]
        r, z, g = a[:n], a[n : 2 * n], a[2 * n :]
        if stage in (ALL, 0):
            _add_product(weight, hidden, a[: 2 * n], t)
            _activate(a[: 2 * n], slope, scratch)
        if stage in (ALL, 1):
            for unit in range(n):
                reset_hidden[unit] = r[unit] * hidden[unit]
            _add_product(candidate_weight, reset_hidden, g, t)
            to_tanhs(g, g, scratch)
        if stage in (ALL, 2):
            _interpolate(g, z, hidden)
        hiddens[t] = hidden


@compiled(nogil=True)
def read_rnn(
    weight: Floats, preactivations: Floats, hidden: Floats, hiddens: Floats, workspace: Floats, stage: int
) -> None:
    """Compute `equations.rnn` for each step."""
    for t in range(len(preactivations)):
        _add_product(weight, hidden, preactivations[t], t)
        to_tanhs(preactivations[t], hidden, workspace)
        hiddens[t] = hidden


@compiled(nogil=True)
def read_rnn_relu(
    weight: Floats, preactivations: Floats, hidden: Floats, hiddens: Floats, workspace: Floats, stage: int
) -> None:
    """Compute `equations.rnn_relu` for each step."""
    for t in range(len(preactivations)):
        _add_product(weight, hidden, preactivations[t], t)
        hidden[:] = np.maximum(preactivations[t], np.float32(0))
        hiddens[t] = hidden


_KERNELS: dict[str, tuple[Any, tuple[str, ...]]] = {  # with the fields of `RecurrentWeights` that each takes
    "lstm": (read_lstm, ("weight", "projection", "peepholes", "gain", "norm_cell", "slope")),
    "gru": (read_gru, ("weight", "candidate_bias", "slope")),
    "gru_reset_before": (read_gru_reset_before, ("weight", "candidate_weight", "slope")),
    "rnn": (read_rnn, ("weight",)),
    "rnn_relu": (read_rnn_relu, ("weight",)),
}
_N_AXES = {"gain": 1, "candidate_bias": 1}
_MATRICES = ("weight", "projection", "candidate_weight")


class SingleLaneLayer:
    """A recurrent layer that reads a single lane."""

    def __init__(self, cell: Cell, recurrent: RecurrentWeights) -> None:
        kernel, fields = _KERNELS[cell.name]
        self._cell = cell
        self._kernel = partial(kernel, *(_as_array(name, getattr(recurrent, name)) for name in fields))
        self._workspace_size = 12 * len(recurrent.candidate_bias)

    def read(
        self,
        preactivations: Tensor,
        state: Mapping[str, Tensor],
        results: Mapping[str, Tensor],
        overwrite: Sequence[Overwrite] | None,
    ) -> None:
        """Compute several steps, starting from a state.

        Args:
            preactivations: (n_steps, n_gates * n_units) the input's share of the gates' pre-activations; overwritten
                with the gates.
            state: (n_units,) for each signal of the state; overwritten with the state after the last step.
            results: (n_steps, n_units) for each signal of the state; overwritten with the state after each step.
            overwrite: For each step, what may change its signals in place, see `steps`; None changes nothing.
        """
        workspace = np.empty(self._workspace_size, np.float32)
        if overwrite is None:
            self._kernel(preactivations.numpy(), *self._arrays(state, results), workspace, ALL)
            return
        for t, overwrite_step in enumerate(overwrite):
            step_results = {signal: rows[t : t + 1] for signal, rows in results.items()}
            values = self._cell.named_signals(preactivations[t], state)
            arrays = preactivations[t : t + 1].numpy(), *self._arrays(state, step_results)
            for stage, signals in enumerate(self._cell.stages):
                self._kernel(*arrays, workspace, stage)
                for signal in signals:
                    overwrite_step(signal, values[signal][None])
            for signal, value in state.items():
                step_results[signal][0] = value

    def _arrays(self, state: Mapping[str, Tensor], results: Mapping[str, Tensor]) -> list[Floats]:
        return [tensor.numpy() for signal in self._cell.state for tensor in (state[signal], results[signal])]


def _as_array(name: str, weights: Tensor | float | None) -> Floats | np.float32:
    """Convert a field of `RecurrentWeights` to what the kernels take; None becomes an empty array."""
    if isinstance(weights, Tensor):
        return (weights.t().contiguous() if name in _MATRICES else weights).numpy()
    return np.zeros((0,) * _N_AXES.get(name, 2), np.float32) if weights is None else np.float32(weights)
