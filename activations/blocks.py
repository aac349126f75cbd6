"""Blocks, and what gives them: the one thing that flows through this program."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The activations at a run of characters: a part of one document, or several documents as a whole.

    Row *t* is the state after reading character `start + t * every` of the corpus.

    Attributes:
        start: Place of the first character in the corpus.
        values: For each site (n_chars, n_units), read-only, in the number type of a recording.
        predictions: For each kind of prediction a model made there, (n_chars,) or (n_chars, n_characters),
            read-only; see `activations.recordings.layout`. Empty unless asked for.
        every: From each row to the next, characters; 1 unless the source takes only some.
    """

    start: int
    values: Mapping[Site, NDArray[Any]]
    predictions: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    every: int = 1

    def __post_init__(self) -> None:
        for values in (*self.values.values(), *self.predictions.values()):
            values.flags.writeable = False

    @property
    def n_chars(self) -> int:
        """How many characters it has the activations of."""
        return len(next(iter((*self.values.values(), *self.predictions.values()))))

    @property
    def stop(self) -> int:
        """One past the place of its last character in the corpus."""
        return self.start + (self.n_chars - 1) * self.every + 1

    @property
    def places(self) -> slice:
        """The places of its characters in the corpus."""
        return slice(self.start, self.stop, self.every)


class Source(Protocol):
    """Whatever gives blocks: a recording on disk, or a live model reading a text.

    What it gives does not change: analyses keep what they have found out of a source as long as that is in use.
    """

    @property
    def corpus(self) -> Corpus:
        """The text."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """The characters of the model that read it."""
        ...

    @property
    def reading_rule(self) -> ReadingRule:
        """What the model reads in place of the text as it stands."""
        ...

    @property
    def selection(self) -> Selection:
        """The characters that it gives."""
        ...

    @property
    def sites(self) -> Mapping[Site, int]:
        """What can be asked for, and how many units each site has."""
        ...

    @property
    def is_live(self) -> bool:
        """Whether activations are computed anew each time they are read."""
        ...

    @property
    def model_sha256(self) -> str:
        """Hash of the model that read it, in hexadecimal."""
        ...

    def dtype(self, site: Site) -> np.dtype[Any]:
        """The number type of a site's activations."""
        ...

    def blocks(self, sites: Collection[Site] | None = None, *, predictions: bool = False) -> Iterator[Block]:
        """Every character of the selection once, in blocks, in no promised order.

        Args:
            sites: What to give of each character; None is all there is.
            predictions: Whether to give the model's predictions, too, if there are any.
        """
        ...

    def read(self, sites: Collection[Site], start: int = 0, stop: int | None = None) -> dict[Site, NDArray[Any]]:
        """(n_chars, n_units) activations of sites at the selected characters of a passage, read-only.

        They are those of `blocks`; from a live source, up to the rounding of its matrix products.

        Args:
            sites: What to give of each character.
            start: Place of the first character in the corpus.
            stop: One past the last; None is the end. What is not in the selection is left out.

        Raises:
            ActivationError: If there is no such site.
        """
        ...

    def sample(
        self, sites: Collection[Site], n_chars: int, forward: Callable[[int], None] = ...
    ) -> dict[Site, NDArray[np.float32]]:
        """(n_sampled, n_units) activations of sites at about so many characters from all over the text.

        Args:
            sites: What to give of each character.
            n_chars: How many characters are wanted; there may be fewer in the text, and up to twice as many are given.
            forward: Called with the characters that were read, each time some were.
        """
        ...

    def rereadable(
        self, sites: Collection[Site], progress: Callable[[int, int], None] = ...
    ) -> AbstractContextManager["Source"]:
        """The same activations of some sites where they can be read many times without computing them anew.

        Args:
            sites: What will be read.
            progress: Called with the characters done and their number, if they have to be computed first.
        """
        ...


def thin_out(
    source: Source, sites: Collection[Site], n_chars: int, forward: Callable[[int], None] = lambda n_chars: None
) -> dict[Site, NDArray[np.float32]]:
    """What `Source.sample` gives where every character can be read: one in so many."""
    sampled: dict[Site, list[NDArray[np.float32]]] = {site: [] for site in sites}
    every = max(1, source.selection.n_chars // n_chars)
    for block in source.blocks(sites):
        rows = slice(-source.selection.row(block.start) % every, None, every)
        for site, own in sampled.items():
            own.append(block.values[site][rows].astype(np.float32))
        forward(block.n_chars)
    return {site: np.concatenate(own) for site, own in sampled.items()}


def joined(
    source: Source, blocks: Iterable[Block], sites: Collection[Site], start: int = 0, stop: int | None = None
) -> dict[Site, NDArray[Any]]:
    """What `Source.read` gives, of blocks that have all of the passage, in any order.

    Args:
        source: What the blocks are from.
        blocks: They may have more than is asked for.
        sites: What to give of each character.
        start: Place of the first character in the corpus.
        stop: One past the last; None is the end.
    """
    part = source.selection.part(start, stop)
    values = {site: np.empty((part.n_chars, source.sites[site]), source.dtype(site)) for site in sites}
    for block in blocks:
        rows = slice(part.row(block.start), part.row(block.stop))  # those that it has of the passage
        first = source.selection.row(part.start) + rows.start - source.selection.row(block.start)
        for site, array in values.items():
            array[rows] = block.values[site][first : first + rows.stop - rows.start]
    for array in values.values():
        array.flags.writeable = False
    return values
