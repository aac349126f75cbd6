"""Quotation marks of prose. Those of code follow other rules: see `in_string`."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import BLANK, LETTER, LONGEST_PACKED, code_points, next_of, pack, traits, unchanging
from hypotheses.hypothesis import hypothesis
from hypotheses.kernels import compiled
from hypotheses.labels import Labels

_QUOTE, _NEWLINE, _APOSTROPHE, _BACKTICK = (ord(char) for char in "\"\n'`")
_SPACE = ord(" ")
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
_LEFT, _RIGHT, _LOW = ord("‘"), ord("’"), ord("‚")
_BACKSLASH = ord("\\")
_BEFORE_A_MARK = tuple(ord(char) for char in "([{ \n\t\r\u00a0\u2009\u202f\u3000")


@hypothesis(kind="binary", source=_SOURCE, expects=_PUBLISHED)
def in_quotes(text: str) -> Labels:
    r"""Is the text, as read so far, inside double quotes?

    The opening mark is True and the closing mark False: a label says what is true once its character has been read. An
    unclosed quotation ends with its paragraph, at the newline that ends a blank line (a line of spaces, tabs and
    carriage returns is blank too); a stray mark therefore inverts the rest of its paragraph. Outside a quotation, three
    marks in a row, as in Python, open one that continues over blank lines up to the next three; if these never come, it
    goes on to the end of the document. Any other `"` opens or closes a quotation, unless a backslash escapes it, as in
    `M\"obius`.

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
    others, and each opens a quotation up to the next mark or the end of the paragraph. One that is opened in `code`
    between backticks ends there (lifetimes of Rust), and a mark behind the closing backtick opens none. `‘` opens and
    `’` closes; after a letter, it too waits for the next character. In German, `‚` opens and `‘` closes. The apostrophe
    of a plural (*the boys' hats*) closes. An unclosed quotation ends with its paragraph, at the newline that ends a
    blank line.

    >>> print(in_single_quotes.mark("a 'b' c don't 'I won't.' d"))
    a 'b' c don't 'I won't.' d
    ..xxx.........xxxxxxxxx...
    >>> print(in_single_quotes.mark("'tis so"))
    'tis so
    xxxx...
    """
    codes = code_points(text)
    return Labels(_in_single(codes, traits(codes)), "binary")


@hypothesis(kind="binary", text_kind=("markdown", "code"))
def in_backticks(text: str) -> Labels:
    r"""Is the text, as read so far, inside backticks, as in Markdown and shells?

    The opening mark is True and the closing mark False. A span that a number of backticks in a row opened is closed by
    the same number: two around text with single ones in it, three (or more) around lines of code. Two are also closed
    by `''`, as in LaTeX. A backtick after a backslash opens nothing. An unclosed span ends with its paragraph if one or
    two backticks opened it, and continues if three or more did.

    >>> print(in_backticks.mark("a `b` ``c`d``"))
    a `b` ``c`d``
    ..xx..xxxxxx.
    """
    return Labels(backtick_spans(code_points(text)), "binary")


@hypothesis(kind="binary")
def in_curly_quotes(text: str) -> Labels:
    """Is the text, as read so far, inside “curly quotes”, as in English, German „…“, Polish „…” or Swedish ”…”?

    The opening mark is True and the closing mark False. `“` opens a quotation, also inside another, and so does `„`;
    `”` closes one, and so does `“` if the innermost was opened by `„`. `”` opens where nothing is open and a blank or
    an opening bracket precedes. Unclosed quotations end with their paragraph, at the newline that ends a blank line.

    >>> print(in_curly_quotes.mark("a “b “c” d” e „f“ g"))
    a “b “c” d” e „f“ g
    ..xxxxxxxx....xx...
    """
    return Labels(_nested(code_points(text), ord("“"), ord("”"), ord("„"), True), "binary")


@hypothesis(kind="binary")
def in_guillemets(text: str) -> Labels:
    """Is the text, as read so far, inside «guillemets»?

    Like `in_curly_quotes`, with `«` and `»`, also with blanks inside as in French. Where nothing is open, `»` opens
    after a blank or an opening bracket, and `«` then closes, as in German and Danish »books«.

    >>> print(in_guillemets.mark("a «b» c « d » »e« f"))
    a «b» c « d » »e« f
    ..xx....xxxx..xx...
    """
    return Labels(_nested(code_points(text), ord("«"), ord("»"), 0, True), "binary")


@hypothesis(kind="binary")
def in_corner_quotes(text: str) -> Labels:
    """Is the text, as read so far, inside 「corner brackets」, the quotation marks of Chinese and Japanese?

    Also 『double ones』, those of half width and those of vertical text. Like `in_curly_quotes`; each kind may stand
    inside the other.

    >>> in_corner_quotes("a「b『c』d」e").marks()
    '.xxxxxx..'
    """
    codes = code_points(text)
    for variant, mark in zip("『』｢｣﹁﹂﹃﹄", "「」「」「」「」", strict=True):
        codes = np.where(codes == ord(variant), np.uint32(ord(mark)), codes)
    return Labels(_nested(unchanging(codes), ord("「"), ord("」"), 0, False), "binary")


@compiled()
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
        elif code == _QUOTE and not (t > 0 and codes[t - 1] == _BACKSLASH and _is_escaped(codes, t)):
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


@compiled()
def _in_single(codes: NDArray[np.uint32], kinds: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is inside single quotes."""
    labels = np.zeros(len(codes), np.bool_)
    inside, curly, low = False, False, False
    may_have_closed = False  # the last character was a mark after a letter
    opened = -2
    word = -1  # the word after the opening mark, packed; -1 once it is complete
    in_code, opened_in_code = False, False  # between backticks
    line_is_blank = False
    for t, code in enumerate(codes):
        is_letter = kinds[t] & LETTER != 0
        if may_have_closed:
            may_have_closed = False
            inside = is_letter
        is_mark = code == _APOSTROPHE if not curly else code == _RIGHT
        if inside and low and code == _LEFT:
            inside = line_is_blank = False
            continue
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
        if code == _BACKTICK and (t == 0 or codes[t - 1] != _BACKTICK):
            in_code = not in_code
            inside = inside and not (opened_in_code and not curly)
        if inside and is_mark and t > opened:
            if kinds[t - 1] & LETTER != 0:
                may_have_closed = True
            else:
                inside = False
        elif not inside and (code == _APOSTROPHE or code == _LEFT or code == _LOW):
            curly, low = code != _APOSTROPHE, code == _LOW
            behind_code = t > 0 and codes[t - 1] == _BACKTICK and not in_code
            closes_a_blank = t > 1 and opened == t - 2 and kinds[t - 1] & BLANK != 0  # of ' '
            may_open = t == 0 or kinds[t - 1] & BLANK != 0 or codes[t - 1] in _BEFORE_A_QUOTE
            if curly or (may_open and not behind_code and not closes_a_blank):
                inside, opened, word, opened_in_code = True, t, 0, in_code
        elif code == _NEWLINE and line_is_blank:
            inside = in_code = False
        line_is_blank = code == _NEWLINE or (line_is_blank and code in _BLANKS)
        labels[t] = inside
    return labels


@compiled()
def backtick_spans(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is inside backticks."""
    labels = np.zeros(len(codes), np.bool_)
    inside, opening, escaped = False, False, False
    n_opened, n_marks = 0, 0  # backticks that opened the span, and backticks that were last read in a row
    n_apostrophes = 0
    line_is_blank = False
    t, n = 0, len(codes)
    while t < n:
        code = codes[t]
        if not inside and code != _BACKTICK:
            t = next_of(codes, t, _BACKTICK, _BACKTICK, _BACKTICK)
            opening, n_marks, escaped = False, 0, _is_escaped(codes, t)
            continue
        if code > _BACKTICK:
            labels[t] = True
            opening = escaped = line_is_blank = False
            n_marks = n_apostrophes = 0
            t += 1
            continue
        if code == _BACKTICK:
            if opening:
                n_opened += 1
            elif inside or n_marks > 0:
                n_marks += 1
                if n_marks == n_opened:
                    inside = False
                elif n_marks > n_opened:
                    inside = n_opened < 3  # a run of another length closes nothing, but a longer one ends a block
            elif not escaped:
                inside, opening, n_opened = True, True, 1
            n_apostrophes = 0
        else:
            opening, n_marks = False, 0
            n_apostrophes = n_apostrophes + 1 if code == _APOSTROPHE else 0
            if (code == _NEWLINE and line_is_blank and n_opened < 3) or (n_apostrophes == 2 and n_opened == 2):
                inside = False
        escaped = code == _BACKSLASH and not escaped
        line_is_blank = code == _NEWLINE or (line_is_blank and code in _BLANKS)
        labels[t] = inside
        t += 1
    return labels


@compiled()
def _is_escaped(codes: NDArray[np.uint32], t: int) -> bool:
    """Tell whether an odd number of backslashes precedes a character."""
    start = t
    while start > 0 and codes[start - 1] == _BACKSLASH:
        start -= 1
    return (t - start) % 2 == 1


@compiled()
def _nested(
    codes: NDArray[np.uint32],
    opener: int,
    closer: int,
    low_opener: int,
    may_reverse: bool,
) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is inside quotations that may contain each other.

    Args:
        codes: (n_chars,) code points.
        opener: The mark that opens.
        closer: The mark that closes.
        low_opener: One more that opens; the opener, too, closes what it has opened. 0 for none.
        may_reverse: Whether the closing mark opens where nothing is open and a blank or bracket precedes.
    """
    labels = np.zeros(len(codes), np.bool_)
    depth, n_low = 0, 0  # open quotations, and how many of them the low mark has opened
    is_reversed = False  # the closing mark has opened a quotation
    line_is_blank = False
    first, last = min(opener, closer), max(opener, closer, low_opener)
    t, n = 0, len(codes)
    while t < n:
        if depth == 0:
            t = next_of(codes, t, opener, closer, low_opener if low_opener > 0 else opener)
            if t == n:
                break
        code = codes[t]
        if (code > _SPACE and code < first) or code > last:
            line_is_blank = False
            labels[t] = True
            t += 1
            continue
        if is_reversed and (code == opener or code == closer):
            depth, is_reversed = 0, False
        elif code == closer and depth > 0:
            depth, n_low = depth - 1, max(n_low - 1, 0)
        elif code == closer:
            is_reversed = may_reverse and (t == 0 or codes[t - 1] in _BEFORE_A_MARK)
            depth = int(is_reversed)
        elif code == opener and n_low > 0:
            depth, n_low = depth - 1, n_low - 1
        elif code == opener:
            depth += 1
        elif code == low_opener and low_opener > 0:
            depth, n_low = depth + 1, n_low + 1
        elif code == _NEWLINE and line_is_blank:
            depth, n_low, is_reversed = 0, 0, False
        line_is_blank = code == _NEWLINE or (line_is_blank and code in _BLANKS)
        labels[t] = depth > 0
        t += 1
    return labels
