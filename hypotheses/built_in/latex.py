"""LaTeX: environments, and mathematics, also as Markdown and wikis have it."""

from collections import Counter

import numpy as np
import regex
from numpy.typing import NDArray

from hypotheses.built_in.quotes import backtick_spans
from hypotheses.characters import code_points
from hypotheses.hypothesis import hypothesis
from hypotheses.kernels import compiled
from hypotheses.labels import Labels

_BACKSLASH, _DOLLAR, _PERCENT, _NEWLINE, _SPACE, _TAB, _RETURN, _BRACE = (ord(char) for char in "\\$%\n \t\r{")
_LEFT_OUT = r"\\[\\%]|%[^\n]*+|\\verb\*?(?P<verb>(?P<mark>[^\sA-Za-z*])[^\n]*?(?:(?P=mark)|(?=\n)|\Z))"
_INLINE_VERBATIM = regex.compile(_LEFT_OUT)
_ENVIRONMENT = regex.compile(
    rf"{_LEFT_OUT}|\\(?P<edge>begin|end)[ \t]*+\{{(?P<name>[^{{}}\n]*+)\}}"
    r"|\\(?P<section>part|chapter|(?:sub){0,2}section)\*?(?=[\[{])"
)
_MATHS = ("math", "displaymath", "equation", "eqnarray", "align", "alignat", "gather", "multline", "flalign")
_VERBATIM = ("verbatim", "Verbatim", "lstlisting", "minted", "comment")
_WHOLE = "document"
_WITH_SECTIONS = frozenset(
    {
        _WHOLE, "CJK", "appendices", "doublespace", "landscape", "multicols", "onehalfspace", "otherlanguage",
        "refsection", "singlespace", "sloppypar", "spacing", "subappendices",
    }
)  # fmt: skip
"""Environments that may contain whole sections; another one that is open where a section begins was never closed."""
_AFTER_A_DOLLAR = tuple(ord(char) for char in "\\^-+|[")  # of a formula, where nothing else tells that this is LaTeX
_AFTER_A_LETTER = tuple(ord(char) for char in "\\^_{(+-=<>' ")
_AFTER_A_NUMBER = tuple(ord(char) for char in "\\^_{=")
_DOLLAR_AFTER = tuple(ord(char) for char in "([{<>-–—\"'“„«‘*_|/~=:,;.")  # a blank, and these
_BEFORE_A_BRACKET = tuple(ord(char) for char in " \t\n\r([>*")
_TAG = np.array([ord(char) for char in "<math>"], np.uint32)
_END_TAG = np.array([ord(char) for char in "</math>"], np.uint32)
_MATTERS = np.isin(np.arange(128), [ord(char) for char in "$\\%>\n"])  # outside of mathematics
_OUTSIDE, _DOUBTFUL, _INLINE, _DISPLAY, _PRICE, _ROUND, _SQUARE, _ELEMENT = range(8)


@hypothesis(kind="binary", text_kind="latex")
def in_maths(text: str) -> Labels:
    r"""Is the text, as read so far, inside mathematics of LaTeX?

    Between `$` and `$`, `$$` and `$$`, `\(` and `\)`, `\[` and `\]`, `<math>` and `</math>`, `\begin{equation}` and
    `\end{equation}`, and so for `math`, `displaymath`, `eqnarray`, `align`, `alignat`, `gather`, `multline` and
    `flalign`, also with a star. True once the opener is known, False at the last character of the closer.

    A text is taken for LaTeX once it has had a command of two or more letters and a brace (`\section{`) outside
    mathematics. There, each `$` opens or closes, and nothing after `%` counts, up to the end of the line. In any other
    text, a `$` may be a price or a variable, and only the next characters tell. It opens if it follows a blank or a
    sign and precedes a backslash, `^`, `-`, `+`, `|` or `[`, or a single letter that a space or one of
    `\ ^ _ { ( + - = < > '` follows, or a number that one of `\ ^ _ { =` follows at once; once a formula has had a
    backslash, `^` or `_`, one or two letters do by themselves. It closes if it follows no blank, and its line ends it
    (`$5` and `$HOME` are no mathematics, `$2^n$` is). `$$` opens at the beginning of a line, and else like `$`. Nothing
    in backticks counts there, and `\(` and `\[` open after a blank, `(`, `[`, `>` or `*`.

    `\$` is no opener, and there is none in `verbatim`, `lstlisting`, `minted`, `comment` and `\verb|…|`. Unclosed, all
    but environments end with their paragraph, at the newline that ends a blank line; an unclosed environment ends where
    `in_latex_environment` says.

    >>> print(in_maths.mark(r"a $b^2$ \(c\) \$d $5"))
    a $b^2$ \(c\) \$d $5
    ....xx...xxx........
    """
    codes = code_points(text)
    starts, stops, names = _environments(text)
    verbatim = _covered(len(codes), starts, stops, _are_named(names, _VERBATIM))
    inline = np.zeros(len(codes), bool)
    for match in _INLINE_VERBATIM.finditer(text) if r"\verb" in text else ():
        if match["verb"]:
            inline[slice(*match.span("verb"))] = True
    labels = _between_delimiters(codes, verbatim, inline, backtick_spans(codes))
    if len(names) > 0:
        labels |= _covered(len(codes), starts, stops, _are_named(names, _MATHS))
        labels &= ~verbatim
    return Labels(labels, "binary")


@hypothesis(kind="binary", text_kind="latex")
def in_latex_environment(text: str, name: str = "") -> Labels:
    r"""Is the text, as read so far, between `\begin{…}` and `\end{…}` of LaTeX?

    In any environment but `document`, which is the whole text, or in those of a name: `in_latex_environment:align`
    (also with a star), `in_latex_environment:align*`, `in_latex_environment:document`. True from the brace that ends
    `\begin{…}`; False at the one that ends `\end{…}`. An `\end` ends the last open environment of its name, and those
    begun since. Nothing after `%` counts, up to the end of the line, and nothing in `\verb|…|`, nor in `verbatim`,
    `lstlisting`, `minted` and `comment`, up to their own `\end`. An unclosed environment ends at the
    brace of `\section{`, `\chapter{` and the like, unless it is `multicols`, `landscape` or another that may contain
    sections, or has one in it that is open; without any section, it continues to the end of the text.

    >>> in_latex_environment(r"\begin{a}b\end{a}c").marks()
    '........xxxxxxxx..'
    """
    starts, stops, names = _environments(text)
    is_chosen = _are_named(names, (name,)) if name else [found != _WHOLE for found in names]
    return Labels(_covered(len(text), starts, stops, is_chosen), "binary")


def _environments(text: str) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
    """Return (n_found,) where environments begin, where they end, and their names."""
    opened: list[tuple[str, int]] = []
    n_open: Counter[str] = Counter()
    spans: list[tuple[int, int]] = []
    names: list[str] = []
    as_it_stands = ""  # the verbatim environment that is open
    for match in _ENVIRONMENT.finditer(text):
        edge = match["edge"]
        while match["section"] and opened and not as_it_stands and opened[-1][0].rstrip("*") not in _WITH_SECTIONS:
            name, start = opened.pop()
            n_open[name] -= 1
            spans.append((start, match.end()))
            names.append(name)
        if edge is None:  # such a command, an escape, a comment or \verb|…|
            continue
        name = match["name"].strip()
        if as_it_stands and (edge == "begin" or name != as_it_stands):
            continue
        as_it_stands = ""
        if edge == "begin":
            opened.append((name, match.end() - 1))
            n_open[name] += 1
            as_it_stands = name if name.rstrip("*") in _VERBATIM else ""
        while edge == "end" and n_open[name]:
            last, start = opened.pop()
            n_open[last] -= 1
            spans.append((start, match.end() - 1))
            names.append(last)
            if last == name:
                break
    spans += [(start, len(text)) for _, start in opened]
    names += [name for name, _ in opened]
    columns = np.array(spans, np.int64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1], names


def _are_named(found: list[str], names: tuple[str, ...]) -> list[bool]:
    """Tell of each environment whether it has one of these names, without or with a star."""
    return [name in names or name.rstrip("*") in names for name in found]


def _covered(
    n_chars: int, starts: NDArray[np.int64], stops: NDArray[np.int64], is_chosen: list[bool]
) -> NDArray[np.bool_]:
    """Return (n_chars,) whether each character is in a chosen span [start, stop); spans lie apart or in each other."""
    labels = np.zeros(n_chars, np.bool_)
    chosen = np.array(is_chosen, bool)
    order = np.argsort(starts[chosen], kind="stable")
    done = 0  # characters up to the end of the last span
    for start, stop in zip(starts[chosen][order].tolist(), stops[chosen][order].tolist(), strict=True):
        if stop > done:
            labels[max(start, done) : stop] = True
            done = stop
    return labels


@compiled()
def _between_delimiters(
    codes: NDArray[np.uint32],
    verbatim: NDArray[np.bool_],
    inline: NDArray[np.bool_],
    in_backticks: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    r"""Return (n_chars,) whether a character is inside $…$, $$…$$, \(…\), \[…\] or <math>…</math>.

    What is `verbatim` ends these; what is `inline`, as in \verb|…|, has no effect.
    """
    labels = np.zeros(len(codes), np.bool_)
    state, opened, is_tight = _OUTSIDE, -2, False  # where the last $ was read, and whether after a letter
    n_closing = 0  # dollars of a closing $$
    has_sign, has_formulas = False, False  # of mathematics, in this formula, and in a formula before
    is_latex, n_command = False, -1  # letters of the command that is being read, -1 for none
    escaped, in_comment, blank_line = False, False, True
    t, n = 0, len(codes)
    while t < n:
        if state == _OUTSIDE and n_command < 0 and not (escaped or in_comment or blank_line):
            while t < n and (codes[t] >= 128 or not _MATTERS[codes[t]]):
                t += 1
            if t == n:
                break
        code = codes[t]
        is_newline = code == _NEWLINE
        is_blank = is_newline or code == _SPACE or code == _TAB or code == _RETURN
        is_letter = 65 <= code <= 90 or 97 <= code <= 122
        if verbatim[t] or (in_backticks[t] and not is_latex):
            state, escaped, in_comment, n_command = _OUTSIDE, False, False, -1
        elif inline[t]:
            escaped = False
            n_command, n_closing = -1, 0
        elif in_comment:
            in_comment = not is_newline
        elif is_newline and blank_line:
            state = _OUTSIDE
        else:
            if not is_latex and _OUTSIDE < state <= _PRICE and opened < t:
                state = _reconsider(codes, t, state, opened, is_tight, has_formulas)
                has_sign = state >= _INLINE and state != _PRICE and (has_sign or code == _BACKSLASH or 94 <= code <= 95)
            if escaped:
                if (
                    state == _OUTSIDE
                    and (code == 40 or code == 91)
                    and (is_latex or t == 1 or codes[t - 2] in _BEFORE_A_BRACKET)
                ):
                    state = _ROUND if code == 40 else _SQUARE
                elif (state == _ROUND and code == 41) or (state == _SQUARE and code == 93):
                    state = _OUTSIDE
            elif code == _PERCENT:
                in_comment = is_latex or blank_line
            elif code == _DOLLAR:
                n_closing = n_closing + 1 if state == _DISPLAY else 0
                was_inside = state == _INLINE or state == _DISPLAY
                state, opened, is_tight = _read_dollar(codes, t, state, opened, is_tight, n_closing, is_latex)
                has_formulas = has_formulas or (was_inside and has_sign and state == _OUTSIDE)
            elif code == 62:
                if state == _OUTSIDE and _precedes(codes, t, _TAG):
                    state = _ELEMENT
                elif state == _ELEMENT and _precedes(codes, t, _END_TAG):
                    state = _OUTSIDE
            if code == _BRACE and n_command > 1 and state == _OUTSIDE:
                is_latex = True
        n_closing = n_closing if code == _DOLLAR else 0
        escaped = code == _BACKSLASH and not escaped
        n_command = 0 if escaped else n_command + 1 if is_letter and n_command >= 0 else -1
        blank_line = is_newline or (blank_line and is_blank)
        labels[t] = state >= _INLINE and state != _PRICE
        t += 1
    return labels


@compiled()
def _read_dollar(
    codes: NDArray[np.uint32], t: int, state: int, opened: int, is_tight: bool, n_closing: int, is_latex: bool
) -> tuple[int, int, bool]:
    """Read a $ that is not escaped; return the state, where a formula may have begun, and whether after a letter."""
    follows_dollar = opened == t - 1
    if state == _ROUND or state == _SQUARE or state == _ELEMENT:
        return state, opened, is_tight
    if state == _DISPLAY:
        return (_OUTSIDE if n_closing == 2 else _DISPLAY), opened, is_tight
    if state == _DOUBTFUL and opened == t - 2 and not is_tight:
        return _OUTSIDE, -2, False  # one letter between two dollars
    if (state == _INLINE or state == _DOUBTFUL) and follows_dollar:
        return (_OUTSIDE if is_tight else _DISPLAY), t, is_tight
    may_close = state == _PRICE or (state == _INLINE and is_latex)
    if may_close or (state == _INLINE and not _is_blank(codes[t - 1])):
        return _OUTSIDE, -2, False
    if is_latex:
        return _INLINE, t, False
    return _DOUBTFUL, t, not _may_open(codes, t)


@compiled()
def _reconsider(codes: NDArray[np.uint32], t: int, state: int, opened: int, is_tight: bool, has_formulas: bool) -> int:
    """Return the state, where nothing tells that a text is LaTeX, after a further character, which is no closing $."""
    code = codes[t]
    is_letter = 65 <= code <= 90 or 97 <= code <= 122
    is_digit = 48 <= code <= 57
    if state == _DOUBTFUL and opened == t - 1 and code != _DOLLAR:
        if is_tight:
            return _INLINE if code == _BACKSLASH or code == 94 or code == 95 else _OUTSIDE
        if is_digit:
            return _PRICE
        if is_letter and not has_formulas:
            return _DOUBTFUL
        return _INLINE if is_letter or code > 127 or code in _AFTER_A_DOLLAR else _OUTSIDE
    if state == _DOUBTFUL and opened == t - 2:
        return _INLINE if code in _AFTER_A_LETTER else _OUTSIDE
    if state == _PRICE and not is_digit and code != 44 and code != 46 and code != _DOLLAR:
        return _INLINE if code in _AFTER_A_NUMBER and 48 <= codes[t - 1] <= 57 else _OUTSIDE
    if state == _INLINE and code == _NEWLINE:
        return _OUTSIDE
    if state == _INLINE and is_letter and opened == t - 3 and _is_word(codes, t):
        return _OUTSIDE  # a variable of a program
    if state == _DISPLAY and opened == t - 1 and not _begins_line(codes, t - 2):
        return _DISPLAY if is_letter or code > 127 or code in _AFTER_A_DOLLAR else _OUTSIDE
    return state


@compiled()
def _is_blank(code: int) -> bool:
    return code == _SPACE or code == _TAB or code == _RETURN or code == _NEWLINE


@compiled()
def _is_word(codes: NDArray[np.uint32], t: int) -> bool:
    """Tell whether the two characters before one are letters."""
    first, second = codes[t - 2] | 32, codes[t - 1] | 32
    return bool(97 <= first <= 122 and 97 <= second <= 122)


@compiled()
def _begins_line(codes: NDArray[np.uint32], t: int) -> bool:
    return t <= 0 or codes[t - 1] == _NEWLINE


@compiled()
def _may_open(codes: NDArray[np.uint32], t: int) -> bool:
    """Tell whether a formula may begin at a character, by the one before it."""
    is_possible: bool = t == 0 or _is_blank(codes[t - 1]) or codes[t - 1] in _DOLLAR_AFTER
    return is_possible


@compiled()
def _precedes(codes: NDArray[np.uint32], t: int, tag: NDArray[np.uint32]) -> bool:
    """Tell whether a tag ends at a character."""
    matches = t + 1 >= len(tag)
    for place in range(len(tag)):
        matches = matches and codes[t + 1 - len(tag) + place] == tag[place]
    return bool(matches)
