"""Which characters of a text are given or recorded; the model reads the others, too, as far as it needs them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError


@dataclass(frozen=True, slots=True)
class Selection:
    """Every so many characters of a part of a text. Places are in the corpus.

    Attributes:
        start: The first.
        stop: The end: this and what follows is left out.
        every: 1 for each of them, 2 for every other, and so on.
    """

    start: int
    stop: int
    every: int = 1

    @classmethod
    def of(cls, n_chars: int, start: int | None = None, stop: int | None = None, every: int = 1) -> "Selection":
        """A part of a text of `n_chars` characters.

        Args:
            n_chars: Length of the text.
            start: Where it begins; None is the beginning. Negative numbers count from the end.
            stop: Where it ends; None is the end.
            every: Of how many characters one is taken.

        Raises:
            ActivationError: If nothing is left.
        """
        if every < 1:
            raise ActivationError(f"one character of {every} cannot be taken; take one of 1 or more (--every 10)")
        first, last, _ = slice(start, stop).indices(n_chars)
        if first >= last:
            asked = f"{'' if start is None else start}:{'' if stop is None else stop}"
            raise ActivationError(f"the range {asked} is empty in a text of {n_chars:,} characters")
        return cls(first, last, every)

    @property
    def n_chars(self) -> int:
        """How many characters there are in it."""
        return len(range(self.start, self.stop, self.every))

    def mirrored(self, n_chars: int) -> "Selection":
        """The same characters of a text of `n_chars` characters, whose places are counted from its end."""
        if not self.n_chars:
            return Selection(n_chars - self.start, n_chars - self.start, self.every)
        last = self.start + (self.n_chars - 1) * self.every
        return Selection(n_chars - 1 - last, n_chars - self.start, self.every)

    def row(self, place: int) -> int:
        """How many of its characters stand before a place: the row of the first at or after it."""
        inside = min(max(place, self.start), self.stop)
        return -((self.start - inside) // self.every)

    def rows(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) the same of many places."""
        return -((self.start - places.clip(self.start, self.stop)) // self.every)

    def part(self, start: int, stop: int | None = None) -> "Selection":
        """Its characters from `start` up to `stop`; there may be none. None is the end."""
        first = self.first(start)
        end = self.n_chars if stop is None else self.row(stop)
        last = self.start + (end - 1) * self.every
        return Selection(first, max(first, last + 1), self.every)

    def first(self, place: int) -> int:
        """The place of its first character at or after a place."""
        return self.start + self.row(place) * self.every
