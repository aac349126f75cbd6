"""A character n-gram model that learns from a text while it reads it: how surprising is each character?

In each chunk of the text, n-grams are counted one length after the other, so that many look-ups of one length wait for
memory at the same time. The context of a character is the n-gram one shorter that ends at the character before it. It
was looked up when that character was read, and the number of times that it had occurred before is the number of its
followers until now. So a character takes one look-up for each length.
"""

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled

MAX_ORDER = 12
_N_CODE_POINTS = 0x110000
_CHUNK = 1 << 14
"""Characters that are read at each length before the next length begins."""
_BLOCK = 512
"""Characters whose look-ups are made at once; what they have read is still in the processor's nearest cache."""

_CODE_BITS = np.uint64(21)
_CODE_MASK = np.uint64((1 << 21) - 1)
_MOST_STEPS = (1 << 11) - 1
_HALF = np.uint64(32)
_LOW_HALF = np.uint64(0xFFFFFFFF)
_ONE = np.uint64(1)
_SPREAD = np.uint64(0x9E3779B97F4A7C15)  # odd: multiplying by it can be undone modulo any power of two
_UNSPREAD = np.uint64(pow(0x9E3779B97F4A7C15, -1, 1 << 64))


def surprisals(codes: NDArray[np.uint32], order: int, *, most_steps: int = _MOST_STEPS) -> NDArray[np.float64]:
    """How surprising is each character to a model that has learned from all characters before it, and none after?

    Orders are interpolated by the method of Witten and Bell: with n the number of times that a context has occurred,
    and k the number of different characters that have followed it,
    p(char | context) = (count + k · p(char | shorter context)) / (n + k). Below the empty context, every one of
    Unicode's 1,114,112 code points is equally likely.

    A new n-gram takes 24 to 48 bytes of memory, depending on how full the tables are, and one of the longest n-grams
    16 to 32.

    Args:
        codes: (n_chars,) code points.
        order: Length of the longest n-grams, from 1 to 12: a character and the `order` − 1 before it.
        most_steps: The farthest that an entry of a hash table may be from its home, from 2 to 2,047; the table grows
            before that. The answer does not depend on it.

    Returns:
        (n_chars,) −ln p in nats, of each character given those before it.

    Source:
        Witten & Bell 1991, IEEE Transactions on Information Theory 37:1085-1094, method C.
    """
    codes = np.ascontiguousarray(codes)
    p = np.empty(len(codes))
    if len(codes) > _CHUNK or not _read_short(codes, order, most_steps, p):
        _read_long(codes, order, most_steps, p)
    nats: NDArray[np.float64] = np.negative(np.log(p, out=p), out=p)
    return np.maximum(nats, 0, out=nats)


def _read_long(codes: NDArray[np.uint32], order: int, most_steps: int, probabilities: NDArray[np.float64]) -> None:
    """Fill in the (n_chars,) probabilities of a text that is longer than a chunk, with tables that grow."""
    size = min(_CHUNK, len(codes))
    grams = [_Grams(is_longest=length == order, most_steps=most_steps) for length in range(1, order + 1)]
    empty_context = np.zeros(1, np.uint64)
    # Of the n-gram of each length that ends at a character of the chunk (column 0: at the one before the chunk):
    ids = np.zeros((order + 1, size + 1), np.uint32)
    n_before = np.zeros((order + 1, size + 1), np.uint32)  # how often it had occurred before
    n_followers = np.empty(size, np.uint32)
    for start in range(0, len(codes), _CHUNK):
        chunk = codes[start : start + _CHUNK]
        n, p = len(chunk), probabilities[start : start + _CHUNK]
        p[:] = 1 / _N_CODE_POINTS
        ids[:, 0], n_before[:, 0] = ids[:, -1], n_before[:, -1]
        n_before[0, :n] = np.arange(start, start + n)
        contexts = empty_context
        for length in range(1, order + 1):
            first = min(max(length - 1 - start, 0), n)  # where an n-gram of this length first ends
            read = slice(first, n)
            found, counts = ids[length, 1 : n + 1][read], n_before[length, 1 : n + 1][read]
            grams[length - 1].count(chunk[read], ids[length - 1, read], contexts, found, counts, n_followers[read])
            _interpolate(p[read], counts, n_before[length - 1, read], n_followers[read])
            contexts = grams[length - 1].nodes


class _Grams:
    """The n-grams of one length that have occurred so far.

    A hash table finds the n-gram of a context and a character. Its slots are packed numbers, 0 if empty: the low half
    has the character's code point + 1, and 21 bits further up how many steps the slot is from the home of the n-gram.
    Home and code point together tell the context: its number is always below that of the slots, since there are no
    more contexts so far than n-grams so far and in the block being read. The high half has the number of the n-gram,
    or of the longest n-grams, which are no contexts, their count.

    Attributes:
        nodes: (at least n_grams,) packed numbers: the low half is how often the n-gram has occurred, the high half how
            many different characters have followed it. Empty for the longest n-grams.
    """

    def __init__(self, *, is_longest: bool, most_steps: int) -> None:
        self.is_longest, self._most_steps = is_longest, most_steps
        self._slots = np.zeros(4 * _BLOCK, np.uint64)
        self.nodes = np.zeros(0 if is_longest else len(self._slots) // 2, np.uint64)
        self._n_grams = 0

    def count(
        self,
        codes: NDArray[np.uint32],
        context_ids: NDArray[np.uint32],
        contexts: NDArray[np.uint64],
        ids: NDArray[np.uint32],
        n_before: NDArray[np.uint32],
        n_followers: NDArray[np.uint32],
    ) -> None:
        """Count the n-grams that end at some characters, one after the other.

        Args:
            codes: (n_chars,) code points.
            context_ids: (n_chars or more,) number of the context of each.
            contexts: The nodes of all contexts. The number of different followers is changed.
            ids: (n_chars,) is filled with the number of each n-gram.
            n_before: (n_chars,) is filled with how often it had occurred before.
            n_followers: (n_chars,) is filled with how many different characters had followed its context.
        """
        start = 0
        while start < len(codes):
            start, self._n_grams = _count(
                self._slots, self._n_grams, self.nodes, contexts, codes, context_ids, ids, n_before, n_followers,
                start, self._most_steps, self.is_longest,
            )  # fmt: skip
            if start < len(codes):
                self._grow()

    def _grow(self) -> None:
        n_slots, is_moved = len(self._slots), False
        while not is_moved:
            n_slots *= 2
            slots = np.zeros(n_slots, np.uint64)
            is_moved = _move(self._slots, slots, self._most_steps)
        self._slots = slots
        if not self.is_longest:
            nodes = np.zeros(n_slots // 2, np.uint64)
            nodes[: len(self.nodes)] = self.nodes
            self.nodes = nodes


@compiled()
def _n_shifted(slots: NDArray[np.uint64]) -> np.uint64:
    """Return by how many bits a number of 64 is shifted to be that of a slot."""
    n_bits = np.uint64(64)
    n_slots = len(slots)
    while n_slots > 1:
        n_slots >>= 1
        n_bits -= _ONE
    return n_bits


@compiled()
def _move(old_slots: NDArray[np.uint64], slots: NDArray[np.uint64], most_steps: int) -> bool:
    """Put all n-grams into a larger hash table, which is empty; return False if one is too far from its home."""
    old_mask, mask = np.uint64(len(old_slots) - 1), np.uint64(len(slots) - 1)
    old_shift, shift = _n_shifted(old_slots), _n_shifted(slots)
    for slot in range(len(old_slots)):
        entry = old_slots[slot]
        if entry != 0:
            code = entry & _CODE_MASK
            old_home = (np.uint64(slot) - ((entry & _LOW_HALF) >> _CODE_BITS)) & old_mask
            context = ((old_home ^ ((code * _SPREAD) >> old_shift)) * _UNSPREAD) & old_mask
            place = ((context * _SPREAD) & mask) ^ ((code * _SPREAD) >> shift)
            n_steps = np.uint64(0)
            while slots[place] != 0:
                place = (place + _ONE) & mask
                n_steps += _ONE
            if n_steps > np.uint64(most_steps):
                return False
            slots[place] = code | (n_steps << _CODE_BITS) | (entry >> _HALF << _HALF)
    return True


@compiled(error_model="numpy")
def _count(
    slots: NDArray[np.uint64],
    n_grams: int,
    nodes: NDArray[np.uint64],
    contexts: NDArray[np.uint64],
    codes: NDArray[np.uint32],
    context_ids: NDArray[np.uint32],
    ids: NDArray[np.uint32],
    n_before: NDArray[np.uint32],
    n_followers: NDArray[np.uint32],
    start: int,
    most_steps: int,
    is_longest: bool,
) -> tuple[int, int]:
    """See `_Grams.count`; return where the table must grow first (n_chars if nowhere), and how many n-grams it has."""
    missed = np.empty(_BLOCK + 1, np.int32)
    shift = _n_shifted(slots)
    for begin in range(start, len(codes), _BLOCK):
        end = min(begin + _BLOCK, len(codes))
        if 2 * (n_grams + end - begin) > len(slots):  # at most half full, so that collisions stay rare
            return begin, n_grams
        block, block_contexts, block_ids = codes[begin:end], context_ids[begin:end], ids[begin:end]
        n_missed = _look_up(slots, shift, block, block_contexts, block_ids, missed, is_longest)
        n_grams, is_whole = _search(
            slots, shift, n_grams, block, block_contexts, block_ids, missed[:n_missed], most_steps, is_longest
        )
        if not is_whole:
            return begin, n_grams
        counts, high = (slots, True) if is_longest else (nodes, False)
        step, shifted = (_ONE << _HALF, _HALF) if high else (_ONE, np.uint64(0))
        for t in range(begin, end):
            packed, context = counts[ids[t]], contexts[context_ids[t]]
            counts[ids[t]] = packed + step
            n_before[t] = np.uint32((packed >> shifted) & _LOW_HALF)
            n_followers[t] = np.uint32(context >> _HALF)
            if n_before[t] == 0:
                contexts[context_ids[t]] = context + (_ONE << _HALF)
    return len(codes), n_grams


@compiled()
def _look_up(
    slots: NDArray[np.uint64],
    shift: np.uint64,
    codes: NDArray[np.uint32],
    context_ids: NDArray[np.uint32],
    ids: NDArray[np.uint32],
    missed: NDArray[np.int32],
    is_longest: bool,
) -> int:
    """Look n-grams up where their home is, without branches; list those that are not there, and return how many."""
    mask = np.uint64(len(slots) - 1)
    n_missed = 0
    for t in range(len(codes)):
        code = np.uint64(codes[t]) + _ONE
        home = ((np.uint64(context_ids[t]) * _SPREAD) & mask) ^ ((code * _SPREAD) >> shift)
        entry = slots[home]
        ids[t] = np.uint32(home if is_longest else entry >> _HALF)
        missed[n_missed] = t
        n_missed += (entry & _LOW_HALF) != code
    return n_missed


@compiled()
def _search(
    slots: NDArray[np.uint64],
    shift: np.uint64,
    n_grams: int,
    codes: NDArray[np.uint32],
    context_ids: NDArray[np.uint32],
    ids: NDArray[np.uint32],
    missed: NDArray[np.int32],
    most_steps: int,
    is_longest: bool,
) -> tuple[int, bool]:
    """Search for n-grams that are not at home and enter new ones; return how many there are, and whether all fit."""
    mask = np.uint64(len(slots) - 1)
    most_steps_from_home = np.uint64(most_steps)
    for t in missed:
        wanted = np.uint64(codes[t]) + _ONE
        place = ((np.uint64(context_ids[t]) * _SPREAD) & mask) ^ ((wanted * _SPREAD) >> shift)
        while slots[place] != 0 and (slots[place] & _LOW_HALF) != wanted:
            if wanted >> _CODE_BITS == most_steps_from_home:
                return n_grams, False
            place = (place + _ONE) & mask
            wanted += _ONE << _CODE_BITS
        if slots[place] == 0:
            slots[place] = wanted if is_longest else wanted | (np.uint64(n_grams) << _HALF)
            n_grams += 1
        ids[t] = np.uint32(place if is_longest else slots[place] >> _HALF)
    return n_grams, True


@compiled()
def _read_short(codes: NDArray[np.uint32], order: int, most_steps: int, p: NDArray[np.float64]) -> bool:
    """Fill in the (n_chars,) probabilities of a text of a chunk or less; return False if its tables would have to grow.

    The same as `_read_long` at a fraction of its cost for a short text: its tables are as large as it can need.
    """
    n_chars = len(codes)
    n_slots = 1
    while n_slots < 4 * n_chars:
        n_slots *= 2
    p[:] = 1 / _N_CODE_POINTS
    contexts, context_ids = np.zeros(1, np.uint64), np.zeros(n_chars, np.uint32)
    n_contexts = np.arange(n_chars).astype(np.uint32)
    n_followers = np.empty(n_chars, np.uint32)
    for length in range(min(order, n_chars)):
        is_longest = length == order - 1
        slots = np.zeros(n_slots, np.uint64)
        nodes = np.zeros(0 if is_longest else n_chars, np.uint64)
        last, n = codes[length:], n_chars - length
        ids, counts = np.empty(n, np.uint32), np.empty(n, np.uint32)
        n_read, _ = _count(
            slots, 0, nodes, contexts, last, context_ids, ids, counts, n_followers, 0, most_steps, is_longest
        )
        if n_read < n:
            return False
        _interpolate(p[length:], counts, n_contexts[:n], n_followers)
        contexts, context_ids, n_contexts = nodes, ids, counts
    return True


@compiled(error_model="numpy")
def _interpolate(
    p: NDArray[np.float64],
    counts: NDArray[np.uint32],
    n_contexts: NDArray[np.uint32],
    n_followers: NDArray[np.uint32],
) -> None:
    """Change (n_chars,) probabilities given a shorter context to those given the context of one character more."""
    for t in range(len(p)):
        n, k = np.float64(n_contexts[t]), np.float64(n_followers[t])
        longer = (np.float64(counts[t]) + k * p[t]) / (n + k)
        p[t] = longer if n > 0 else p[t]
