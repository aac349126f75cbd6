"""Units whose order float16 would lose: many characters at which they differ in float32 would share one float16.

A unit near 1 or -1, as saturated ones are, has few float16 to be in. How it orders these characters is all that an AUC
is made of, so that such a site wants float32.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.texts.corpus import Corpus, Document
from activations.texts.selection import Selection

N_STRETCHES = 64
STRETCH_CHARS = 64
LEAD_CHARS = 64
MOST_SHARED = 0.01
_FEWEST_SHARED = 16
_MINUS_0 = 0x8000


class Stretches(NamedTuple):
    """A sample of a text.

    Attributes:
        corpus: The stretches, each document that one reaches into by itself.
        is_sampled: (n_chars,) which of their characters are part of the sample, the others leading up to it.
        places: (n_chars,) int64, where their characters stand in the whole text.
    """

    corpus: Corpus
    is_sampled: NDArray[np.bool_]
    places: NDArray[np.int64]


def stretches(corpus: Corpus, selection: Selection, seed: int = 0, stretch_chars: int = STRETCH_CHARS) -> Stretches:
    """A sample of a text: one stretch from each of some equal parts of it, with the characters that lead up to it.

    Args:
        corpus: The text.
        selection: The part of it to draw from.
        seed: Of the places.
        stretch_chars: Length of each, in characters.
    """
    n_chars = selection.stop - selection.start
    n_stretches = min(N_STRETCHES, -(-n_chars // stretch_chars))
    borders = selection.start + np.arange(n_stretches + 1) * n_chars // n_stretches
    spare = np.maximum(np.diff(borders) - stretch_chars, 0)
    starts = borders[:-1] + np.random.default_rng(seed).integers(0, spare + 1)
    stops = np.minimum(starts + stretch_chars, borders[1:])
    pieces: list[NDArray[np.int64]] = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        first = int(np.searchsorted(corpus.stops, start, side="right"))
        last = int(np.searchsorted(corpus.stops, stop, side="left"))
        for document in corpus.documents[first : last + 1]:
            begin = max(start, document.start)
            pieces.append(np.array([max(begin - LEAD_CHARS, document.start), begin, min(stop, document.stop)]))
    lengths = np.array([stop - lead for lead, _, stop in pieces])
    places = (np.cumsum(lengths) - lengths).tolist()
    documents = tuple(Document("", place, n) for place, n in zip(places, lengths.tolist(), strict=True))
    codes = np.concatenate([corpus.codes[lead:stop] for lead, _, stop in pieces])
    is_sampled = np.concatenate([np.arange(lead, stop) >= begin for lead, begin, stop in pieces])
    places_in_whole = np.concatenate([np.arange(lead, stop) for lead, _, stop in pieces])
    return Stretches(Corpus(codes, documents), is_sampled, places_in_whole)


def loses_order(values: NDArray[np.float32]) -> bool:
    """Whether float16 would lose the order of any of some units, by the rule of `largest_shared`.

    Args:
        values: (n_chars, n_units) activations.
    """
    fewest = max(_FEWEST_SHARED, int(MOST_SHARED * len(values)) + 1)
    if len(values) < fewest:
        return False
    with np.errstate(over="ignore"):
        bits = np.ascontiguousarray(values.astype(np.float16).view(np.uint16).T)
    bits[bits == _MINUS_0] = 0
    in_order = np.sort(bits, axis=1, kind="stable")  # by their digits, in linear time
    may = (in_order[:, fewest - 1 :] == in_order[:, : len(values) - fewest + 1]).any(axis=1)
    return any(largest_shared(values[:, [unit]])[0] > MOST_SHARED for unit in np.flatnonzero(may))


def largest_shared(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """The largest share of characters of which float16 would make one number, where float32 has several.

    Rounding to float16 moves the AUC for any binary label by at most half of this share over that of the characters of
    the commoner class: by this share where both classes are as common, and by half of it where one is rare. That much
    it is only if all of one class are among these characters, and the unit tells it from the others there.

    Args:
        values: (n_chars, n_units) activations.

    Returns:
        (n_units,) in [0, 1]; 0 if these are fewer than 16 characters, which may be so by chance.
    """
    shares = np.zeros(values.shape[1])
    for unit, own in enumerate(np.sort(values.T, axis=1)):
        shares[unit] = _largest_shared(own)
    return shares


def _largest_shared(in_order: NDArray[np.float32]) -> float:
    with np.errstate(over="ignore"):
        rounded = in_order.astype(np.float16)
    starts = np.flatnonzero(np.append(True, rounded[1:] != rounded[:-1]))
    differ = np.append(0, np.cumsum(in_order[1:] != in_order[:-1]))
    stops = np.append(starts[1:], len(in_order))
    n_each = (stops - starts)[differ[stops - 1] > differ[starts]]
    n_shared = int(n_each.max(initial=0))
    return n_shared / len(in_order) if n_shared >= _FEWEST_SHARED else 0.0
