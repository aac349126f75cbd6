"""Windows: short parts of a text through which a model is differentiated, each with the characters before it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.progress import Advance, no_advance
from activations.texts.corpus import Corpus
from activations.units import Site
from activations.variants import ModelSource
from analyses.passages.character_sets import INSIDE, OUTSIDE, CharacterSets
from analyses.passages.passages import Passages, atom_starts
from analyses.targets.target import Target

HORIZON_CHARS = 128
_MOST_CHARS = 256  # of a window


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Parts of the counted characters of some passages, each within one atom and one part of the split.

    Attributes:
        corpus: A document for each window: the characters up to which the state is given, the horizon, the window, and
            a character that is only predicted.
        weights: (2, n_chars) float32, 1 at the characters of each window that are inside, and outside.
        state: (n_windows, n_units) the state after the first character of each document, for each carried site.
        atoms: (n_windows,) the atom of each.
        parts: (n_windows,) the part of the split of each.
        horizon: Number of characters that are read before each window, at least, unless its passage begins there.
    """

    corpus: Corpus
    weights: NDArray[np.float32]
    state: Mapping[Site, NDArray[np.float32]]
    atoms: NDArray[np.int64]
    parts: NDArray[np.int8]
    horizon: int

    @property
    def n(self) -> NDArray[np.float64]:
        """(n_windows, 2) number of characters inside and outside."""
        return np.add.reduceat(self.weights, self.corpus.starts, axis=1, dtype=np.float64).T


def cut_windows(
    live: ModelSource,
    target: Target,
    passages: Passages,
    sets: CharacterSets,
    horizon: int = HORIZON_CHARS,
    advance: Advance = no_advance,
) -> Windows:
    """Cut passages into windows, and read the states with which these begin.

    Args:
        live: The model, and how it reads.
        target: Labels and split of the whole text.
        passages: The passages.
        sets: The sets of characters in them.
        horizon: Number of characters that are read before each window; fewer at the beginning of a passage.
        advance: Called with the number of characters that were read.
    """
    corpus, rows = passages.corpus, np.flatnonzero(passages.is_counted)
    atoms = np.searchsorted(atom_starts(len(rows)), np.arange(len(rows)), side="right") - 1
    parts = np.asarray(target.split.parts_of(passages.positions[rows]))
    documents = np.searchsorted(corpus.starts, rows, side="right") - 1
    changes = np.flatnonzero((np.diff(atoms) != 0) | (np.diff(parts) != 0) | (np.diff(documents) != 0)) + 1
    firsts = _in_equal_pieces(np.append(0, changes), np.append(changes, len(rows)))
    lasts = np.append(firsts[1:], len(rows)) - 1
    backwards = live.reading_rule.backwards
    n_before, n_after = (1, horizon + 1) if backwards else (horizon + 1, 1)
    starts = np.maximum(rows[firsts] - n_before, corpus.starts[documents[firsts]])
    stops = np.minimum(rows[lasts] + 1 + n_after, corpus.stops[documents[firsts]])
    weights = np.zeros((2, int((stops - starts).sum())), np.float32)
    origins = np.cumsum(stops - starts) - (stops - starts)
    window = np.repeat(np.arange(len(firsts)), lasts + 1 - firsts)
    weights[:, origins[window] + rows - starts[window]] = sets.members[[INSIDE, OUTSIDE]]
    return Windows(
        corpus=corpus.parts(starts.tolist(), stops.tolist()),
        weights=weights,
        state=_states(live, corpus, stops - 1 if backwards else starts, advance),
        atoms=atoms[firsts],
        parts=parts[firsts],
        horizon=horizon,
    )


def _in_equal_pieces(starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where the pieces of some runs start, each run being cut into equal ones of at most 256."""
    n_pieces = -(-(stops - starts) // _MOST_CHARS)
    pieces = [
        start + np.arange(n) * (stop - start) // n for start, stop, n in zip(starts, stops, n_pieces, strict=True)
    ]
    return np.concatenate(pieces)


def _states(
    live: ModelSource, corpus: Corpus, wanted: NDArray[np.int64], advance: Advance
) -> dict[Site, NDArray[np.float32]]:
    """(n_wanted, n_units) values of each carried site after some characters."""
    states = {site: np.empty((len(wanted), live.sites[site]), np.float32) for site in live.carried}
    for block in live.with_corpus(corpus).blocks(live.carried):
        positions = np.arange(len(corpus))[block.positions]
        is_here = (wanted >= positions[0]) & (wanted <= positions[-1])
        for site, array in states.items():
            array[is_here] = block.values[site][wanted[is_here] - positions[0]]
        advance(block.n_chars)
    return states
