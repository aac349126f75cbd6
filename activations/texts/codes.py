"""Code points: how the characters of a text are held in memory."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.unsignedinteger]
CHUNK_CHARS = 1 << 20


def text_to_codes(text: str) -> NDArray[np.uint32]:
    """Return the (n_chars,) code points of a string; lone surrogates are kept as they are."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint32, copy=False)


def codes_to_text(codes: Codes) -> str:
    """Return the string that has these code points."""
    return np.ascontiguousarray(codes, "<u4").tobytes().decode("utf-32-le", "surrogatepass")


def narrowest(codes: NDArray[Any]) -> Codes:
    """Return code points in the narrowest dtype that holds them all: uint8, uint16 or uint32."""
    dtype = np.min_scalar_type(codes.max(initial=0))
    return codes.astype(dtype, copy=False)


def codes_in_pieces(text: str, chunk_chars: int = CHUNK_CHARS) -> list[Codes]:
    """Return the code points of a string in pieces, each in its narrowest dtype."""
    return [narrowest(text_to_codes(text[start : start + chunk_chars])) for start in range(0, len(text), chunk_chars)]


def concatenate_codes(pieces: list[Codes]) -> Codes:
    """Return pieces of code points as one array, as wide as the widest; the list is emptied, to free its memory."""
    if len(pieces) == 1:
        return pieces.pop()
    codes = np.empty(sum(map(len, pieces)), np.result_type(np.uint8, *pieces))
    stop = len(codes)
    while pieces:  # the last first
        piece = pieces.pop()
        codes[stop - len(piece) : stop] = piece
        stop -= len(piece)
    return codes
