"""Statistics of the text: how surprising a character is, how rare, and how long ago it occurred."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import code_points
from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import hypothesis
from hypotheses.kernels import compiled
from hypotheses.labels import Labels
from hypotheses.readers.ngrams import MAX_ORDER, surprisals


@hypothesis(unit="nats", source="Shannon 1951, Bell System Technical Journal 30:50-64; Witten & Bell 1991")
def surprisal(text: str, order: int = 5) -> Labels:
    """How surprising is the character to a character n-gram model that has learned from the text so far?

    −ln p of the character, given the `order` − 1 characters before it (4 by default). The model interpolates all orders
    up to that one by the method of Witten and Bell, and has read what comes before the character and nothing else. At
    the beginning of a text it has learned little. Each new n-gram takes at most 48 bytes of memory.

    >>> print(surprisal.mark("aaaaaaa"))
    aaaaaaa
    d000000
    """
    if not 1 <= order <= MAX_ORDER:
        raise HypothesisError(f"its order must be from 1 to {MAX_ORDER}, but is {order}")
    return Labels(surprisals(code_points(text), order), "numeric")


@hypothesis(kind="binary")
def rare_char(text: str, share: float = 0.001) -> Labels:
    """Has the character been rare in the text so far?

    True if fewer than one in a thousand of the characters before it were the same (or another share: `rare_char:0.01`).
    Missing for the first thousand characters (one over the share), among which a single one would not be rare.

    >>> rare_char.with_parameters(0.25).mark("aaaaba").splitlines()[1]
    '????x.'
    """
    if not 0 < share < 1:
        raise HypothesisError(f"its share must be above 0 and below 1, but is {share:g}")
    codes = code_points(text)
    before = np.arange(len(codes))
    return Labels(_n_before(codes) < share * before, "binary", before < 1 / share)


@hypothesis(unit="characters")
def chars_since_same(text: str) -> Labels:
    """How many characters ago was this one last read?

    1 if it is the same as the one before. Missing where it occurs for the first time.

    >>> print(chars_since_same.mark("abba"))
    abba
    ??13
    """
    since = _chars_since(code_points(text))
    return Labels(since.astype(np.float64), "numeric", since == 0)


@compiled()
def _n_codes(codes: NDArray[np.uint32]) -> int:
    """Return one more than the highest code point; for a short text, a table of all code points would be slow."""
    return max(codes) + 1 if len(codes) else 0


@compiled()
def _n_before(codes: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return (n_chars,) how often each character has occurred before."""
    totals, counts = np.zeros(_n_codes(codes), np.int64), np.zeros(len(codes), np.int64)
    for t, code in enumerate(codes):
        counts[t] = totals[code]
        totals[code] += 1
    return counts


@compiled()
def _chars_since(codes: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return (n_chars,) how many characters ago each character last occurred; 0 at its first occurrence."""
    last, since = np.full(_n_codes(codes), -1), np.zeros(len(codes), np.int64)
    for t, code in enumerate(codes):
        if last[code] >= 0:
            since[t] = t - last[code]
        last[code] = t
    return since
