"""Conditions of `if`, in every language."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.programs.program import Reading
from hypotheses.programs.structure.c import c_conditions
from hypotheses.programs.structure.haskell import haskell_conditions
from hypotheses.programs.structure.open_conditions import open_conditions
from hypotheses.programs.structure.parenthesised import parenthesised_conditions
from hypotheses.programs.structure.python import python_conditions
from hypotheses.programs.structure.reading import tokens_of
from hypotheses.programs.structure.ruby import ruby_conditions
from hypotheses.programs.structure.shell import shell_conditions
from hypotheses.programs.structure.sql import sql_conditions


def conditions(reading: Reading, codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the condition of an `if`, and the language is possible."""
    return _conditions(reading, codes) & reading.is_possible


def _conditions(reading: Reading, codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    name = reading.language.name
    if name == "c":
        return c_conditions(codes, reading.states)
    if name == "python":
        return python_conditions(codes, reading.states)
    tokens = tokens_of(reading, codes)
    if name == "shell":
        return shell_conditions(codes, tokens)
    if name == "ruby":
        return ruby_conditions(codes, tokens)
    if name == "haskell":
        return haskell_conditions(codes, tokens)
    if name == "sql":
        return sql_conditions(codes, tokens)
    if name in ("go", "rust"):
        return open_conditions(codes, tokens, name == "rust")
    return parenthesised_conditions(len(codes), tokens, name == "c++")
