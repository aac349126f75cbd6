"""Evenly spaced stretches: a sample of rows that is read in a few pieces."""


def stretches(n_rows: int, n_wanted: int, length: int) -> list[slice]:
    """Return evenly spaced stretches of rows, the first at the beginning and the last at the end.

    >>> stretches(100, 20, 10)
    [slice(0, 10, None), slice(90, 100, None)]
    >>> stretches(100, 60, 30)
    [slice(0, 100, None)]

    Args:
        n_rows: How many rows there are.
        n_wanted: How many rows to take, about; all are taken, in one stretch, if there are at most twice as many.
        length: Rows of each stretch.
    """
    n_stretches = max(n_wanted // length, 1)
    if n_rows <= 2 * max(n_wanted, length):
        return [slice(0, n_rows)]
    last = n_rows - length
    firsts = [last * number // max(n_stretches - 1, 1) for number in range(n_stretches)]
    return [slice(first, first + length) for first in firsts]
