"""Show a passage of text in the terminal, coloured by its labels."""

import re

import numpy as np
from rich.console import Console
from rich.text import Text

from hypotheses.labelling.corpus_labels import CHUNK, CorpusLabels
from hypotheses.labels import Labels
from probe.cli.show import SIGNS, visible

_TRUE = "black on #f2b36b"
_CLASSES = (
    "black on #f2b36b", "black on #8fc1e8", "black on #a6d9a0", "black on #e8a0bf", "black on #e6dc78",
    "black on #c3a6e8", "black on #9fd8d3", "black on #d9c2a3", "black on #c9c9c9", "white on #a0522d",
    "white on #2c6fad", "white on #3a7d44", "white on #8b2f5c",
)  # fmt: skip
_RAMP = ("#f7f3e8", "#f6dfb5", "#f2c27d", "#e79a4f", "#cc6a2c", "#9c4016")
_MISSING = "dim"


def first_of_interest(labels: Labels | CorpusLabels) -> int:
    """Find where the labels first change, with missing ones as one more value; 0 if they never do."""
    for start in range(0, len(labels), CHUNK):
        part = labels[max(start - 1, 0) : start + CHUNK]
        values = np.where(part.present, part.values.astype(float), -1.0)
        changes = np.flatnonzero(np.diff(values) != 0)
        if len(changes):
            return max(start - 1, 0) + int(changes[0]) + 1
    return 0


def show_passage(text: str, labels: Labels) -> None:
    """Print a text with its labels as background colours, or, in a pipe, as marks below the characters.

    Args:
        text: A passage of a text.
        labels: One for each of its characters.
    """
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal or console.color_system in (None, "standard"):  # too few colours
        for line, marks in _lines(text, labels.marks()):
            console.print(Text(f"{line}\n{marks}"))
        if labels.kind == "categorical":
            meanings = zip(Labels.class_marks(labels.names), labels.names, strict=True)
            shown = [f"{mark} {visible(name, SIGNS)}" for mark, name in meanings if mark != "+"]
            console.print(Text("\n" + ", ".join(shown)))
        return
    coloured = Text(no_wrap=False)
    styles = _styles(labels)
    for char, style in zip(text, styles, strict=True):
        coloured.append(visible(char, SIGNS), style)
        if char == "\n":
            coloured.append("\n")
    console.print(coloured)
    console.print(_legend(labels))


def _lines(text: str, marks: str) -> list[tuple[str, str]]:
    lines, start = [], 0
    for line in re.findall(r".*\n|.+", text):
        lines.append((visible(line, SIGNS), marks[start : start + len(line)]))
        start += len(line)
    return lines


def _styles(labels: Labels) -> list[str]:
    values = labels.values
    if labels.kind == "binary":
        styles = [_TRUE if value else "" for value in values.tolist()]
    elif labels.kind == "categorical":
        styles = [_CLASSES[number % len(_CLASSES)] for number in values.tolist()]
    else:
        lowest, highest = _span(labels)
        shares = (np.clip(values, lowest, highest) - lowest) / max(highest - lowest, 1e-9)
        steps = np.minimum((shares * len(_RAMP)).astype(int), len(_RAMP) - 1).tolist()
        styles = [f"{'white' if step > 3 else 'black'} on {_RAMP[step]}" for step in steps]
    return [style if present else _MISSING for style, present in zip(styles, labels.present.tolist(), strict=True)]


def _span(labels: Labels) -> tuple[float, float]:
    """Return the numbers at the ends of the colour ramp; a few outliers lie beyond."""
    values = labels.values[labels.present]
    return (float(values.min()), float(np.quantile(values, 0.98))) if len(values) else (0.0, 1.0)


def _legend(labels: Labels) -> Text:
    legend = Text("\n")
    if labels.kind == "binary":
        legend.append(" True ", _TRUE).append(" False")
    elif labels.kind == "categorical":
        for number in np.unique(labels.values[labels.present]).tolist()[: len(_CLASSES)]:
            legend.append(f" {visible(labels.names[number], SIGNS)} ", _CLASSES[number % len(_CLASSES)]).append(" ")
    else:
        lowest, highest = _span(labels)
        legend.append(f"{lowest:g} ")
        for step, colour in enumerate(_RAMP):
            legend.append("   ", f"{'white' if step > 3 else 'black'} on {colour}")
        legend.append(f" {highest:g} and more")
    if labels.missing is not None and labels.missing.any():
        legend.append("  no label", _MISSING)
    return legend
