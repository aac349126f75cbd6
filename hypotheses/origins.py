"""Origins of texts: the document that a text is from, and the others that are labelled together with it."""

import itertools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple


class TextFile(NamedTuple):
    """A file whose documents are labelled: one for the whole file, or one for each of its lines or paragraphs.

    Attributes:
        name: Its name.
        documents: The numbers of its documents, in order.
        n_chars: Their length together.
    """

    name: str
    documents: range
    n_chars: int


@dataclass(eq=False)
class Documents:
    """The documents that are labelled together, and what is said about their labels.

    Attributes:
        names: The name of each, such as `names.txt:17`.
        file_names: The name of the file that each is from, such as `names.txt`.
        lengths: Their lengths in characters.
        notes: Sentences about where the labels come from.
        warnings: Sentences about what may be wrong with them.
        kept: What was made for all of them at once, so that a file is read once.
    """

    names: Sequence[str]
    file_names: Sequence[str]
    lengths: Sequence[int]
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    kept: dict[Hashable, Any] = field(default_factory=dict)

    @cached_property
    def starts(self) -> list[int]:
        """Where each begins among the characters of all, and the number of all characters."""
        return list(itertools.accumulate(self.lengths, initial=0))

    @cached_property
    def files(self) -> list[TextFile]:
        """The files that the documents are from, in order. A file that is there twice is there twice."""
        files = []
        first = 0
        for number in range(1, len(self.names) + 1):
            is_part = number < len(self.names) and self.names[number] != self.file_names[number]
            if not is_part or self.file_names[number] != self.file_names[first]:
                n_chars = self.starts[number] - self.starts[first]
                files.append(TextFile(self.file_names[first], range(first, number), n_chars))
                first = number
        return files

    @cached_property
    def file_numbers(self) -> list[int]:
        """The number of the file that each document is from."""
        return [number for number, file in enumerate(self.files) for _ in file.documents]


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of a text: its document among those that are labelled together, and where in it the text begins."""

    documents: Documents
    number: int = 0
    start: int = 0

    @classmethod
    def of_one_text(cls, n_chars: int, file_name: str = "", document: str = "") -> "Origin":
        """Return the origin of a text that is labelled by itself."""
        name = document or file_name
        return cls(Documents([name], [file_name or document], [n_chars]))

    @property
    def document(self) -> str:
        """The name of the document."""
        return self.documents.names[self.number]

    @property
    def file_name(self) -> str:
        """The name of the file that the document is from."""
        return self.documents.file_names[self.number]

    @property
    def file(self) -> TextFile:
        """The file that the document is from."""
        return self.documents.files[self.documents.file_numbers[self.number]]

    @property
    def start_in_file(self) -> int:
        """Where the text begins in the file, in characters."""
        starts = self.documents.starts
        return starts[self.number] - starts[self.file.documents.start] + self.start

    @property
    def start_in_all(self) -> int:
        """Where the text begins among the characters of all documents."""
        return self.documents.starts[self.number] + self.start
