"""A source with one unit of another source alone, held in memory."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source, passage_from_blocks, thin_out
from activations.progress import Advance, Progress, no_advance, no_progress
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site, Unit
from analyses.errors import AnalysisError


class OneUnit:
    """A source with one unit alone, whose number is 0."""

    is_live = False

    def __init__(self, source: Source, unit: Unit, blocks: Iterable[Block] | None = None) -> None:
        """Read one unit of a source.

        Args:
            source: The source.
            unit: The unit.
            blocks: All blocks of the source with the site of the unit, if they are read for something else as well.

        Raises:
            AnalysisError: If there is no such unit.
        """
        n_units = source.sites.get(unit.site)
        if n_units is None:
            there = ", ".join(map(str, source.sites))
            raise AnalysisError(f"there is no site {unit.site} here; there are {there}")
        if unit.index >= n_units:
            raise AnalysisError(f"{unit.site} has {n_units} units, 0 to {n_units - 1}, and so no {unit.index}")
        self.corpus: Corpus = source.corpus
        self.selection: Selection = source.selection
        self.vocabulary: Vocabulary = source.vocabulary
        self.model_sha256 = source.model_sha256
        self.reading_rule: ReadingRule = source.reading_rule
        self.sites: Mapping[Site, int] = {unit.site: 1}
        self._dtype = source.dtype(unit.site)
        self._blocks = [
            replace(block, values={unit.site: block.values[unit.site][:, unit.index : unit.index + 1].copy()})
            for block in (source.blocks([unit.site]) if blocks is None else blocks)
        ]

    def values(self) -> NDArray[np.floating]:
        """(n_chars,) the unit at every character of the text, as it is recorded; NaN at those that are not used."""
        values = np.full(len(self.corpus), np.nan, self._dtype)
        for block in self._blocks:
            [of_unit] = block.values.values()
            values[block.positions] = of_unit[:, 0]
        return values

    def dtype(self, site: Site) -> np.dtype[Any]:
        """Return the dtype of the activations; see `Source`, as for all that follows."""
        return self._dtype

    def blocks(self, sites: Collection[Site] | None = None, *, predictions: bool = False) -> Iterator[Block]:
        """Yield the blocks, which have every character once."""
        return iter(self._blocks)

    def read(self, sites: Collection[Site], start: int = 0, stop: int | None = None) -> dict[Site, NDArray[Any]]:
        """Return activations at the characters of a passage."""
        return passage_from_blocks(self, self._blocks, sites, start, stop)

    def read_predictions(
        self, kinds: Collection[str] | None = None, start: int = 0, stop: int | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return none, since a unit predicts nothing."""
        return {}

    def sample(
        self, sites: Collection[Site], n_chars: int, advance: Advance = no_advance
    ) -> dict[Site, NDArray[np.float32]]:
        """Return activations at about `n_chars` characters from all over the text."""
        return thin_out(self, sites, n_chars, advance)

    @contextmanager
    def rereadable(self, sites: Collection[Site], progress: Progress = no_progress) -> Iterator["OneUnit"]:
        """Yield this source, which can be read as often as needed."""
        yield self
