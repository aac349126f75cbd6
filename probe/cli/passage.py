"""Show a passage of text in the terminal, coloured by its labels."""

import re

from rich.console import Console
from rich.text import Text

from hypotheses.labels import Labels
from probe.cli.show import SIGNS, visible
from probe.viewer.cells import cells_of
from probe.viewer.scales import MISSING
from probe.viewer.terminal import has_colours, show_view
from probe.viewer.text_view import Panel, TextView
from probe.viewer.tracks import label_values, quantised


def show_passage(text: str, name: str, labels: Labels) -> None:
    """Print a text with its labels as background colours, or, where there are too few, as marks below the characters.

    Args:
        text: A passage of a text.
        name: What the labels are called.
        labels: One for each of its characters.
    """
    console = Console(highlight=False, soft_wrap=True)
    n_classes = len(set(labels.values[labels.present].tolist())) if labels.kind == "categorical" else 0
    if has_colours(console) and n_classes <= MISSING:
        [tracks] = quantised([[label_values(name, labels)]])
        show_view(TextView(text=text, cells=cells_of(text), start=0, panels=(Panel(tracks=tuple(tracks)),)), console)
        return
    for line, marks in _lines(text, labels.marks()):
        console.print(Text(f"{line}\n{marks}"))
    if labels.kind == "categorical":
        meanings = zip(Labels.class_marks(labels.names), labels.names, strict=True)
        shown = [f"{mark} {visible(name, SIGNS)}" for mark, name in meanings if mark != "+"]
        console.print(Text("\n" + ", ".join(shown)))


def _lines(text: str, marks: str) -> list[tuple[str, str]]:
    lines, start = [], 0
    for line in re.findall(r".*\n|.+", text):
        lines.append((visible(line, SIGNS), marks[start : start + len(line)]))
        start += len(line)
    return lines
