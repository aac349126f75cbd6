"""Text files: decoded, or refused with the byte at which they do not fit their encoding."""

import codecs
import io
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

from activations.errors import ActivationError
from activations.file_kinds import kind_of
from activations.memory import memory_bytes
from activations.texts.codes import CHUNK_CHARS, Codes, codes_to_text, concatenate_codes, narrowest, text_to_codes
from activations.texts.text_streams import TextStream, open_text, text_name
from activations.texts.wide_encodings import wide_encoding

_NATIVE = "-le" if sys.byteorder == "little" else "-be"
_CLOSE_TO_ASCII = ("utf-8", "utf-8-sig", "ascii")
_ONLY_WHOLE = ("punycode", "idna")  # pieces of these mean nothing by themselves


def read_text_file(path: Path, encoding: str = "utf-8") -> str:
    """Return the decoded content of a text, without its byte-order mark; for the errors see `read_codes`."""
    return codes_to_text(concatenate_codes(read_codes(path, encoding, "keep")))


def read_codes(path: Path, encoding: str, newlines: str, chunk_chars: int = CHUNK_CHARS) -> list[Codes]:
    """Return the code points of a text in pieces, at least one.

    They are unpacked and decoded piece by piece: as one string, a text can take four bytes for each of its characters.

    Args:
        path: A file, which gzip, zstd, bzip2 or xz may have compressed; a pipe; or `-` for standard input.
        encoding: Its encoding. A byte-order mark at the start is dropped.
        newlines: `lf` turns CRLF and lone CR into LF; `keep` leaves line ends as they are.
        chunk_chars: How many characters to decode at one time, at most.

    Raises:
        ActivationError: If it cannot be read, is no text, is larger than the memory, or is not in this encoding; the
            message says at which byte.
    """
    try:
        codecs.lookup(encoding)  # since "locale" is no encoding, but the next line takes it
        io.TextIOWrapper(io.BytesIO(), encoding)
    except LookupError as error:
        raise ActivationError(f"there is no encoding named {encoding!r}; try utf-8, latin-1 or utf-16") from error
    most_bytes = memory_bytes()
    pieces: list[Codes] = []
    n_bytes = 0
    try:
        with open_text(path, chunk_chars) as stream:
            _refuse_other_kinds(stream, encoding)
            for text in _decoded(stream, encoding, newlines):
                pieces.append(narrowest(text_to_codes(text)))
                n_bytes += pieces[-1].nbytes
                if n_bytes > most_bytes:
                    raise MemoryError
    except MemoryError as error:
        raise ActivationError(
            f"{text_name(path)} needs more memory than the {most_bytes / 1e9:,.1f} GB that there are; cut it into parts"
        ) from error
    return pieces or [narrowest(text_to_codes(""))]


def _refuse_other_kinds(stream: TextStream, encoding: str) -> None:
    """Refuse what is no text, or in UTF-16, unless an encoding is named in which every file is a text.

    Raises:
        ActivationError: If it is; the message says what it is, and what to do.
    """
    if codecs.lookup(encoding).name not in _CLOSE_TO_ASCII:
        return
    verb = "is" if stream.packed_by is None else f"holds, compressed by {stream.packed_by},"
    kind = kind_of(stream.start)
    if kind is not None:
        raise ActivationError(f"{stream.name} {verb} {kind.name}, not a text; {kind.way_to_text}")
    wide = wide_encoding(stream.start)
    if wide is not None:
        raise ActivationError(f"{stream.name} {verb} text in {wide}, not {encoding}; name that: --encoding {wide}")


def _decoded(stream: TextStream, encoding: str, newlines: str) -> Iterator[str]:
    """Yield the text of a stream a piece at a time, without its byte-order mark.

    Raises:
        ActivationError: If it is not in this encoding; the message says at which byte.
    """
    decoder = codecs.getincrementaldecoder(_with_byte_order(encoding, stream.start))()
    line_ends = io.IncrementalNewlineDecoder(None, translate=newlines == "lf")
    n_bytes = n_lines = 0
    is_first = True
    for piece in itertools.chain(filter(None, _whole_or_pieces(stream, encoding)), [b""]):
        n_bytes += len(piece)
        n_lines += piece.count(b"\n")
        try:
            text = decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:  # its object ends where the bytes do that were read so far
            byte = n_bytes - len(error.object) + error.start
            line = n_lines - error.object.count(b"\n", error.start) + 1
            raise ActivationError(
                f"{stream.name} is not {encoding}: byte {byte} (0x{error.object[error.start]:02x}, in line {line}) "
                f"does not fit; name its encoding, such as --encoding latin-1"
            ) from error
        except UnicodeError as error:
            raise ActivationError(
                f"{stream.name} is not {encoding}: {error}; name its encoding with --encoding"
            ) from error
        text = line_ends.decode(text, final=not piece)
        if is_first and text:
            is_first, text = False, text.removeprefix("\ufeff")
        if text:
            yield text


def _with_byte_order(encoding: str, start: bytes) -> str:
    """Return the encoding by which UTF-16 and UTF-32 without a byte-order mark are read piece by piece."""
    name = codecs.lookup(encoding).name
    return name + _NATIVE if name in ("utf-16", "utf-32") and wide_encoding(start[:4]) != name else encoding


def _whole_or_pieces(stream: TextStream, encoding: str) -> Iterator[bytes]:
    if codecs.lookup(encoding).name in _ONLY_WHOLE:
        return iter([b"".join(stream.pieces)])
    return stream.pieces
