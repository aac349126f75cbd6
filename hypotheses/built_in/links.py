"""Web addresses, and the links and templates of wikis."""

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import BLANK, UNSPACED, WORD, code_points, next_of, traits
from hypotheses.hypothesis import hypothesis
from hypotheses.kernels import compiled
from hypotheses.labels import Labels

_SLASH, _COLON, _POINT, _W, _NEWLINE, _SPACE, _TAB, _RETURN = (ord(char) for char in "/:.w\n \t\r")
_OPEN, _CLOSE, _BAR, _BRACE, _END_BRACE, _MORE = (ord(char) for char in "[]|{}>")
_NOWIKI_BEGINS = "<nowiki"
_NOWIKI, _END_NOWIKI = (np.array([ord(char) for char in name], np.uint32) for name in (_NOWIKI_BEGINS, "</nowiki"))
_NO_TARGET = (ord(" "), ord("\t"), ord("\n"), ord('"'))
_NO_TEMPLATE = tuple(ord(char) for char in "\\.,}")
_LONGEST_TEMPLATE = 10_000  # characters; the longest boxes of Wikipedia have half of that
_WIDE = 0x3000  # from here on, signs such as 。 and 」 are of East Asian writing
_OPENERS, _CLOSERS = (ord("("), ord("[")), (ord(")"), ord("]"))
_NEVER = tuple(ord(char) for char in "\"'<>\\^`{|}«»“”‘’")
_IN_SCHEME = tuple(ord(char) for char in "+-.")
_NO_STARTS = np.zeros(0, np.int64)
_BLOG = "Karpathy 2015, The Unreasonable Effectiveness of Recurrent Neural Networks"


@hypothesis(
    kind="binary",
    source=_BLOG,
    expects="In an LSTM trained on Wikipedia, a cell is on inside URLs and off outside.",
)
def in_url(text: str) -> Labels:
    """Is the text, as read so far, inside a web address?

    It begins at the second `/` of `://` after a scheme of two or more letters, or at the point of a word that is `www`:
    only then is it known. It ends, and is False, at a blank, at `"`, `'`, `<`, `>`, braces, `|`, a backslash, `^` or a
    backtick, at signs such as `。` and `」`, and at a closing parenthesis or bracket that was not opened inside. A
    point or comma at its end cannot be distinguished from one inside, and is True.

    >>> print(in_url.mark("see http://a.b/c (www.d.e)!"))
    see http://a.b/c (www.d.e)!
    ..........xxxxxx.....xxxx..
    """
    codes = code_points(text)
    return Labels(_begun(codes, traits(codes)) >= 0, "binary")


@hypothesis(unit="characters", source=_BLOG)
def position_in_url(text: str) -> Labels:
    """How many characters of a web address have been read?

    Counted from the first letter of its scheme, or the first w, which is 1. Missing outside, and before it is known to
    be an address; see `in_url`.

    >>> print(position_in_url.mark("ftp://a www.b"))
    ftp://a www.b
    ?????67????45
    """
    codes = code_points(text)
    begun = _begun(codes, traits(codes))
    positions = np.where(begun >= 0, np.arange(len(codes)) - begun + 1, 0)
    return Labels(positions.astype(np.float64), "numeric", begun < 0)


@hypothesis(
    kind="binary",
    causal=False,
    source=_BLOG,
    expects="In an LSTM trained on Wikipedia, a neuron was silent except in the www of an address, and turned off "
    "right after its first w: it may count how far in the prefix it is.",
)
def www_prefix(text: str) -> Labels:
    """Is the character one of the three w of a word `www` that is followed by a point?

    It looks ahead: the first w of `www.` is True, that of `with` is not.

    >>> print(www_prefix.mark("www.with"))
    www.with
    xxx.....
    """
    codes = code_points(text)
    points = np.flatnonzero(codes == _POINT)
    points = points[points >= 3]
    in_word = (traits(codes) & WORD).astype(bool)
    begins_word = (points == 3) | ~in_word[points - 4]
    points = points[begins_word & (codes[points - 1] == _W) & (codes[points - 2] == _W) & (codes[points - 3] == _W)]
    labels = np.zeros(len(codes), bool)
    for n_back in (1, 2, 3):
        labels[points - n_back] = True
    return Labels(labels, "binary")


@hypothesis(
    kind="binary",
    source=_BLOG,
    expects="In an LSTM trained on Wikipedia, a cell is on inside [[ ]], and only after the second bracket has been "
    "read.",
    text_kind="wiki",
)
def in_wiki_link(text: str) -> Labels:
    """Is the text, as read so far, inside `[[…]]`?

    True from the second opening bracket on; False at the second closing one. Links may contain links. Brackets with a
    blank, `"` or single brace right inside, as in shells and JSON (`[[ -f x ]]`), open none, nor do brackets after a
    letter or digit of ASCII, as in R (`x[[1]]`), nor any between `<nowiki>` and `</nowiki>`; a single bracket that is
    closed before a `|` ends a link (`[[1], 2]`). An unclosed link ends with its paragraph, at the newline that ends a
    blank line.

    >>> print(in_wiki_link.mark("a [[b]] [c]"))
    a [[b]] [c]
    ...xxx.....
    """
    return Labels(_wiki_links(code_points(text), _NOWIKI_BEGINS in text, _NO_STARTS), "binary")


@hypothesis(
    unit="characters",
    source=_BLOG,
    expects="In an LSTM trained on Wikipedia, a neuron varies seemingly linearly across [[ ]].",
    text_kind="wiki",
)
def position_in_wiki_link(text: str) -> Labels:
    """How many characters of `[[…]]` have been read after its opening brackets?

    0 at the second bracket; in a link within a link, counted from the outer one. Missing outside.

    >>> print(position_in_wiki_link.mark("a [[b]] c"))
    a [[b]] c
    ???012???
    """
    begun = np.zeros(len(text), np.int64)
    inside = _wiki_links(code_points(text), _NOWIKI_BEGINS in text, begun)
    positions = np.where(inside, np.arange(len(begun)) - begun, 0)
    return Labels(positions.astype(np.float64), "numeric", ~inside)


@hypothesis(kind="binary", text_kind=("wiki", "template"))
def in_template(text: str) -> Labels:
    """Is the text, as read so far, inside `{{…}}`, as wikis and template languages have it?

    True from the second opening brace on; False at the second closing one. Templates may contain templates. Braces
    before a digit, a backslash, a point, a comma or a closing brace, as in programs and LaTeX, open none, nor do any
    between `<nowiki>` and `</nowiki>`. A template continues over blank lines; an unclosed one ends after 10,000
    characters.

    >>> print(in_template.mark("a {{b|{{c}}}} {{1}}"))
    a {{b|{{c}}}} {{1}}
    ...xxxxxxxxx...x...
    """
    return Labels(_templates(code_points(text), _NOWIKI_BEGINS in text), "binary")


@compiled()
def _begun(codes: NDArray[np.uint32], kinds: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return (n_chars,) the first character of the address that each character is in; -1 outside."""
    begun = np.full(len(codes), -1)
    start = -1  # of the address
    first = -1  # first letter of what may be a scheme
    n_w = 0  # number of w in the word, if it has nothing else
    n_slashes = -1  # after the colon of a scheme
    n_open = 0  # brackets opened in the address
    for t, code in enumerate(codes):
        if start >= 0:
            n_open += code in _OPENERS
            n_open -= code in _CLOSERS
            if n_open < 0 or kinds[t] & BLANK or code in _NEVER or (code > _WIDE and not kinds[t] & WORD):
                start = first = n_slashes = -1
                n_w = n_open = 0
        else:
            is_ascii_letter = 65 <= code <= 90 or 97 <= code <= 122
            if code == _SLASH and n_slashes >= 0:
                n_slashes += 1
                if n_slashes == 2:
                    start, n_open = first, 0
            elif code == _COLON and first >= 0 and t - first > 1:
                n_slashes = 0
            else:
                if code == _POINT and n_w == 3:
                    start, n_open = t - 3, 0
                if n_slashes >= 0:
                    first = n_slashes = -1
                if first < 0 and is_ascii_letter and (t == 0 or _may_precede(kinds[t - 1])):
                    first = t
                elif not (is_ascii_letter or 48 <= code <= 57 or code in _IN_SCHEME):
                    first = -1
            if code == _W and (n_w > 0 or t == 0 or not kinds[t - 1] & WORD):
                n_w += 1
            elif kinds[t] & WORD:
                n_w = -1
            else:
                n_w = 0
        begun[t] = start
    return begun


@compiled(inline="always")
def _may_precede(kind: int) -> bool:
    """Tell whether an address may begin right after a character: no letter, or one of a script without blanks."""
    return not kind & WORD or kind & UNSPACED != 0


@compiled()
def _wiki_links(codes: NDArray[np.uint32], has_nowiki: bool, begun: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in a link.

    Args:
        codes: (n_chars,) code points.
        has_nowiki: Whether the text has `<nowiki` anywhere.
        begun: (n_chars,) to be filled with where the outermost link was complete; or empty. Changed.
    """
    labels = np.zeros(len(codes), np.bool_)
    depth, start = 0, -1
    half, opened, closed = -2, -2, -2  # where a first bracket, a link's opening and its end were read
    in_target, as_it_stands, blank_line = False, False, False
    t, n = 0, len(codes)
    while t < n:
        if depth == 0 and not as_it_stands:
            t = next_of(codes, t, _OPEN, _OPEN, _MORE if has_nowiki else _OPEN)
            if t == n:
                break
        code = codes[t]
        is_single_brace = opened == t - 2 and codes[t - 1] == _BRACE and code != _BRACE
        if depth > 0 and (is_single_brace or (opened == t - 1 and code in _NO_TARGET)):
            depth -= 1
        elif depth > 0 and in_target and half == t - 1 and codes[t - 1] == _CLOSE and code != _CLOSE:
            depth = 0
        if code == _OPEN or code == _CLOSE:
            if half != t - 1 or codes[t - 1] != code:
                half = t
            else:
                half = -2
                if code == _CLOSE:
                    closed = t if depth > 0 else closed
                    depth, in_target = max(depth - 1, 0), False
                elif not as_it_stands and (t < 2 or not _is_indexed(codes[t - 2], closed == t - 2)):
                    depth, opened, in_target = depth + 1, t, True
                    start = t if depth == 1 else start
        elif code == _BAR:
            in_target = False
        elif code == _MORE:
            as_it_stands = _ends_nowiki(codes, t, as_it_stands)
        elif code == _NEWLINE and blank_line:
            depth, as_it_stands = 0, False
        blank_line = code == _NEWLINE or (blank_line and (code == _SPACE or code == _TAB or code == _RETURN))
        if depth > 0:
            labels[t] = True
            if len(begun) > 0:
                begun[t] = start
        t += 1
    return labels


@compiled(inline="always")
def _is_indexed(code: int, ends_link: bool) -> bool:
    """Tell whether what precedes two brackets is something that they may index, or a third bracket."""
    is_name = 48 <= code <= 57 or 65 <= code <= 90 or 97 <= code <= 122 or code == 95 or code == 41
    return is_name or code == _OPEN or (code == _CLOSE and not ends_link)


@compiled()
def _templates(codes: NDArray[np.uint32], has_nowiki: bool) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is inside doubled braces, in a text that has `<nowiki` or not."""
    labels = np.zeros(len(codes), np.bool_)
    depth, start = 0, 0
    half, opened = -2, -2  # where a first brace, and a template's opening were read
    as_it_stands, blank_line = False, False
    t, n = 0, len(codes)
    while t < n:
        if depth == 0 and not as_it_stands:
            t = next_of(codes, t, _BRACE, _BRACE, _MORE if has_nowiki else _BRACE)
            if t == n:
                break
        code = codes[t]
        if depth > 0 and opened == t - 1 and (48 <= code <= 57 or code in _NO_TEMPLATE):
            depth -= 1
        if code == _BRACE or code == _END_BRACE:
            if half != t - 1 or codes[t - 1] != code:
                half = t
            else:
                half = -2
                if code == _END_BRACE:
                    depth = max(depth - 1, 0)
                elif not as_it_stands:
                    depth, opened = depth + 1, t
                    start = t if depth == 1 else start
        elif code == _MORE:
            as_it_stands = _ends_nowiki(codes, t, as_it_stands)
        elif code == _NEWLINE:
            as_it_stands = as_it_stands and not blank_line
        if depth > 0 and t - start >= _LONGEST_TEMPLATE:
            depth = 0
        blank_line = code == _NEWLINE or (blank_line and (code == _SPACE or code == _TAB or code == _RETURN))
        labels[t] = depth > 0
        t += 1
    return labels


@compiled()
def _ends_nowiki(codes: NDArray[np.uint32], t: int, as_it_stands: bool) -> bool:
    """Return whether a wiki's text stands for itself after this `>`: it may end `<nowiki>` or `</nowiki>`."""
    name = _END_NOWIKI if as_it_stands else _NOWIKI
    matches = t >= len(name)
    for place in range(len(name)):
        matches = matches and codes[t - len(name) + place] == name[place]
    return matches != as_it_stands
