"""The bytes of a text: of a file, of a compressed one, of a pipe or of standard input."""

import io
import itertools
import os
import select
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO
from weakref import WeakSet

from activations.errors import ActivationError
from activations.file_kinds import START_BYTES, compressed_by
from activations.files import kind_of_path
from activations.memory import memory_bytes
from activations.system_errors import reason
from activations.texts.unpacking import unpacked

STANDARD_INPUT = "standard input"
"""What a text is called that was read from there."""

SECONDS_FOR_A_WRITER = 5.0
"""How long a FIFO is waited for that no program has opened for writing."""

_POLL_SECONDS = 0.02
_MOST_TIMES_MEMORY = 2  # a character takes at least half of its bytes
_READ: WeakSet[IO[str]] = WeakSet()  # the standard inputs that have been read, each of which can be only once


@dataclass(frozen=True)
class TextStream:
    """The bytes of a text, unpacked.

    Attributes:
        name: What the text is called.
        start: Its first bytes, `START_BYTES` of them if it has as many.
        pieces: All of its bytes, a piece at a time, those of `start` among them; to be read once.
        packed_by: The program that compressed it, if one did.
    """

    name: str
    start: bytes
    pieces: Iterator[bytes]
    packed_by: str | None


def is_standard_input(path: Path | str) -> bool:
    """Tell whether a path stands for standard input: a lone hyphen."""
    return str(path) == "-"


def text_name(path: Path | str) -> str:
    """Return what a text is called: its path, or `standard input`."""
    return STANDARD_INPUT if is_standard_input(path) else str(path)


@contextmanager
def open_text(path: Path, piece_bytes: int) -> Iterator[TextStream]:
    """Open a text file, a pipe, or with `-` standard input; gzip, zstd, bzip2 and xz are unpacked.

    Args:
        path: The file.
        piece_bytes: How many bytes to read at one time.

    Raises:
        ActivationError: If it cannot be opened, is a device or a folder, nothing writes to it, or standard input was
            read before.
        MemoryError: If it is larger than any memory for it.
    """
    name = text_name(path)
    try:
        with ExitStack() as stack:
            file = stack.enter_context(_standard_input() if is_standard_input(path) else _opened(path))
            start = file.read(START_BYTES)
            pieces: Iterator[bytes] = itertools.chain([start], iter(partial(file.read, piece_bytes), b""))
            program = compressed_by(start)
            if program is not None:
                pieces = unpacked(program, pieces, name)
                start, pieces = _begun(pieces)
            yield TextStream(name, start, pieces, program)
    except OSError as error:
        way_out = "; check its path" if isinstance(error, FileNotFoundError) else ""
        raise ActivationError(f"cannot read the text {name}: {reason(error)}{way_out}") from error


def _begun(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Return the first bytes of a stream, and the whole stream."""
    first, n_bytes = [], 0
    for piece in filter(None, pieces):  # of many empty streams, each has one
        first.append(piece)
        n_bytes += len(piece)
        if n_bytes >= START_BYTES:
            break
    return b"".join(first)[:START_BYTES], itertools.chain(first, pieces)


@contextmanager
def _standard_input() -> Iterator[BinaryIO]:
    if sys.stdin is None or sys.stdin.closed:
        raise ActivationError("standard input is closed; pipe a text into it: zcat corpus.gz | probe …")
    if sys.stdin in _READ:
        raise ActivationError(
            "standard input (-) is named as a text a second time, and can be read only once; save it in a file, and "
            "name that"
        )
    status = None
    with suppress(OSError, ValueError):  # it may be no file of the system's
        status = os.fstat(sys.stdin.fileno())
    if status is not None and stat.S_ISCHR(status.st_mode):
        what = "a terminal" if sys.stdin.isatty() else "a device, not a text"
        raise ActivationError(
            f"standard input (-) is {what}; name a file, or pipe a text into it: cat a.txt b.txt | probe …"
        )
    _READ.add(sys.stdin)
    yield sys.stdin.buffer


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    kind = kind_of_path(path)
    if kind == "a FIFO":
        with _opened_pipe(path) as pipe:
            yield pipe
        return
    if kind is not None:
        raise ActivationError(f"{path} is {kind}, not a text; name a file, or - for standard input")
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size > _MOST_TIMES_MEMORY * memory_bytes():
            raise MemoryError
        yield file


class _Pipe(io.RawIOBase):
    """A pipe of which some bytes have been read already."""

    def __init__(self, descriptor: int, first: bytes) -> None:
        self._descriptor, self._first = descriptor, first

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        content = self._first[: len(buffer)] or os.read(self._descriptor, len(buffer))
        self._first = self._first[len(buffer) :]
        buffer[: len(content)] = content
        return len(content)


@contextmanager
def _opened_pipe(path: Path) -> Iterator[BinaryIO]:
    """Open a pipe, such as the shell makes of `<(zcat corpus.gz)`, as soon as something writes to it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # would else wait for ever
    try:
        first = _first_bytes(path, descriptor)
        os.set_blocking(descriptor, True)
        yield io.BufferedReader(_Pipe(descriptor, first))
    finally:
        os.close(descriptor)


def _first_bytes(path: Path, descriptor: int) -> bytes:
    """Wait until a pipe has something to read, and return that; nothing if its writer wrote nothing.

    A program that has opened it for writing may take its time.

    Raises:
        ActivationError: If nothing has opened it for writing for `SECONDS_FOR_A_WRITER`.
    """
    deadline = time.monotonic() + SECONDS_FOR_A_WRITER
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    while True:
        try:
            content = os.read(descriptor, START_BYTES)
        except BlockingIOError:  # there is a writer, which has written nothing yet
            poll.poll()
            continue
        if content or any(event & select.POLLHUP for _, event in poll.poll(0)):  # its writer has gone
            return content
        if time.monotonic() > deadline:
            break
        time.sleep(_POLL_SECONDS)
    raise ActivationError(f"{path} is a FIFO, and nothing writes to it; start the program that does, or name a file")
