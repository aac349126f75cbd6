"""Compiled loops whose work is shared among the processor's cores."""

import itertools
from collections.abc import Callable

from analyses.threads import do_in_threads

_SHARES = 16  # so that no core waits long for the last of them
_FEWEST_VALUES = 1 << 17  # of a share: a thread for fewer takes longer than it saves


def for_shares(n_rows: int, n_values: int, loop: Callable[[int, int], object]) -> None:
    """Call a compiled loop for shares of the rows of arrays, as many at a time as there are cores.

    Loops that numba shares among cores itself take twice as long to load, and on a busy machine each of their calls
    waits some 20 ms for the slowest core.

    Args:
        n_rows: How many rows there are: units, for example.
        n_values: How many values are looked at, which decides how many shares are worth a thread.
        loop: Called with the first row of a share, and the one behind its last; it is compiled with `nogil=True`.
    """
    n_shares = max(1, min(_SHARES, n_rows, n_values // _FEWEST_VALUES))
    borders = [n_rows * share // n_shares for share in range(n_shares + 1)]
    do_in_threads(lambda share: loop(*share), itertools.pairwise(borders))
