"""The text that a model reads: decoded characters, cut into documents."""

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError

NEWLINES = ("keep", "lf")


@dataclass(frozen=True, slots=True)
class Document:
    """One file of a corpus.

    Attributes:
        name: Where it came from, for people.
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


@dataclass(frozen=True, eq=False)
class Corpus:
    """Documents one after another.

    Attributes:
        codes: (n_chars,) uint32 Unicode code points, read-only.
        documents: In order and without holes, covering `codes`.
    """

    codes: NDArray[np.uint32]
    documents: tuple[Document, ...]

    def __post_init__(self) -> None:
        codes = self.codes.view()
        codes.flags.writeable = False
        object.__setattr__(self, "codes", codes)

    def __len__(self) -> int:
        return len(self.codes)

    @cached_property
    def sha256(self) -> str:
        """Hash of the characters and of where the documents begin, in hexadecimal."""
        digest = hashlib.sha256(np.ascontiguousarray(self.codes, "<u4").data)
        digest.update(np.array([document.start for document in self.documents], "<i8").tobytes())
        return digest.hexdigest()

    def text(self, start: int = 0, stop: int | None = None) -> str:
        """The characters from `start` up to `stop` as a string."""
        return codes_to_text(self.codes[start:stop])

    def cut(self, shares: Sequence[float]) -> "list[Corpus]":
        """Its parts one behind the other, such as for training, validation and test.

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
                if min(each.stop, stop) - max(each.start, start) > 1
            ]
            if not inside:
                raise ActivationError(
                    f"the text has only {len(self):,} characters, too few to hold out "
                    f"{min(shares):.0%} of them; use a longer one"
                )
            ends = np.cumsum([last - first for _, first, last in inside]).tolist()
            documents = [Document(name, end - (b - a), b - a) for (name, a, b), end in zip(inside, ends, strict=True)]
            contiguous = len(inside) == 1
            codes = [self.codes[first:last] for _, first, last in inside]
            parts.append(Corpus(codes[0] if contiguous else np.concatenate(codes), tuple(documents)))
        return parts

    @classmethod
    def from_texts(cls, texts: Iterable[str], names: Sequence[str] | None = None) -> "Corpus":
        """A corpus of strings, a document each.

        Raises:
            ActivationError: If a text is empty or has only one character (there is nothing to predict).
        """
        codes = [text_to_codes(text) for text in texts]
        if not codes:
            raise ActivationError("a corpus needs at least one text; none was given")
        labels = names or [f"text {n}" for n in range(len(codes))]
        documents = []
        start = 0
        for name, document in zip(labels, codes, strict=True):
            if len(document) < 2:
                found = "is empty" if len(document) == 0 else "has only one character"
                raise ActivationError(f"{name} {found}; a model needs at least two to predict one from the other")
            documents.append(Document(name, start, len(document)))
            start += len(document)
        return cls(codes[0] if len(codes) == 1 else np.concatenate(codes), tuple(documents))

    @classmethod
    def read(cls, *paths: Path | str, encoding: str = "utf-8", newlines: str = "keep") -> "Corpus":
        """Read text files, a document each.

        Args:
            paths: The files.
            encoding: Any that Python knows. A byte-order mark at the start is dropped.
            newlines: `keep` leaves line ends as they are; `lf` turns CRLF and lone CR into LF.

        Raises:
            ActivationError: If a file is missing, empty, one character long, or is not in this encoding.
        """
        if newlines not in NEWLINES:
            raise ActivationError(f"newlines are {newlines!r}; choose one of {', '.join(NEWLINES)}")
        texts = (read_text(Path(path), encoding) for path in paths)  # of which only one is a string at a time
        if newlines == "lf":
            texts = (text.replace("\r\n", "\n").replace("\r", "\n") for text in texts)
        return cls.from_texts(texts, [str(path) for path in paths])


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """The decoded content of a file, without its byte-order mark.

    Raises:
        ActivationError: If it cannot be read, or not in this encoding; the message says at which byte.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ActivationError(f"cannot read the text {path}: {error.strerror or error}") from error
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


def codes_to_text(codes: NDArray[np.uint32]) -> str:
    """The string that has these code points."""
    return np.ascontiguousarray(codes, "<u4").tobytes().decode("utf-32-le", "surrogatepass")
