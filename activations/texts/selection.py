"""Selections: the characters of a text that are given or recorded; the model reads others as far as it needs them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError


@dataclass(frozen=True, slots=True)
class Selection:
    """Every k-th character of a part of a text, by positions in the corpus.

    Attributes:
        start: Position of the first character.
        stop: End of the part, which is not part of it.
        every: Step from one character to the next: 1 for every character, 2 for every other one, and so on.
    """

    start: int
    stop: int
    every: int = 1

    @classmethod
    def of(cls, n_chars: int, start: int | None = None, stop: int | None = None, every: int = 1) -> "Selection":
        """Select a part of a text of `n_chars` characters.

        Args:
            n_chars: Length of the text.
            start: Where the part begins; None is the beginning of the text. Negative numbers count from the end.
            stop: Where the part ends; None is the end of the text.
            every: Step from one character to the next.

        Raises:
            ActivationError: If the selection is empty.
        """
        if every < 1:
            raise ActivationError(f"one character of {every} cannot be taken; take one of 1 or more (--every 10)")
        first, last, _ = slice(start, stop).indices(n_chars)
        if first >= last:
            spelled = f"{'' if start is None else start}:{'' if stop is None else stop}"
            raise ActivationError(f"the range {spelled} is empty in a text of {n_chars:,} characters")
        return cls(first, last, every)

    @property
    def n_chars(self) -> int:
        """Number of characters that are selected."""
        return len(range(self.start, self.stop, self.every))

    def mirrored(self, n_chars: int) -> "Selection":
        """Return the same characters by positions counted from the end of a text of `n_chars` characters."""
        if not self.n_chars:
            return Selection(n_chars - self.start, n_chars - self.start, self.every)
        last = self.start + (self.n_chars - 1) * self.every
        return Selection(n_chars - 1 - last, n_chars - self.start, self.every)

    def row(self, position: int) -> int:
        """Count the selected characters before a position: the row of the first one at or after it."""
        inside = min(max(position, self.start), self.stop)
        return -((self.start - inside) // self.every)

    def rows(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) the rows of the first selected characters at or after many positions; see `row`."""
        return -((self.start - positions.clip(self.start, self.stop)) // self.every)

    def part(self, start: int, stop: int | None = None) -> "Selection":
        """Return the selected characters from `start` up to `stop`; there may be none. None is the end."""
        first = self.first(start)
        end = self.n_chars if stop is None else self.row(stop)
        last = self.start + (end - 1) * self.every
        return Selection(first, max(first, last + 1), self.every)

    def first(self, position: int) -> int:
        """Return the position of the first selected character at or after a position."""
        return self.start + self.row(position) * self.every
