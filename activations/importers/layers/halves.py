"""Telling from names which of two arrays acts on the inputs of a layer, and which on its hidden states."""

import re
from collections.abc import Sequence

_OF_HIDDEN = re.compile(r".*(h2h|hh|hid\w*|rec\w*|prev\w*|state)|(w|b|weight|kernel)?_?[hur]")
_OF_INPUT = re.compile(r".*(i2h|x2h|ih|xh|inp\w*|emb\w*)|(w|b|weight|kernel)?_?[xiw]")
_NORM = re.compile(r"_?(layer_?norm|norm|ln)_?")


def is_hidden_first(names: Sequence[str]) -> bool:
    """Do the names of two matrices say that the first one acts on hidden states, and the second on inputs?

    >>> is_hidden_first(["cells.0.h2h.weight", "cells.0.i2h.weight"]), is_hidden_first(["Wx1", "Wh1"])
    (True, False)
    """
    first, second = _distinctive_words(*names)
    return bool(_OF_HIDDEN.fullmatch(first) and _OF_INPUT.fullmatch(second))


def is_named_hidden(name: str) -> bool:
    """Does the name of a matrix say that it acts on hidden states?

    >>> is_named_hidden("cell.h2h.weight"), is_named_hidden("Wh"), is_named_hidden("Wo")
    (True, True, False)
    """
    return _OF_HIDDEN.fullmatch(_last_word(name)) is not None


def is_named_input(name: str) -> bool:
    """Does the name of a matrix say that it acts on inputs?

    >>> is_named_input("params/Wxh"), is_named_input("Why")
    (True, False)
    """
    return _OF_INPUT.fullmatch(_last_word(name)) is not None


def _last_word(name: str) -> str:
    words = [word for word in re.split(r"[./:]", name.lower()) if word not in ("weight", "kernel", "0", "")]
    return words[-1].rstrip("_0123456789") if words else ""


def _distinctive_words(first: str, second: str) -> tuple[str, str]:
    """Return the last words in which two names differ, in lower case and without numbers at their ends."""
    words = [re.split(r"[./:]", name.lower()) for name in (first, second)]
    while min(map(len, words)) > 1 and words[0][-1] == words[1][-1]:
        words = [parts[:-1] for parts in words]
    distinctive = [_NORM.sub("", parts[-1]).rstrip("_0123456789") for parts in words]
    return distinctive[0], distinctive[1]
