"""Sentences for people, on standard output or standard error."""

import re
from collections.abc import Callable, Mapping

from rich.console import Console
from rich.text import Text

from hypotheses.terminal.signs import SIGNS as SIGNS
from hypotheses.terminal.signs import visible as visible
from probe.cli.showing.layout import columns_taken
from probe.consoles import console, standard_error

_IN_SENTENCE = {**SIGNS, "\n": "\n"}
_WORD = re.compile(r" *(?:`[^`]*`|[^ ])+")  # a command in backticks is one
_COMMAND = re.compile(r" *probe ")  # what is to be copied
_BEFORE = re.compile(r" *(?:\S+(?: \S+)* {2,})?")  # the indentation of a line, and a name in a column of its own
_INDENTATION = 2  # of what continues an indented line


def say(sentence: str, *, quiet: bool = False) -> None:
    """Print a sentence for a person, unless `quiet`: when the output is for a script.

    On a terminal, long sentences are broken between words, though never within `backticks` or a path, so that these can
    be copied whole. In a pipe, they are not broken.
    """
    if not quiet:
        _print(console(), sentence)


def warn(sentence: str) -> None:
    """Print a sentence on standard error, where it does not disturb a script."""
    _print(standard_error(), sentence)


def _print(out: Console, sentence: str) -> None:
    """Print a sentence, of one line or several, with a sign for each character that would do more than be printed."""
    lines = visible(sentence, _IN_SENTENCE).split("\n")
    if out.is_terminal:
        lines = [part for line in lines for part in broken(line, out.width)]
    out.print(Text("\n".join(lines)))


def broken(line: str, width: int) -> list[str]:
    """Break a sentence between words, which stay whole however long they are.

    What continues an indented line is indented, and stands below the text where a name is before it. A command, and a
    line that is laid out in columns, are left as they are.

    >>> broken("damaged: run `probe check a.h5` first", 20)
    ['damaged: run', '`probe check a.h5`', 'first']
    >>> broken("  a.png: the text, coloured", 20)
    ['  a.png: the text,', '    coloured']
    >>> broken("  cell   peepholes and gates", 20)
    ['  cell   peepholes', '         and gates']
    >>> broken("    probe demo  # in two minutes", 20)
    ['    probe demo  # in two minutes']
    """
    start = _BEFORE.match(line)
    before = start[0] if start else ""
    text = line[len(before) :]
    if columns_taken(line) <= width or _COMMAND.match(line) or "  " in text:
        return [line]
    n_spaces = columns_taken(before)
    if before.strip() == "":
        n_spaces += _INDENTATION if before else 0
    elif 2 * n_spaces > width:
        n_spaces = len(before) - len(before.lstrip()) + _INDENTATION
    parts, has_words = [before], False
    for word in _WORD.findall(text):
        if not has_words or columns_taken(parts[-1] + word) <= width:
            parts[-1] += word
        else:
            parts.append(" " * n_spaces + word.lstrip())
        has_words = True
    return parts


def warn_of_reasons(what: str, reasons: Mapping[str, str]) -> None:
    """Say on standard error, in one line, which hypotheses have no result, and why.

    Args:
        what: What they have none of, such as "no score for".
        reasons: A sentence by the name of each; those that differ in the name alone are said once.
    """
    if not reasons:
        return
    if len(reasons) == 1:
        [(name, reason)] = reasons.items()
        warn(f"{what} {name}: {reason}")
        return
    names_by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        without_name = reason.replace(f"'{name}'", "it")
        names_by_reason.setdefault(without_name, []).append(name)
    groups = (f"{', '.join(names)} ({reason})" for reason, names in names_by_reason.items())
    warn(f"{what} {len(reasons)} hypotheses: {'; '.join(groups)}")


def warn_once() -> Callable[[str], None]:
    """Return a function like `warn` that says the same sentence only once."""
    said: set[str] = set()

    def notice(sentence: str) -> None:
        if sentence not in said:
            said.add(sentence)
            warn(sentence)

    return notice


def in_bytes(n_bytes: float) -> str:
    """Return a size in words.

    >>> [in_bytes(n_bytes) for n_bytes in (900, 479_583_576, 12e9)]
    ['0.9 kB', '480 MB', '12 GB']
    """
    units = {"kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}
    unit = next((unit for unit, size in units.items() if n_bytes < 999.5 * size), "TB")
    amount = n_bytes / units[unit]
    return f"{amount:.{0 if amount >= 10 else 1}f} {unit}".replace(".0 ", " ")
