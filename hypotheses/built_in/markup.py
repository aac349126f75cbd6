"""Markup: XML and HTML, and headings of Markdown and wikis.

A text is read as XML if it has `<?xml` or begins with an element that HTML does not have, and as a page of HTML if it
has `<!DOCTYPE html>` or begins with `<html>`, `<head>`, `<body>` or an element of the head; blanks and comments may
precede. In any other text, such as Markdown, a wiki's, prose or a program, only names of HTML and of MediaWiki begin
tags; right after a letter, a digit or a closing bracket only those of two or more letters, in lower case, and once they
are known to the end (`H<sub>2</sub>O`), but not `data`, `input`, `map`, `object`, `output`, `time` and `var`. So `a<b`,
`Vec<u8>`, `x <- y`, `<me@here.org>` and `<https://here.org>` have no tags. In a page, too, names right after a letter
or digit must be known (`i<n`). As soon as a `<` is known to begin no tag, its characters are False.

Text in `<script>`, `<style>`, `<textarea>` and `<title>` (not in XML), in `<nowiki>`, `<math>` and `<syntaxhighlight>`
of wikis, in CDATA sections and in `<?php … ?>` is no markup, up to the end tag: that is True from the last letter of
its name, or its eighth.
"""

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import code_points
from hypotheses.hypothesis import hypothesis
from hypotheses.kernels import compiled
from hypotheses.labels import Labels
from hypotheses.readers.tag_names import ATTRIBUTE, OUTSIDE
from hypotheses.readers.tags import read_tags

_HASH, _SPACE, _TAB, _RETURN, _NEWLINE, _BACKTICK, _TILDE, _EQUALS = (ord(char) for char in "# \t\r\n`~=")
_APOSTROPHE, _OPEN, _CLOSE, _ROUND, _BRACE, _STAR = (ord(char) for char in "'[]({*")
_MATTERS = np.isin(np.arange(128), [ord(char) for char in "'[({*`\n"])  # within a line


@hypothesis(kind="binary", text_kind="html")
def in_tag(text: str) -> Labels:
    """Is the text, as read so far, inside a tag of XML or HTML?

    A tag begins when `<` and the character after it (a letter, `/`, `!` or `?`) have been read. It ends with `>`, which
    is False, unless that is inside the quotation marks of an attribute. Another `<` ends it too, and so does a blank
    line, or a sign that no tag can have there. Comments (`<!-- … -->`) count, and end at `-->`, in other texts than XML
    and pages of HTML also at a blank line; of a CDATA section, `<![CDATA` counts.

    >>> print(in_tag.mark('a < b <i x=">">c</i> d<e'))
    a < b <i x=">">c</i> d<e
    .......xxxxxxx...xx.....
    """
    return Labels(read_tags(text, with_depths=False)[0] != OUTSIDE, "binary")


@hypothesis(kind="binary", text_kind="html")
def in_attribute(text: str) -> Labels:
    """Is the text, as read so far, inside an attribute of a tag, from its name to the end of its value?

    The blank or sign after the value, and its closing quotation mark, are False; so is a blank before the `=`, since
    the `=` is not known yet.

    >>> print(in_attribute.mark('<a b="c d" e=f g>'))
    <a b="c d" e=f g>
    ...xxxxxx..xxx.x.
    """
    return Labels(read_tags(text, with_depths=False)[0] == ATTRIBUTE, "binary")


@hypothesis(unit="elements", text_kind="html")
def tag_depth(text: str) -> Labels:
    """How many elements of XML or HTML are open?

    One more at the `>` of an opening tag. At the `>` of a closing tag, the innermost open element of its name ends, and
    all that were begun since; if there is none, nothing ends. Tags that end in `/>`, comments, declarations, and those
    that HTML never closes (such as `<br>`, `<img>` and `<meta>`) open nothing. But in XML, end tags may be left out as
    HTML permits: `<li>` ends the `<li>` before it, so do `<dt>`, `<dd>`, `<tr>`, `<td>`, `<th>`, `<thead>`, `<tbody>`,
    `<tfoot>`, `<option>` and `<optgroup>`, and `<p>` ends at the next `<p>`, list, table, heading or other block. In a
    text that is neither, `<b>`, `<code>` and the like end with their paragraph. It looks for an element among the
    innermost 64.

    >>> print(tag_depth.mark("<a><b>c<br></b>d</a>"))
    <a><b>c<br></b>d</a>
    00111222222222111110
    >>> print(tag_depth.mark("<ul><li>a<li>b</ul>"))
    <ul><li>a<li>b</ul>
    0001111222222222220
    """
    return Labels(read_tags(text)[1].astype(np.float64), "numeric")


@hypothesis(kind="binary", text_kind=("markdown", "wiki"))
def in_heading(text: str) -> Labels:
    r"""Is the text, as read so far, inside a heading of Markdown or of a wiki?

    In Markdown, a heading is a line that begins with at most three spaces, one to six `#`, and then a blank; it is True
    from that blank to the end of the line. In a wiki such a line is an item of a list, and a heading stands between two
    to six `=` on each side, `== so ==`, of which the first follows the newline; it is True from the character after
    them up to the last `=`. Which of the two a text is, it has to show before: it is a wiki's as long as it has had
    more of `[[`, `{{`, `'''` and such headings than of `](`, `**`, three backticks and headings with `#`. Headings
    with `=` always count.

    There are no headings in code, between lines of three or more backticks or tildes. Underlined headings are not known
    before they end, and do not count.

    >>> print(in_heading.mark("# a\nb #c\n== d ==\n"))
    # a↵b #c↵== d ==↵
    .xx........xxxx..
    """
    return Labels(_headings(code_points(text)), "binary")


@compiled()
def _headings(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in a heading of Markdown or a wiki."""
    labels = np.zeros(len(codes), np.bool_)
    inside, n_opening, n_closing = False, 0, 0  # equals signs that opened a wiki's heading, and those just read in it
    n_spaces, n_hashes, n_marks, n_equals = 0, 0, 0, 0  # at the beginning of the line
    plain = False  # the line has begun with something else
    mark, fence, n_fence = 0, 0, 0  # the backtick or tilde of the line; that of the open block of code, and how many
    balance = 0  # signs of Markdown, less those of wikis
    t, n = 0, len(codes)
    while t < n:
        while plain and t < n and (codes[t] >= 128 or not _MATTERS[codes[t]]):
            t += 1
        if t == n:
            break
        code = codes[t]
        is_blank = code == _SPACE or code == _TAB
        if fence == 0:
            balance += _evidence(codes, t)
        if code == _NEWLINE:
            if fence == 0 and n_marks >= 3:
                fence, n_fence, balance = mark, n_marks, balance + 1
            elif fence != 0 and n_marks >= n_fence and mark == fence and not plain:
                fence = 0
            inside, plain = False, False
            n_spaces = n_hashes = n_marks = n_equals = n_opening = 0
        elif n_opening > 0:
            n_closing = n_closing + 1 if code == _EQUALS else 0
            if n_closing == n_opening:
                inside, n_opening, plain = False, 0, True
        elif inside or plain:
            if code == _BACKTICK and mark == _BACKTICK:
                n_marks = 0  # code that is closed in its line is not a block
        elif n_hashes > 0:
            if code == _HASH and n_hashes < 6:
                n_hashes += 1
            else:
                inside = is_blank and fence == 0 and balance >= 0
                balance += inside
                plain = not inside
        elif n_equals > 0:
            if code == _EQUALS and n_equals < 6:
                n_equals += 1
            else:
                inside = n_equals > 1 and fence == 0 and code != _EQUALS and code != _RETURN
                n_opening, n_closing, plain = n_equals * inside, 0, not inside
                balance -= inside
        elif n_marks > 0:
            if code == mark:
                n_marks += 1
            elif not (is_blank or code == _RETURN):
                plain = True
        elif code == _SPACE and n_spaces < 3:
            n_spaces += 1
        elif code == _HASH:
            n_hashes = 1
        elif code == _EQUALS and n_spaces == 0:
            n_equals = 1
        elif code == _BACKTICK or code == _TILDE:
            mark, n_marks = code, 1
        else:
            plain = True
        labels[t] = inside
        t += 1
    return labels


@compiled(inline="always")
def _evidence(codes: NDArray[np.uint32], t: int) -> int:
    """Return 1 if a sign of Markdown ends at a character, -1 if one of wikis does, else 0."""
    code = codes[t]
    if t == 0 or not (code == _OPEN or code == _BRACE or code == _APOSTROPHE or code == _ROUND or code == _STAR):
        return 0
    before = codes[t - 1]
    if code == _ROUND:
        return int(before == _CLOSE)
    if code == _APOSTROPHE:
        return -int(before == code and t > 1 and codes[t - 2] == code)
    if before != code or (t > 1 and codes[t - 2] == code):
        return 0
    return 1 if code == _STAR else -1
