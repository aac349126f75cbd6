"""Damaging files at random, but the same way each time."""

import numpy as np


def mutant(content: bytes, rng: np.random.Generator) -> bytes:
    """Truncated, a bit flipped, some bytes overwritten, a piece moved or repeated."""
    changed = bytearray(content)
    kind = int(rng.integers(5))
    here, there = (int(place) for place in rng.integers(0, len(content), 2))
    n = int(rng.integers(1, 64))
    if kind == 0:
        return bytes(changed[:here])
    if kind == 1:
        changed[here] ^= 1 << int(rng.integers(8))
    elif kind == 2:
        changed[here : here + n] = rng.bytes(len(changed[here : here + n]))
    elif kind == 3:
        changed[here : here + n] = changed[there : there + n]
    else:
        changed[here:here] = changed[there : there + n]
    return bytes(changed)
