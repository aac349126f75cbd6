"""Many variants of a model read one text side by side, as documents of one long text."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Protocol

import numpy as np

from activations.blocks import Block, Source
from activations.interventions import Intervention
from activations.predictions import LOG_PROB
from activations.progress import Advance, no_advance
from activations.reading.variant_changes import as_intervention
from activations.site_names import AnySites
from activations.texts.corpus import Corpus
from activations.units import Site
from activations.variants import VariantBatch, VariantChange

_BATCH_CHARS = 1 << 25  # of all variants of a batch together: 128 MiB of losses
_MOST_VARIANTS = 512  # of a batch
_FEWEST_LANES = 128
_EQUAL_LANES = 16  # in multiples of these, the lanes of all variants are rounded alike
_FEWEST_CHARS_OF_LANE = 2000


class _Reader(Source, Protocol):
    """A source whose model can read another text with interventions."""

    def with_corpus(
        self, corpus: Corpus, *, n_lanes: int | None = None, interventions: Iterable[Intervention] = ()
    ) -> "_Reader": ...

    def blocks(
        self, sites: AnySites | None = None, *, predictions: bool | Collection[str] = False
    ) -> Iterator[Block]: ...


def read_variants(
    live: _Reader,
    corpus: Corpus,
    changes: Sequence[VariantChange],
    n_variants: int,
    *,
    sites: Sequence[Site] = (),
    advance: Advance = no_advance,
) -> Iterator[VariantBatch]:
    """Let several variants of a model read a text; see `ModelSource.read_variants`."""
    n_chars, n_units = len(corpus), sum(live.sites[site] for site in sites)
    size = max(1, min(_MOST_VARIANTS - 1, _BATCH_CHARS // (n_chars * (1 + n_units)), n_variants))
    for first in range(1, n_variants + 1, size):
        numbers = [0, *range(first, min(first + size, n_variants + 1))]
        n_read = -(-len(numbers) // _EQUAL_LANES) * _EQUAL_LANES
        n_documents = n_read * len(corpus.documents)
        lanes_each = min(-(-_FEWEST_LANES // n_documents), max(1, n_chars // _FEWEST_CHARS_OF_LANE))
        padded = numbers + [0] * (n_read - len(numbers))
        reading = live.with_corpus(
            corpus.repeated(n_read),
            n_lanes=min(n_documents * lanes_each, _MOST_VARIANTS),
            interventions=[as_intervention(change, corpus.starts, n_chars, padded) for change in changes],
        )
        losses = np.empty(n_read * n_chars, np.float32)
        values = {site: np.empty((n_read * n_chars, live.sites[site]), np.float32) for site in sites}
        for block in reading.blocks(sites, predictions=(LOG_PROB,)):
            np.negative(block.predictions[LOG_PROB], out=losses[block.positions])
            for site, array in values.items():
                array[block.positions] = block.values[site]
            advance(block.n_chars)
        by_variant = losses.reshape(n_read, n_chars)[: len(numbers)]
        yield VariantBatch(
            first,
            by_variant[0],
            by_variant[1:],
            {site: array.reshape(n_read, n_chars, -1)[: len(numbers)] for site, array in values.items()},
        )
