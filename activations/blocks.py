"""Blocks of activations, and the sources that give them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from activations.progress import Advance, Progress, no_advance
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """The activations at a run of characters: a part of one document, or several whole documents.

    Row *t* is the state after reading character `start + t * every` of the corpus.

    Attributes:
        start: Position of the first character in the corpus.
        values: (n_chars, n_units) for each site, read-only, in the dtype of a recording.
        predictions: (n_chars,) or (n_chars, n) for each kind of prediction, read-only; see `activations.predictions`.
            Empty unless predictions were asked for.
        every: Characters from each row to the next; 1 unless the source gives only some.
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
        """Number of characters in the block."""
        return len(next(iter((*self.values.values(), *self.predictions.values()))))

    @property
    def stop(self) -> int:
        """One past the position of the last character in the corpus."""
        return self.start + (self.n_chars - 1) * self.every + 1

    @property
    def positions(self) -> slice:
        """The positions of the characters in the corpus."""
        return slice(self.start, self.stop, self.every)


class Source(Protocol):
    """Whatever gives blocks: a recording on disk, or a live model reading a text.

    A source always gives the same: analyses keep what they have computed of it as long as it is in use.
    """

    @property
    def corpus(self) -> Corpus:
        """The text that the model read."""
        ...

    @property
    def vocabulary(self) -> Vocabulary:
        """The characters of the model that read the text."""
        ...

    @property
    def reading_rule(self) -> ReadingRule:
        """The rule by which the characters of the text become tokens."""
        ...

    @property
    def selection(self) -> Selection:
        """The characters whose activations the source gives."""
        ...

    @property
    def sites(self) -> Mapping[Site, int]:
        """The sites that the source can give, and the number of units of each."""
        ...

    @property
    def is_live(self) -> bool:
        """Are activations computed anew each time they are read?"""
        ...

    @property
    def model_sha256(self) -> str:
        """Hash of the model that read the text, in hexadecimal."""
        ...

    def dtype(self, site: Site) -> np.dtype[Any]:
        """Return the dtype of a site's activations."""
        ...

    def blocks(self, sites: Collection[Site] | None = None, *, predictions: bool = False) -> Iterator[Block]:
        """Give every character of the selection once, in blocks, in any order.

        Args:
            sites: The sites to give; None is all.
            predictions: Whether to give the model's predictions, too, if there are any.
        """
        ...

    def read(self, sites: Collection[Site], start: int = 0, stop: int | None = None) -> dict[Site, NDArray[Any]]:
        """Return (n_chars, n_units) activations of sites at the selected characters of a passage, read-only.

        They are those of `blocks`; from a live source, up to the rounding of its matrix products.

        Args:
            sites: The sites to give.
            start: Position of the first character of the passage in the corpus.
            stop: One past the position of the last; None is the end. Characters outside the selection are left out.

        Raises:
            ActivationError: If there is no such site.
        """
        ...

    def read_predictions(
        self, kinds: Collection[str] | None = None, start: int = 0, stop: int | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return the model's predictions after the selected characters of a passage, read-only.

        They are those of `blocks`; from a live source, up to the rounding of its matrix products.

        Args:
            kinds: The kinds to give, see `activations.predictions`; those that the source lacks are left out. None is
                all.
            start: Position of the first character of the passage in the corpus.
            stop: One past the position of the last; None is the end. Characters outside the selection are left out.

        Returns:
            (n_chars,) or (n_chars, n) of each kind; empty if the source has no predictions.
        """
        ...

    def sample(self, sites: Collection[Site], n_chars: int, advance: Advance = ...) -> dict[Site, NDArray[np.float32]]:
        """Return (n_sampled, n_units) activations of sites at about `n_chars` characters from all over the text.

        Args:
            sites: The sites to give.
            n_chars: Number of characters wanted; there may be fewer in the text, and up to twice as many are given.
            advance: Called with the number of characters read, each time some were.
        """
        ...

    def rereadable(self, sites: Collection[Site], progress: Progress = ...) -> AbstractContextManager["Source"]:
        """Give the same activations of some sites from where they can be read many times without computing them anew.

        Args:
            sites: The sites that will be read.
            progress: Called with the characters done and their number, if they have to be computed first.
        """
        ...


def thin_out(
    source: Source, sites: Collection[Site], n_chars: int, advance: Advance = no_advance
) -> dict[Site, NDArray[np.float32]]:
    """Sample every k-th character of a source whose characters can all be read; see `Source.sample`."""
    parts_by_site: dict[Site, list[NDArray[np.float32]]] = {site: [] for site in sites}
    every = max(1, source.selection.n_chars // n_chars)
    for block in source.blocks(sites):
        rows = slice(-source.selection.row(block.start) % every, None, every)
        for site, parts in parts_by_site.items():
            parts.append(block.values[site][rows].astype(np.float32))
        advance(block.n_chars)
    return {site: np.concatenate(parts) for site, parts in parts_by_site.items()}


def passage_from_blocks(
    source: Source, blocks: Iterable[Block], sites: Collection[Site], start: int = 0, stop: int | None = None
) -> dict[Site, NDArray[Any]]:
    """Assemble what `Source.read` returns from blocks that cover the passage, in any order.

    Args:
        source: The source of the blocks.
        blocks: Blocks that may reach beyond the passage.
        sites: The sites to give.
        start: Position of the first character of the passage in the corpus.
        stop: One past the position of the last; None is the end.
    """
    part = source.selection.part(start, stop)
    values_by_site = {site: np.empty((part.n_chars, source.sites[site]), source.dtype(site)) for site in sites}
    for block in blocks:
        rows, rows_of_block = _shared_rows(source.selection, part, block)
        for site, values in values_by_site.items():
            values[rows] = block.values[site][rows_of_block]
    for values in values_by_site.values():
        values.flags.writeable = False
    return values_by_site


def predictions_from_blocks(
    source: Source,
    blocks: Iterable[Block],
    fields: Mapping[str, tuple[np.dtype[Any], int | None]],
    start: int = 0,
    stop: int | None = None,
) -> dict[str, NDArray[Any]]:
    """Assemble what `Source.read_predictions` returns from blocks that cover the passage, in any order.

    Args:
        source: The source of the blocks.
        blocks: Blocks that may reach beyond the passage, and may have other predictions, too.
        fields: The dtype and the width of each kind of prediction to give; see `predictions.prediction_fields`.
        start: Position of the first character of the passage in the corpus.
        stop: One past the position of the last; None is the end.
    """
    part = source.selection.part(start, stop)
    by_kind = {
        kind: np.empty((part.n_chars,) if width is None else (part.n_chars, width), dtype)
        for kind, (dtype, width) in fields.items()
    }
    for block in blocks:
        rows, rows_of_block = _shared_rows(source.selection, part, block)
        for kind, predictions in by_kind.items():
            predictions[rows] = block.predictions[kind][rows_of_block]
    for predictions in by_kind.values():
        predictions.flags.writeable = False
    return by_kind


def _shared_rows(selection: Selection, part: Selection, block: Block) -> tuple[slice, slice]:
    """Return the rows of a part of a selection that a block has, and where they are in the block."""
    rows = slice(part.row(block.start), part.row(block.stop))
    first = selection.row(part.start) + rows.start - selection.row(block.start)
    return rows, slice(first, first + rows.stop - rows.start)
