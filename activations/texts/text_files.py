"""Text files: decoded, or refused with the byte at which they do not fit their encoding."""

import codecs
import io
import itertools
from functools import partial
from pathlib import Path

from activations.errors import ActivationError
from activations.system_errors import reason
from activations.texts.codes import CHUNK_CHARS, Codes, codes_in_pieces, narrowest, text_to_codes


def read_text_file(path: Path, encoding: str = "utf-8") -> str:
    """Return the decoded content of a file, without its byte-order mark.

    Raises:
        ActivationError: If it cannot be read, or not in this encoding; the message says at which byte.
    """
    return _decode(path, _read_bytes(path), encoding)


def read_codes(path: Path, encoding: str, newlines: str, chunk_chars: int = CHUNK_CHARS) -> list[Codes]:
    """Return the code points of a file in pieces.

    They are decoded piece by piece: as one string, a text can take four bytes for each of its characters.

    Args:
        path: The file.
        encoding: Its encoding. A byte-order mark at the start is dropped.
        newlines: `lf` turns CRLF and lone CR into LF; `keep` leaves line ends as they are.
        chunk_chars: Characters to decode at one time.

    Raises:
        ActivationError: If it cannot be read, or not in this encoding; the message says at which byte.
    """
    raw = _read_bytes(path)
    newline = None if newlines == "lf" else ""  # for Python's `open`, None turns every line end into LF
    try:
        codecs.lookup(encoding)  # since "locale" is no encoding, but `open` takes it
        with io.TextIOWrapper(io.BytesIO(raw), encoding, newline=newline) as file:
            first = file.read(chunk_chars).removeprefix("\ufeff")
            pieces = itertools.chain([first], iter(partial(file.read, chunk_chars), ""))
            return [narrowest(text_to_codes(piece)) for piece in pieces]
    except (LookupError, UnicodeError):  # as a whole it may fit, or else the message says at which byte it does not
        text = _decode(path, raw, encoding)
        text = text.replace("\r\n", "\n").replace("\r", "\n") if newlines == "lf" else text
        return codes_in_pieces(text, chunk_chars)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ActivationError(f"cannot read the text {path}: {reason(error)}") from error


def _decode(path: Path, raw: bytes, encoding: str) -> str:
    try:
        return raw.decode(encoding).removeprefix("\ufeff")
    except LookupError as error:
        raise ActivationError(f"there is no encoding named {encoding!r}; try utf-8, latin-1 or utf-16") from error
    except UnicodeDecodeError as error:
        likely = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
        line = raw.count(b"\n", 0, error.start) + 1
        raise ActivationError(
            f"{path} is not {encoding}: byte {error.start} (0x{raw[error.start]:02x}, in line {line}) "
            f"does not fit; name its encoding, such as --encoding {likely}"
        ) from error
    except UnicodeError as error:
        raise ActivationError(f"{path} is not {encoding}: {error}; name its encoding with --encoding") from error
