"""An entry of the gallery, and how its numbers are written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
Rows = Mapping[str, Sequence[Row]]
"""The rows that commands printed, by the name of the entry or of the command that sets up."""
Facts = Callable[[Rows], dict[str, str]]


def no_facts(rows: Rows) -> dict[str, str]:
    """Return no numbers: the sentence has none."""
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A picture of the gallery, a table, or a page.

    Attributes:
        name: Of its file.
        question: What it answers.
        drawn_by: The first work that asked this, and what it drew.
        command: The command that draws ours, without `-o` and the name of its file.
        python: Instead of a command, a program whose last line is what a notebook shows.
        reading: What is to be seen, with the facts in braces.
        alternative: What a person who cannot see the picture is told; empty if there is no picture.
        facts: Makes the facts out of the rows that commands printed.
        output: The name of the file that it writes; empty is the name of the entry and `.png`.
        shots: Parts of a page that are photographed, each in light and in dark.
        is_table: Whether the command is without `-o`; what it prints is shown, unless it leaves pictures.
        left: Pictures that it leaves in its folder: the name in the gallery, the file, and the alternative of each.
    """

    name: str
    question: str
    drawn_by: str
    reading: str
    command: str = ""
    python: str = ""
    alternative: str = ""
    facts: Facts = no_facts
    output: str = ""
    shots: "tuple[Shot, ...]" = ()
    is_table: bool = False
    left: tuple[tuple[str, str, str], ...] = ()

    @property
    def written_command(self) -> str:
        """The command as the page shows it."""
        return self.command if self.is_table else f"{self.command} -o {self.file}"

    @property
    def file(self) -> str:
        """The name of the file that it writes."""
        return self.output or f"{self.name}.png"

    @property
    def pictures(self) -> dict[str, str]:
        """What is told of each picture, by the name of its file."""
        if self.shots:
            return {shot.file(look): f"{shot.alternative} ({look})" for shot in self.shots for look in shot.looks}
        if self.is_table:
            return {name: told for name, _, told in self.left}
        return {self.file: self.alternative}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A photograph of a part of a page.

    Attributes:
        name: Of its file, before `_dark` and `.png`.
        alternative: What a person who cannot see the picture is told.
        selector: What is scrolled to the top; empty is the top of the page.
        keys: What is pressed first, with the view in focus.
        looks: Of `light` and `dark`.
        height: Of the picture, in pixels.
    """

    name: str
    alternative: str
    selector: str = ""
    keys: tuple[str, ...] = ()
    looks: tuple[str, ...] = ("light", "dark")
    height: int = 720

    def file(self, look: str) -> str:
        """The name of the picture."""
        return f"{self.name}.png" if look == "light" else f"{self.name}_{look}.png"


def written(score: float) -> str:
    """A score with three digits, which is not rounded to 1."""
    return "over 0.999" if score > 0.999 else signed(f"{score:z.3f}")


def with_interval(row: Row, value: str, low: str = "low", high: str = "high") -> str:
    """A number with its 95 % interval in brackets, if it has one."""
    if row[low] is None:
        return written(row[value])
    return f"{written(row[value])} ({signed(f'{row[low]:z.3f}')} to {signed(f'{row[high]:z.3f}')})"


def percent(share: float) -> str:
    """A share in percent."""
    return signed(f"{100 * share:z.1f} %")


def signed(number: str) -> str:
    """A number whose minus is one."""
    return number.replace("-", "−")
