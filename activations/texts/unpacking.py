"""Compressed texts, unpacked a piece at a time."""

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from activations.errors import ActivationError

MOST_TIMES = 200
"""How many times the size of a compressed file its text may have."""

ALWAYS_BYTES = 64_000_000
"""A text of up to this size may have been compressed by any factor."""

PIECE_BYTES = 1 << 20
_FED_BYTES = 1 << 13  # to a stream at a time: where many small ones follow each other, each copies what is left
_MOST_WINDOW_BYTES = 1 << 27
_MOST_XZ_BYTES = 200_000_000  # `xz -9` needs 65 MB


class _Decompressor(Protocol):
    """What reads one stream, as the decompressors of Python's `bz2` and `lzma` do."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Gzip:
    """A stream of gzip, in the way of the other decompressors."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._is_drained = True

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return self._is_drained and not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        content = self._stream.decompress(self._stream.unconsumed_tail + data, max_length)
        self._is_drained = len(content) < max_length
        return content


def unpacked(program: str, pieces: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Yield what a compressed file holds, at most `PIECE_BYTES` at a time.

    Several streams one after another, as `cat a.gz b.gz` makes, are read as one.

    Args:
        program: What compressed it: gzip, zstd, bzip2 or xz.
        pieces: The bytes of the file, some at a time.
        name: What the file is called in an error.

    Raises:
        ActivationError: If it is damaged or cut off, needs too much memory, or holds more than `MOST_TIMES` its size
            and `ALWAYS_BYTES`.
    """
    make, errors = _DECOMPRESSORS[program]()
    failures: tuple[type[Exception], ...] = (EOFError, *errors)
    n_made = 0
    try:
        for n_read, content in _contents(make, pieces):
            n_made += len(content)
            if n_made > max(ALWAYS_BYTES, MOST_TIMES * n_read):
                raise ActivationError(
                    f"{name} unpacks to over {MOST_TIMES} times its size, which texts hardly ever do; if it is one, "
                    f"unpack it first, with `{program} -d`"
                )
            yield content
    except ActivationError:
        raise
    except failures as error:
        if isinstance(error, OSError) and error.errno is not None:  # of the disk, and not of what is unpacked
            raise
        reason = "".join(char for char in str(error)[:120] if char.isprintable())
        raise ActivationError(f"{name} cannot be unpacked ({program}: {reason}); compress the text again") from error


def _contents(make: Callable[[], _Decompressor], pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield what streams hold, some bytes at a time, each with how many bytes had been read for it.

    Raises:
        EOFError: If a stream has no end.
    """
    n_read, stream = 0, None
    for piece in (whole[start : start + _FED_BYTES] for whole in pieces for start in range(0, len(whole), _FED_BYTES)):
        n_read += len(piece)
        while piece:
            if stream is None:
                piece = piece.lstrip(b"\0")  # padding between streams
                if not piece:
                    break
                stream = make()
            yield n_read, stream.decompress(piece, PIECE_BYTES)
            while not stream.eof and not stream.needs_input:
                yield n_read, stream.decompress(b"", PIECE_BYTES)
            piece = stream.unused_data if stream.eof else b""
            stream = None if stream.eof else stream
    if stream is not None:
        raise EOFError("it ends too early")


_Opener = Callable[[], tuple[Callable[[], _Decompressor], tuple[type[Exception], ...]]]


def _zstd() -> tuple[Callable[[], _Decompressor], tuple[type[Exception], ...]]:
    if sys.version_info >= (3, 14):
        from compression.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
    else:
        from backports.zstd import DecompressionParameter, ZstdDecompressor, ZstdError
    options: dict[int, int] = {DecompressionParameter.window_log_max: _MOST_WINDOW_BYTES.bit_length() - 1}
    return lambda: ZstdDecompressor(options=options), (ZstdError,)


_DECOMPRESSORS: dict[str, _Opener] = {
    "gzip": lambda: (_Gzip, (zlib.error,)),
    "bzip2": lambda: (bz2.BZ2Decompressor, (OSError, ValueError)),
    "xz": lambda: (lambda: lzma.LZMADecompressor(memlimit=_MOST_XZ_BYTES), (lzma.LZMAError,)),
    "zstd": _zstd,
}
