"""Recordings whose values a test gives, for the explorer."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block
from activations.recordings.format.codings import CODINGS
from activations.recordings.format.grid import Grid
from activations.recordings.format.layout import SiteFacts
from activations.recordings.recorder import new_recording
from activations.texts.corpus import Corpus
from activations.texts.lanes import BLOCK_CHARS
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site


def write_recording(
    path: Path,
    values: Mapping[str, NDArray[np.floating]],
    texts: Sequence[str],
    *,
    selection: Selection | None = None,
    codings: Mapping[str, str] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
) -> Path:
    """Record (n_rows, n_units) values of sites, in their own number type or in a coding, at the selected characters."""
    corpus = Corpus.from_texts(list(texts), [f"{number}.txt" for number in range(len(texts))])
    selection = selection or Selection.of(len(corpus))
    names = {site: (codings or {}).get(site, array.dtype.name) for site, array in values.items()}
    layout = {
        Site(site): SiteFacts(array.shape[1], CODINGS[names[site]], (ranges or {}).get(site))
        for site, array in values.items()
    }
    grid = Grid(corpus.documents, selection, BLOCK_CHARS)
    with new_recording(path, corpus, Vocabulary.of(texts), layout, predictions=False, selection=selection) as recorder:
        for first, last in zip(grid.first_rows.tolist(), grid.last_rows.tolist(), strict=True):
            block = {Site(site): array[first:last].copy() for site, array in values.items()}
            recorder.write(Block(selection.start + first * selection.every, block, every=selection.every))
    return path
