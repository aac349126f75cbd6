"""Pairs of characters, one where a hypothesis holds and one where it does not, before which the text is the same."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.texts.corpus import Corpus

MOST_COMMON = 16
"""The longest common context that is counted, in characters; longer ones are not preferred."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of characters that end the same text, one inside and one outside.

    Attributes:
        inside: (n_pairs,) ascending indices of the first of each pair, where the hypothesis holds.
        outside: (n_pairs,) those of the second, where it does not; each is used once.
        n_common: (n_pairs,) how many characters up to and including these are the same, from 1 to `MOST_COMMON`.
    """

    inside: NDArray[np.int64]
    outside: NDArray[np.int64]
    n_common: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.inside)


def matched_pairs(
    corpus: Corpus, positions: NDArray[np.int64], is_inside: NDArray[np.bool_], n_pairs: int, rng: np.random.Generator
) -> Pairs:
    """Pair characters inside with characters outside that end the same text, the longer the better.

    The characters inside are spread over the text: they are cut into `n_pairs` neighbouring groups, and from each comes
    the one with the longest common text, drawn among equals.

    Args:
        corpus: The text.
        positions: (n,) ascending positions of characters in it.
        is_inside: (n,) whether the hypothesis holds there.
        n_pairs: Number of pairs wanted; there are fewer if too few end with the same character.
        rng: Draws among equals.

    Returns:
        Pairs of indices into `positions`.
    """
    contexts = _contexts(corpus, positions, is_inside)
    shuffled = rng.permutation(len(positions))
    order = shuffled[np.lexsort(contexts[shuffled, ::-1].T)]  # neighbours have the longest common contexts
    contexts, is_outside = contexts[order], ~is_inside[order]
    places = np.arange(len(order))
    before = np.maximum.accumulate(np.where(is_outside, places, -1))
    after = np.minimum.accumulate(np.where(is_outside, places, len(order))[::-1])[::-1]
    longest = np.maximum(_n_common(contexts, places, before), _n_common(contexts, places, after))
    place_of = np.empty(len(order), np.int64)
    place_of[order] = places
    inside = np.flatnonzero(is_inside)
    groups = np.array_split(inside, min(n_pairs, len(inside))) if len(inside) else []
    rows = []
    used: set[int] = set()
    for group in groups:
        chosen = group[np.argmax(longest[place_of[group]] + rng.random(len(group)))]
        index = int(place_of[chosen])
        partners = _unused(before, index, -1, used), _unused(after, index, 1, used)
        lengths = _n_common(contexts, np.array([index, index]), np.array(partners))
        best = int(np.argmax(lengths))
        if lengths[best]:
            used.add(partners[best])
            rows.append((int(chosen), int(order[partners[best]]), int(lengths[best])))
    array = np.array(rows, np.int64).reshape(-1, 3)
    return Pairs(array[:, 0], array[:, 1], array[:, 2])


def _contexts(corpus: Corpus, positions: NDArray[np.int64], is_inside: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(n, MOST_COMMON) the code points up to each character, the last one first; nothing equals what is missing."""
    starts = corpus.starts[np.searchsorted(corpus.starts, positions, side="right") - 1]
    rows = positions[:, None] - np.arange(MOST_COMMON)
    missing = np.where(is_inside, -1, -2)[:, None]
    return np.where(rows >= starts[:, None], corpus.codes[np.maximum(rows, 0)].astype(np.int64), missing)


def _n_common(contexts: NDArray[np.int64], some: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) number of common last characters of two contexts; 0 where there is no other one."""
    exists = (others >= 0) & (others < len(contexts))
    is_equal = contexts[some] == contexts[np.where(exists, others, 0)]
    return np.where(exists, np.logical_and.accumulate(is_equal, axis=1).sum(axis=1), 0)


def _unused(nearest: NDArray[np.int64], start: int, step: int, used: set[int]) -> int:
    """Return the nearest place outside, in one direction, that is not used; beyond either end if there is none."""
    index = int(nearest[start])
    while 0 <= index < len(nearest) and index in used:
        following = index + step
        index = int(nearest[following]) if 0 <= following < len(nearest) else following
    return index
