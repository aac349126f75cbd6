"""Character n-gram models: one that learns from a text while it reads, and one that learns from a text once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from hypotheses.errors import HypothesisError

MAX_ORDER = 12
HIGHEST_ORDER = 30  # of models that learn once, whose memory grows with it
UNSEEN = 1e-7  # share of the probability, in the empty context, that all characters have alike
_ALL_CHARACTERS = 0x110000
_UNKNOWN_DISCOUNTS = (0.5, 1.0, 1.5)
_START_SLOTS = 1 << 12


class NgramLosses(NamedTuple):
    """What n-gram models of all orders make of a text.

    Attributes:
        nats: (n_chars, n_orders) float32, −ln p of each character given those before it; column n − 1 is order n.
        right: (n_chars, n_orders) bool, whether the character was the most probable one.
    """

    nats: NDArray[np.float32]
    right: NDArray[np.bool_]


class _Level(NamedTuple):
    """The n-grams of one length, in the order of their contexts, and of their last characters within these.

    An n-gram has two probabilities: p from counts, where this is the longest length, and q from how many different
    characters have preceded it, where a longer one falls back on it. `p_rest` and `q_rest` are what each context leaves
    to the next shorter one.
    """

    firsts: NDArray[np.int32]  # (n_contexts + 1,) the first n-gram of each context
    chars: NDArray[np.int32]  # (n_grams,) last characters
    p: NDArray[np.float32]  # (n_grams,)
    p_rest: NDArray[np.float32]  # (n_contexts,)
    q: NDArray[np.float32]  # (n_grams,)
    q_rest: NDArray[np.float32]  # (n_contexts,)


@dataclass(frozen=True, slots=True, eq=False)
class NgramModels:
    """Character n-gram models of all orders up to one, by interpolated Kneser-Ney; `fit_ngrams` makes them.

    Attributes:
        levels: Of each order, from 1.
        n_characters: How many there are to predict, seen or not.
    """

    levels: tuple[_Level, ...]
    n_characters: int

    def losses(self, codes: ArrayLike, begins: ArrayLike = (0,)) -> NgramLosses:
        """How well each order predicts a text, from the first character of a document, which it knows nothing before.

        Args:
            codes: (n_chars,) whole numbers from 0 up to `n_characters`: a document, or several.
            begins: (n_documents,) where each begins.

        Raises:
            HypothesisError: If a number is out of this range.
        """
        codes, firsts = _checked(codes, self.n_characters), np.asarray(begins, np.int64)
        firsts = firsts[firsts < len(codes)]
        nats = np.empty((len(codes), len(self.levels)), np.float32)
        right = np.empty(nats.shape, bool)
        contexts = np.zeros(len(codes), np.int64)
        below = (np.full(len(codes), 1 / self.n_characters), np.zeros(len(codes)), np.full(len(codes), -1))
        for n, level in enumerate(self.levels):
            _, p, _, likeliest = _look_up(codes, contexts, level.firsts, level.chars, level.p, level.p_rest, *below)
            nats[:, n] = np.maximum(-np.log(p), 0.0)
            right[:, n] = likeliest == codes
            if n + 1 == len(self.levels):
                break
            found = _look_up(codes, contexts, level.firsts, level.chars, level.q, level.q_rest, *below)
            contexts, below = _before(found[0]), found[1:]
            contexts[firsts] = -1
        return NgramLosses(nats, right)


def fit_ngrams(
    documents: Sequence[ArrayLike],
    order: int,
    *,
    n_characters: int = _ALL_CHARACTERS,
    discount: float | None = None,
) -> NgramModels:
    """Learn character n-grams of all orders up to one, from a text.

    With c the number of times that a character has followed a context, N that of all characters, and D a discount,
    p(char | context) = (c − D(c)) / N + (the sum of all D) / N · q(char | shorter context). In q, the same formula
    counts how many different characters preceded the n-gram, instead of how often it occurred. A context that never
    occurred leaves everything to the shorter one. In the empty context nothing is discounted; instead, a ten-millionth
    of the probability (`UNSEEN`) is shared alike by all characters, so that one that never occurred has a finite loss.

    Some 25 bytes for each n-gram, and a second for each order and 3 million characters: of so much prose, models up to
    order 10 take 0.1 GB, and up to order 20, 0.7 GB.

    Args:
        documents: (n_chars,) each, whole numbers from 0 up to `n_characters`. No n-gram reaches over a border.
        order: Of the longest n-grams, from 1 to 30: a character and the `order` − 1 before it.
        n_characters: How many there are to predict, seen or not; all of Unicode's if nothing else is said.
        discount: D for every count, in (0, 1]. None: of each order, one for n-grams that occurred once, one for those
            that occurred twice and one for all others, by how many there are of each.

    Raises:
        HypothesisError: If there is no text, or a number is out of its range.

    Source:
        Kneser & Ney 1995, ICASSP 1:181-184; Chen & Goodman 1999, Computer Speech & Language 13:359-394, whose modified
        discounts these are. Heafield et al. 2013, ACL 2:690-696, for 0.5, 1 and 1.5 where they cannot be estimated.
    """
    if not 1 <= order <= HIGHEST_ORDER:
        raise HypothesisError(f"the order of the n-grams is {order}; it must be from 1 to {HIGHEST_ORDER}")
    if discount is not None and not 0 < discount <= 1:
        raise HypothesisError(f"the discount is {discount}; it must be above 0, and at most 1")
    texts = [_checked(document, n_characters) for document in documents]
    codes = np.concatenate([np.zeros(0, np.int64), *texts])
    if len(codes) == 0:
        raise HypothesisError("there is no text to learn n-grams from; give one with characters")
    begins = np.cumsum([0, *map(len, texts)])[:-1]
    begins = begins[begins < len(codes)]
    contexts, places = np.zeros(len(codes), np.int64), np.zeros(len(codes), np.int64)
    levels: list[_Level] = []
    parents, n_contexts, lower, shorter = np.zeros(0, np.int64), 1, np.zeros(0), np.array([1 / n_characters])
    for n in range(1, order + 1):
        known = np.flatnonzero(contexts >= 0)
        keys, first, inverse, counts = np.unique(
            contexts[known] * n_characters + codes[known], return_index=True, return_inverse=True, return_counts=True
        )
        suffixes = places[known[first]]  # the n-grams without their first characters
        if levels:
            preceded = np.bincount(suffixes, minlength=len(parents))
            shorter, rest = _smooth(preceded, parents, n_contexts, lower, n - 1, discount)
            levels[-1] = levels[-1]._replace(q=shorter.astype(np.float32), q_rest=rest.astype(np.float32))
            n_contexts = len(parents)
        parents, chars = np.divmod(keys, n_characters)
        lower = shorter[suffixes]
        p, rest = _smooth(counts, parents, n_contexts, lower, n, discount)
        firsts = np.searchsorted(parents, np.arange(n_contexts + 1)).astype(np.int32)
        final, left = p.astype(np.float32), rest.astype(np.float32)
        levels.append(_Level(firsts, chars.astype(np.int32), final, left, final, left))  # q follows
        places = np.full(len(codes), -1)
        places[known] = inverse
        contexts = _before(places)
        contexts[begins] = -1
    return NgramModels(tuple(levels), n_characters)


def _checked(codes: ArrayLike, n_characters: int) -> NDArray[np.int64]:
    codes = np.asarray(codes, np.int64)
    if len(codes) and not 0 <= codes.min() <= codes.max() < n_characters:
        wrong = codes.min() if codes.min() < 0 else codes.max()
        raise HypothesisError(f"{wrong} is no character: with {n_characters:,} of them, they are numbered from 0 up")
    return codes


def _before(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n_chars,) what ends right before each character; -1 before the first."""
    return np.concatenate([[-1], places[:-1]])


def _smooth(
    counts: NDArray[np.int64],
    parents: NDArray[np.int64],
    n_contexts: int,
    lower: NDArray[np.float64],
    order: int,
    discount: float | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n_grams,) probabilities, and (n_contexts,) the share that is left to shorter contexts."""
    taken = UNSEEN * counts if order == 1 else _discounts(counts, discount)[np.minimum(counts, 3)]
    totals = np.bincount(parents, counts, n_contexts)
    rest = np.bincount(parents, taken, n_contexts) / np.maximum(totals, 1)
    rest[totals == 0] = 1
    return (counts - taken) / np.maximum(totals, 1)[parents] + rest[parents] * lower, rest


def _discounts(counts: NDArray[np.int64], discount: float | None) -> NDArray[np.float64]:
    """(4,) what is taken from counts of 0, 1, 2, and 3 or more."""
    if discount is not None:
        return np.array([0, discount, discount, discount])
    n1, n2, n3, n4 = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].tolist()
    if min(n1, n2, n3, n4) > 0:
        y = n1 / (n1 + 2 * n2)
        found = np.array([0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
        if (found[1:] > 0).all():
            return found
    return np.array([0, *_UNKNOWN_DISCOUNTS])


@njit(cache=True)
def _look_up(
    codes: NDArray[np.int64],
    contexts: NDArray[np.int64],
    firsts: NDArray[np.int32],
    chars: NDArray[np.int32],
    values: NDArray[np.float32],
    rests: NDArray[np.float32],
    lower: NDArray[np.float64],
    highest: NDArray[np.float64],
    likeliest: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    # Which n-gram ends at each character, its probability, and the highest of any character, and that character.
    places, p = np.full(len(codes), -1), lower.copy()
    highest, likeliest = highest.copy(), likeliest.copy()
    for t, context in enumerate(contexts):
        if context < 0:
            continue
        p[t] *= rests[context]
        highest[t] *= rests[context]
        for gram in range(firsts[context], firsts[context + 1]):
            if chars[gram] == codes[t]:
                places[t] = gram
                p[t] = values[gram]
            if values[gram] > highest[t]:
                highest[t] = values[gram]
                likeliest[t] = chars[gram]
    return places, p, highest, likeliest


def surprisals(codes: NDArray[np.uint32], order: int) -> NDArray[np.float64]:
    """How surprising is each character to a model that has learned from all characters before it, and none after?

    Orders are interpolated as Witten and Bell do: with n the number of times that a context has occurred, and k the
    number of different characters that have followed it, p(char | context) = (count + k · p(char | shorter context))
    / (n + k). Below the empty context, every one of Unicode's 1,114,112 characters is as likely as the others.

    Args:
        codes: (n_chars,) code points.
        order: Of the longest n-grams, from 1 to 12: a character and the `order` − 1 before it.

    Returns:
        (n_chars,) −ln p in nats, of each character given those before it.

    Source:
        Witten & Bell 1991, IEEE Transactions on Information Theory 37:1085-1094, method C.
    """
    surprisal, _ = _read(np.ascontiguousarray(codes), order, _START_SLOTS)
    return surprisal


@njit(cache=True)
def _slot(keys: NDArray[np.uint64], key: np.uint64) -> int:
    """Where this key is in a table, or the empty place for it."""
    mask = np.uint64(len(keys) - 1)
    place = (key ^ (key >> np.uint64(29))) & mask
    while keys[place] != 0 and keys[place] != key:
        place = (place + np.uint64(1)) & mask
    return int(place)


@njit(cache=True)
def _read(codes: NDArray[np.uint32], order: int, n_slots: int) -> tuple[NDArray[np.float64], int]:
    # One table for all orders: an n-gram's count, and a context's number of occurrences and of different followers.
    keys = np.zeros(n_slots, np.uint64)
    counts, kinds = np.zeros(n_slots, np.uint32), np.zeros(n_slots, np.uint32)
    n_used = 0
    surprisal = np.zeros(len(codes))
    contexts, places = np.zeros(order, np.uint64), np.zeros(order, np.int64)
    for t, code in enumerate(codes):
        if 2 * (n_used + 2 * order + 2) > len(keys):  # make room
            old_keys, old_counts, old_kinds = keys, counts, kinds
            keys = np.zeros(2 * len(old_keys), np.uint64)
            counts, kinds = np.zeros(len(keys), np.uint32), np.zeros(len(keys), np.uint32)
            for place in range(len(old_keys)):
                if old_keys[place] != 0:
                    slot = _slot(keys, old_keys[place])
                    keys[slot], counts[slot], kinds[slot] = old_keys[place], old_counts[place], old_kinds[place]
        key = np.uint64(0x9E3779B97F4A7C15)
        n_contexts = min(order, t + 1)
        for length in range(n_contexts):  # the context of this many characters, hashed from the last to the first
            if length > 0:
                key = (key ^ np.uint64(codes[t - length] + 1)) * np.uint64(0xFF51AFD7ED558CCD)
                key ^= key >> np.uint64(32)
            contexts[length] = key | np.uint64(1)
        p = 1 / 1114112
        for length in range(n_contexts):
            context = _slot(keys, contexts[length])
            if keys[context] == 0:
                keys[context] = contexts[length]
                n_used += 1
            gram = ((contexts[length] ^ np.uint64(code + 0x51ED27)) * np.uint64(0xC4CEB9FE1A85EC53)) & ~np.uint64(1)
            gram ^= gram >> np.uint64(31)
            gram = (gram & ~np.uint64(1)) | np.uint64(2)
            place = _slot(keys, gram)
            if keys[place] == 0:
                keys[place] = gram
                n_used += 1
            p = (counts[place] + kinds[context] * p) / (counts[context] + kinds[context]) if counts[context] > 0 else p
            contexts[length], places[length] = np.uint64(context), place
        surprisal[t] = max(-np.log(p), 0.0)
        for length in range(n_contexts):
            context = int(contexts[length])
            kinds[context] += counts[places[length]] == 0
            counts[places[length]] += 1
            counts[context] += 1
    return surprisal, n_used
