"""The text that a model reads: characters, cut into documents."""

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.texts.codes import CHUNK_CHARS, Codes, codes_in_pieces, codes_to_text, concatenate_codes
from activations.texts.text_files import read_codes
from activations.texts.text_streams import text_name

NEWLINES = ("keep", "lf")
DOCUMENTS = ("files", "lines", "blank-lines")
MANY_DOCUMENTS = 4
"""From this number of short documents in a row on, they are read together: the work for each would take longest."""

_DECODED_CHARS = 1 << 14
_NEWLINE, _RETURN = ord("\n"), ord("\r")
_SPACES = (ord(" "), ord("\t"), _RETURN)  # that a blank line may have
_LINE_NUMBER = re.compile(r":\d+$")


@dataclass(frozen=True, slots=True)
class Document:
    """A file of a corpus, or a part of a file that stands by itself: a model begins it from a zero state.

    Attributes:
        name: Where it comes from, for people: a file, or a file and the number of a line, such as `names.txt:17`.
        start: Position of its first character in the corpus.
        n_chars: Its length in characters.
    """

    name: str
    start: int
    n_chars: int

    @property
    def stop(self) -> int:
        """One past the position of its last character in the corpus."""
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
    """A text: documents one after another.

    Attributes:
        codes: (n_chars,) Unicode code points, read-only: uint8, uint16 or uint32. For a text that was read from files,
            the narrowest dtype that holds them all.
        documents: The documents in order; they cover `codes` without gaps.
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
        """Return where documents begin from `start` up to `stop`."""
        first, last = np.searchsorted(self.starts, [start, stop])
        return self.starts[first:last]

    def line_of(self, position: int) -> tuple[str, int]:
        """Return the name of the file that a character is in, and the number of its line there, counted from 1."""
        document = self.documents[int(np.searchsorted(self.starts, position, side="right")) - 1]
        number = _LINE_NUMBER.search(document.name)
        first_line = int(number[0][1:]) if number else 1
        return document.file_name, first_line + int(np.count_nonzero(self.codes[document.start : position] == _NEWLINE))

    def place(self, position: int) -> str:
        """Return where a character is, for people, such as `character 5,000, line 17 of a.txt`."""
        name, line = self.line_of(position)
        return f"character {position:,}, line {line:,} of {name}"

    def is_last(self, positions: slice) -> NDArray[np.bool_]:
        """(n,) whether the characters at some positions are the last of their documents, which nothing follows."""
        is_last = np.zeros(len(range(positions.start, positions.stop, positions.step)), bool)
        first, last = np.searchsorted(self.stops, [positions.start + 1, positions.stop + 1])
        rows, remainders = np.divmod(self.stops[first:last] - 1 - positions.start, positions.step)
        is_last[rows[remainders == 0]] = True
        return is_last

    def is_first(self, positions: slice) -> NDArray[np.bool_]:
        """(n,) whether the characters at some positions are the first of their documents."""
        is_first = np.zeros(len(range(positions.start, positions.stop, positions.step)), bool)
        starts = self.starts_within(positions.start, positions.stop)
        rows, remainders = np.divmod(starts - positions.start, positions.step)
        is_first[rows[remainders == 0]] = True
        return is_first

    @cached_property
    def sha256(self) -> str:
        """Hash of the characters and of where the documents begin, in hexadecimal."""
        return corpus_sha256(self)

    def text(self, start: int = 0, stop: int | None = None) -> str:
        """Return the characters from `start` up to `stop` as a string."""
        return codes_to_text(self.codes[start:stop])

    def mirrored(self) -> "Corpus":
        """Return the text from its last character to its first, and its documents in this order."""
        documents = [Document(d.name, len(self) - d.stop, d.n_chars) for d in reversed(self.documents)]
        return Corpus(self.codes[::-1], tuple(documents))

    def only(self, is_chosen: Sequence[bool]) -> "Corpus":
        """Return a corpus of some of the documents.

        Args:
            is_chosen: (n_documents,) whether each document is among them; at least one has to be.
        """
        chosen = list(itertools.compress(self.documents, is_chosen))
        starts = itertools.accumulate((document.n_chars for document in chosen[:-1]), initial=0)
        codes = concatenate_codes([self.codes[document.start : document.stop] for document in chosen])
        documents = [Document(d.name, start, d.n_chars) for d, start in zip(chosen, starts, strict=True)]
        return Corpus(codes, tuple(documents))

    def parts(self, starts: Sequence[int], stops: Sequence[int]) -> "Corpus":
        """Return a corpus of parts of the text, a document each.

        Args:
            starts: (n_parts,) where each part begins, at least one.
            stops: (n_parts,) one past where each ends, within the same document.
        """
        ends = list(itertools.accumulate(stop - start for start, stop in zip(starts, stops, strict=True)))
        numbers = np.searchsorted(self.starts, starts, side="right") - 1
        names = [self.documents[number].name for number in numbers.tolist()]
        lengths = np.diff(ends, prepend=0).tolist()
        documents = (Document(name, end - n, n) for name, end, n in zip(names, ends, lengths, strict=True))
        codes = [self.codes[start:stop] for start, stop in zip(starts, stops, strict=True)]
        return Corpus(concatenate_codes(codes), tuple(documents))

    def repeated(self, n: int) -> "Corpus":
        """Return a corpus of the same documents `n` times, one time after another."""
        return self.parts(np.tile(self.starts, n).tolist(), np.tile(self.stops, n).tolist())

    def runs(self, n_chars: int) -> Iterator[slice]:
        """Give the documents by their indices, as many at a time as have at most `n_chars` characters, or one."""
        first = 0
        while first < len(self.documents):
            last = int(np.searchsorted(self.stops, self.starts[first] + n_chars, side="right"))
            yield slice(first, max(first + 1, last))
            first = max(first + 1, last)

    def texts(self) -> Iterator[str]:
        """Give the text of each document, one after another; short documents are decoded together."""
        for run in self.runs(_DECODED_CHARS):
            start, borders = int(self.starts[run.start]), [*self.starts[run].tolist(), int(self.stops[run][-1])]
            text = self.text(start, borders[-1])
            yield from (text[begin - start : end - start] for begin, end in itertools.pairwise(borders))

    def cut(self, shares: Sequence[float]) -> "list[Corpus]":
        """Cut the text into parts, one after another, such as for training, validation and test.

        If a cut document leaves a part of a single character, this is left out: there is nothing to predict in it.

        Args:
            shares: The share of the characters in each part, above 0; they add up to 1.

        Raises:
            ActivationError: If a share is out of range, or a part would have fewer than two characters.
        """
        if not all(share > 0 for share in shares) or abs(sum(shares) - 1) > 1e-9:
            raise ActivationError(f"the shares {', '.join(map(str, shares))} must be above 0 and add up to 1")
        borders = [round(len(self) * sum(shares[:n])) for n in range(len(shares) + 1)]
        parts = []
        for start, stop in itertools.pairwise(borders):
            inside = [
                (d.name, max(d.start, start), min(d.stop, stop))
                for d in self.documents
                if min(d.stop, stop) - max(d.start, start) >= min(2, d.n_chars)
            ]
            if not any(last - first > 1 for _, first, last in inside):
                raise ActivationError(
                    f"the text has only {len(self):,} characters, too few to hold out "
                    f"{min(shares):.0%} of them; use a longer one"
                )
            ends = np.cumsum([last - first for _, first, last in inside]).tolist()
            documents = [Document(name, end - (b - a), b - a) for (name, a, b), end in zip(inside, ends, strict=True)]
            codes = self.codes[inside[0][1] : inside[-1][2]]
            if len(codes) != ends[-1]:
                codes = np.concatenate([self.codes[first:last] for _, first, last in inside])
            parts.append(Corpus(codes, tuple(documents)))
        return parts

    @classmethod
    def from_texts(cls, texts: Iterable[str], names: Sequence[str] | None = None) -> "Corpus":
        """Make a corpus of strings, a document each.

        Raises:
            ActivationError: If a text is empty or has only one character (there is nothing to predict).
        """
        return cls._from_pieces(map(codes_in_pieces, texts), names)

    @classmethod
    def read(
        cls,
        *paths: Path | str,
        encoding: str = "utf-8",
        newlines: str = "keep",
        documents: str = "files",
        chunk_chars: int = CHUNK_CHARS,
    ) -> "Corpus":
        """Read text files into one corpus.

        Every character of a file is part of a document. A line's end belongs to the line, and an empty or blank line
        to the document before it, or to the first one; the last line may lack its end. Lines end with LF: where they
        end with CR alone, `newlines` has to be `lf`.

        Args:
            paths: The files, which gzip, zstd, bzip2 or xz may have compressed; pipes; or `-` for standard input, once.
            encoding: Any encoding that Python knows. A byte-order mark at the start is dropped.
            newlines: `keep` leaves line ends as they are; `lf` turns CRLF and lone CR into LF.
            documents: What a document is: `files`; `lines`, each line that is not empty; or `blank-lines`, each
                paragraph between lines that have nothing but spaces and tabs.
            chunk_chars: Characters to decode at one time.

        Raises:
            ActivationError: If a file is missing, empty, one character long, no text, or is not in this encoding.
        """
        if newlines not in NEWLINES:
            raise ActivationError(f"newlines are {newlines!r}; choose one of {', '.join(NEWLINES)}")
        if documents not in DOCUMENTS:
            raise ActivationError(f"documents are {documents!r}; choose one of {', '.join(DOCUMENTS)}")
        texts = (read_codes(Path(path), encoding, newlines, chunk_chars) for path in paths)
        files = cls._from_pieces(texts, [text_name(path) for path in paths])
        return files if documents == "files" else files.split(blank_lines=documents == "blank-lines")

    def split(self, *, blank_lines: bool) -> "Corpus":
        """Make a document of each line that is not empty, or of each paragraph between blank lines."""
        documents: list[Document] = []
        for file in self.documents:
            starts, numbers = _document_starts(self.codes[file.start : file.stop], blank_lines=blank_lines)
            lengths = np.diff(starts, append=file.n_chars)
            documents += [
                Document(f"{file.name}:{number}", file.start + start, length)
                for number, start, length in zip(numbers.tolist(), starts.tolist(), lengths.tolist(), strict=True)
            ]
        if all(document.n_chars < 2 for document in documents):
            raise ActivationError(
                "every document has only one character; a model needs at least two characters to predict one from "
                "the other"
            )
        return Corpus(self.codes, tuple(documents))

    @classmethod
    def _from_pieces(cls, texts: Iterable[list[Codes]], names: Sequence[str] | None) -> "Corpus":
        """Make a corpus of texts whose code points are in pieces."""
        pieces: list[Codes] = []
        lengths: list[int] = []
        for of_text in texts:
            lengths.append(sum(map(len, of_text)))
            pieces += of_text
        if not lengths:
            raise ActivationError("a corpus needs at least one text; none was given")
        labels = names or [f"text {n}" for n in range(len(lengths))]
        documents = []
        start = 0
        for name, n_chars in zip(labels, lengths, strict=True):
            if n_chars < 2:
                problem = "is empty" if n_chars == 0 else "has only one character"
                raise ActivationError(
                    f"{name} {problem}; a model needs at least two characters to predict one from the other"
                )
            documents.append(Document(name, start, n_chars))
            start += n_chars
        return cls(concatenate_codes(pieces), tuple(documents))


def corpus_sha256(corpus: Corpus, chunk_chars: int = CHUNK_CHARS) -> str:
    """Return a hash of the characters and of where the documents begin, in hexadecimal, a chunk at a time."""
    digest = hashlib.sha256()
    for start in range(0, len(corpus), chunk_chars):
        digest.update(np.ascontiguousarray(corpus.codes[start : start + chunk_chars], "<u4").data)
    digest.update(corpus.starts.astype("<i8").tobytes())
    return digest.hexdigest()


def end_of_run(ends: NDArray[np.int64], start: int, limit: int) -> int:
    """Return where a run that is read at one time ends: with its document, or with the last of many whole documents.

    Args:
        ends: (n_documents,) one past the end of each document, in rows or in another unit.
        start: Where the run begins.
        limit: Where it ends at the latest.
    """
    first, n_fitting = np.searchsorted(ends, [start, limit], side="right").tolist()
    begins_document = start == (ends[first - 1] if first else 0)
    is_shared = begins_document and n_fitting - first >= MANY_DOCUMENTS
    return int(ends[n_fitting - 1]) if is_shared else min(int(ends[first]), limit)


def _document_starts(codes: Codes, *, blank_lines: bool) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find where documents begin in a file, see `Corpus.read`, and the numbers of these lines, counted from 1."""
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
