"""Bodies of functions, in every language."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.programs.directives import directives
from hypotheses.programs.program import Reading
from hypotheses.programs.structure.c import c_bodies
from hypotheses.programs.structure.cpp import cpp_bodies
from hypotheses.programs.structure.haskell import haskell_bodies
from hypotheses.programs.structure.java import java_bodies
from hypotheses.programs.structure.javascript import javascript_bodies
from hypotheses.programs.structure.named_functions import bodies_after_words
from hypotheses.programs.structure.python import python_bodies
from hypotheses.programs.structure.reading import tokens_of
from hypotheses.programs.structure.ruby import ruby_bodies
from hypotheses.programs.structure.shell import shell_bodies
from hypotheses.programs.structure.sql import sql_bodies

_KERNELS = {
    "c++": cpp_bodies,
    "haskell": haskell_bodies,
    "java": java_bodies,
    "javascript": javascript_bodies,
    "ruby": ruby_bodies,
    "shell": shell_bodies,
    "sql": sql_bodies,
    "typescript": javascript_bodies,
}


def bodies(reading: Reading, codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the body of a function, and the language is possible."""
    return _bodies(reading, codes) & reading.is_possible


def _bodies(reading: Reading, codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    name = reading.language.name
    if name == "c":
        return c_bodies(codes, reading.states, directives(codes, reading.states))
    if name == "python":
        return python_bodies(codes, reading.states)
    tokens = tokens_of(reading, codes)
    if name in ("go", "rust"):
        return bodies_after_words(codes, tokens, name == "rust")
    labels: NDArray[np.bool_] = _KERNELS[name](codes, tokens)
    return labels
