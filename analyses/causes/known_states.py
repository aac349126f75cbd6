"""Known states: short passages that begin from the state that the model has at a place of a long text.

What a change at one character does is measured from there on, for many places side by side, without reading again what
is before them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.progress import Progress, counting, no_progress
from activations.texts.corpus import Corpus, Document
from activations.units import Site
from activations.variants import ModelSource, Restore, VariantChange
from analyses.errors import AnalysisError
from analyses.passages.passages import Passages

OFFSET = 1
"""The position of the character of a place in its passage: the first character brings the state before it."""
_EQUAL_VARIANTS = 16  # a source reads variants in multiples of these
_BATCH_FLOATS = 1 << 24  # of all variants of some places together: 64 MiB

Values = Mapping[Site, NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Characters of a text, and what the model's values are there.

    Attributes:
        corpus: The text.
        positions: (n_places,) int64 their positions in it.
        before: (n_places, n_units) for each carried site, the state after the character before.
        values: (n_places, n_units) for each site that is wanted, the values after the character itself.
    """

    corpus: Corpus
    positions: NDArray[np.int64]
    before: Values
    values: Values

    def __len__(self) -> int:
        return len(self.positions)


@dataclass(frozen=True, slots=True, eq=False)
class PlaceBatch:
    """Values and losses of some variants from some places on.

    Attributes:
        places: The indices of the places.
        variants: The numbers of the variants, counted from 0 for the first one with changes.
        unchanged: (n_places, n_steps) the loss after the character of the place and after those that follow it, without
            changes, in nats.
        losses: (n_variants, n_places, n_steps) the same for each variant.
        values: (1 + n_variants, n_places, n_steps, n_units) for each site that is wanted; the first without changes.
    """

    places: slice
    variants: slice
    unchanged: NDArray[np.float32]
    losses: NDArray[np.float32]
    values: Values


def check_forwards(live: ModelSource, what: str) -> None:
    """Refuse a model that reads backwards, or one that reads characters as several tokens.

    Args:
        live: The model, and how it reads.
        what: What is asked for, as the subject of a sentence.

    Raises:
        AnalysisError: If it is one.
    """
    if live.reading_rule.backwards:
        raise AnalysisError(
            f"{what} follows a text from one character to the next, and this model reads backwards; give it the text "
            "reversed, or use a model that reads forwards"
        )
    if live.reading_rule.read_as == "bytes":
        raise AnalysisError(
            f"{what} changes the state at one character, and this model reads some characters as several bytes; use a "
            "model that reads characters"
        )


def check_sizes(**sizes: int) -> None:
    """Refuse numbers of characters or places below 1.

    Raises:
        AnalysisError: If one is.
    """
    for name, size in sizes.items():
        if size < 1:
            raise AnalysisError(f"{name} is {size}; it is a whole number from 1 up")


def rows_with_context(live: ModelSource, passages: Passages, n_after: int) -> NDArray[np.bool_]:
    """(n_chars,) whether a character of some passages is counted, has a character before it and `n_after` after it.

    Args:
        live: The model and the whole text.
        passages: The passages, which have to have the character before, and not those after.
        n_after: Number of characters wanted after it in its document of the whole text.
    """
    corpus, positions = live.corpus, passages.positions
    stops = corpus.stops[np.searchsorted(corpus.starts, positions, side="right") - 1]
    is_first = np.zeros(len(positions), bool)
    is_first[passages.corpus.starts] = True
    return passages.is_counted & ~is_first & (positions + n_after < stops)


def read_places(
    live: ModelSource,
    corpus: Corpus,
    passages: Passages,
    rows: NDArray[np.int64],
    sites: Sequence[Site],
    progress: Progress = no_progress,
) -> Places:
    """Read some passages without changes, and keep the states at some of their characters.

    Args:
        live: The model, and how it reads.
        corpus: The whole text.
        passages: Passages of it.
        rows: (n_places,) which of the characters of the passages; none is the first of its passage.
        sites: The sites whose values after these characters are wanted, beside the carried ones.
        progress: Called with the characters read and their number.
    """
    wanted = list(dict.fromkeys([*live.carried, *sites]))
    both = values_at(live, passages.corpus, np.concatenate([rows - 1, rows]), wanted, progress)
    before = {site: both[site][: len(rows)] for site in live.carried}
    values = {site: both[site][len(rows) :] for site in wanted}
    return Places(corpus, passages.positions[rows], before, values)


def values_at(
    live: ModelSource,
    corpus: Corpus,
    rows: NDArray[np.int64],
    sites: Sequence[Site],
    progress: Progress = no_progress,
) -> dict[Site, NDArray[np.float32]]:
    """(n_rows, n_units) for each site, its values at some characters of a text, each from reading the whole text.

    Args:
        live: The model, and how it reads.
        corpus: The text.
        rows: (n_rows,) positions of the characters.
        sites: The sites.
        progress: Called with the characters read and their number.
    """
    advance = counting(progress, len(corpus))
    values = {site: np.empty((len(rows), live.sites[site]), np.float32) for site in sites}
    for block in live.with_corpus(corpus).blocks(sites):
        chosen = np.flatnonzero((rows >= block.start) & (rows < block.stop))
        for site, array in values.items():
            array[chosen] = block.values[site][rows[chosen] - block.start]
        advance(block.n_chars)
    return values


def read_from_places(
    live: ModelSource,
    places: Places,
    changes: Callable[[slice], Sequence[VariantChange]],
    n_variants: int,
    n_steps: int,
    *,
    next_character: str | None = None,
    sites: Sequence[Site] = (),
    progress: Progress = no_progress,
) -> Iterator[PlaceBatch]:
    """Let variants of a model read on from some places, some places at a time.

    Args:
        live: The model, and how it reads.
        places: The places, with the states before them.
        changes: Returns the changes of all variants at some of the places. Their offset is `OFFSET`.
        n_variants: Number of variants.
        n_steps: Number of losses wanted: that after the place's character, and those after the characters that follow.
        next_character: A character that takes the place of the next one, so that the first loss is its own; there is no
            more than this loss then.
        sites: The sites whose values are wanted.
        progress: Called with the characters read, by all variants together, and their number.
    """
    n_read = -(-(1 + n_variants) // _EQUAL_VARIANTS) * _EQUAL_VARIANTS
    n_units = sum(live.sites[site] for site in sites)
    n_together = max(1, _BATCH_FLOATS // (n_read * (n_steps + 2) * (1 + n_units)))
    n_of_place = n_read * (n_steps + 2)
    n_all = len(places) * n_of_place
    for start in range(0, len(places), n_together):
        chosen = slice(start, min(start + n_together, len(places)))
        corpus = _passages_from(places, chosen, n_steps, next_character)
        restored = [Restore(site, state[chosen]) for site, state in places.before.items()]
        shape = (chosen.stop - chosen.start, n_steps + 2)
        steps = slice(OFFSET, OFFSET + n_steps)
        begun, ended = start * n_of_place, chosen.stop * n_of_place
        advance = counting(lambda done, _, begun=begun: progress(begun + done, n_all), ended - begun)
        acting = [*restored, *changes(chosen)]
        for batch in live.read_variants(corpus, acting, n_variants, sites=sites, advance=advance):
            n = len(batch.losses)
            yield PlaceBatch(
                chosen,
                slice(batch.first - 1, batch.first - 1 + n),
                batch.unchanged.reshape(shape)[:, steps],
                batch.losses.reshape(n, *shape)[:, :, steps],
                {site: array.reshape(1 + n, *shape, -1)[:, :, steps] for site, array in batch.values.items()},
            )
        progress(ended, n_all)


def _passages_from(places: Places, chosen: slice, n_steps: int, next_character: str | None) -> Corpus:
    """Make a document of each place: the character before it, its own, and those after it."""
    positions, length = places.positions[chosen], n_steps + 2
    if next_character is None:
        rows = positions[:, None] + np.arange(-OFFSET, length - OFFSET)
        codes = places.corpus.codes[rows]
    else:
        before = places.corpus.codes[positions[:, None] + np.arange(-OFFSET, 1)].astype(np.uint32)
        codes = np.column_stack([before, np.full(len(positions), ord(next_character), np.uint32)])
    documents = tuple(Document(f"place {n}", n * length, length) for n in range(len(positions)))
    return Corpus(codes.ravel(), documents)
