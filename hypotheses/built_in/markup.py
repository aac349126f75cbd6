"""Markup: XML and HTML, Markdown, LaTeX."""

import numpy as np
import regex
from numba import njit
from numpy.typing import NDArray

from hypotheses.characters import LONGEST_PACKED, code_points, pack
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels

_LESS, _GREATER, _SLASH, _BANG, _QUESTION, _DASH, _EQUALS, _QUOTE, _APOSTROPHE, _NEWLINE = (
    ord(char) for char in "<>/!?-=\"'\n"
)
_HASH, _SPACE, _TAB, _RETURN, _BACKTICK, _TILDE, _BACKSLASH, _DOLLAR, _PERCENT = (ord(char) for char in "# \t\r`~\\$%")
_OUTSIDE, _TAG, _ATTRIBUTE, _COMMENT = range(4)
_NEVER_CLOSED = tuple(
    pack(word)
    for word in (
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
    )
)  # fmt: skip
_ENVIRONMENT = regex.compile(r"\\[\\%]|%[^\n]*+|\\(begin|end)[ \t]*+\{([^{}\n]*+)\}")
_MATHS = ("math", "displaymath", "equation", "eqnarray", "align", "alignat", "gather", "multline", "flalign")


@hypothesis(kind="binary")
def in_tag(text: str) -> Labels:
    """Is the text, as read so far, inside a tag of XML or HTML?

    A tag begins when `<` and the character after it (a letter, `/`, `!` or `?`) have been read. It ends with `>`, which
    is False, unless that is inside the quotation marks of an attribute. Another `<` ends it too, and so does a blank
    line. Comments (`<!-- … -->`) count, and end at `-->` or a blank line; a CDATA section ends at its first `>`.

    >>> print(in_tag.mark('a < b <i x=">">c</i>'))
    a < b <i x=">">c</i>
    .......xxxxxxx...xx.
    """
    return Labels(_tags(code_points(text))[0] != _OUTSIDE, "binary")


@hypothesis(kind="binary")
def in_attribute(text: str) -> Labels:
    """Is the text, as read so far, inside an attribute of a tag, from its name to the end of its value?

    The blank or sign after the value, and its closing quotation mark, are False; so is a blank before the `=`, since
    the `=` is not known yet.

    >>> print(in_attribute.mark('<a b="c d" e=f g>'))
    <a b="c d" e=f g>
    ...xxxxxx..xxx.x.
    """
    return Labels(_tags(code_points(text))[0] == _ATTRIBUTE, "binary")


@hypothesis(unit="elements")
def tag_depth(text: str) -> Labels:
    """How many elements of XML or HTML are open?

    One more at the `>` of an opening tag, one less at the `>` of a closing tag, never below 0. Tags that end in `/>`,
    comments, declarations, and those that HTML never closes (such as `<br>`, `<img>` and `<meta>`) open nothing. Names
    of opening and closing tags need not match.

    >>> print(tag_depth.mark("<a><b>c<br></b>d</a>"))
    <a><b>c<br></b>d</a>
    00111222222222111110
    """
    return Labels(_tags(code_points(text))[1].astype(np.float64), "numeric")


@hypothesis(kind="binary")
def in_heading(text: str) -> Labels:
    r"""Is the text, as read so far, inside a heading of Markdown?

    A heading is a line that begins with at most three spaces, one to six `#`, and then a blank; it is True from that
    blank to the end of the line. There are no headings in code, between lines of three or more backticks or tildes.
    Underlined headings are not known before they end, and do not count.

    >>> print(in_heading.mark("# a\nb #c\n"))
    # a↵b #c↵
    .xx......
    """
    return Labels(_headings(code_points(text)), "binary")


@hypothesis(kind="binary")
def in_maths(text: str) -> Labels:
    r"""Is the text, as read so far, inside mathematics of LaTeX?

    Between `$` and `$`, `$$` and `$$`, `\(` and `\)`, `\[` and `\]`, `\begin{equation}` and `\end{equation}`, and so
    for `math`, `displaymath`, `eqnarray`, `align`, `alignat`, `gather`, `multline` and `flalign`, also with a star.
    True once the opener has been read, False at the last character of the closer. `\$` is not an opener, and neither is
    anything after `%`, up to the end of the line. Unclosed, `$`, `\(` and `\[` end with their paragraph, at the newline
    that ends a blank line; an unclosed environment continues to the end of the text.

    >>> print(in_maths.mark(r"a $b$ \(c\) \$d"))
    a $b$ \(c\) \$d
    ..xx...xxx.....
    """
    codes = code_points(text)
    starts, stops, is_maths = _environments(text, *_MATHS)
    depth = _n_covering(len(codes), starts[is_maths], stops[is_maths])
    return Labels(_between_delimiters(codes) | (depth > 0), "binary")


@hypothesis(kind="binary")
def in_latex_environment(text: str, name: str = "") -> Labels:
    r"""Is the text, as read so far, between `\begin{…}` and `\end{…}` of LaTeX?

    In any environment, or in those of a name: `in_latex_environment:align` (also with a star),
    `in_latex_environment:align*`. True from the brace that ends `\begin{…}`; False at the one that ends `\end{…}`. An
    `\end` ends the last open environment of its name, and those begun since; an unclosed environment continues to the
    end of the text. Nothing after `%` counts, up to the end of the line.

    >>> in_latex_environment(r"\begin{a}b\end{a}c").marks()
    '........xxxxxxxx..'
    """
    starts, stops, is_chosen = _environments(text, *([name] if name else []))
    return Labels(_n_covering(len(text), starts[is_chosen], stops[is_chosen]) > 0, "binary")


def _environments(text: str, *names: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return (n_found,) where environments begin, where they end, and whether they have one of the names, if any."""
    opened: list[tuple[str, int]] = []
    n_open: dict[str, int] = {}
    spans: list[tuple[int, int, bool]] = []
    for match in _ENVIRONMENT.finditer(text):
        if match[1] is None:  # an escape, or a comment
            continue
        name = match[2].strip()
        if match[1] == "begin":
            opened.append((name, match.end() - 1))
            n_open[name] = n_open.get(name, 0) + 1
        while match[1] == "end" and n_open.get(name):
            last, start = opened.pop()
            n_open[last] -= 1
            spans.append((start, match.end() - 1, _is_named(last, names)))
            if last == name:
                break
    spans += [(start, len(text), _is_named(last, names)) for last, start in opened]
    columns = np.array(spans, np.int64).reshape(-1, 3)
    return columns[:, 0], columns[:, 1], columns[:, 2].astype(bool)


def _is_named(name: str, names: tuple[str, ...]) -> bool:
    """Tell whether an environment has one of these names, without or with a star; always if there are no names."""
    return not names or name in names or name.rstrip("*") in names


def _n_covering(n_chars: int, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return (n_chars,) how many spans [start, stop) each character is in."""
    steps = np.zeros(n_chars + 1, np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, stops, -1)
    return np.cumsum(steps)[:n_chars]


@njit(cache=True)
def _is_letter(code: int) -> bool:
    return 65 <= code <= 90 or 97 <= code <= 122 or code == 95 or code == 58 or code > 127


@njit(cache=True, inline="always")
def _is_blank(code: int) -> bool:
    return code == _SPACE or code == _TAB or code == _RETURN or code == _NEWLINE


@njit(cache=True)
def _tags(codes: NDArray[np.uint32]) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Return (n_chars,) which part of a tag each character is in, and (n_chars,) how many elements are open."""
    states, depths = np.zeros(len(codes), np.uint8), np.zeros(len(codes), np.int32)
    state, depth = _OUTSIDE, 0
    less = -2  # where a < was read
    kind = 0  # the character after it, 0 for a letter
    name, in_name = 0, False  # of the tag, packed
    mark, has_equals = 0, False  # the open quotation mark in a tag; the = of an attribute has been read
    blank_line = False
    for t, code in enumerate(codes):
        is_blank = _is_blank(code)
        if code == _NEWLINE and blank_line:
            state = _OUTSIDE
        elif state == _COMMENT:
            if code == _GREATER and codes[t - 1] == _DASH and codes[t - 2] == _DASH and t > less + 5:
                state = _OUTSIDE
        elif state == _OUTSIDE:
            if less == t - 1 and (_is_letter(code) or code == _SLASH or code == _BANG or code == _QUESTION):
                state, mark, has_equals = _TAG, 0, False
                kind = 0 if _is_letter(code) else code
                name, in_name = code | 32, kind == 0
        elif mark != 0:
            if code == mark:
                mark, state, has_equals = 0, _TAG, False
        elif code == _GREATER:
            if kind == _SLASH:
                depth = max(depth - 1, 0)
            elif kind == 0 and codes[t - 1] != _SLASH and name not in _NEVER_CLOSED:
                depth += 1
            state = _OUTSIDE
        elif code == _LESS:
            state = _OUTSIDE
        elif kind == _BANG and code == _DASH and t == less + 3 and codes[t - 1] == _DASH:
            state = _COMMENT
        elif in_name:
            in_name = not (is_blank or code == _SLASH)
            name = name << 8 | code | 32 if in_name and name < LONGEST_PACKED else name
        elif kind == 0:
            state, has_equals, mark = _read_attribute(state, has_equals, codes[t - 1], code)
        elif (code == _QUOTE or code == _APOSTROPHE) and kind != _SLASH:
            mark = code
        if code == _LESS and state == _OUTSIDE:
            less = t
        blank_line = code == _NEWLINE or (blank_line and is_blank)
        states[t], depths[t] = state, depth
    return states, depths


@njit(cache=True, inline="always")
def _read_attribute(state: int, has_equals: bool, before: int, code: int) -> tuple[int, bool, int]:
    """Read a character of a tag after its name and outside quotation marks.

    Args:
        state: `_TAG` or `_ATTRIBUTE`.
        has_equals: Whether the = of an attribute has been read.
        before: The character before.
        code: The character.

    Returns:
        The state and `has_equals` after it, and the quotation mark if it opens one, else 0.
    """
    mark = 0
    if _is_blank(code):
        if not (has_equals and before == _EQUALS):
            state, has_equals = _TAG, False
    elif code == _SLASH and not has_equals:
        state = _TAG
    elif code == _EQUALS and not has_equals:
        state, has_equals = _ATTRIBUTE, True
    else:
        if (code == _QUOTE or code == _APOSTROPHE) and has_equals and before == _EQUALS:
            mark = code
        state = _ATTRIBUTE
    return state, has_equals, mark


@njit(cache=True)
def _headings(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in a heading of Markdown."""
    labels = np.zeros(len(codes), np.bool_)
    inside = False
    n_spaces, n_hashes, n_marks = 0, 0, 0  # at the beginning of the line
    plain = False  # the line has begun with something else
    mark, fence, n_fence = 0, 0, 0  # the backtick or tilde of the line; that of the open block of code, and how many
    for t, code in enumerate(codes):
        if code == _NEWLINE:
            if fence == 0 and n_marks >= 3:
                fence, n_fence = mark, n_marks
            elif fence != 0 and n_marks >= n_fence and mark == fence and not plain:
                fence = 0
            inside, plain = False, False
            n_spaces = n_hashes = n_marks = 0
        elif inside or plain:
            if code == _BACKTICK and mark == _BACKTICK:
                n_marks = 0  # code that is closed in its line is not a block
        elif n_hashes > 0:
            if code == _HASH and n_hashes < 6:
                n_hashes += 1
            else:
                inside = (code == _SPACE or code == _TAB) and fence == 0
                plain = not inside
        elif n_marks > 0:
            if code == mark:
                n_marks += 1
            elif not (code == _SPACE or code == _TAB or code == _RETURN):
                plain = True
        elif code == _SPACE and n_spaces < 3:
            n_spaces += 1
        elif code == _HASH:
            n_hashes = 1
        elif code == _BACKTICK or code == _TILDE:
            mark, n_marks = code, 1
        else:
            plain = True
        labels[t] = inside
    return labels


@njit(cache=True)
def _between_delimiters(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    r"""Return (n_chars,) whether a character is inside $…$, $$…$$, \(…\) or \[…\]."""
    labels = np.zeros(len(codes), np.bool_)
    closer = 0  # 1 for $, 2 for $$, or the bracket that closes after a backslash; 0 outside
    opened = -2  # where $ was read
    escaped, in_comment, blank_line = False, False, False
    n_closing = 0  # dollars of a closing $$
    for t, code in enumerate(codes):
        if in_comment:
            in_comment = code != _NEWLINE
        elif escaped:
            escaped = False
            if closer == 0 and (code == 40 or code == 91):
                closer = code + (1 if code == 40 else 2)
            elif closer > 2 and code == closer:
                closer = 0
            n_closing = 0
        elif code == _BACKSLASH:
            escaped = True
        elif code == _PERCENT:
            in_comment = True
        elif code == _DOLLAR:
            if closer == 0:
                closer, opened = 1, t
            elif closer == 1 and opened == t - 1:
                closer = 2
            elif closer == 1:
                closer = 0
            elif closer == 2:
                n_closing += 1
                if n_closing == 2:
                    closer, n_closing = 0, 0
        elif code == _NEWLINE and blank_line:
            closer = 0
        if code != _DOLLAR:
            n_closing = 0
        blank_line = code == _NEWLINE or (blank_line and (code == _SPACE or code == _TAB or code == _RETURN))
        labels[t] = closer != 0
    return labels
