"""Sentences for people, on standard output or standard error."""

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, redirect_stdout

from rich.text import Text

from hypotheses.terminal.signs import SIGNS as SIGNS
from hypotheses.terminal.signs import visible as visible
from probe.consoles import console

_IN_SENTENCE = {**SIGNS, "\n": "\n"}


def say(sentence: str, *, quiet: bool = False) -> None:
    """Print a sentence for a person, unless `quiet`: when the output is for a script.

    Long sentences are broken by the terminal, so that a command or a path in them can be copied whole.
    """
    if not quiet:
        console().print(_harmless(sentence))


def warn(sentence: str) -> None:
    """Print a sentence on standard error, where it does not disturb a script."""
    console(stderr=True).print(_harmless(sentence))


def to_standard_error() -> AbstractContextManager[object]:
    """Send what a user's function prints to standard error for a while, so that it does not get among the results."""
    return redirect_stdout(sys.stderr)


def _harmless(sentence: str) -> Text:
    """Return a sentence, of one line or several, with a sign for each character that would do more than be printed."""
    return Text(visible(sentence, _IN_SENTENCE))


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
        without_name = reason.replace(f"'{name}'", "it").replace(name, "it")
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
