"""Character n-gram models, learned from a text while it is read."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

MAX_ORDER = 12
_START_SLOTS = 1 << 12


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
