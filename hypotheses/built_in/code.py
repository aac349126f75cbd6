"""The structure of programs, in Python and in languages like C. Comments and strings are left out: see `in_comment`."""

import keyword

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hypotheses.built_in.fstrings import CODE, COMMENT, DOCSTRING, FIELD, STRING
from hypotheses.built_in.languages import Program, read_program
from hypotheses.built_in.nesting import ROUND, SQUARE, depth_of
from hypotheses.built_in.text import DIGIT, WORD, pack, traits
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels

_NEWLINE, _HASH, _SLASH, _POINT, _BACKSLASH, _RETURN, _COLON, _SEMICOLON, _EQUALS, _QUOTE, _APOSTROPHE = (
    ord(char) for char in "\n#/.\\\r:;=\"'"
)
_ROUND_OPEN, _ROUND_CLOSE, _CURLY_OPEN, _CURLY_CLOSE = (ord(char) for char in "(){}")
_OPENING, _CLOSING = tuple(ord(char) for char in "([{"), tuple(ord(char) for char in ")]}")
_SPACE, _TAB = ord(" "), ord("\t")
_SOURCE = "Karpathy, Johnson & Li 2015, arXiv:1506.02078"
_IF, _ELIF, _DEF, _CLASS, _ASYNC = (pack(word) for word in ("if", "elif", "def", "class", "async"))
_TYPES = tuple(pack(word) for word in ("struct", "union", "enum", "class"))
_LONGEST_WORD = 1 << 56
_STRING_PREFIXES = tuple(
    np.uint64(pack(word)) for word in ("r", "u", "b", "f", "t", "br", "rb", "fr", "rf", "tr", "rt", "l", "u8")
)
_PYTHON = [*keyword.kwlist]
_C = (
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern",
    "float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed",
    "sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while", "_Bool",
)  # fmt: skip


@hypothesis(kind="binary")
def in_preprocessor(text: str, language: str = "auto") -> Labels:
    r"""Is the text, as read so far, in a line for the preprocessor of C?

    Such a line begins with `#`, behind nothing but blanks, outside comments and strings, and ends with its newline,
    unless a backslash stands before that. In Python there are none. The language is found as in `in_comment`.

    >>> in_preprocessor("a;\n#define b \\\nc\nd", "c").marks()
    '...xxxxxxxxxxxxx..'
    """
    program = read_program(text, language)
    return Labels(_directives(program.codes, program.c) & program.is_c, "binary")


@hypothesis(
    kind="binary",
    source=_SOURCE,
    expects="In an LSTM trained on the Linux kernel, a cell was found that is on inside the conditions of if "
    "statements.",
)
def in_if_condition(text: str, language: str = "auto") -> Labels:
    r"""Is the text, as read so far, inside the condition of an `if`?

    In languages like C: from the parenthesis behind `if` to the one that closes it (or to a `;` or closing brace, if
    that never comes), which is False. In Python: from the character behind an `if` or `elif` that begins a statement
    to the colon, which is False; the `if` of an expression does not count. The language is found as in `in_comment`.

    >>> in_if_condition("if (f(a)) b;", "c").marks()
    '...xxxxx....'
    >>> in_if_condition("x = 1\nif y[1:]: pass\n", "python").marks()
    '........xxxxxx.......'
    """
    program = read_program(text, language)
    python = _python_conditions(program.codes, program.python) & program.is_python
    return Labels(python | (_c_conditions(program.codes, program.c) & program.is_c), "binary")


@hypothesis(
    unit="brackets",
    source=_SOURCE,
    expects="In an LSTM trained on the Linux kernel, a cell was found that follows the depth of an expression.",
)
def expression_depth(text: str, language: str = "auto") -> Labels:
    """How many parentheses and square brackets of the code are open?

    Those in comments and strings do not count. A brace that closes ends what was left open within it. The language is
    found as in `in_comment`.

    >>> print(expression_depth.mark("f(a[1], '(')"))
    f(a[1], '(')
    011221111110
    """
    program = read_program(text, language)
    code = np.where(program.is_code, program.codes, 0).astype(np.uint32)
    return Labels(depth_of(code, ROUND, SQUARE, over_paragraphs=True).astype(np.float64), "numeric")


@hypothesis(kind="binary", causal=False)
def in_keyword(text: str, language: str = "auto") -> Labels:
    """Is the character part of a keyword?

    Of Python's or C's, outside comments, strings and lines for the preprocessor; the code in the braces of an f-string
    counts. It looks ahead, to the end of the word. The language is found as in `in_comment`, for each word where it
    ends.

    >>> print(in_keyword.mark("for i in format:"))
    for i in format:
    xxx...xx........
    """
    program = read_program(text, language)
    return Labels(_words(program, keywords=True), "binary")


@hypothesis(kind="binary", causal=False)
def in_identifier(text: str, language: str = "auto") -> Labels:
    """Is the character part of a name of a program: of a variable, a function, a type?

    A word that begins with a letter or underscore, is no keyword, and stands outside comments, strings and lines for
    the preprocessor. In Python, what stands in the braces of an f-string is code: names in it count, also in those of
    a format, but not the format itself or the `r` of `!r`. It looks ahead, to the end of the word.

    >>> print(in_identifier.mark("for i in format:"))
    for i in format:
    ....x....xxxxxx.
    >>> print(in_identifier.with_parameters("python").mark("a = f'{b!r:>{width}d} {{c}}'"))
    a = f'{b!r:>{width}d} {{c}}'
    x......x.....xxxxx..........
    """
    program = read_program(text, language)
    return Labels(_words(program, keywords=False), "binary")


@hypothesis(kind="binary", source=_SOURCE)
def in_function_body(text: str, language: str = "auto") -> Labels:
    r"""Is the text, as read so far, inside the body of a function?

    In Python: from the colon that ends the head of a `def` to where code stands no further to the right than the
    `def`; of functions within functions the outermost counts. In languages like C: from a brace behind a closing
    parenthesis (words may stand between, but no `=` before, and no words at all if it begins with `struct`, `union`,
    `enum` or `class`), to the brace that closes it, or else to a closing brace at the beginning of a line. The
    language is found as in `in_comment`.

    >>> in_function_body("def f():\n  a\nb", "python").marks()
    '.......xxxxxx.'
    >>> print(in_function_body.mark("int f(a) { b; } c;"))
    int f(a) { b; } c;
    .........xxxxx....
    """
    program = read_program(text, language)
    directives = _directives(program.codes, program.c)
    c = _c_bodies(program.codes, program.c, directives) & program.is_c
    return Labels(c | (_python_bodies(program.codes, program.python) & program.is_python), "binary")


def _words(program: Program, *, keywords: bool) -> NDArray[np.bool_]:
    """The characters of words that are keywords, or of names that are none."""
    kinds = traits(program.codes)
    in_c = program.is_c & ~_directives(program.codes, program.c)
    found = []
    for words, is_language, code in (
        (_PYTHON, program.is_python, np.isin(program.python, (CODE, FIELD))),
        (_C, in_c, program.c == CODE),
    ):
        known = np.array([pack(word) for word in words], np.uint64)
        found.append(_whole_words(program.codes, kinds, code & is_language, np.sort(known)))
    kind = np.maximum(*found)  # as long as the language is open, a keyword of either is one
    labels: NDArray[np.bool_] = kind == 2 if keywords else (kind == 1) & ~program.is_any(COMMENT, STRING, DOCSTRING)
    return labels


@njit(cache=True)
def _whole_words(
    codes: NDArray[np.uint32], kinds: NDArray[np.uint8], is_code: NDArray[np.bool_], known: NDArray[np.uint64]
) -> NDArray[np.uint8]:
    """2 in words that are known, 1 in others that begin with no digit, 0 elsewhere."""
    found = np.zeros(len(codes), np.uint8)
    start, word = -1, np.uint64(0)
    number_ends = -2  # where the last word ended, if it was a number
    for t in range(len(codes) + 1):
        in_word = t < len(codes) and kinds[t] & WORD and is_code[t]
        if in_word:
            if start < 0:
                start, word = t, np.uint64(0)
            is_short = t - start < 8 and codes[t] < 128
            word = (word << np.uint64(8)) | np.uint64(codes[t]) if is_short else np.uint64(0)
        elif start >= 0:
            place = np.searchsorted(known, word)
            is_known = t - start <= 8 and place < len(known) and known[place] == word
            is_quoted = t < len(codes) and (codes[t] == _QUOTE or codes[t] == _APOSTROPHE)
            is_prefix = is_quoted and (word | np.uint64(0x2020 if t - start == 2 else 0x20)) in _STRING_PREFIXES
            behind_point = start > 0 and codes[start - 1] == _POINT and number_ends == start - 1
            is_number = kinds[start] & DIGIT != 0 or behind_point
            if is_known or not (is_number or is_prefix):
                found[start:t] = 2 if is_known else 1
            number_ends = t if is_number else -2
            start = -1
    return found


@njit(cache=True)
def _directives(codes: NDArray[np.uint32], c: NDArray[np.uint8]) -> NDArray[np.bool_]:
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
    labels = np.zeros(len(codes), np.bool_)
    word = 0  # the word just read, packed; -1 if it is too long, or not a word alone
    due = False  # whether a condition is due
    n_braces = 0  # open within the condition
    last, is_directive = np.uint32(0), False  # the last sign; whether the word is behind #
    depth = 0
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
            elif code == _ROUND_OPEN and (due or (word == _IF and not is_directive)):
                depth, n_braces, due = 1, 0, False
            elif is_word:
                if word == 0:
                    is_directive = last == _HASH
                last = code
                word = word << 8 | code if is_small and 0 <= word < _LONGEST_WORD else -1
                due = False
            else:
                is_blank = code == _SPACE or code == _TAB or code == _NEWLINE or code == _RETURN or code == _SLASH
                due = is_blank and (due or (word == _IF and not is_directive))
                last = last if is_blank else code
            if not is_word:
                word = 0
        labels[t] = depth > 0
    return labels


@njit(cache=True)
def _python_conditions(codes: NDArray[np.uint32], python: NDArray[np.uint8]) -> NDArray[np.bool_]:
    labels = np.zeros(len(codes), np.bool_)
    word = 0  # the first word of the line, packed; -1 behind it
    inside, continued = False, False
    depth = 0
    ended = -2  # at a colon, which may be of :=
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
                word = word << 8 | code if word < _LONGEST_WORD else -1
            elif code != _SPACE and code != _TAB:
                word = -1
            continued = code == _BACKSLASH or (continued and code == _RETURN)
        elif python[t] != COMMENT:
            word = -1
        labels[t] = inside
    return labels


@njit(cache=True)
def _c_bodies(codes: NDArray[np.uint32], c: NDArray[np.uint8], directives: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labels = np.zeros(len(codes), np.bool_)
    depth = 0  # of braces in the body; 0 outside
    enclosed, barred = False, False  # since the last statement: parentheses have been read; what rules a function out
    is_type = False  # whether the statement begins with struct or the like
    n_open = 0
    word, first, last = 0, True, np.uint32(0)
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
                and enclosed
                and not barred
                and n_open == 0
                and (last == _ROUND_CLOSE or not is_type)
            ):
                depth = 1
            is_small = 97 <= code <= 122
            if first and is_small:
                word = word << 8 | code if word < _LONGEST_WORD else word
            elif first and word > 0:
                is_type, first = word in _TYPES, False
            n_open = max(n_open + (code == _ROUND_OPEN) - (code == _ROUND_CLOSE), 0)
            enclosed = enclosed or code == _ROUND_CLOSE
            barred = barred or (code == _EQUALS and n_open == 0)
            if code == _SEMICOLON or code == _CURLY_OPEN or code == _CURLY_CLOSE:
                enclosed = barred = is_type = False
                n_open, word, first = 0, 0, True
            if not (code == _SPACE or code == _TAB or code == _NEWLINE or code == _RETURN):
                last = code
        labels[t] = depth > 0
    return labels


@njit(cache=True)
def _python_bodies(codes: NDArray[np.uint32], python: NDArray[np.uint8]) -> NDArray[np.bool_]:
    labels = np.zeros(len(codes), np.bool_)
    column = -1  # of the def whose body this is; -1 outside
    margin, begun = 0, False  # blanks before the first code of the line, and whether that has been read
    word = 0  # the first word of the line, packed; -1 behind it
    head = False  # of a def
    depth = 0
    continued = False
    for t, code in enumerate(codes):
        if python[t] == CODE and code == _NEWLINE:
            if depth == 0 and not continued:
                begun, word, margin, head = False, 0, 0, False
            else:
                word = 0 if not head else -1
        elif python[t] == COMMENT:
            pass
        elif not begun and (code == _SPACE or code == _TAB):
            margin += 1
        else:
            is_small = 97 <= code <= 122
            if not begun:
                begun = True
                if 0 <= margin <= column:
                    column = -1
            if python[t] != CODE:
                word = -1
            elif word >= 0 and is_small:
                word = word << 8 | code if word < _LONGEST_WORD else -1
            elif word == _ASYNC and (code == _SPACE or code == _TAB):
                word = 0
            elif word == _DEF and (code == _SPACE or code == _TAB):
                head, depth, word = True, 0, -1  # no bracket is open where a def begins a line
            elif word != 0 or not (code == _SPACE or code == _TAB):
                word = -1
            if python[t] == CODE and code in _OPENING:
                depth += 1
            elif python[t] == CODE and code in _CLOSING:
                depth = max(depth - 1, 0)
            elif python[t] == CODE and code == _COLON and head and depth == 0:
                head = False
                if column < 0:
                    column = margin
        if python[t] == CODE:
            continued = code == _BACKSLASH or (continued and code == _RETURN)
        labels[t] = column >= 0
    return labels
