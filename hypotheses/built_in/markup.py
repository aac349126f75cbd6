"""Markup: XML and HTML, Markdown, LaTeX."""

import numpy as np
import regex
from numba import njit
from numpy.typing import NDArray

from hypotheses.built_in.text import code_points, pack
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels

_LESS, _GREATER, _SLASH, _BANG, _QUESTION, _DASH, _EQUALS, _QUOTE, _APOSTROPHE, _NEWLINE = (
    ord(char) for char in "<>/!?-=\"'\n"
)
_HASH, _SPACE, _TAB, _RETURN, _BACKTICK, _TILDE, _BACKSLASH, _DOLLAR, _PERCENT = (ord(char) for char in "# \t\r`~\\$%")
_OUTSIDE, _TAG, _ATTRIBUTE, _COMMENT = range(4)
_ENVIRONMENT = regex.compile(r"\\[\\%]|%[^\n]*+|\\(begin|end)[ \t]*+\{([^{}\n]*+)\}")
_MATHS = ("math", "displaymath", "equation", "eqnarray", "align", "alignat", "gather", "multline", "flalign")


@hypothesis(kind="binary")
def in_tag(text: str) -> Labels:
    """Is the text, as read so far, inside a tag of XML or HTML?

    A tag is known to be one when `<` and what may follow it (a letter, `/`, `!` or `?`) have been read, and ends with
    `>`, which is False; not so inside the quotation marks of an attribute. Another `<` ends it, too, and so does a
    blank line. Comments (`<!-- … -->`) count, and end at `-->` or a blank line; a CDATA section ends at its first `>`.

    >>> print(in_tag.mark('a < b <i x=">">c</i>'))
    a < b <i x=">">c</i>
    .......xxxxxxx...xx.
    """
    return Labels(_tags(code_points(text))[0] != _OUTSIDE, "binary")


@hypothesis(kind="binary")
def in_attribute(text: str) -> Labels:
    """Is the text, as read so far, inside an attribute of a tag, from its name to the end of its value?

    The blank or sign behind the value, and its closing quotation mark, are False; so is a blank before the `=`, since
    it is not known yet that one follows.

    >>> print(in_attribute.mark('<a b="c d" e=f g>'))
    <a b="c d" e=f g>
    ...xxxxxx..xxx.x.
    """
    return Labels(_tags(code_points(text))[0] == _ATTRIBUTE, "binary")


@hypothesis(unit="elements")
def tag_depth(text: str) -> Labels:
    """How many elements of XML or HTML are open?

    One more at the `>` of an opening tag, one less at the `>` of a closing tag, never below 0. Tags that end in `/>`,
    comments, declarations, and those that HTML never closes (`<br>`, `<img>`, `<meta>` and their like) open nothing.
    Whether names match is not looked at.

    >>> print(tag_depth.mark("<a><b>c<br></b>d</a>"))
    <a><b>c<br></b>d</a>
    00111222222222111110
    """
    return Labels(_tags(code_points(text))[1].astype(np.float64), "numeric")


@hypothesis(kind="binary")
def in_heading(text: str) -> Labels:
    r"""Is the text, as read so far, inside a heading of Markdown?

    A heading is a line that begins with one to six `#`, behind at most three spaces, and then a blank; it is known
    from that blank on, and ends with the line. Between lines of three or more backticks or tildes is code, in which
    there are none. Headings that are underlined are not known to be such before they end, and do not count.

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
    True once the opener has been read, False at the last character of the closer. `\$` is no opener, and nothing
    behind `%` is, up to the end of the line. What `$`, `\(` or `\[` opened ends with its paragraph, at the newline
    that ends a blank line; an environment that is left open goes on to the end of the text.

    >>> print(in_maths.mark(r"a $b$ \(c\) \$d"))
    a $b$ \(c\) \$d
    ..xx...xxx.....
    """
    codes = code_points(text)
    starts, stops, mathematical = _environments(text, *_MATHS)
    depth = _spread(len(codes), starts[mathematical], stops[mathematical])
    return Labels(_dollars(codes) | (depth > 0), "binary")


@hypothesis(kind="binary")
def in_latex_environment(text: str, name: str = "") -> Labels:
    r"""Is the text, as read so far, between `\begin{…}` and `\end{…}` of LaTeX?

    Of any environment, or of one: `in_latex_environment:align` (also with a star), `in_latex_environment:align*`.
    True from the brace that ends `\begin{…}`; False at the one that ends `\end{…}`. An `\end` ends the last open
    environment of its name, and what was begun since; what is never ended goes on to the end of the text. Nothing
    behind `%` counts, up to the end of the line.

    >>> in_latex_environment(r"\begin{a}b\end{a}c").marks()
    '........xxxxxxxx..'
    """
    starts, stops, chosen = _environments(text, *([name] if name else []))
    return Labels(_spread(len(text), starts[chosen], stops[chosen]) > 0, "binary")


def _environments(text: str, *names: str) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Where environments begin and end, and which have one of these names, a star left out; all if there are none."""
    opened: list[tuple[str, int]] = []
    n_open: dict[str, int] = {}
    spans: list[tuple[int, int, bool]] = []
    for found in _ENVIRONMENT.finditer(text):
        if found[1] is None:  # an escape, or a comment
            continue
        name = found[2].strip()
        if found[1] == "begin":
            opened.append((name, found.end() - 1))
            n_open[name] = n_open.get(name, 0) + 1
        while found[1] == "end" and n_open.get(name):
            last, start = opened.pop()
            n_open[last] -= 1
            spans.append((start, found.end() - 1, _is_one(last, names)))
            if last == name:
                break
    spans += [(start, len(text), _is_one(last, names)) for last, start in opened]
    columns = np.array(spans, np.int64).reshape(-1, 3)
    return columns[:, 0], columns[:, 1], columns[:, 2].astype(bool)


def _is_one(name: str, names: tuple[str, ...]) -> bool:
    return not names or name in names or name.rstrip("*") in names


def _spread(n_chars: int, starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n_chars,) how many spans [start, stop) each character is in."""
    steps = np.zeros(n_chars + 1, np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, stops, -1)
    return np.cumsum(steps)[:n_chars]


_VOID = tuple(
    pack(word)
    for word in (
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr",
    )
)  # fmt: skip
_LONGEST = 1 << 56


@njit(cache=True)
def _is_letter(code: int) -> bool:
    return 65 <= code <= 90 or 97 <= code <= 122 or code == 95 or code == 58 or code > 127


@njit(cache=True)
def _tags(codes: NDArray[np.uint32]) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """What part of a tag each character is in, and how many elements are open."""
    states, depths = np.zeros(len(codes), np.uint8), np.zeros(len(codes), np.int32)
    state, depth = _OUTSIDE, 0
    less = -2  # where a < stands
    kind = 0  # the character behind it, 0 for a letter
    name, naming = 0, False  # of the tag, packed
    mark, valued = 0, False  # the quotation mark that is open in a tag; whether the = of an attribute has been read
    blank_line = False
    for t, code in enumerate(codes):
        is_blank = code == _SPACE or code == _TAB or code == _RETURN or code == _NEWLINE
        if code == _NEWLINE and blank_line:
            state = _OUTSIDE
        elif state == _COMMENT:
            if code == _GREATER and codes[t - 1] == _DASH and codes[t - 2] == _DASH and t > less + 5:
                state = _OUTSIDE
        elif state == _OUTSIDE:
            if less == t - 1 and (_is_letter(code) or code == _SLASH or code == _BANG or code == _QUESTION):
                state, mark, valued = _TAG, 0, False
                kind = 0 if _is_letter(code) else code
                name, naming = code | 32, kind == 0
        elif mark != 0:
            if code == mark:
                mark, state, valued = 0, _TAG, False
        elif code == _GREATER:
            if kind == _SLASH:
                depth = max(depth - 1, 0)
            elif kind == 0 and codes[t - 1] != _SLASH and name not in _VOID:
                depth += 1
            state = _OUTSIDE
        elif code == _LESS:
            state = _OUTSIDE
        elif kind == _BANG and code == _DASH and t == less + 3 and codes[t - 1] == _DASH:
            state = _COMMENT
        elif kind == 0:
            if naming and not (is_blank or code == _SLASH):
                name = name << 8 | code | 32 if name < _LONGEST else name
            elif naming:
                naming = False
            elif is_blank:
                if not (valued and codes[t - 1] == _EQUALS):
                    state, valued = _TAG, False
            elif code == _SLASH and not valued:
                state = _TAG
            elif code == _EQUALS and not valued:
                state, valued = _ATTRIBUTE, True
            else:
                if (code == _QUOTE or code == _APOSTROPHE) and valued and codes[t - 1] == _EQUALS:
                    mark = code
                state = _ATTRIBUTE
        elif (code == _QUOTE or code == _APOSTROPHE) and kind != _SLASH:
            mark = code
        if code == _LESS and state == _OUTSIDE:
            less = t
        blank_line = code == _NEWLINE or (blank_line and is_blank)
        states[t], depths[t] = state, depth
    return states, depths


@njit(cache=True)
def _headings(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    labels = np.zeros(len(codes), np.bool_)
    inside = False
    n_spaces, n_hashes, n_marks, plain = (
        0,
        0,
        0,
        False,
    )  # at the beginning of the line; whether the line has begun otherwise
    mark, fence, n_fence = 0, 0, 0
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
                n_marks = 0  # what is closed in its line is no block
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
def _dollars(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    r"""Inside $…$, $$…$$, \(…\) or \[…\]."""
    labels = np.zeros(len(codes), np.bool_)
    closer = 0  # 1 and 2 dollars, or the bracket behind a backslash
    opened = -2
    escaped, in_comment, blank_line = False, False, False
    n_closing = 0
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
