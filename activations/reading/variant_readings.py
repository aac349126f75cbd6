"""Many variants of a model read one text side by side, and their losses are compared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from activations.predictions import LOG_PROB
from activations.progress import Advance, no_advance
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.units import Site
from activations.variants import VariantChange

_BATCH_CHARS = 1 << 25  # of all variants of a batch together: 128 MiB of losses
_MOST_VARIANTS = 512  # of a batch
_FEWEST_LANES = 128
_EQUAL_LANES = 16  # in multiples of these, the lanes of all variants are rounded alike
_FEWEST_CHARS_OF_LANE = 2000


@dataclass(frozen=True, slots=True, eq=False)
class VariantBatch:
    """What some of the variants read.

    Attributes:
        first: The number of the first of these variants.
        losses: (n_variants, n_chars) float32, after each character of the text the loss of the next one, in nats; NaN
            at the end of a document.
        values: (n_variants, n_chars, n_units) float32 for each site that is wanted.
    """

    first: int
    losses: NDArray[np.float32]
    values: dict[Site, NDArray[np.float32]] = field(default_factory=dict)


def read_variants(
    live: LiveActivations,
    corpus: Corpus,
    changes: Sequence[VariantChange],
    n_variants: int,
    *,
    sites: Sequence[Site] = (),
    advance: Advance = no_advance,
) -> Iterator[VariantBatch]:
    """Let several variants of a model read a text, a batch of them at a time.

    Values and losses are computed in float32. Lanes of all variants are cut at the same characters and are rounded
    alike, so that a variant whose changes change nothing has exactly the losses of one without changes.

    Args:
        live: The model, and how it reads.
        corpus: The text; each document is read from a zero state.
        changes: The changes, in the order in which they act.
        n_variants: Number of variants.
        sites: The sites whose values are wanted, too.
        advance: Called with the number of characters that were read, of all variants together.
    """
    n_chars, n_units = len(corpus), sum(live.sites[site] for site in sites)
    size = max(1, min(_MOST_VARIANTS, _BATCH_CHARS // (n_chars * (1 + n_units)), n_variants))
    for first in range(0, n_variants, size):
        n_wanted = min(size, n_variants - first)
        n_read = -(-n_wanted // _EQUAL_LANES) * _EQUAL_LANES
        n_documents = n_read * len(corpus.documents)
        lanes_each = min(-(-_FEWEST_LANES // n_documents), max(1, n_chars // _FEWEST_CHARS_OF_LANE))
        reading = live.with_corpus(
            corpus.repeated(n_read),
            n_lanes=min(n_documents * lanes_each, _MOST_VARIANTS),
            interventions=[change.as_intervention(corpus.starts, n_chars, first, n_variants) for change in changes],
        )
        losses = np.empty(n_read * n_chars, np.float32)
        values = {site: np.empty((n_read * n_chars, live.sites[site]), np.float32) for site in sites}
        for block in reading.blocks(sites, predictions=(LOG_PROB,)):
            np.negative(block.predictions[LOG_PROB], out=losses[block.positions])
            for site, array in values.items():
                array[block.positions] = block.values[site]
            advance(block.n_chars)
        yield VariantBatch(
            first,
            losses.reshape(n_read, n_chars)[:n_wanted],
            {site: array.reshape(n_read, n_chars, -1)[:n_wanted] for site, array in values.items()},
        )
