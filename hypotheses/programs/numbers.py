"""Numbers of a program: as read so far, without looking ahead, and whole ones with their points and signs."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import DIGIT, WORD
from hypotheses.kernels import compiled
from hypotheses.programs.languages import Language

_APOSTROPHE, _DOLLAR, _BACKSLASH, _POINT, _PLUS, _DASH, _ZERO, _NINE, _SMALL_E, _SMALL_P, _SMALL_X, _UNDERSCORE = (
    ord(char) for char in "'$\\.+-09epx_"
)
_OPERAND_ENDS = tuple(ord(char) for char in ".)]}\"'`")
_FLOAT_SUFFIXES = tuple(ord(char) for char in "dfijl")
_WITH_BARE_POINTS = ("c", "c++", "go", "java", "javascript", "python", "sql", "typescript")
_SHELL_NUMBER_FOLLOWS = tuple(ord(char) for char in " \t\r\n;&|()<>=[!+*")


@compiled()
def number_literals(
    codes: NDArray[np.uint32], kinds: NDArray[np.uint8], is_code: NDArray[np.bool_], is_shell: bool
) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in a number: in letters and digits of which a digit is the first.

    Args:
        codes: (n_chars,) code points.
        kinds: (n_chars,) their `traits`.
        is_code: (n_chars,) whether a character is code.
        is_shell: Whether only digits at the beginning of a word are a number, as in shell scripts.
    """
    labels = np.zeros(len(codes), np.bool_)
    inside = False
    for t in range(len(codes)):
        if not is_code[t] or not kinds[t] & WORD:
            inside = False
        elif is_shell:
            follows = inside if t > 0 and kinds[t - 1] & WORD else t == 0 or codes[t - 1] in _SHELL_NUMBER_FOLLOWS
            inside = kinds[t] & DIGIT != 0 and follows
        elif not inside and kinds[t] & DIGIT and codes[t] < 128:
            before = codes[t - 1] if t > 0 else np.uint32(0)
            if before == _APOSTROPHE:
                inside = t > 1 and labels[t - 2]  # it may be between digits
            else:
                is_part = (
                    t > 0 and is_code[t - 1] and (kinds[t - 1] & WORD or before == _DOLLAR or before == _BACKSLASH)
                )
                inside = not is_part
        labels[t] = inside
    return labels


class Literals(NamedTuple):
    """How a language writes its numbers.

    Attributes:
        begin_with_point: `.5` is a number.
        end_with_point: `1.` is a number.
        separated: Apostrophes may be between digits, as in C++.
    """

    begin_with_point: bool
    end_with_point: bool
    separated: bool


def literals_of(language: Language) -> Literals:
    """Return how a language writes its numbers."""
    has_bare_points = language.name in _WITH_BARE_POINTS
    return Literals(has_bare_points, has_bare_points or language.name == "rust", language.name in ("c", "c++"))


@compiled()
def whole_numbers(
    codes: NDArray[np.uint32], kinds: NDArray[np.uint8], is_code: NDArray[np.bool_], literals: Literals
) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in a number, with its points and the sign of its exponent.

    It looks ahead. A number begins where that of `number_literals` does, or with a point.

    Args:
        codes: (n_chars,) code points.
        kinds: (n_chars,) their `traits`.
        is_code: (n_chars,) whether a character is code.
        literals: How the language writes numbers.
    """
    n = len(codes)
    labels = np.zeros(n, np.bool_)
    t = 0
    while t < n:
        code = codes[t]
        if not is_code[t] or not (kinds[t] & WORD or code == _POINT):
            t += 1
            continue
        is_digit = _ZERO <= code <= _NINE
        if code == _POINT:
            follows_operand = t > 0 and (kinds[t - 1] & WORD or codes[t - 1] in _OPERAND_ENDS)
            begins = literals.begin_with_point and not follows_operand and _is_digit(codes, t + 1)
        else:
            before = codes[t - 1] if t > 0 and is_code[t - 1] else np.uint32(0)
            begins = is_digit and before != _DOLLAR and before != _BACKSLASH
        if begins:
            stop = _end_of_number(codes, kinds, is_code, t, literals)
            labels[t:stop] = True
            t = stop
            continue
        t += 1
        while code != _POINT and t < n and is_code[t] and kinds[t] & WORD:
            t += 1  # the rest of a word
    return labels


@compiled()
def _end_of_number(
    codes: NDArray[np.uint32], kinds: NDArray[np.uint8], is_code: NDArray[np.bool_], t: int, literals: Literals
) -> int:
    """Return where a number ends that begins at `t` with a digit or a point."""
    n = len(codes)
    is_hexadecimal = t + 1 < n and codes[t] == _ZERO and codes[t + 1] | 32 == _SMALL_X
    exponent = _SMALL_P if is_hexadecimal else _SMALL_E
    is_member = t > 1 and codes[t - 1] == _POINT and codes[t - 2] != _POINT  # of a tuple, as in `t.0`
    has_point, has_exponent = codes[t] == _POINT or is_member, False
    t += 1
    while t < n and is_code[t]:
        code = codes[t]
        if kinds[t] & WORD:
            follows_digit = _is_digit(codes, t - 1) or codes[t - 1] == _POINT or codes[t - 1] == _UNDERSCORE
            if code | 32 == exponent and (follows_digit or is_hexadecimal) and not has_exponent:
                has_exponent = True
                if t + 2 < n and (codes[t + 1] == _PLUS or codes[t + 1] == _DASH) and _is_digit(codes, t + 2):
                    t += 1
        elif code == _POINT and not has_point and not has_exponent:
            if not _continues(codes, kinds, t + 1, is_hexadecimal, literals):
                return t
            has_point = True
        elif not (code == _APOSTROPHE and literals.separated and t + 1 < n and kinds[t + 1] & WORD):
            return t
        t += 1
    return t


@compiled()
def _continues(
    codes: NDArray[np.uint32], kinds: NDArray[np.uint8], t: int, is_hexadecimal: bool, literals: Literals
) -> bool:
    """Tell whether the point before a character is part of the number before that."""
    if t == len(codes):
        return literals.end_with_point
    code, small = codes[t], codes[t] | 32
    if _is_digit(codes, t) or (is_hexadecimal and (97 <= small <= 102 or small == _SMALL_P)):
        return True
    if not kinds[t] & WORD:
        return literals.end_with_point and code != _POINT
    if not literals.begin_with_point:
        return False
    ends_word = t + 1 == len(codes) or not kinds[t + 1] & WORD
    has_sign = t + 1 < len(codes) and (codes[t + 1] == _PLUS or codes[t + 1] == _DASH)
    if small == _SMALL_E:
        return _is_digit(codes, t + 2 if has_sign else t + 1)
    return ends_word and small in _FLOAT_SUFFIXES


@compiled()
def _is_digit(codes: NDArray[np.uint32], t: int) -> bool:
    return t < len(codes) and _ZERO <= codes[t] <= _NINE
