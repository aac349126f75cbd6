"""The text that a model reads: decoded characters, cut into documents."""

import codecs
import hashlib
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError

NEWLINES = ("keep", "lf")
DOCUMENTS = ("files", "lines", "blank-lines")
MANY_DOCUMENTS = 4
"""From so many short documents in a row on, they are read together, since what is done for each would take longest."""

_CHUNK = 1 << 20
_DECODED_CHARS = 1 << 14
_NEWLINE, _RETURN = ord("\n"), ord("\r")
_SPACES = (ord(" "), ord("\t"), _RETURN)  # that a blank line may have
_LINE_NUMBER = re.compile(r":\d+$")

Codes = NDArray[np.unsignedinteger]


@dataclass(frozen=True, slots=True)
class Document:
    """A file of a corpus, or a part of one that stands by itself: a model begins it from a zero state.

    Attributes:
        name: Where it came from, for people: a file, or a file and the number of a line, such as `names.txt:17`.
        start: Its first character's place in the corpus.
        n_chars: Its length in characters.
    """

    name: str
    start: int
    n_chars: int

    @property
    def stop(self) -> int:
        """One past its last character's place in the corpus."""
        return self.start + self.n_chars

    @property
    def file_name(self) -> str:
        """Its name, without the number of a line.

        >>> Document("names.txt:17", 0, 5).file_name
        'names.txt'
        """
        return _LINE_NUMBER.sub("", self.name)


@dataclass(frozen=True, eq=False)
class Corpus:
    """Documents one after another.

    Attributes:
        codes: (n_chars,) Unicode code points, read-only: uint8, uint16 or uint32. Of a text that was read, the
            narrowest that holds them all.
        documents: In order and without holes, covering `codes`.
    """

    codes: Codes
    documents: tuple[Document, ...]

    def __post_init__(self) -> None:
        codes = self.codes.view()
        codes.flags.writeable = False
        object.__setattr__(self, "codes", codes)

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """(n_documents,) where each document begins."""
        return np.array([document.start for document in self.documents], np.int64)

    @cached_property
    def stops(self) -> NDArray[np.int64]:
        """(n_documents,) one past where each document ends."""
        return np.append(self.starts[1:], len(self))

    def starts_within(self, start: int, stop: int) -> NDArray[np.int64]:
        """Where documents begin from `start` up to `stop`."""
        first, last = np.searchsorted(self.starts, [start, stop])
        return self.starts[first:last]

    def is_last(self, places: slice) -> NDArray[np.bool_]:
        """(n,) whether the characters at some places are the last of their documents, which nothing follows."""
        is_last = np.zeros(len(range(places.start, places.stop, places.step)), bool)
        first, last = np.searchsorted(self.stops, [places.start + 1, places.stop + 1])
        rows, left_over = np.divmod(self.stops[first:last] - 1 - places.start, places.step)
        is_last[rows[left_over == 0]] = True
        return is_last

    def is_first(self, places: slice) -> NDArray[np.bool_]:
        """(n,) whether the characters at some places are the first of their documents."""
        is_first = np.zeros(len(range(places.start, places.stop, places.step)), bool)
        rows, left_over = np.divmod(self.starts_within(places.start, places.stop) - places.start, places.step)
        is_first[rows[left_over == 0]] = True
        return is_first

    @cached_property
    def sha256(self) -> str:
        """Hash of the characters and of where the documents begin, in hexadecimal."""
        digest = hashlib.sha256()
        for start in range(0, len(self), _CHUNK):
            digest.update(np.ascontiguousarray(self.codes[start : start + _CHUNK], "<u4").data)
        digest.update(self.starts.astype("<i8").tobytes())
        return digest.hexdigest()

    def text(self, start: int = 0, stop: int | None = None) -> str:
        """The characters from `start` up to `stop` as a string."""
        return codes_to_text(self.codes[start:stop])

    def mirrored(self) -> "Corpus":
        """Its characters from the last to the first, and so its documents."""
        documents = [Document(each.name, len(self) - each.stop, each.n_chars) for each in reversed(self.documents)]
        return Corpus(self.codes[::-1], tuple(documents))

    def only(self, chosen: Sequence[bool]) -> "Corpus":
        """Some of its documents.

        Args:
            chosen: (n_documents,) whether each is among them; one has to be.
        """
        documents = [document for document, is_chosen in zip(self.documents, chosen, strict=True) if is_chosen]
        starts = itertools.accumulate((each.n_chars for each in documents[:-1]), initial=0)
        codes = concatenate_codes([self.codes[each.start : each.stop] for each in documents])
        placed = [Document(each.name, start, each.n_chars) for each, start in zip(documents, starts, strict=True)]
        return Corpus(codes, tuple(placed))

    def runs(self, n_chars: int) -> Iterator[slice]:
        """The documents by their numbers, some at a time: as many as have so many characters at most, or one."""
        first = 0
        while first < len(self.documents):
            last = int(np.searchsorted(self.stops, self.starts[first] + n_chars, side="right"))
            yield slice(first, max(first + 1, last))
            first = max(first + 1, last)

    def texts(self) -> Iterator[str]:
        """The text of each document, one after another; short ones are decoded together."""
        for own in self.runs(_DECODED_CHARS):
            start, borders = int(self.starts[own.start]), [*self.starts[own].tolist(), int(self.stops[own][-1])]
            text = self.text(start, borders[-1])
            yield from (text[begin - start : end - start] for begin, end in itertools.pairwise(borders))

    def cut(self, shares: Sequence[float]) -> "list[Corpus]":
        """Its parts one behind the other, such as for training, validation and test.

        Of a document that is cut, a part of one character is left out: there is nothing to predict in it.

        Args:
            shares: Of the characters, above 0; they add up to 1.

        Raises:
            ActivationError: If a share is out of range, or a part would have fewer than two characters.
        """
        if not all(share > 0 for share in shares) or abs(sum(shares) - 1) > 1e-9:
            raise ActivationError(f"the shares {', '.join(map(str, shares))} must be above 0 and add up to 1")
        borders = [round(len(self) * sum(shares[:n])) for n in range(len(shares) + 1)]
        parts = []
        for start, stop in itertools.pairwise(borders):
            inside = [
                (each.name, max(each.start, start), min(each.stop, stop))
                for each in self.documents
                if min(each.stop, stop) - max(each.start, start) >= min(2, each.n_chars)
            ]
            if not any(last - first > 1 for _, first, last in inside):
                raise ActivationError(
                    f"the text has only {len(self):,} characters, too few to hold out "
                    f"{min(shares):.0%} of them; use a longer one"
                )
            ends = np.cumsum([last - first for _, first, last in inside]).tolist()
            documents = [Document(name, end - (b - a), b - a) for (name, a, b), end in zip(inside, ends, strict=True)]
            whole = self.codes[inside[0][1] : inside[-1][2]]
            if len(whole) != ends[-1]:
                whole = np.concatenate([self.codes[first:last] for _, first, last in inside])
            parts.append(Corpus(whole, tuple(documents)))
        return parts

    @classmethod
    def from_texts(cls, texts: Iterable[str], names: Sequence[str] | None = None) -> "Corpus":
        """A corpus of strings, a document each.

        Raises:
            ActivationError: If a text is empty or has only one character (there is nothing to predict).
        """
        return cls._from_pieces((_cut(text) for text in texts), names)

    @classmethod
    def read(
        cls, *paths: Path | str, encoding: str = "utf-8", newlines: str = "keep", documents: str = "files"
    ) -> "Corpus":
        """Read text files.

        Every character of a file is part of a document. A line's end belongs to the line, and an empty or blank line
        to the document before it, or to the first one; a last line need not have an end. Lines end with LF: where they
        end with CR alone, `newlines` has to be `lf`.

        Args:
            paths: The files.
            encoding: Any that Python knows. A byte-order mark at the start is dropped.
            newlines: `keep` leaves line ends as they are; `lf` turns CRLF and lone CR into LF.
            documents: What a document is: `files`; `lines`, each that is not empty; or `blank-lines`, each paragraph
                between lines that have nothing but spaces and tabs.

        Raises:
            ActivationError: If a file is missing, empty, one character long, or is not in this encoding.
        """
        if newlines not in NEWLINES:
            raise ActivationError(f"newlines are {newlines!r}; choose one of {', '.join(NEWLINES)}")
        if documents not in DOCUMENTS:
            raise ActivationError(f"documents are {documents!r}; choose one of {', '.join(DOCUMENTS)}")
        texts = (_read_codes(Path(path), encoding, newlines) for path in paths)
        files = cls._from_pieces(texts, [str(path) for path in paths])
        return files if documents == "files" else files._split(blank_lines=documents == "blank-lines")

    def _split(self, *, blank_lines: bool) -> "Corpus":
        """The same text with a document for each line that is not empty, or for each paragraph between blank lines."""
        documents: list[Document] = []
        for file in self.documents:
            starts, numbers = _document_starts(self.codes[file.start : file.stop], blank_lines=blank_lines)
            lengths = np.diff(starts, append=file.n_chars)
            documents += [
                Document(f"{file.name}:{number}", file.start + start, length)
                for number, start, length in zip(numbers.tolist(), starts.tolist(), lengths.tolist(), strict=True)
            ]
        if all(each.n_chars < 2 for each in documents):
            raise ActivationError(
                "every document has only one character; a model needs at least two to predict one from the other"
            )
        return Corpus(self.codes, tuple(documents))

    @classmethod
    def _from_pieces(cls, texts: Iterable[list[Codes]], names: Sequence[str] | None) -> "Corpus":
        """A corpus of texts whose code points are in pieces."""
        pieces: list[Codes] = []
        lengths: list[int] = []
        for own in texts:
            lengths.append(sum(map(len, own)))
            pieces += own
        if not lengths:
            raise ActivationError("a corpus needs at least one text; none was given")
        labels = names or [f"text {n}" for n in range(len(lengths))]
        documents = []
        start = 0
        for name, n_chars in zip(labels, lengths, strict=True):
            if n_chars < 2:
                found = "is empty" if n_chars == 0 else "has only one character"
                raise ActivationError(f"{name} {found}; a model needs at least two to predict one from the other")
            documents.append(Document(name, start, n_chars))
            start += n_chars
        return cls(concatenate_codes(pieces), tuple(documents))


def end_of_run(ends: NDArray[np.int64], start: int, limit: int) -> int:
    """Where what is read at one time ends: with its document, or with the last of many whole documents.

    Args:
        ends: (n_documents,) one past the end of each document, in rows or whatever else is counted.
        start: Where it begins.
        limit: Where it ends at the latest.
    """
    first, fitting = np.searchsorted(ends, [start, limit], side="right").tolist()
    begins_document = start == (ends[first - 1] if first else 0)
    is_shared = begins_document and fitting - first >= MANY_DOCUMENTS
    return int(ends[fitting - 1]) if is_shared else min(int(ends[first]), limit)


def _document_starts(codes: Codes, *, blank_lines: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where documents begin in a file, see `Corpus.read`, and the numbers of these lines, counted from 1."""
    lines = np.append(0, np.flatnonzero(codes == _NEWLINE) + 1)  # where each begins
    lines = lines[lines < len(codes)]
    is_blank = codes == _NEWLINE
    for code in _SPACES if blank_lines else (_RETURN,):
        is_blank |= codes == code
    has_text = np.logical_or.reduceat(~is_blank, lines)
    begins = has_text & ~np.append(False, has_text[:-1]) if blank_lines else has_text
    begins[: begins.argmax() + 1] = False
    begins[0] = True
    numbers = np.flatnonzero(begins)
    return lines[numbers], numbers + 1


def read_text_file(path: Path, encoding: str = "utf-8") -> str:
    """The decoded content of a file, without its byte-order mark.

    Raises:
        ActivationError: If it cannot be read, or not in this encoding; the message says at which byte.
    """
    return _decode(path, _read_bytes(path), encoding)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ActivationError(f"cannot read the text {path}: {error.strerror or error}") from error


def _read_codes(path: Path, encoding: str, newlines: str) -> list[Codes]:
    """The code points of a file, as `Corpus.read` has them, in pieces.

    They are decoded piece by piece: as one string, a text can take four bytes for each of its characters.
    """
    raw = _read_bytes(path)
    as_they_are = None if newlines == "lf" else ""  # for Python's `open`, None is: LF, whatever they are
    try:
        codecs.lookup(encoding)  # since "locale" is none, but a word of `open`
        with io.TextIOWrapper(io.BytesIO(raw), encoding, newline=as_they_are) as file:
            first = file.read(_CHUNK).removeprefix("\ufeff")
            pieces = itertools.chain([first], iter(partial(file.read, _CHUNK), ""))
            return [narrowest(text_to_codes(piece)) for piece in pieces]
    except (
        LookupError,
        UnicodeError,
    ):  # in one piece it may be right, or else the message says at which byte it is not
        text = _decode(path, raw, encoding)
        return _cut(text.replace("\r\n", "\n").replace("\r", "\n") if newlines == "lf" else text)


def _cut(text: str) -> list[Codes]:
    """The code points of a string, in pieces."""
    return [narrowest(text_to_codes(text[start : start + _CHUNK])) for start in range(0, len(text), _CHUNK)]


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


def text_to_codes(text: str) -> NDArray[np.uint32]:
    """(n_chars,) code points of a string; lone surrogates are kept as they are."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint32, copy=False)


def narrowest(codes: NDArray[Any]) -> Codes:
    """Code points in the narrowest number type that holds them all: uint8, uint16 or uint32."""
    dtype = np.min_scalar_type(codes.max(initial=0))
    return codes.astype(dtype, copy=False)


def concatenate_codes(pieces: list[Codes]) -> Codes:
    """Code points that come in pieces as one array, as wide as the widest; the list is emptied, to free its memory."""
    if len(pieces) == 1:
        return pieces.pop()
    codes = np.empty(sum(map(len, pieces)), np.result_type(np.uint8, *pieces))
    stop = len(codes)
    while pieces:  # the last first
        piece = pieces.pop()
        codes[stop - len(piece) : stop] = piece
        stop -= len(piece)
    return codes


def codes_to_text(codes: Codes) -> str:
    """The string that has these code points."""
    return np.ascontiguousarray(codes, "<u4").tobytes().decode("utf-32-le", "surrogatepass")
