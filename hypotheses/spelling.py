"""The spelling of names and numbers in expressions and in messages."""

import difflib
from collections.abc import Sequence


def quoted(spelled: str, *, always: bool = False) -> str:
    """Return a name, parameter or class as an expression spells it: in quotes if it contains blanks or signs."""
    if spelled and not always and not any(char.isspace() or char in "&|~@()<>=!'\"" for char in spelled):
        return spelled
    mark = "'" if "'" not in spelled else '"'
    return mark + spelled.replace(mark, 2 * mark) + mark


def spell_number(value: object) -> str:
    """Return the shortest text from which a number is read back exactly, such as 4 rather than 4.0."""
    return repr(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def short_list(names: Sequence[str]) -> str:
    """Return the first twenty names, separated by commas, and how many more there are."""
    return ", ".join(names[:20]) + (f" and {len(names) - 20:,} others" if len(names) > 20 else "")


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a hint for a name that is unknown: the known name most like it, or all known names if they are few."""
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    if len(known) > 12:
        return "`probe hypotheses` lists all of them"
    return f"there are {', '.join(known)}" if known else "there are none"
