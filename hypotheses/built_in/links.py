"""Web addresses, and the links and templates of wikis."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hypotheses.characters import BLANK, WORD, code_points, traits
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels

_SLASH, _COLON, _POINT, _W, _NEWLINE = (ord(char) for char in "/:.w\n")
_OPENERS, _CLOSERS = (ord("("), ord("[")), (ord(")"), ord("]"))
_NEVER = tuple(ord(char) for char in "\"'<>\\^`{|}«»“”‘’")
_IN_SCHEME = tuple(ord(char) for char in "+-.")
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
    backtick, and at a closing parenthesis or bracket that was not opened inside. A point or comma at its end cannot
    be distinguished from one inside, and is True.

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
)
def in_wiki_link(text: str) -> Labels:
    """Is the text, as read so far, inside `[[…]]`?

    True from the second opening bracket on; False at the second closing one. Links may contain links. An unclosed link
    ends with its paragraph, at the newline that ends a blank line.

    >>> print(in_wiki_link.mark("a [[b]] [c]"))
    a [[b]] [c]
    ...xxx.....
    """
    return Labels(_doubled(code_points(text), *_OPENERS[1:], *_CLOSERS[1:]) >= 0, "binary")


@hypothesis(
    unit="characters",
    source=_BLOG,
    expects="In an LSTM trained on Wikipedia, a neuron varies seemingly linearly across [[ ]].",
)
def position_in_wiki_link(text: str) -> Labels:
    """How many characters of `[[…]]` have been read after its opening brackets?

    0 at the second bracket; in a link within a link, counted from the outer one. Missing outside.

    >>> print(position_in_wiki_link.mark("a [[b]] c"))
    a [[b]] c
    ???012???
    """
    begun = _doubled(code_points(text), *_OPENERS[1:], *_CLOSERS[1:])
    positions = np.where(begun >= 0, np.arange(len(begun)) - begun, 0)
    return Labels(positions.astype(np.float64), "numeric", begun < 0)


@hypothesis(kind="binary")
def in_template(text: str) -> Labels:
    """Is the text, as read so far, inside `{{…}}`, as wikis and template languages have it?

    Like `in_wiki_link`, but an unclosed template continues after a blank line.

    >>> print(in_template.mark("a {{b|{{c}}}} d"))
    a {{b|{{c}}}} d
    ...xxxxxxxxx...
    """
    return Labels(_doubled(code_points(text), ord("{"), ord("}"), over_paragraphs=True) >= 0, "binary")


@njit(cache=True)
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
            if n_open < 0 or kinds[t] & BLANK or code in _NEVER:
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
                if first < 0 and is_ascii_letter and (t == 0 or not kinds[t - 1] & WORD):
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


@njit(cache=True)
def _doubled(codes: NDArray[np.uint32], opener: int, closer: int, over_paragraphs: bool = False) -> NDArray[np.int64]:
    """Return (n_chars,) where the outermost doubled bracket around each character was complete; -1 outside."""
    begun = np.full(len(codes), -1)
    depth, start = 0, -1
    half = -2  # where the first of two brackets was read
    blank_line = False
    for t, code in enumerate(codes):
        if (code == opener or code == closer) and half == t - 1 and codes[t - 1] == code:
            half = -2
            depth = depth + 1 if code == opener else max(depth - 1, 0)
            if depth == 0:
                start = -1
            elif depth == 1 and code == opener:
                start = t
        elif code == opener or code == closer:
            half = t
        elif code == _NEWLINE and blank_line and not over_paragraphs:
            depth, start = 0, -1
        blank_line = code == _NEWLINE or (blank_line and (code == 32 or code == 9 or code == 13))
        begun[t] = start
    return begun
