"""What HTML shows: its text without tags, the numbers in it, and whether it is whole."""

import math
import re
from collections.abc import Iterable, Mapping
from html.parser import HTMLParser

_VOID = {"img", "line", "circle", "br", "path"}


class Page(HTMLParser):
    """The elements and the text of some HTML.

    Attributes:
        elements: The name and the attributes of each element, in their order.
        text: All that is read.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self.elements}

    @property
    def numbers(self) -> list[float]:
        return [float(number.replace(",", "")) for number in re.findall(r"-?[\d][\d,]*\.?\d*(?:e[+-]?\d+)?", self.text)]


def missing_numbers(html: str, rows: Iterable[Mapping[str, object]]) -> dict[str, float]:
    """The numbers of rows that are not in HTML to three digits, by their columns."""
    shown = Page(html).numbers
    return {
        name: cell
        for row in rows
        for name, cell in row.items()
        if isinstance(cell, int | float) and not isinstance(cell, bool) and math.isfinite(cell)
        if not any(math.isclose(cell, number, rel_tol=6e-3, abs_tol=6e-4) for number in shown)
    }
