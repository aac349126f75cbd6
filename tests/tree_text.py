"""A text beside the nodes of its syntax tree: places of bytes as places of characters, and code told from comments."""

import functools

import numpy as np
import tree_sitter
from numpy.typing import NDArray

Node = tree_sitter.Node


class Source:
    """A text, and where its bytes are in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.raw = text.encode()

    @functools.cached_property
    def places(self) -> list[int] | range:
        """The character of each byte, and the number of characters for the end."""
        if len(self.raw) == len(self.text):
            return range(len(self.text) + 1)
        begins: NDArray[np.int64] = np.cumsum(np.frombuffer(self.raw, np.uint8) & 0xC0 != 0x80) - 1
        return [*begins.tolist(), len(self.text)]

    def span(self, node: Node) -> tuple[int, int]:
        """Return where a node begins and ends, in characters."""
        return self.places[node.start_byte], self.places[node.end_byte]
