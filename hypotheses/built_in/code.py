"""Keywords, names and expressions of programs, and lines for the preprocessor of C.

Comments and strings are left out: see `in_comment`.
"""

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import traits
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels
from hypotheses.programs.directives import directives
from hypotheses.programs.lexers.states import CODE, COMMENT, DOC_COMMENT, DOCSTRING, FIELD, STRING
from hypotheses.programs.lexers.states import NAME as QUOTED_NAME
from hypotheses.programs.program import Program, Reading, read_program
from hypotheses.programs.words import KEYWORD, NAME, table, whole_words, words_of_shell
from hypotheses.readers.nesting import ROUND, SQUARE, depth_of

_SOURCE = "Karpathy, Johnson & Li 2015, arXiv:1506.02078"


@hypothesis(kind="binary", text_kind="code")
def in_preprocessor(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    r"""Is the text, as read so far, in a line for the preprocessor of C?

    Such a line begins with `#`, after nothing but blanks, outside comments and strings, and ends with its newline,
    unless a backslash precedes that. Languages other than C and C++ have none. The language is decided as in
    `in_comment`.

    >>> in_preprocessor("a;\n#define b \\\nc\nd", "c").marks()
    '...xxxxxxxxxxxxx..'
    """
    program = read_program(text, language, file_name)
    return Labels(program.in_any(lambda reading: _directives_of(reading, program.codes)), "binary")


@hypothesis(
    unit="brackets",
    source=_SOURCE,
    expects="In an LSTM trained on the Linux kernel, a cell was found that follows the depth of an expression.",
    text_kind="code",
)
def expression_depth(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    """How many parentheses and square brackets of the code are open?

    Those in comments and strings do not count. A closing brace ends what was left open since the opening one. The
    language is decided as in `in_comment`.

    >>> print(expression_depth.mark("f(a[1], '(')"))
    f(a[1], '(')
    011221111110
    """
    program = read_program(text, language, file_name)
    code = np.where(program.is_code, program.codes, 0).astype(np.uint32)
    return Labels(depth_of(code, ROUND, SQUARE, is_code=True).astype(np.float64), "numeric")


@hypothesis(kind="binary", causal=False, text_kind="code")
def in_keyword(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    """Is the character part of a keyword?

    A reserved word of the language, outside comments, strings and lines for the preprocessor; the code in the braces of
    an f-string or a template counts. Words that are reserved only at some places count there: `async`, `of`, `from` and
    `type` of JavaScript and TypeScript, `qualified` of Haskell in an import, `if` of shell where a command begins. A
    word behind a point or in front of a colon (`x.delete`, `if: 1`) is none in JavaScript, TypeScript and Ruby. It
    looks ahead, to the end of the word and to what decides this. The language is decided as in `in_comment`, for each
    word at its end.

    >>> print(in_keyword.mark("for i in format:"))
    for i in format:
    xxx...xx........
    """
    program = read_program(text, language, file_name)
    return Labels(_words(program, is_keyword=True), "binary")


@hypothesis(kind="binary", causal=False, text_kind="code")
def in_identifier(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    """Is the character part of a name in a program: of a variable, a function, a type?

    A name is a word that begins with a letter or underscore, is not a keyword, and is outside comments, strings and
    lines for the preprocessor. In Python, the braces of an f-string contain code: names in them count, also in braces
    within a format, but not the format itself or the `r` of `!r`. In shell scripts, only variables and the functions
    that are defined are names; in SQL, names in marks are, too. It looks ahead, to the end of the word.

    >>> print(in_identifier.mark("for i in format:"))
    for i in format:
    ....x....xxxxxx.
    >>> print(in_identifier.with_parameters("python").mark("a = f'{b!r:>{width}d} {{c}}'"))
    a = f'{b!r:>{width}d} {{c}}'
    x......x.....xxxxx..........
    """
    program = read_program(text, language, file_name)
    return Labels(_words(program, is_keyword=False), "binary")


def _directives_of(reading: Reading, codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in a line for the preprocessor, and the language is possible."""
    if not reading.language.has_preprocessor:
        return np.zeros(len(codes), np.bool_)
    return directives(codes, reading.states) & reading.is_possible


def _words(program: Program, *, is_keyword: bool) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is part of a keyword, or part of a name."""
    kinds = traits(program.codes)
    words = np.zeros(len(program.codes), np.uint8)
    for reading in program.readings:  # while several languages are possible, a keyword of any is one
        is_code = reading.is_any(CODE, FIELD) & ~_directives_of(reading, program.codes)
        read = words_of_shell if reading.language.style == "shell" else whole_words
        np.maximum(words, read(program.codes, kinds, is_code, table(reading.language)), out=words)
    if is_keyword:
        keywords: NDArray[np.bool_] = words == KEYWORD
        return keywords
    no_names = program.is_any(COMMENT, DOC_COMMENT, STRING, DOCSTRING)
    is_name: NDArray[np.bool_] = ((words == NAME) & ~no_names) | program.is_any(QUOTED_NAME)
    return is_name
