"""Callbacks by which long work says how far it has come."""

from collections.abc import Sequence
from typing import Protocol


class Progress(Protocol):
    """Called with how much of the work is done and how much there is, counted as the caller's docstring says."""

    def __call__(self, done: int, total: int, /) -> object:
        """Note that `done` of `total` are done."""
        ...


class NotedProgress(Protocol):
    """Called as `Progress` is, with a short note for people on what is being done."""

    def __call__(self, done: int, total: int, note: str, /) -> object:
        """Note that `done` of `total` are done, and what is being done now."""
        ...


class Advance(Protocol):
    """Called with the number of characters read since the last call, for those who know the total themselves."""

    def __call__(self, n_chars: int, /) -> object:
        """Note that `n_chars` more characters are read."""
        ...


def no_progress(done: int, total: int, note: str = "", /) -> None:
    """Ignore how far the work has come: the default of every `Progress` and `NotedProgress`."""


def no_advance(n_chars: int, /) -> None:
    """Ignore how many characters were read: the default of every `Advance`."""


_WHOLE = 10_000  # what `steps_of` counts up to


def steps_of(progress: Progress, weights: Sequence[float]) -> list[Progress]:
    """Divide a progress among steps of a work, one after another.

    Args:
        progress: Called with how much of 10,000 is done.
        weights: How long each step takes, as a share of the sum of all.

    Returns:
        A progress for each step, which counts as it likes; where it counts anew, the whole does not go back.

    >>> first, second = steps_of(lambda done, total: print(done, "of", total), [1, 3])
    >>> first(1, 2), second(0, 7), second(7, 7)
    1250 of 10000
    2500 of 10000
    10000 of 10000
    (None, None, None)
    """
    shares = [_WHOLE * weight / sum(weights) for weight in weights]
    starts = [sum(shares[:number]) for number in range(len(shares))]

    def step(start: float, share: float) -> Progress:
        furthest = 0.0

        def report(done: int, total: int) -> object:
            nonlocal furthest
            furthest = max(furthest, min(done / max(total, 1), 1.0))
            return progress(round(start + share * furthest), _WHOLE)

        return report

    return [step(start, share) for start, share in zip(starts, shares, strict=True)]


def counting(progress: Progress, total: int) -> Advance:
    """Turn a progress into what counts characters: it is called with the sum so far, and with the total.

    Args:
        progress: The progress.
        total: The total, which the sum is at most said to be.

    >>> advance = counting(lambda done, total: print(done, "of", total), 10)
    >>> advance(4), advance(7)
    4 of 10
    10 of 10
    (None, None)
    """
    n_done = 0

    def advance(n_chars: int) -> object:
        nonlocal n_done
        n_done = min(n_done + n_chars, total)
        return progress(n_done, total)

    return advance
