"""Quotation marks of prose. Code has its own rules: see `in_string`."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hypotheses.built_in.text import BLANK, LETTER, code_points, pack, traits
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels

_QUOTE, _NEWLINE, _APOSTROPHE, _BACKTICK = (ord(char) for char in "\"\n'`")
_BLANKS = (ord(" "), ord("\t"), ord("\r"))
_SOURCE = "Karpathy, Johnson & Li 2015, arXiv:1506.02078"
_FOUND = (
    "Karpathy, Johnson & Li found a cell that is on inside quotes in an LSTM trained on War and Peace. In another "
    "LSTM trained on it, the best of 256 cells has an AUC of .90 on held-out text (results.md)."
)


@hypothesis(kind="binary", source=_SOURCE, expects=_FOUND)
def in_quotes(text: str) -> Labels:
    r"""Is the text, as read so far, inside double quotes?

    The opening mark is True and the closing mark False: a label says what is true once its character has been read. A
    quotation that is left open ends with its paragraph, at the newline that ends a blank line (one of spaces and tabs
    is blank, too). Outside a quotation, three marks in a row, as Python has them, open one that goes on over blank
    lines up to the next three. Every other `"` opens or closes; a backslash before it changes nothing.

    >>> print(in_quotes.mark('a "b" c'))
    a "b" c
    ..xx...
    >>> print(in_quotes.mark('"a\n\nb'))
    "a↵↵b
    xxx..
    >>> in_quotes('"' * 3 + " a " + '"' * 3 + " b").marks()
    'x.xxxxxx...'
    """
    return Labels(_opened(code_points(text)) >= 0, "binary")


@hypothesis(unit="characters", source=_SOURCE)
def position_in_quotes(text: str) -> Labels:
    """How many characters have been read since the double quotes opened?

    0 at the opening mark; missing outside, and at the closing mark. What is inside, `in_quotes` says.

    >>> print(position_in_quotes.mark('a "b c" d'))
    a "b c" d
    ??0123???
    """
    opened = _opened(code_points(text))
    since = np.where(opened >= 0, np.arange(len(text)) - opened, 0)
    return Labels(since.astype(np.float64), "numeric", opened < 0)


@hypothesis(kind="binary")
def in_single_quotes(text: str) -> Labels:
    r"""Is the text, as read so far, inside single quotes, straight ones or ‘those of a printer’?

    An apostrophe is no quotation mark. A straight mark opens at the beginning of the text and behind a blank, a
    bracket that opens, `<`, a dash, another quotation mark, a backtick, or one of `/ = , : ;`; and if a blank or a
    digit follows (*'90s*), it was none. It closes at once behind a sign or a digit. Behind a letter it may be the
    apostrophe of *don't*: it is True, and the next character decides; what is no letter was outside already. A word
    that is known to begin with an apostrophe is False as soon as it is complete: *'tis* and its like, *'em*, *'til*,
    *'bout*, *'cause*, *'fore*, *'gainst*, *'mongst*, *'neath*, *'scape* and some more. The English of other times has
    others, and each opens a quotation up to the next mark or the end of the paragraph. `‘` opens and `’` closes,
    which behind a letter waits for the next character, too. The apostrophe of a plural (*the boys' hats*) closes. A
    quotation that is left open ends with its paragraph, at the newline that ends a blank line.

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
    r"""Is the text, as read so far, inside backticks, as Markdown and shells have them?

    The opening mark is True and the closing mark False. As many backticks in a row as have opened a span close it:
    two around what has single ones in it, three around lines of code. A span that is left open ends with its
    paragraph if it was opened by one or two, and goes on if it was opened by three or more.

    >>> print(in_backticks.mark("a `b` ``c`d``"))
    a `b` ``c`d``
    ..xx..xxxxxx.
    """
    return Labels(_in_backticks(code_points(text)), "binary")


@hypothesis(kind="binary")
def in_curly_quotes(text: str) -> Labels:
    """Is the text, as read so far, inside “curly quotes”?

    The opening mark is True and the closing mark False. Each `“` opens, also inside another, and each `”` closes one.
    What is left open ends with its paragraph, at the newline that ends a blank line.

    >>> print(in_curly_quotes.mark("a “b “c” d” e"))
    a “b “c” d” e
    ..xxxxxxxx...
    """
    return Labels(_nested(code_points(text), ord("“"), ord("”")), "binary")


@hypothesis(kind="binary")
def in_guillemets(text: str) -> Labels:
    """Is the text, as read so far, inside «guillemets»?

    As `in_curly_quotes`, with `«` and `»`.

    >>> print(in_guillemets.mark("a «b» c"))
    a «b» c
    ..xx...
    """
    return Labels(_nested(code_points(text), ord("«"), ord("»")), "binary")


@njit(cache=True)
def _opened(codes: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Where the quotation that each character is in was opened; -1 outside."""
    begins = np.full(len(codes), -1)
    inside, is_long = False, False
    opened, emptied = -2, -2  # where a quotation was last opened, and where it was closed at once
    n_quotes = 0  # in a row, at the end of a long quotation
    line_is_blank = False  # a text that begins with a newline has no paragraph to end
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
            inside = inside and not line_is_blank
        line_is_blank = code == _NEWLINE or (line_is_blank and code in _BLANKS)
        if inside:
            begins[t] = opened
    return begins


_CLIPPED = tuple(
    pack(word)
    for word in (
        "tis", "twas", "twere", "twill", "twould", "tisn", "twasn", "twixt", "em", "s", "t", "d", "ll", "re", "ve", "n",
        "til", "bout", "cause", "bove", "fore", "gainst", "mongst", "neath", "pon", "scape", "scapes", "larum",
        "nointed", "havior", "greed", "voided", "longs",
    )
)  # fmt: skip
_LONGEST = 1 << 56
_BEFORE_A_QUOTE = tuple(ord(char) for char in '([{<-–—"“”«»/=,:;`')
_ZERO, _NINE = ord("0"), ord("9")
_LEFT, _RIGHT = ord("‘"), ord("’")


@njit(cache=True)
def _in_single(codes: NDArray[np.uint32], kinds: NDArray[np.uint8]) -> NDArray[np.bool_]:
    labels = np.zeros(len(codes), np.bool_)
    inside, curly, in_doubt = False, False, False
    opened = -2
    word = -1  # what has followed the opening mark, packed; -1 once it is more than one word
    line_is_blank = False
    for t, code in enumerate(codes):
        is_letter = kinds[t] & LETTER != 0
        if in_doubt:  # the mark before this character closed, unless a letter follows
            in_doubt = False
            inside = is_letter
        is_mark = (not curly and code == _APOSTROPHE) or (curly and code == _RIGHT)
        if inside and not curly and opened == t - 1 and (code in _BLANKS or code == _NEWLINE or _ZERO <= code <= _NINE):
            inside = False
        elif inside and word >= 0 and not curly:
            if is_letter and word < _LONGEST and code < 128:
                small = code + 32 if code < 97 else code
                word = word << 8 | small
            else:
                if word in _CLIPPED:
                    inside = False
                word = -1
        if inside and is_mark and t > opened:
            if kinds[t - 1] & LETTER != 0:
                in_doubt = True
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
    labels = np.zeros(len(codes), np.bool_)
    inside, opening = False, False
    n_opened, n_marks = 0, 0  # backticks that opened the span, and those in a row just now
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
