"""Loops over activations that compute their means and deviations, and standardise them."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from analyses.moments import Moments
from hypotheses.kernels import compiled


def moments_of(raw: NDArray[Any]) -> Moments:
    """Compute the means and sums of squared deviations of (n_rows, n_columns) activations."""
    mean, scatter = _mean_and_scatter(_as_bits(raw))
    return Moments(len(raw), mean, 0.0, scatter, 0.0, np.zeros(len(mean)))


def standardised(raw: NDArray[Any], mean: NDArray[np.float32], factor: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n_rows, n_columns) activations less the means, times the factors, which are inverse deviations."""
    x = np.empty(raw.shape, np.float32)
    _standardise(_as_bits(raw), mean, factor, x)
    return x


def _as_bits(raw: NDArray[Any]) -> NDArray[Any]:
    """Return the same numbers, rows behind each other, and those in float16 as their bits, for kernels to decode."""
    raw = np.ascontiguousarray(raw)
    return raw.view(np.uint16) if raw.dtype == np.float16 else raw


def _decode(context: Any, number: types.Type) -> Any:
    """Return the number in float32 whose bits in float16 are given as uint16; any other number as it is.

    numba does not know float16, but LLVM does, and the processor converts many of them in one instruction.
    """

    def convert(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        if signature.args[0] != types.uint16:
            return arguments[0]
        return builder.fpext(builder.bitcast(arguments[0], ir.HalfType()), ir.FloatType())

    return (types.float32 if number == types.uint16 else number)(number), convert


_decoded: Any = intrinsic(_decode)


@compiled(nogil=True)
def _mean_and_scatter(raw: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n_columns,) means, and sums of squared deviations from them; numbers in uint16 are the bits of float16.

    The same as `x.mean(axis=0)` and `((x - x.mean(axis=0)) ** 2).sum(axis=0)` in float64.
    """
    n_rows, n_columns = raw.shape
    mean, scatter = np.zeros(n_columns), np.zeros(n_columns)
    for row in range(n_rows):
        for column in range(n_columns):
            mean[column] += _decoded(raw[row, column])
    for column in range(n_columns):
        mean[column] /= n_rows
    for row in range(n_rows):
        for column in range(n_columns):
            deviation = _decoded(raw[row, column]) - mean[column]
            scatter[column] += deviation * deviation
    return mean, scatter


@compiled(nogil=True)
def _standardise(
    raw: NDArray[Any], mean: NDArray[np.float32], factor: NDArray[np.float32], x: NDArray[np.float32]
) -> None:
    """Subtract means and multiply by factors; numbers in uint16 are the bits of float16.

    The same as `(raw - mean) * factor`.
    """
    n_rows, n_columns = raw.shape
    for row in range(n_rows):
        for column in range(n_columns):
            x[row, column] = np.float32((_decoded(raw[row, column]) - mean[column]) * factor[column])
