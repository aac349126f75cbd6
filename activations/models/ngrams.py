"""Character n-gram models by interpolated Kneser-Ney: what a network is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from activations.errors import ActivationError
from hypotheses.kernels import compiled

HIGHEST_ORDER = 30
"""The highest order that can be fitted; memory grows with the order."""

UNSEEN = 1e-7
"""The share of the probability, in the empty context, that is shared equally by all characters, seen or not."""

_N_CODE_POINTS = 0x110000
_DEFAULT_DISCOUNTS = (0.5, 1.0, 1.5)  # of counts of 1, 2, and 3 or more, where they cannot be estimated


class NgramLosses(NamedTuple):
    """Losses of n-gram models of all orders on a text, and whether their best guesses are right.

    Attributes:
        nats: (n_chars, n_orders) float32, −ln p of each character given those before it; column n − 1 is order n.
        right: (n_chars, n_orders) bool, whether the character was the most probable one.
    """

    nats: NDArray[np.float32]
    right: NDArray[np.bool_]


class _Level(NamedTuple):
    """The n-grams of one order, sorted by context, and within a context by last character.

    An n-gram has two probabilities: p from counts, used where this is the highest order, and q from how many different
    characters have preceded it, used where a higher order falls back on it. `p_rest` and `q_rest` are the shares that
    each context leaves to the next shorter one.
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
        levels: The n-grams of each order, from order 1.
        n_characters: Number of characters that can be predicted, seen or not.
    """

    levels: tuple[_Level, ...]
    n_characters: int

    def losses(self, codes: ArrayLike, begins: ArrayLike = (0,)) -> NgramLosses:
        """Measure how well each order predicts the characters of documents; a document begins without any context.

        Args:
            codes: (n_chars,) characters of one or several documents, as whole numbers below `n_characters`.
            begins: (n_documents,) index of the first character of each document.

        Raises:
            ActivationError: If a number is negative, or not below `n_characters`.
        """
        codes, begins = _checked(codes, self.n_characters), np.asarray(begins, np.int64)
        begins = begins[begins < len(codes)]
        nats = np.empty((len(codes), len(self.levels)), np.float32)
        right = np.empty(nats.shape, bool)
        contexts = np.zeros(len(codes), np.int64)
        # of the order below: the probability, the highest probability of any character, and that character
        below = (np.full(len(codes), 1 / self.n_characters), np.zeros(len(codes)), np.full(len(codes), -1))
        for n, level in enumerate(self.levels):
            _, p, _, likeliest = _look_up(codes, contexts, level.firsts, level.chars, level.p, level.p_rest, *below)
            nats[:, n] = np.maximum(-np.log(p), 0.0)
            right[:, n] = likeliest == codes
            if n + 1 == len(self.levels):
                break
            shorter = _look_up(codes, contexts, level.firsts, level.chars, level.q, level.q_rest, *below)
            contexts, below = _shifted(shorter[0]), shorter[1:]
            contexts[begins] = -1
        return NgramLosses(nats, right)


def fit_ngrams(
    documents: Sequence[ArrayLike],
    order: int,
    *,
    n_characters: int = _N_CODE_POINTS,
    discount: float | None = None,
) -> NgramModels:
    """Fit character n-gram models of all orders up to `order` to a text.

    With c the number of times that a character has followed a context, N that of all characters, and D a discount,
    p(char | context) = (c − D(c)) / N + (the sum of all D) / N · q(char | shorter context). In q, the same formula
    counts how many different characters preceded the n-gram, instead of how often it occurred. A context that never
    occurred leaves everything to the shorter one. In the empty context nothing is discounted; instead, a ten-millionth
    of the probability (`UNSEEN`) is shared equally by all characters, so that an unseen one has a finite loss.

    Takes some 25 bytes for each n-gram, and a second for each order and 3 million characters. For 3 million characters
    of prose, models up to order 10 take 0.1 GB, and up to order 20, 0.7 GB.

    Args:
        documents: One (n_chars,) array for each document, of whole numbers below `n_characters`. No n-gram crosses from
            one document into the next.
        order: Length of the longest n-grams, from 1 to 30: a character and the `order` − 1 before it.
        n_characters: Number of characters that can be predicted, seen or not; by default, all of Unicode.
        discount: D for every count, in (0, 1]. By default it is estimated for each order from counts of counts: one
            discount for n-grams that occurred once, one for those that occurred twice, and one for all others.

    Raises:
        ActivationError: If there is no text, or a number is out of its range.

    Source:
        Kneser & Ney 1995, ICASSP 1:181-184. Chen & Goodman 1999, Computer Speech & Language 13:359-394, for the
        modified discounts. Heafield et al. 2013, ACL 2:690-696, for 0.5, 1 and 1.5 where they cannot be estimated.
    """
    if not 1 <= order <= HIGHEST_ORDER:
        raise ActivationError(f"the order of the n-grams is {order}; it must be from 1 to {HIGHEST_ORDER}")
    if discount is not None and not 0 < discount <= 1:
        raise ActivationError(f"the discount is {discount}; it must be above 0, and at most 1")
    texts = [_checked(document, n_characters) for document in documents]
    codes = np.concatenate([np.zeros(0, np.int64), *texts])
    if len(codes) == 0:
        raise ActivationError("there is no text to learn n-grams from; give one with characters")
    begins = np.cumsum([0, *map(len, texts)])[:-1]
    begins = begins[begins < len(codes)]
    # the context before each character, -1 if it is unknown, and the n-gram that ends at it
    contexts, grams = np.zeros(len(codes), np.int64), np.zeros(len(codes), np.int64)
    levels: list[_Level] = []
    parents, n_contexts, lower, shorter = np.zeros(0, np.int64), 1, np.zeros(0), np.array([1 / n_characters])
    for n in range(1, order + 1):
        known = np.flatnonzero(contexts >= 0)
        keys, first, inverse, counts = np.unique(
            contexts[known] * n_characters + codes[known], return_index=True, return_inverse=True, return_counts=True
        )
        suffixes = grams[known[first]]  # the n-grams without their first characters
        if levels:
            preceded = np.bincount(suffixes, minlength=len(parents))
            shorter, rest = _smooth(preceded, parents, n_contexts, lower, n - 1, discount)
            levels[-1] = levels[-1]._replace(q=shorter.astype(np.float32), q_rest=rest.astype(np.float32))
            n_contexts = len(parents)
        parents, chars = np.divmod(keys, n_characters)
        lower = shorter[suffixes]
        p, rest = _smooth(counts, parents, n_contexts, lower, n, discount)
        firsts = np.searchsorted(parents, np.arange(n_contexts + 1)).astype(np.int32)
        p_32, rest_32 = p.astype(np.float32), rest.astype(np.float32)
        # the next order replaces q and its rest
        levels.append(_Level(firsts, chars.astype(np.int32), p_32, rest_32, p_32, rest_32))
        grams = np.full(len(codes), -1)
        grams[known] = inverse
        contexts = _shifted(grams)
        contexts[begins] = -1
    return NgramModels(tuple(levels), n_characters)


def _checked(codes: ArrayLike, n_characters: int) -> NDArray[np.int64]:
    codes = np.asarray(codes, np.int64)
    if len(codes) and not 0 <= codes.min() <= codes.max() < n_characters:
        wrong = codes.min() if codes.min() < 0 else codes.max()
        raise ActivationError(
            f"{wrong} is no character: {n_characters:,} characters are numbered from 0 to {n_characters - 1:,}"
        )
    return codes


def _shifted(grams: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the (n_chars,) n-grams that end right before each character; -1 before the first."""
    return np.concatenate([[-1], grams[:-1]])


def _smooth(
    counts: NDArray[np.int64],
    parents: NDArray[np.int64],
    n_contexts: int,
    lower: NDArray[np.float64],
    order: int,
    discount: float | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (n_grams,) interpolated probabilities, and the (n_contexts,) shares left to shorter contexts."""
    discounts = UNSEEN * counts if order == 1 else _discounts(counts, discount)[np.minimum(counts, 3)]
    totals = np.bincount(parents, counts, n_contexts)
    rest = np.bincount(parents, discounts, n_contexts) / np.maximum(totals, 1)
    rest[totals == 0] = 1
    return (counts - discounts) / np.maximum(totals, 1)[parents] + rest[parents] * lower, rest


def _discounts(counts: NDArray[np.int64], discount: float | None) -> NDArray[np.float64]:
    """Return the (4,) discounts of counts of 0, 1, 2, and 3 or more."""
    if discount is not None:
        return np.array([0, discount, discount, discount])
    n1, n2, n3, n4 = np.bincount(np.minimum(counts, 5), minlength=6)[1:5].tolist()
    if min(n1, n2, n3, n4) > 0:
        y = n1 / (n1 + 2 * n2)
        discounts = np.array([0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3])
        if (discounts[1:] > 0).all():
            return discounts
    return np.array([0, *_DEFAULT_DISCOUNTS])


@compiled()
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
    """Return, for each character, the n-gram that ends there, its probability, the highest of any, and whose it is."""
    grams, p = np.full(len(codes), -1), lower.copy()
    highest, likeliest = highest.copy(), likeliest.copy()
    for t, context in enumerate(contexts):
        if context < 0:
            continue
        p[t] *= rests[context]
        highest[t] *= rests[context]
        for gram in range(firsts[context], firsts[context + 1]):
            if chars[gram] == codes[t]:
                grams[t] = gram
                p[t] = values[gram]
            if values[gram] > highest[t]:
                highest[t] = values[gram]
                likeliest[t] = chars[gram]
    return grams, p, highest, likeliest
