"""A character n-gram model that learns from a text while it reads it: how surprising is each character?"""

import numpy as np
from numba import njit
from numpy.typing import NDArray

MAX_ORDER = 12
_N_CODE_POINTS = 0x110000
_INITIAL_SLOTS = 1 << 12


def surprisals(codes: NDArray[np.uint32], order: int) -> NDArray[np.float64]:
    """How surprising is each character to a model that has learned from all characters before it, and none after?

    Orders are interpolated by the method of Witten and Bell: with n the number of times that a context has occurred,
    and k the number of different characters that have followed it,
    p(char | context) = (count + k · p(char | shorter context)) / (n + k). Below the empty context, every one of
    Unicode's 1,114,112 code points is equally likely.

    Args:
        codes: (n_chars,) code points.
        order: Length of the longest n-grams, from 1 to 12: a character and the `order` − 1 before it.

    Returns:
        (n_chars,) −ln p in nats, of each character given those before it.

    Source:
        Witten & Bell 1991, IEEE Transactions on Information Theory 37:1085-1094, method C.
    """
    surprisal, _ = _read(np.ascontiguousarray(codes), order, _INITIAL_SLOTS)
    return surprisal


@njit(cache=True)
def _slot(keys: NDArray[np.uint64], key: np.uint64) -> int:
    """Return the slot of a key in a hash table, or the empty slot to put it in."""
    mask = np.uint64(len(keys) - 1)
    slot = (key ^ (key >> np.uint64(29))) & mask
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + np.uint64(1)) & mask
    return int(slot)


@njit(cache=True)
def _read(codes: NDArray[np.uint32], order: int, n_slots: int) -> tuple[NDArray[np.float64], int]:
    """Return the (n_chars,) surprisals of a text, and how many slots of the hash table are used at its end.

    One hash table holds all orders. The slot of an n-gram has its count; the slot of a context has its number of
    occurrences as `counts`, and its number of different followers as `n_followers`.
    """
    keys = np.zeros(n_slots, np.uint64)
    counts, n_followers = np.zeros(n_slots, np.uint32), np.zeros(n_slots, np.uint32)
    n_used = 0
    surprisal = np.zeros(len(codes))
    contexts, grams = np.zeros(order, np.uint64), np.zeros(order, np.int64)
    for t, code in enumerate(codes):
        if 2 * (n_used + 2 * order + 2) > len(keys):  # at most half full, so that collisions stay rare
            old_keys, old_counts, old_n_followers = keys, counts, n_followers
            keys = np.zeros(2 * len(old_keys), np.uint64)
            counts, n_followers = np.zeros(len(keys), np.uint32), np.zeros(len(keys), np.uint32)
            for old_slot in range(len(old_keys)):
                if old_keys[old_slot] != 0:
                    slot = _slot(keys, old_keys[old_slot])
                    keys[slot], counts[slot] = old_keys[old_slot], old_counts[old_slot]
                    n_followers[slot] = old_n_followers[old_slot]
        key = np.uint64(0x9E3779B97F4A7C15)
        n_contexts = min(order, t + 1)
        for length in range(n_contexts):  # contexts of 0, 1, 2, … characters, hashed from the last to the first
            if length > 0:
                key = (key ^ np.uint64(codes[t - length] + 1)) * np.uint64(0xFF51AFD7ED558CCD)
                key ^= key >> np.uint64(32)
            contexts[length] = key | np.uint64(1)  # keys of contexts are odd, those of n-grams even
        p = 1 / _N_CODE_POINTS
        for length in range(n_contexts):
            context = _slot(keys, contexts[length])
            if keys[context] == 0:
                keys[context] = contexts[length]
                n_used += 1
            key = ((contexts[length] ^ np.uint64(code + 0x51ED27)) * np.uint64(0xC4CEB9FE1A85EC53)) & ~np.uint64(1)
            key ^= key >> np.uint64(31)
            key = (key & ~np.uint64(1)) | np.uint64(2)
            gram = _slot(keys, key)
            if keys[gram] == 0:
                keys[gram] = key
                n_used += 1
            if counts[context] > 0:
                p = (counts[gram] + n_followers[context] * p) / (counts[context] + n_followers[context])
            contexts[length], grams[length] = np.uint64(context), gram
        surprisal[t] = max(-np.log(p), 0.0)
        for length in range(n_contexts):
            context = int(contexts[length])
            n_followers[context] += counts[grams[length]] == 0
            counts[grams[length]] += 1
            counts[context] += 1
    return surprisal, n_used
