"""One lane, read by itself: the equations of `cells`, compiled, a layer and a stretch of steps at a time.

PyTorch's own fused layers do not tell the gates, and have no use for a second core in most cells. All of these take:

- `weight`: (n_gates * n_units, n_units) of the recurrent half, and `bias`: (n_units,) of a GRU's candidate; elsewhere
  the biases are in the gates already.
- `gates`: (n_steps, n_gates * n_units) the input's share of each, in the order of `Cell.order`; the gates, afterwards.
- `hidden`, `cell`: (n_units,) the state before the first step; that after the last, afterwards.
- `hiddens`, `cells`: (n_steps, n_units), filled with the state after each.

They hold no lock, so that layers can be read side by side in threads.
"""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_ONE, _HALF = np.float32(1), np.float32(0.5)
_LOWEST, _HIGHEST = np.float32(-87), np.float32(88)  # of which float32 has the exponentials
_PER_LN2 = np.float32(1.44269504088896341)
_LN2, _LN2_REST = np.float32(0.693359375), np.float32(-2.12194440e-4)
_ROUNDER = np.float32(12582912)  # what this is added to has no digits left behind the point
_ONE_BITS = np.int32(0x3F800000)
_SMALL = np.float32(0.625)


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
def read_lstm(
    weight: Floats, bias: Floats, gates: Floats, hidden: Floats, hiddens: Floats, cell: Floats, cells: Floats
) -> None:
    """See `cells.lstm_step`."""
    n = len(hidden)
    room = np.empty(3 * n, np.float32)
    for t in range(len(gates)):
        own = gates[t]
        _add_product(weight, hidden, own, t)
        to_sigmoids(own[: 3 * n], room)
        i, f, o, g = own[:n], own[n : 2 * n], own[2 * n : 3 * n], own[3 * n :]
        to_tanhs(g, g, room)
        for unit in range(n):
            cell[unit] = f[unit] * cell[unit] + i[unit] * g[unit]
        to_tanhs(cell, hidden, room)
        for unit in range(n):
            hidden[unit] *= o[unit]
        hiddens[t] = hidden
        cells[t] = cell


@njit(nogil=True, cache=True)
def read_gru(weight: Floats, bias: Floats, gates: Floats, hidden: Floats, hiddens: Floats) -> None:
    """See `cells.gru_step`."""
    n = len(hidden)
    room, product = np.empty(2 * n, np.float32), np.empty(3 * n, np.float32)
    for t in range(len(gates)):
        own = gates[t]
        product[: 2 * n] = own[: 2 * n]
        product[2 * n :] = bias
        _add_product(weight, hidden, product, t)
        own[: 2 * n] = product[: 2 * n]
        to_sigmoids(own[: 2 * n], room)
        r, z, g = own[:n], own[n : 2 * n], own[2 * n :]
        for unit in range(n):
            g[unit] += r[unit] * product[2 * n + unit]
        to_tanhs(g, g, room)
        for unit in range(n):
            change = hidden[unit] - g[unit]  # exact where all is kept, or nothing
            kept = g[unit] + z[unit] * change if z[unit] < _HALF else hidden[unit] - (_ONE - z[unit]) * change
            hidden[unit] = kept
        hiddens[t] = hidden


@njit(nogil=True, cache=True)
def read_rnn(weight: Floats, bias: Floats, gates: Floats, hidden: Floats, hiddens: Floats) -> None:
    """See `cells.rnn_step`."""
    room = np.empty(2 * len(hidden), np.float32)
    for t in range(len(gates)):
        _add_product(weight, hidden, gates[t], t)
        to_tanhs(gates[t], hidden, room)
        hiddens[t] = hidden


@njit(nogil=True, cache=True)
def read_rnn_relu(weight: Floats, bias: Floats, gates: Floats, hidden: Floats, hiddens: Floats) -> None:
    """See `cells.rnn_relu_step`."""
    for t in range(len(gates)):
        _add_product(weight, hidden, gates[t], t)
        hidden[:] = np.maximum(gates[t], np.float32(0))
        hiddens[t] = hidden


READ: dict[str, Any] = {"lstm": read_lstm, "gru": read_gru, "rnn": read_rnn, "rnn_relu": read_rnn_relu}
