"""Tells code, comments, strings and docstrings apart, in the language of a program.

Everything here is causal: what a character is depends on the text up to and including that character. If neither a
parameter nor the name of the file tells the language, the lines read so far decide whether it is Python or C.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import code_points
from hypotheses.kernels import compiled
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
        labels: NDArray[np.bool_] = _gathered(is_wanted, self.states)
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
        return self.in_any(lambda reading: reading.is_any(*states))

    def in_any(self, label: Callable[[Reading], NDArray[np.bool_]]) -> NDArray[np.bool_]:
        """Return (n_chars,) whether a function of a reading is True of a character in any of the readings."""
        first, *others = map(label, self.readings)
        for labels in others:
            first |= labels
        return first

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
        states = _read(known.name, codes, _NOTHING)
        return Program(codes, (Reading(known, states, np.ones(len(codes), np.bool_)),))
    python, c = read_python(codes), read_c(codes)
    evidence = weigh_evidence(codes, python, c)
    return Program(codes, (Reading(PYTHON, python, evidence <= 0), Reading(C, c, evidence >= 0)))


def whole_tokens(text: str, language: str, *states: int) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in a token of these states, delimiters and prefixes included.

    It looks ahead, to the end of a delimiter. A `FIELD` is only the code within a string.

    Args:
        text: A program.
        language: The name of its language.
        states: The states that are wanted.

    Raises:
        HypothesisError: If the language is not known.
    """
    codes, name = code_points(text), language_of(language).name
    is_wanted = np.isin(np.arange(N_STATES), states)
    if name == "python":
        return _gathered(is_wanted, widened(codes, read_python(codes)))
    whole = np.zeros(len(codes), np.uint8)
    read = read_tokens(codes, SYNTAXES[name], whole) if name == "c" else _read(name, codes, whole)
    return _of_whole_tokens(is_wanted, read, whole, name in SYNTAXES)


@compiled()
def _gathered(is_wanted: NDArray[np.bool_], states: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether the state of a character is wanted."""
    labels = np.empty(len(states), np.bool_)
    for t, state in enumerate(states):
        labels[t] = is_wanted[state]
    return labels


@compiled()
def _of_whole_tokens(
    is_wanted: NDArray[np.bool_], states: NDArray[np.uint8], whole: NDArray[np.uint8], has_only_fields: bool
) -> NDArray[np.bool_]:
    """Return (n_chars,) whether the state of the token that a character is in is wanted.

    Args:
        is_wanted: (n_states,) which states are.
        states: (n_chars,) states.
        whole: (n_chars,) states of delimiters, or of whole tokens if it has only fields to add.
        has_only_fields: Whether of `states`, only those of fields are missing in `whole`.
    """
    labels = np.empty(len(states), np.bool_)
    for t, state in enumerate(whole):
        if state == CODE and (not has_only_fields or states[t] == FIELD):
            state = states[t]
        labels[t] = is_wanted[state]
    return labels


def _read(language: str, codes: NDArray[np.uint32], whole: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (n_chars,) the states of a program in a language; `whole` is that of the readers."""
    match language:
        case "python":
            return read_python(codes)
        case "c":
            states = read_c(codes)
            mark_doc_comments(codes, states)
            return states
        case "ruby":
            return read_ruby(codes, whole)
        case "shell":
            return read_shell(codes, whole)
    return read_tokens(codes, SYNTAXES[language], whole)
