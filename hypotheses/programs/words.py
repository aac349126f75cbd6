"""Keywords and names of a program: its whole words, which are known once they have ended."""

import functools
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import DIGIT, WORD, pack
from hypotheses.kernels import compiled
from hypotheses.programs import keywords
from hypotheses.programs.languages import Language

NAME, KEYWORD = 1, 2
"""Kinds of words."""

_POINT, _COLON, _QUOTE, _APOSTROPHE, _HASH, _DOLLAR, _EQUALS, _NEWLINE = (ord(c) for c in ".:\"'#$=\n")
_QUESTION, _BANG, _ROUND_OPEN, _OPEN, _COMMA, _SMALL_A, _SMALL_R, _BIG_A, _BIG_Z = (ord(char) for char in "?!({,arAZ")
_SHELL_WORD_ENDS = tuple(ord(char) for char in " \t\r\n;&|()<>`")
_COMMAND_FOLLOWS = tuple(ord(char) for char in "\n;&|({)!`")
_BLANKS = tuple(ord(char) for char in " \t\r\n\f\v")
_KEY_FOLLOWS = tuple(ord(char) for char in "{,;(")  # and so does a name in front of its type
_NAME_BEGINS = tuple(ord(char) for char in "[#\"'{*<@")
_OPERAND_ENDS = tuple(ord(char) for char in "])}*\"'`>")
_TYPE_FOLLOWS = tuple(ord(char) for char in ":|<&,([=>")
_TYPE_FOLLOWS_SURELY = tuple(ord(char) for char in ":|<&")
_TYPE_PRECEDES = tuple(ord(char) for char in ",>|])[;&={}")
_INNER = {"haskell": _APOSTROPHE, "java": _DOLLAR, "javascript": _DOLLAR, "typescript": _DOLLAR}
_PREFIXES = {
    "python": ("r", "u", "b", "f", "t", "br", "rb", "fr", "rf", "tr", "rt", "l", "u8"),
    "c++": ("l", "u", "u8", "r", "lr", "ur", "u8r"),
    "rust": ("b", "c", "r", "br", "cr"),
    "sql": ("b", "e", "n", "x"),
}
_PREFIXES["c"] = _PREFIXES["python"]  # a text may be either


class _Table(NamedTuple):
    """The keywords of a language, to be found by their characters, and how its words are read.

    Attributes:
        slots: (n_slots,) index of a keyword, or -1; a keyword is in the first free slot from that of its hash on.
        chars: (n,) characters of all keywords, one after another.
        starts: (n_keywords + 1,) where each begins.
        roles: (n_keywords,) where each is a keyword; see `keywords.ANYWHERE`.
        default: Index of `default`, or -1.
        imports: Index of `import`, or -1.
        inner: A character that words contain besides letters, digits and underscores, or 0.
        ignores_case: Keywords may be written in capitals.
        has_members: A word behind a point is no keyword, nor is one before a colon that follows it at once.
        is_ruby: Names may end in `?` or `!`, and a word behind a colon is no keyword.
        has_lifetimes: A word behind an apostrophe or `r#` is no keyword.
        prefixes: Letters, in small and packed, that are part of the string whose mark follows.
    """

    slots: NDArray[np.int32]
    chars: NDArray[np.uint8]
    starts: NDArray[np.int64]
    roles: NDArray[np.uint8]
    default: int
    imports: int
    inner: int
    ignores_case: bool
    has_members: bool
    is_ruby: bool
    has_lifetimes: bool
    prefixes: NDArray[np.int64]


@functools.cache
def table(language: Language) -> _Table:
    """Return how words of a language are read."""
    words = sorted(language.keywords)
    roles = keywords.ROLES.get(language.name, {})
    n_slots = 1 << (4 * len(words)).bit_length()
    slots = np.full(n_slots, -1, np.int32)
    for index, word in enumerate(words):
        slot = functools.reduce(lambda value, char: (value * 31 + ord(char)) & 0x7FFFFFFF, word, 0) & (n_slots - 1)
        while slots[slot] >= 0:
            slot = (slot + 1) & (n_slots - 1)
        slots[slot] = index
    return _Table(
        slots=slots,
        chars=np.frombuffer("".join(words).encode("ascii"), np.uint8).copy(),
        starts=np.cumsum([0, *(len(word) for word in words)]),
        roles=np.array([roles.get(word, keywords.ANYWHERE) for word in words], np.uint8),
        default=words.index("default") if "default" in words else -1,
        imports=words.index("import") if "import" in words else -1,
        inner={"haskell": _APOSTROPHE, "javascript": _DOLLAR, "typescript": _DOLLAR, "java": _DOLLAR}.get(
            language.name, 0
        ),
        ignores_case=language.name == "sql",
        has_members=language.name in ("javascript", "typescript", "ruby", "sql"),
        is_ruby=language.name == "ruby",
        has_lifetimes=language.name in ("rust", "haskell"),
        prefixes=np.array([pack(word) for word in _PREFIXES.get(language.name, ())], np.int64),
    )


@compiled()
def whole_words(
    codes: NDArray[np.uint32], kinds: NDArray[np.uint8], is_code: NDArray[np.bool_], words: _Table
) -> NDArray[np.uint8]:
    """Return (n_chars,) `KEYWORD` in keywords, `NAME` in other words that are no numbers or prefixes, 0 elsewhere.

    Args:
        codes: (n_chars,) code points.
        kinds: (n_chars,) their `traits`.
        is_code: (n_chars,) whether a character is code.
        words: How words are read.
    """
    n = len(codes)
    labels = np.zeros(n, np.uint8)
    number_end = -2  # the character behind the last word, if that was a number
    last = -1  # the last character of code that is not blank
    in_import, begins_line = False, True
    t = 0
    while t < n:
        if not is_code[t] or not kinds[t] & WORD:
            if codes[t] == _NEWLINE and is_code[t]:
                begins_line, in_import = True, False
            elif is_code[t] and codes[t] not in _BLANKS:
                last = t
            t += 1
            continue
        start = t
        while t < n and is_code[t] and (kinds[t] & WORD or (words.inner > 0 and codes[t] == words.inner)):
            t += 1
        index = _find(codes, start, t, words)
        if words.is_ruby and t + 1 < n and (codes[t] == _QUESTION or codes[t] == _BANG) and codes[t + 1] != _EQUALS:
            t, index = t + 1, -1
        is_keyword = index >= 0 and _is_keyword(codes, kinds, start, t, index, last, in_import, words)
        continues_number = start > 0 and codes[start - 1] == _POINT and number_end == start - 1
        is_number = kinds[start] & DIGIT != 0 or continues_number
        if is_keyword or not (is_number or _is_part_of_literal(codes, start, t, words)):
            labels[start:t] = KEYWORD if is_keyword else NAME
        number_end = t if is_number else -2
        in_import = in_import or (begins_line and index >= 0 and index == words.imports)
        begins_line = False
        last = t - 1
    return labels


@compiled()
def words_of_shell(
    codes: NDArray[np.uint32], kinds: NDArray[np.uint8], is_code: NDArray[np.bool_], words: _Table
) -> NDArray[np.uint8]:
    """Return (n_chars,) `KEYWORD` in keywords where commands begin, `NAME` in names of variables and functions."""
    n = len(codes)
    labels = np.zeros(n, np.uint8)
    begins_command = True
    awaits_in, names_function = False, False  # `in` is due; the word before is `function`
    t = 0
    while t < n:
        code = codes[t]
        if not is_code[t] or not kinds[t] & WORD:
            if is_code[t] and code in _COMMAND_FOLLOWS:
                begins_command = True
                awaits_in = awaits_in and code == _NEWLINE
            elif is_code[t] and code not in _BLANKS:
                begins_command = False
            t += 1
            continue
        start = t
        while t < n and is_code[t] and kinds[t] & WORD:
            t += 1
        before = codes[start - 1] if start > 0 else np.uint32(_NEWLINE)
        following = codes[t] if t < n else np.uint32(_NEWLINE)
        is_alone = before in _SHELL_WORD_ENDS and following in _SHELL_WORD_ENDS
        index = _find(codes, start, t, words) if is_alone else -1
        if index >= 0 and (begins_command or (awaits_in and words.roles[index] == keywords.IN)):
            labels[start:t] = KEYWORD
            awaits_in = words.roles[index] == keywords.BEFORE_IN
            names_function = words.roles[index] == keywords.BEFORE_FUNCTION
            begins_command = words.roles[index] == keywords.BEFORE_COMMAND
            continue
        is_variable = before == _DOLLAR or (before == _OPEN and start > 1 and codes[start - 2] == _DOLLAR)
        is_assigned = following == _EQUALS and (before in _SHELL_WORD_ENDS or before == _NEWLINE)
        is_function = names_function or (begins_command and following == _ROUND_OPEN)
        if (is_variable or is_assigned or is_function) and not kinds[start] & DIGIT:
            labels[start:t] = NAME
        begins_command, names_function = begins_command and is_assigned, False
    return labels


@compiled()
def _find(codes: NDArray[np.uint32], start: int, stop: int, words: _Table) -> int:
    """Return the index of the keyword in [start, stop), or -1."""
    if stop - start > 24:
        return -1
    value = np.int64(0)
    shift = 32 if words.ignores_case else 0
    for t in range(start, stop):
        code = np.int64(codes[t])
        value = (value * 31 + (code + shift if _BIG_A <= code <= _BIG_Z else code)) & 0x7FFFFFFF
    slot = value & (len(words.slots) - 1)
    while words.slots[slot] >= 0:
        index = words.slots[slot]
        first, length = words.starts[index], words.starts[index + 1] - words.starts[index]
        if length == stop - start:
            k = 0
            while k < length:
                code = np.int64(codes[start + k])
                if words.chars[first + k] != (code + shift if _BIG_A <= code <= _BIG_Z else code):
                    break
                k += 1
            if k == length:
                return int(index)
        slot = (slot + 1) & (len(words.slots) - 1)
    return -1


@compiled()
def _is_part_of_literal(codes: NDArray[np.uint32], start: int, stop: int, words: _Table) -> bool:
    """Tell whether a word is the prefix of a string, or a character in apostrophes."""
    n = len(codes)
    following = codes[stop] if stop < n else np.uint32(0)
    if words.has_lifetimes and start > 0 and codes[start - 1] == _APOSTROPHE:
        return stop == start + 1 and following == _APOSTROPHE
    is_hashed = words.has_lifetimes and following == _HASH and stop + 1 < n and codes[stop + 1] in (_QUOTE, _HASH)
    if stop - start > 3 or not (following == _QUOTE or following == _APOSTROPHE or is_hashed):
        return False
    word = np.int64(0)
    for t in range(start, stop):
        word = word << 8 | np.int64(codes[t] | 0x20 if codes[t] >= 64 else codes[t])
    return bool((words.prefixes == word).any())


@compiled()
def _is_keyword(
    codes: NDArray[np.uint32],
    kinds: NDArray[np.uint8],
    start: int,
    stop: int,
    index: int,
    last: int,
    in_import: bool,
    words: _Table,
) -> bool:
    """Tell whether the word in [start, stop) is a keyword where it stands.

    Args:
        codes: (n_chars,) code points.
        kinds: (n_chars,) their `traits`.
        start: Where the word begins.
        stop: Where it ends.
        index: Index of the keyword that it may be.
        last: The last character before it that is not blank, or -1.
        in_import: Whether the line begins with an import.
        words: The keywords.
    """
    n = len(codes)
    before = codes[last] if last >= 0 else np.uint32(0)
    following = codes[stop] if stop < n else np.uint32(0)
    after = codes[stop + 1] if stop + 1 < n else np.uint32(0)
    if words.has_members and before == _POINT and last == start - 1 and not (last > 0 and codes[last - 1] == _POINT):
        return False
    if words.is_ruby:
        is_key = following == _COLON and after != _COLON and before != _QUESTION
        is_symbol = before == _COLON and last == start - 1 and not (last > 0 and codes[last - 1] == _COLON)
        return not is_key and not is_symbol
    if words.has_members and (following == _COLON or (following == _QUESTION and after == _COLON)):
        follows_statement = before != _OPEN and before != _COMMA
        if before in _KEY_FOLLOWS and not (index == words.default and follows_statement):
            return False
    is_raw = before == _HASH and last > 0 and codes[last - 1] == _SMALL_R
    if words.has_lifetimes and last == start - 1 and (before == _APOSTROPHE or is_raw):
        return False
    role = words.roles[index]
    if role == keywords.ANYWHERE:
        return True
    if role == keywords.IN_IMPORT:
        return in_import
    k = stop
    while k < n and codes[k] in _BLANKS:
        k += 1
    if k == n:
        return False
    is_word = bool(kinds[k] & WORD)
    if role == keywords.BEFORE_TEXT:
        return bool(codes[k] == _QUOTE or codes[k] == _APOSTROPHE)
    if role == keywords.BEFORE_NAME:
        is_async = codes[start] == _SMALL_A and stop - start == 5 and codes[k] == _ROUND_OPEN
        return bool(is_async) or (k > stop and following != _NEWLINE and (is_word or codes[k] in _NAME_BEGINS))
    follows_word = last >= 0 and bool(kinds[last] & WORD)
    if role == keywords.BETWEEN:
        return k > stop and last < start - 1 and (follows_word or before in _OPERAND_ENDS)
    if before in _TYPE_FOLLOWS_SURELY or follows_word:
        return bool(following != _POINT and following != _ROUND_OPEN)
    return before in _TYPE_FOLLOWS and codes[k] in _TYPE_PRECEDES
