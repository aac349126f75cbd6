"""Show a passage of text in the terminal, coloured by its labels."""

import numpy as np
from rich.text import Text

from hypotheses.labels import Labels
from hypotheses.terminal.marks import marked_lines
from probe.cli.showing import SIGNS, console, visible
from probe.viewer.cells import cells_of
from probe.viewer.scales import MISSING
from probe.viewer.terminal import has_colours, show_view
from probe.viewer.text_view import Panel, TextView
from probe.viewer.tracks import label_values, quantised

_FEWEST_COLUMNS = 8


def show_passage(text: str, name: str, labels: Labels) -> None:
    """Print a text with its labels as background colours, or, where there are too few, as marks below the characters.

    Args:
        text: A passage of a text.
        name: What the labels are called.
        labels: One for each of its characters.
    """
    out = console()
    n_classes = len(np.unique(labels.values[labels.present])) if labels.kind == "categorical" else 0
    if has_colours(out) and n_classes <= MISSING:
        [tracks] = quantised([[label_values(name, labels)]])
        show_view(TextView(text=text, cells=cells_of(text), start=0, panels=(Panel(tracks=tuple(tracks)),)), out)
        return
    width = max(out.width, _FEWEST_COLUMNS)
    for line, marks in marked_lines(text, labels.marks(), width):
        out.print(Text(f"{line}\n{marks}"))
    out.print(Text("\n" + _meaning(labels)))


def _meaning(labels: Labels) -> str:
    """Return what the marks stand for."""
    if labels.kind == "binary":
        meanings = ["x True", ". False"]
    elif labels.kind == "categorical":
        marks = zip(Labels.class_marks(labels.names), labels.names, strict=True)
        meanings = [f"{mark} {visible(name, SIGNS)}" for mark, name in marks if mark != "+"]
    else:
        meanings = ["0 to 9, then a to z: 0 to 35, rounded down", "+ above", "- below 0"]
    return ", ".join([*meanings, *["? no label"] * (not labels.present.all())])
