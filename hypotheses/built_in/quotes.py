"""Quotation marks of prose. Those of code follow other rules: see `in_string`."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hypotheses.characters import BLANK, LETTER, LONGEST_PACKED, code_points, pack, traits
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels

_QUOTE, _NEWLINE, _APOSTROPHE, _BACKTICK = (ord(char) for char in "\"\n'`")
_BLANKS = (ord(" "), ord("\t"), ord("\r"))
_SOURCE = "Karpathy, Johnson & Li 2015, arXiv:1506.02078"
_PUBLISHED = (
    "Karpathy, Johnson & Li found a cell that is on inside quotes in an LSTM trained on War and Peace. In another "
    "LSTM trained on it, the best of 256 cells has an AUC of .90 on held-out text (results.md)."
)
_CLIPPED_WORDS = tuple(  # an apostrophe before one of these is not a quotation mark
    pack(word)
    for word in (
        "tis", "twas", "twere", "twill", "twould", "tisn", "twasn", "twixt", "em", "s", "t", "d", "ll", "re", "ve", "n",
        "til", "bout", "cause", "bove", "fore", "gainst", "mongst", "neath", "pon", "scape", "scapes", "larum",
        "nointed", "havior", "greed", "voided", "longs",
    )
)  # fmt: skip
_BEFORE_A_QUOTE = tuple(ord(char) for char in '([{<-–—"“”«»/=,:;`')
_ZERO, _NINE = ord("0"), ord("9")
_LEFT, _RIGHT = ord("‘"), ord("’")


@hypothesis(kind="binary", source=_SOURCE, expects=_PUBLISHED)
def in_quotes(text: str) -> Labels:
    r"""Is the text, as read so far, inside double quotes?

    The opening mark is True and the closing mark False: a label says what is true once its character has been read. An
    unclosed quotation ends with its paragraph, at the newline that ends a blank line (a line of spaces, tabs and
    carriage returns is blank too); a stray mark therefore inverts the rest of its paragraph. Outside a quotation, three
    marks in a row, as in Python, open one that continues over blank lines up to the next three; if these never come, it
    goes on to the end of the document. Any other `"` opens or closes a quotation; a backslash before it has no effect.

    >>> print(in_quotes.mark('a "b" c'))
    a "b" c
    ..xx...
    >>> print(in_quotes.mark('"a\n\nb'))
    "a↵↵b
    xxx..
    >>> in_quotes('"' * 3 + " a " + '"' * 3 + " b").marks()
    'x.xxxxxx...'
    """
    return Labels(_opening_marks(code_points(text)) >= 0, "binary")


@hypothesis(unit="characters", source=_SOURCE)
def position_in_quotes(text: str) -> Labels:
    """How many characters have been read since the double quotes opened?

    0 at the opening mark; missing at the closing mark, and outside the quotations of `in_quotes`.

    >>> print(position_in_quotes.mark('a "b c" d'))
    a "b c" d
    ??0123???
    """
    opened = _opening_marks(code_points(text))
    since = np.where(opened >= 0, np.arange(len(text)) - opened, 0)
    return Labels(since.astype(np.float64), "numeric", opened < 0)


@hypothesis(kind="binary")
def in_single_quotes(text: str) -> Labels:
    r"""Is the text, as read so far, inside single quotes, 'straight' or ‘curly’?

    An apostrophe is not a quotation mark. A straight mark opens at the beginning of the text and after a blank, an
    opening bracket, `<`, a dash, another quotation mark, a backtick, or one of `/ = , : ;`, unless a blank or a digit
    follows (*'90s*): then that character is False. After a sign or a digit, it closes at once. After a letter it may
    be the apostrophe of *don't*: it is True, and the next character decides, which is False if it is not a letter. A
    word that is known to begin with an apostrophe is False as soon as it is complete: *'tis* and the like, *'em*,
    *'til*, *'bout*, *'cause*, *'fore*, *'gainst*, *'mongst*, *'neath*, *'scape* and some more. Older English has
    others, and each opens a quotation up to the next mark or the end of the paragraph. `‘` opens and `’` closes; after
    a letter, it too waits for the next character. The apostrophe of a plural (*the boys' hats*) closes. An unclosed
    quotation ends with its paragraph, at the newline that ends a blank line.

    >>> print(in_single_quotes.mark("a 'b' c don't 'I won't.' d"))
    a 'b' c don't 'I won't.' d
    ..xxx.........xxxxxxxxx...
    >>> print(in_single_quotes.mark("'tis so"))
    'tis so
    xxxx...
    """
    codes = code_points(text)
    return Labels(_in_single(codes, traits(codes)), "binary")


@hypothesis(kind="binary")
def in_backticks(text: str) -> Labels:
    r"""Is the text, as read so far, inside backticks, as in Markdown and shells?

    The opening mark is True and the closing mark False. A span that a number of backticks in a row opened is closed by
    the same number: two around text with single ones in it, three around lines of code. An unclosed span ends with its
    paragraph if one or two backticks opened it, and continues if three or more did.

    >>> print(in_backticks.mark("a `b` ``c`d``"))
    a `b` ``c`d``
    ..xx..xxxxxx.
    """
    return Labels(_in_backticks(code_points(text)), "binary")


@hypothesis(kind="binary")
def in_curly_quotes(text: str) -> Labels:
    """Is the text, as read so far, inside “curly quotes”?

    The opening mark is True and the closing mark False. Each `“` opens a quotation, also inside another, and each `”`
    closes one. Unclosed quotations end with their paragraph, at the newline that ends a blank line.

    >>> print(in_curly_quotes.mark("a “b “c” d” e"))
    a “b “c” d” e
    ..xxxxxxxx...
    """
    return Labels(_nested(code_points(text), ord("“"), ord("”")), "binary")


@hypothesis(kind="binary")
def in_guillemets(text: str) -> Labels:
    """Is the text, as read so far, inside «guillemets»?

    Like `in_curly_quotes`, with `«` and `»`.

    >>> print(in_guillemets.mark("a «b» c"))
    a «b» c
    ..xx...
    """
    return Labels(_nested(code_points(text), ord("«"), ord("»")), "binary")


@njit(cache=True)
def _opening_marks(codes: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Return (n_chars,) the opening mark of the quotation that each character is in; -1 outside."""
    opening_marks = np.full(len(codes), -1)
    inside, is_long = False, False
    opened, emptied = -2, -2  # where a quotation was last opened, and where one was closed empty
    n_quotes = 0  # marks read in a row, of which three end a long quotation
    line_is_blank = False  # a newline that begins the text does not end a paragraph
    for t, code in enumerate(codes):
        if is_long:
            n_quotes = n_quotes + 1 if code == _QUOTE else 0
            if n_quotes == 3:
                inside = is_long = False
        elif code == _QUOTE:
            if inside and opened == t - 1:
                emptied = t
            is_long = not inside and emptied == t - 1
            inside = not inside
            opened = t
            n_quotes = 0
        elif code == _NEWLINE:
            inside = inside and not line_is_blank  # an unclosed quotation ends with its paragraph
        line_is_blank = code == _NEWLINE or (line_is_blank and code in _BLANKS)
        if inside:
            opening_marks[t] = opened
    return opening_marks


@njit(cache=True)
def _in_single(codes: NDArray[np.uint32], kinds: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is inside single quotes."""
    labels = np.zeros(len(codes), np.bool_)
    inside, curly = False, False
    may_have_closed = False  # the last character was a mark after a letter
    opened = -2
    word = -1  # the word after the opening mark, packed; -1 once it is complete
    line_is_blank = False
    for t, code in enumerate(codes):
        is_letter = kinds[t] & LETTER != 0
        if may_have_closed:
            may_have_closed = False
            inside = is_letter
        is_mark = (not curly and code == _APOSTROPHE) or (curly and code == _RIGHT)
        if inside and not curly and opened == t - 1 and (code in _BLANKS or code == _NEWLINE or _ZERO <= code <= _NINE):
            inside = False
        elif inside and word >= 0 and not curly:
            if is_letter and word < LONGEST_PACKED and code < 128:
                small = code + 32 if code < 97 else code
                word = word << 8 | small
            else:
                if word in _CLIPPED_WORDS:
                    inside = False
                word = -1
        if inside and is_mark and t > opened:
            if kinds[t - 1] & LETTER != 0:
                may_have_closed = True
            else:
                inside = False
        elif not inside and (code == _APOSTROPHE or code == _LEFT):
            curly = code == _LEFT
            if curly or t == 0 or kinds[t - 1] & BLANK or codes[t - 1] in _BEFORE_A_QUOTE:
                inside, opened, word = True, t, 0
        elif code == _NEWLINE and line_is_blank:
            inside = False
        line_is_blank = code == _NEWLINE or (line_is_blank and code in _BLANKS)
        labels[t] = inside
    return labels


@njit(cache=True)
def _in_backticks(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is inside backticks."""
    labels = np.zeros(len(codes), np.bool_)
    inside, opening = False, False
    n_opened, n_marks = 0, 0  # backticks that opened the span, and backticks that were last read in a row
    line_is_blank = False
    for t, code in enumerate(codes):
        if code == _BACKTICK:
            if not inside:
                inside, opening, n_opened, n_marks = True, True, 1, 0
            elif opening:
                n_opened += 1
            else:
                n_marks += 1
                if n_marks == n_opened:
                    inside = False
        else:
            opening, n_marks = False, 0
            if code == _NEWLINE and line_is_blank and n_opened < 3:
                inside = False
        line_is_blank = code == _NEWLINE or (line_is_blank and code in _BLANKS)
        labels[t] = inside
    return labels


@njit(cache=True)
def _nested(codes: NDArray[np.uint32], opener: int, closer: int) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is inside quotations that may contain each other."""
    labels = np.zeros(len(codes), np.bool_)
    depth = 0
    line_is_blank = False
    for t, code in enumerate(codes):
        if code == opener:
            depth += 1
        elif code == closer:
            depth = max(depth - 1, 0)
        elif code == _NEWLINE and line_is_blank:
            depth = 0
        line_is_blank = code == _NEWLINE or (line_is_blank and code in _BLANKS)
        labels[t] = depth > 0
    return labels
