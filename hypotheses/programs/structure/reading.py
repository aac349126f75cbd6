"""The tokens of a program in its language."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.programs.directives import directives
from hypotheses.programs.lexers.states import COMMENT
from hypotheses.programs.program import Reading
from hypotheses.programs.structure.tokens import (
    ANY_CASE,
    BETWEEN_BLANKS,
    PLAIN,
    WITH_APOSTROPHES,
    Tokens,
    read_tokens,
    word,
)

_WORDS = {"haskell": WITH_APOSTROPHES, "shell": BETWEEN_BLANKS, "sql": ANY_CASE}
_CLOSERS = {
    "haskell": ("then", ""),
    "ruby": ("then", "end"),
    "shell": ("then", "}"),
    "sql": ("then", "end"),
}


def tokens_of(reading: Reading, codes: NDArray[np.uint32]) -> Tokens:
    """Return the tokens of a program; lines for the preprocessor of C have none."""
    name, states = reading.language.name, reading.states
    if reading.language.has_preprocessor:
        states = np.where(directives(codes, states), np.uint8(COMMENT), states)
    first, second = _CLOSERS.get(name, ("", ""))
    return read_tokens(codes, states, _WORDS.get(name, PLAIN), (word(first), word(second)))
