"""Tells code, comments, strings and docstrings apart, in the language of a program.

Everything here is causal: what a character is depends on the text up to and including that character. If neither a
parameter nor the name of the file tells the language, the lines read so far decide whether it is Python or C.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import code_points
from hypotheses.programs.evidence import weigh_evidence
from hypotheses.programs.languages import AUTO, PYTHON, C, Language, language_of, language_of_file
from hypotheses.programs.lexers.c_syntax import mark_doc_comments, read_c
from hypotheses.programs.lexers.python_syntax import read_python, widened
from hypotheses.programs.lexers.ruby_syntax import read_ruby
from hypotheses.programs.lexers.shell_syntax import read_shell
from hypotheses.programs.lexers.states import CODE, FIELD, N_STATES
from hypotheses.programs.lexers.syntax import SYNTAXES
from hypotheses.programs.lexers.tokens import read_tokens

_NOTHING = np.zeros(0, np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """A program, read in a language in which it may be written.

    Attributes:
        language: The language.
        states: (n_chars,) what each character is, once read: `CODE`, `COMMENT` or another of `lexers.states`.
        is_possible: (n_chars,) whether the text so far may be written in this language.
    """

    language: Language
    states: NDArray[np.uint8]
    is_possible: NDArray[np.bool_]

    def is_any(self, *states: int) -> NDArray[np.bool_]:
        """Return (n_chars,) whether a character is in one of these states, and the language is still possible."""
        is_wanted = np.zeros(N_STATES, np.bool_)
        is_wanted[list(states)] = True
        labels: NDArray[np.bool_] = is_wanted[self.states]
        labels &= self.is_possible
        return labels


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A program, read in each language in which it may be written.

    Attributes:
        codes: (n_chars,) code points.
        readings: One if the language is known. Otherwise two, Python and C, of which one or both are possible at each
            character.
    """

    codes: NDArray[np.uint32]
    readings: tuple[Reading, ...]

    def is_any(self, *states: int) -> NDArray[np.bool_]:
        """Return (n_chars,) whether a character is in one of these states, in any language that is still possible."""
        first, *others = (reading.is_any(*states) for reading in self.readings)
        for labels in others:
            first |= labels
        return first

    def whole_tokens(self, *states: int) -> NDArray[np.bool_]:
        """Return (n_chars,) whether a character is in a token of these states, delimiters and prefixes included.

        It looks ahead, to the end of a delimiter. A `FIELD` is only the code within a string.
        """
        is_wanted = np.isin(np.arange(N_STATES), states)
        labels = np.zeros(len(self.codes), np.bool_)
        for reading in self.readings:
            labels |= is_wanted[_read_whole(reading, self.codes)] & reading.is_possible
        return labels

    @property
    def is_code(self) -> NDArray[np.bool_]:
        """(n_chars,) whether a character is in no comment and no string of any language that is still possible."""
        return ~self.is_any(*(state for state in range(N_STATES) if state != CODE))


def read_program(text: str, language: str = AUTO, file_name: str = "") -> Program:
    """Tell code, comments and strings apart.

    Args:
        text: A program.
        language: The name of a language, or `auto`, which goes by the name of the file, or else by the lines read so
            far: these tell Python from languages like C.
        file_name: The name of the file that the text is from, or an empty string.

    Raises:
        HypothesisError: If the language is not known.
    """
    is_named = language.lower() != AUTO
    known = language_of(language) if is_named else language_of_file(file_name)
    codes = code_points(text)
    if known is not None:
        states = _read(known.name, codes)
        return Program(codes, (Reading(known, states, np.ones(len(codes), np.bool_)),))
    python, c = read_python(codes), read_c(codes)
    evidence = weigh_evidence(codes, python, c)
    return Program(codes, (Reading(PYTHON, python, evidence <= 0), Reading(C, c, evidence >= 0)))


def _read(language: str, codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return (n_chars,) the states of a program in a language."""
    match language:
        case "python":
            return read_python(codes)
        case "c":
            states = read_c(codes)
            mark_doc_comments(codes, states)
            return states
        case "ruby":
            return read_ruby(codes, _NOTHING)
        case "shell":
            return read_shell(codes, _NOTHING)
    return read_tokens(codes, SYNTAXES[language], _NOTHING)


def _read_whole(reading: Reading, codes: NDArray[np.uint32]) -> NDArray[np.uint8]:
    """Return (n_chars,) the states of whole tokens."""
    name = reading.language.name
    if name == "python":
        return widened(codes, reading.states)
    whole = np.zeros(len(codes), np.uint8)
    if name == "ruby":
        read_ruby(codes, whole)
    elif name == "shell":
        read_shell(codes, whole)
    else:
        read_tokens(codes, SYNTAXES[name], whole)
    is_rest = (whole == CODE) & (reading.states == FIELD) if name in SYNTAXES else whole == CODE
    return np.where(is_rest, reading.states, whole)
