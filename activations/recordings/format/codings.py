"""Codings: how the values of a site are quantised and stored in a recording, in two or four bytes each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError

_HALF = 0x3800  # the bits of .5 in float16; the bits of all float16 from 0 to .5 are the numbers up to this one
_ZERO = 2 * _HALF
_HIGHEST = 4 * _HALF
_NO_NUMBER = 0xFFFF
_ROUNDING = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Coding:
    """A way to store values in a file.

    Attributes:
        name: Its name in the file.
        stored: The dtype in the file, little-endian.
        dtype: The dtype in which values are read.
        encode: From values to what is stored.
        decode: From what is stored to values.
        most: The largest absolute value that can be stored.
    """

    name: str
    stored: np.dtype[Any]
    dtype: np.dtype[Any]
    encode: Callable[[NDArray[Any]], NDArray[Any]]
    decode: Callable[[NDArray[Any]], NDArray[Any]]
    most: float = np.inf

    @property
    def is_plain(self) -> bool:
        """Are values stored in the dtype in which they are read?"""
        return self.name == self.dtype.name

    def quantised(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values as they are read from a recording."""
        return self.decode(self.encode(values))

    def check(self, name: str, values: NDArray[Any]) -> None:
        """Refuse values that cannot be stored, beyond what rounding may explain.

        Args:
            name: What the values are, for the message.
            values: The values.

        Raises:
            ActivationError: If there is such a value.
        """
        if self.most == np.inf:
            return
        is_beyond = np.abs(values) > self.most + _ROUNDING
        if is_beyond.any():
            raise ActivationError(
                f"{name} has a value of {float(values[is_beyond][0]):g}, and {self.name} is for values from "
                f"{-self.most:g} to {self.most:g}; keep it in float32 (--dtype float32), or let the model say that "
                "the site is unbounded"
            )


def _to_near_one(values: NDArray[Any]) -> NDArray[np.uint16]:
    """Encode values as `near_one`; rounding beyond ±1 becomes ±1, and NaN stays NaN."""
    size = np.minimum(np.abs(values.astype(np.float32)), np.float32(1))
    inner = np.minimum(size, np.float32(0.5)).astype(np.float16).view(np.uint16).astype(np.int32)
    outer = (np.float32(1) - np.maximum(size, np.float32(0.5))).astype(np.float16).view(np.uint16).astype(np.int32)
    steps = np.where(size <= 0.5, inner, 2 * _HALF - outer)
    codes = _ZERO + np.where(values < 0, -steps, steps)
    return np.where(np.isfinite(values), codes, _NO_NUMBER).astype(np.uint16)


def _near_one_values() -> NDArray[np.float32]:
    """(65536,) the value of each code of `near_one`."""
    inner = np.arange(_HALF + 1, dtype=np.uint16).view(np.float16).astype(np.float32)
    positive = np.concatenate([inner, np.float32(1) - inner[-2::-1]])
    values = np.full(1 << 16, np.nan, np.float32)
    values[: _HIGHEST + 1] = np.concatenate([-positive[:0:-1], positive])
    return values


_NEAR_ONE_VALUES = _near_one_values()
_NEAR_ONE_VALUES.flags.writeable = False


def _unchanged(values: NDArray[Any]) -> NDArray[Any]:
    return values


def _plain(name: str) -> Coding:
    dtype = np.dtype(name).newbyteorder("<")
    return Coding(name, dtype, np.dtype(name), lambda values: values.astype(dtype, copy=False), _unchanged)


CODINGS = {
    coding.name: coding
    for coding in (
        _plain("float16"),
        _plain("float32"),
        Coding(
            "near_one",  # for [-1, 1]: as fine near ±1 as float16 is near 0, so that saturated values keep their order
            np.dtype("<u2"),
            np.dtype(np.float32),
            _to_near_one,
            lambda codes: _NEAR_ONE_VALUES[codes],
            most=1,
        ),
    )
}


def coding_named(name: object) -> Coding:
    """Return the coding of a name.

    Raises:
        ActivationError: If there is none of that name.
    """
    if not isinstance(name, str) or name not in CODINGS:
        raise ActivationError(f"there is no coding {str(name)[:30]!r}; there are {', '.join(CODINGS)}")
    return CODINGS[name]
