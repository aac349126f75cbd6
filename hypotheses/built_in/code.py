"""The structure of programs in Python and in languages like C. Comments and strings are left out: see `in_comment`."""

import functools
from collections.abc import Iterable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hypotheses.built_in.nesting import ROUND, SQUARE, depth_of
from hypotheses.characters import DIGIT, LONGEST_PACKED, WORD, pack, traits
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels
from hypotheses.programs.lexers.states import CODE, COMMENT, DOC_COMMENT, DOCSTRING, FIELD, STRING
from hypotheses.programs.program import Program, Reading, read_program

_NEWLINE, _HASH, _SLASH, _POINT, _BACKSLASH, _RETURN, _COLON, _SEMICOLON, _EQUALS, _QUOTE, _APOSTROPHE = (
    ord(char) for char in "\n#/.\\\r:;=\"'"
)
_ROUND_OPEN, _ROUND_CLOSE, _CURLY_OPEN, _CURLY_CLOSE = (ord(char) for char in "(){}")
_OPENING, _CLOSING = tuple(ord(char) for char in "([{"), tuple(ord(char) for char in ")]}")
_SPACE, _TAB = ord(" "), ord("\t")
_SOURCE = "Karpathy, Johnson & Li 2015, arXiv:1506.02078"
_IF, _ELIF, _DEF, _CLASS, _ASYNC = (pack(word) for word in ("if", "elif", "def", "class", "async"))
_TYPES = tuple(pack(word) for word in ("struct", "union", "enum", "class"))
_STRING_PREFIXES = tuple(
    np.uint64(pack(word)) for word in ("r", "u", "b", "f", "t", "br", "rb", "fr", "rf", "tr", "rt", "l", "u8")
)
_NAME, _KEYWORD = 1, 2


@hypothesis(kind="binary")
def in_preprocessor(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    r"""Is the text, as read so far, in a line for the preprocessor of C?

    Such a line begins with `#`, after nothing but blanks, outside comments and strings, and ends with its newline,
    unless a backslash precedes that. Python has none. The language is decided as in `in_comment`.

    >>> in_preprocessor("a;\n#define b \\\nc\nd", "c").marks()
    '...xxxxxxxxxxxxx..'
    """
    program = read_program(text, language, file_name)
    return Labels(_any_of(_directives_of(reading, program.codes) for reading in program.readings), "binary")


@hypothesis(
    kind="binary",
    source=_SOURCE,
    expects="In an LSTM trained on the Linux kernel, a cell was found that is on inside the conditions of if "
    "statements.",
)
def in_if_condition(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    r"""Is the text, as read so far, inside the condition of an `if`?

    In languages like C: from the parenthesis after `if` to the one that closes it, which is False (or to a `;` or
    closing brace, if it is unclosed). In Python: from the character after an `if` or `elif` that begins a statement to
    the colon, which is False; the `if` of an expression does not count. The language is decided as in `in_comment`.

    >>> in_if_condition("if (f(a)) b;", "c").marks()
    '...xxxxx....'
    >>> in_if_condition("x = 1\nif y[1:]: pass\n", "python").marks()
    '........xxxxxx.......'
    """
    program = read_program(text, language, file_name)
    kernels = {"python": _python_conditions, "braces": _c_conditions}
    labels = (kernels[r.language.style](program.codes, r.states) & r.is_possible for r in program.readings)
    return Labels(_any_of(labels), "binary")


@hypothesis(
    unit="brackets",
    source=_SOURCE,
    expects="In an LSTM trained on the Linux kernel, a cell was found that follows the depth of an expression.",
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
    return Labels(depth_of(code, ROUND, SQUARE, over_paragraphs=True).astype(np.float64), "numeric")


@hypothesis(kind="binary", causal=False)
def in_keyword(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    """Is the character part of a keyword?

    A keyword of Python or C, outside comments, strings and lines for the preprocessor; the code in the braces of an
    f-string counts. It looks ahead, to the end of the word. The language is decided as in `in_comment`, for each word
    at its end.

    >>> print(in_keyword.mark("for i in format:"))
    for i in format:
    xxx...xx........
    """
    program = read_program(text, language, file_name)
    return Labels(_words(program, keywords=True), "binary")


@hypothesis(kind="binary", causal=False)
def in_identifier(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    """Is the character part of a name in a program: of a variable, a function, a type?

    A name is a word that begins with a letter or underscore, is not a keyword, and is outside comments, strings and
    lines for the preprocessor. In Python, the braces of an f-string contain code: names in them count, also in braces
    within a format, but not the format itself or the `r` of `!r`. It looks ahead, to the end of the word.

    >>> print(in_identifier.mark("for i in format:"))
    for i in format:
    ....x....xxxxxx.
    >>> print(in_identifier.with_parameters("python").mark("a = f'{b!r:>{width}d} {{c}}'"))
    a = f'{b!r:>{width}d} {{c}}'
    x......x.....xxxxx..........
    """
    program = read_program(text, language, file_name)
    return Labels(_words(program, keywords=False), "binary")


@hypothesis(kind="binary", source=_SOURCE)
def in_function_body(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    r"""Is the text, as read so far, inside the body of a function?

    In Python: from the colon that ends the header of a `def` to the first code that is not indented more than the
    `def`; of functions within functions, the outermost counts. In languages like C: from an opening brace after a
    closing parenthesis to the brace that closes it, or else to a closing brace at the beginning of a line. Words may
    come between the parenthesis and the brace, but not in a statement that begins with `struct`, `union`, `enum` or
    `class`, and there must be no `=` before. The language is decided as in `in_comment`.

    >>> in_function_body("def f():\n  a\nb", "python").marks()
    '.......xxxxxx.'
    >>> print(in_function_body.mark("int f(a) { b; } c;"))
    int f(a) { b; } c;
    .........xxxxx....
    """
    program = read_program(text, language, file_name)
    return Labels(_any_of(_bodies(reading, program.codes) for reading in program.readings), "binary")


def _any_of(labels: Iterable[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether any of these is True at a character."""
    return functools.reduce(np.bitwise_or, labels)


def _directives_of(reading: Reading, codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in a line for the preprocessor, and the language is possible."""
    if not reading.language.has_preprocessor:
        return np.zeros(len(codes), np.bool_)
    return _directives(codes, reading.states) & reading.is_possible


def _bodies(reading: Reading, codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the body of a function, and the language is possible."""
    if reading.language.style == "python":
        return _python_bodies(codes, reading.states) & reading.is_possible
    directives = _directives(codes, reading.states)
    return _c_bodies(codes, reading.states, directives) & reading.is_possible


def _words(program: Program, *, keywords: bool) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is part of a keyword, or part of a name."""
    kinds = traits(program.codes)
    words = np.zeros(len(program.codes), np.uint8)
    for reading in program.readings:  # while several languages are possible, a keyword of any is one
        is_code = reading.is_any(CODE, FIELD) & ~_directives_of(reading, program.codes)
        np.maximum(words, _whole_words(program.codes, kinds, is_code, _packed(reading.language.keywords)), out=words)
    is_keyword: NDArray[np.bool_] = words == _KEYWORD
    return is_keyword if keywords else (words == _NAME) & ~program.is_any(COMMENT, DOC_COMMENT, STRING, DOCSTRING)


def _packed(words: tuple[str, ...]) -> NDArray[np.uint64]:
    return np.sort(np.array([pack(word) for word in words], np.uint64))


@njit(cache=True)
def _whole_words(
    codes: NDArray[np.uint32], kinds: NDArray[np.uint8], is_code: NDArray[np.bool_], keywords: NDArray[np.uint64]
) -> NDArray[np.uint8]:
    """Return (n_chars,) `_KEYWORD` in keywords, `_NAME` in other words that are no numbers or prefixes, 0 elsewhere.

    Args:
        codes: (n_chars,) code points.
        kinds: (n_chars,) their `traits`.
        is_code: (n_chars,) whether a character is code.
        keywords: Packed, in ascending order.
    """
    words = np.zeros(len(codes), np.uint8)
    start, word = -1, np.uint64(0)
    number_end = -2  # the character after the last word, if that was a number
    for t in range(len(codes) + 1):
        in_word = t < len(codes) and kinds[t] & WORD and is_code[t]
        if in_word:
            if start < 0:
                start, word = t, np.uint64(0)
            is_short = t - start < 8 and codes[t] < 128
            word = (word << np.uint64(8)) | np.uint64(codes[t]) if is_short else np.uint64(0)
        elif start >= 0:
            index = np.searchsorted(keywords, word)
            is_keyword = t - start <= 8 and index < len(keywords) and keywords[index] == word
            is_quoted = t < len(codes) and (codes[t] == _QUOTE or codes[t] == _APOSTROPHE)
            is_prefix = is_quoted and (word | np.uint64(0x2020 if t - start == 2 else 0x20)) in _STRING_PREFIXES
            continues_number = start > 0 and codes[start - 1] == _POINT and number_end == start - 1
            is_number = kinds[start] & DIGIT != 0 or continues_number
            if is_keyword or not (is_number or is_prefix):
                words[start:t] = _KEYWORD if is_keyword else _NAME
            number_end = t if is_number else -2
            start = -1
    return words


@njit(cache=True)
def _directives(codes: NDArray[np.uint32], c: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in a line for the preprocessor of C."""
    labels = np.zeros(len(codes), np.bool_)
    inside, line_begins, continued = False, True, False
    for t, code in enumerate(codes):
        if code == _NEWLINE:
            in_block = c[t] == COMMENT
            inside = inside and (continued or in_block)
            line_begins = not in_block
        elif line_begins and code == _HASH and c[t] == CODE:
            inside, line_begins = True, False
        elif code != _SPACE and code != _TAB and code != _RETURN:
            line_begins = False
        continued = code == _BACKSLASH or (continued and code == _RETURN)
        labels[t] = inside
    return labels


@njit(cache=True)
def _c_conditions(codes: NDArray[np.uint32], c: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the condition of an `if` of C."""
    labels = np.zeros(len(codes), np.bool_)
    word = 0  # the word just read, packed; -1 if it is too long, or more than a word
    condition_next = False  # an opening parenthesis begins a condition
    n_braces = 0  # open within the condition
    last, is_directive = np.uint32(0), False  # the last character that is not blank; the word follows a #
    depth = 0  # of parentheses in the condition; 0 outside
    for t, code in enumerate(codes):
        if c[t] == CODE:
            is_small = 97 <= code <= 122
            is_word = is_small or 65 <= code <= 90 or 48 <= code <= 57 or code == 95 or code > 127
            if depth > 0:
                if code == _ROUND_OPEN:
                    depth += 1
                elif code == _ROUND_CLOSE:
                    depth -= 1
                elif code == _CURLY_OPEN:
                    n_braces += 1
                elif n_braces > 0:
                    n_braces -= code == _CURLY_CLOSE
                elif code == _CURLY_CLOSE or code == _SEMICOLON:
                    depth = 0
            elif code == _ROUND_OPEN and (condition_next or (word == _IF and not is_directive)):
                depth, n_braces, condition_next = 1, 0, False
            elif is_word:
                if word == 0:
                    is_directive = last == _HASH
                last = code
                word = word << 8 | code if is_small and 0 <= word < LONGEST_PACKED else -1
                condition_next = False
            else:
                is_blank = code == _SPACE or code == _TAB or code == _NEWLINE or code == _RETURN or code == _SLASH
                condition_next = is_blank and (condition_next or (word == _IF and not is_directive))
                last = last if is_blank else code
            if not is_word:
                word = 0
        labels[t] = depth > 0
    return labels


@njit(cache=True)
def _python_conditions(codes: NDArray[np.uint32], python: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the condition of an `if` or `elif` statement of Python."""
    labels = np.zeros(len(codes), np.bool_)
    word = 0  # the first word of the line, packed; -1 behind it
    inside, continued = False, False
    depth = 0  # of brackets
    ended = -2  # where a colon ended the condition, which may belong to :=
    for t, code in enumerate(codes):
        if python[t] == CODE:
            if word > 0 and not 97 <= code <= 122:
                is_whole = not (48 <= code <= 57 or 65 <= code <= 90 or code == 95 or code > 127 or code == _EQUALS)
                if (word == _DEF or word == _CLASS) and is_whole:
                    depth = 0  # no bracket is open where one of these begins a line
                inside = (word == _IF or word == _ELIF) and is_whole and depth == 0
                word = -1
            if code in _OPENING:
                depth += 1
            elif code in _CLOSING:
                depth = max(depth - 1, 0)
            if code == _NEWLINE:
                inside = inside and (depth > 0 or continued)
                word = 0 if not inside else -1
            elif inside and code == _COLON and depth == 0:
                inside, ended = False, t
            elif ended == t - 1 and code == _EQUALS:
                inside = True
            elif word >= 0 and 97 <= code <= 122:
                word = word << 8 | code if word < LONGEST_PACKED else -1
            elif code != _SPACE and code != _TAB:
                word = -1
            continued = code == _BACKSLASH or (continued and code == _RETURN)
        elif python[t] != COMMENT:
            word = -1
        labels[t] = inside
    return labels


@njit(cache=True)
def _c_bodies(codes: NDArray[np.uint32], c: NDArray[np.uint8], directives: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the body of a function of C."""
    labels = np.zeros(len(codes), np.bool_)
    depth = 0  # of braces in the body; 0 outside
    has_parentheses, has_equals = False, False  # in the statement so far
    is_type = False  # the statement begins with struct or the like
    n_open = 0  # parentheses
    word, is_first = 0, True  # the first word of the statement, packed; no other word has been read
    last = np.uint32(0)  # the last character that is not blank
    for t, code in enumerate(codes):
        if c[t] == CODE and not directives[t]:
            if depth > 0:
                if code == _CURLY_OPEN:
                    depth += 1
                elif code == _CURLY_CLOSE:
                    at_margin = t == 0 or codes[t - 1] == _NEWLINE
                    depth = 0 if at_margin else depth - 1
            elif (
                code == _CURLY_OPEN
                and has_parentheses
                and not has_equals
                and n_open == 0
                and (last == _ROUND_CLOSE or not is_type)
            ):
                depth = 1
            is_small = 97 <= code <= 122
            if is_first and is_small:
                word = word << 8 | code if word < LONGEST_PACKED else word
            elif is_first and word > 0:
                is_type, is_first = word in _TYPES, False
            n_open = max(n_open + (code == _ROUND_OPEN) - (code == _ROUND_CLOSE), 0)
            has_parentheses = has_parentheses or code == _ROUND_CLOSE
            has_equals = has_equals or (code == _EQUALS and n_open == 0)
            if code == _SEMICOLON or code == _CURLY_OPEN or code == _CURLY_CLOSE:
                has_parentheses = has_equals = is_type = False
                n_open, word, is_first = 0, 0, True
            if not (code == _SPACE or code == _TAB or code == _NEWLINE or code == _RETURN):
                last = code
        labels[t] = depth > 0
    return labels


@njit(cache=True)
def _python_bodies(codes: NDArray[np.uint32], python: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in the body of a function of Python."""
    labels = np.zeros(len(codes), np.bool_)
    column = -1  # indentation of the def whose body this is; -1 outside
    indentation, has_begun = 0, False  # of the line; whether its first code has been read
    word = 0  # the first word of the line, packed; -1 behind it
    in_header = False  # of a def
    depth = 0  # of brackets
    continued = False  # the line ends with a backslash
    for t, code in enumerate(codes):
        if python[t] == CODE and code == _NEWLINE:
            if depth == 0 and not continued:
                has_begun, word, indentation, in_header = False, 0, 0, False
            else:
                word = 0 if not in_header else -1
        elif python[t] == COMMENT:
            pass
        elif not has_begun and (code == _SPACE or code == _TAB):
            indentation += 1
        else:
            is_small = 97 <= code <= 122
            if not has_begun:
                has_begun = True
                if 0 <= indentation <= column:
                    column = -1
            if python[t] != CODE:
                word = -1
            elif word >= 0 and is_small:
                word = word << 8 | code if word < LONGEST_PACKED else -1
            elif word == _ASYNC and (code == _SPACE or code == _TAB):
                word = 0
            elif word == _DEF and (code == _SPACE or code == _TAB):
                in_header, depth, word = True, 0, -1  # no bracket is open where a def begins a line
            elif word != 0 or not (code == _SPACE or code == _TAB):
                word = -1
            if python[t] == CODE and code in _OPENING:
                depth += 1
            elif python[t] == CODE and code in _CLOSING:
                depth = max(depth - 1, 0)
            elif python[t] == CODE and code == _COLON and in_header and depth == 0:
                in_header = False
                if column < 0:
                    column = indentation
        if python[t] == CODE:
            continued = code == _BACKSLASH or (continued and code == _RETURN)
        labels[t] = column >= 0
    return labels
