"""Callbacks by which long work says how far it has come."""

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
