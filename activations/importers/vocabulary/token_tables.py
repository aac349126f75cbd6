"""Tables of tokens: values in a file that may say how a model numbers its characters."""

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from activations.importers.contents import Contents
from activations.importers.formats.flattening import flatten
from activations.importers.formats.pickled_values import ObjectKey, SetItems, UnbuiltObject
from activations.importers.formats.tensors import as_bytes, numpy_scalar
from activations.importers.vocabulary.token_names import is_unknown_token, spelled_character

_MAX_CHARACTERS = 200_000
_MAX_NAMED_TOKENS = 32  # such as <pad>; a list with more multi-character tokens than this is a word list
_MAX_GAPS = 8
_MAX_JSON_CHARS = 5_000_000
_MAX_JSON_DEPTH = 3
_MAX_JSON_STRINGS = 1_000
_MAX_NAMES = 8  # of one value
_MAX_CANDIDATES = 10_000  # values of more than one part that are looked at
_MIN_TEXT_SHARE = 0.9  # of code points: characters that occur in texts
_WHITE_SPACE = "\t\n\r\f\v"
_UNUSUAL = {"Cc", "Cn", "Co", "Cs"}  # Unicode's control characters, code points without a character, private ones


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of every id of a model, usually one each; of several, the one to be shown comes first.

    Attributes:
        by_id: The tokens of each id.
        note: How they differ from the table in the file, for people; empty if they do not.
        read_as: How the program that wrote the table changed a text before it looked up its characters; see
            `ReadingRule`.
        n_missing: Number of ids that the table does not have, and that have a name here instead of a character.
    """

    by_id: tuple[tuple[str, ...], ...]
    note: str = ""
    read_as: str = ""
    n_missing: int = 0

    def __len__(self) -> int:
        return len(self.by_id)

    @property
    def n_tokens(self) -> int:
        """Number of tokens of all ids together."""
        return sum(map(len, self.by_id))

    @property
    def shown(self) -> list[str]:
        """The token of every id that is shown, (n_ids,)."""
        return [tokens[0] for tokens in self.by_id]

    def has(self, other: "Tokens") -> bool:
        """Does every id have at least the tokens that it has in another table of as many ids?"""
        return all(set(theirs) <= set(ours) for ours, theirs in zip(self.by_id, other.by_id, strict=True))

    def showing(self, other: "Tokens") -> "Tokens":
        """Return the same tokens, each id shown by the token that another table shows."""
        pairs = zip(self.by_id, other.shown, strict=True)
        by_id = tuple((first, *(token for token in tokens if token != first)) for tokens, first in pairs)
        return replace(self, by_id=by_id)


@dataclass(frozen=True, slots=True)
class TokenTable:
    """The tokens of each id, as a file has them.

    Attributes:
        by_id: Tokens by id; an id has several if characters are folded.
        has_ids: True if the file gives the id of each token, False if ids are places in a list.
        read_as: See `Tokens`.
    """

    by_id: Mapping[int, tuple[str, ...]]
    has_ids: bool
    read_as: str = ""

    def __len__(self) -> int:
        return len(self.by_id)

    @property
    def in_order(self) -> Tokens:
        """The tokens in the order of their ids, without regard to which ids these are."""
        return Tokens(tuple(self.by_id[id_] for id_ in sorted(self.by_id)), read_as=self.read_as)

    @property
    def is_plausible(self) -> bool:
        """Are ids numbers from 0 or a little more, of which few are missing, unlike counts and sizes?"""
        ids = sorted(self.by_id)
        if not 1 < len(ids) <= _MAX_CHARACTERS or ids[0] < 0:
            return False
        return ids[-1] + 1 - len(ids) <= min(_MAX_GAPS, max(2, len(ids) // 4))

    def limited(self, n_ids: int) -> "TokenTable":
        """Return the table without ids from a number on; their characters are read as the token of unknown ones."""
        by_id = {id_: tokens for id_, tokens in self.by_id.items() if id_ < n_ids}
        rare = tuple(token for id_, tokens in self.by_id.items() if id_ >= n_ids for token in tokens)
        for id_, tokens in by_id.items():
            if any(map(is_unknown_token, tokens)):
                by_id[id_] = (*tokens, *rare)
                break
        return replace(self, by_id=by_id)

    def for_model(self, n_ids: int) -> Tokens | None:
        """Return the tokens of every id of a model; None if this cannot be its vocabulary.

        Ids may count from 1, and a file that gives ids may leave some out: rows for padding, or at the end, which no
        character of a text uses.
        """
        ids = sorted(self.by_id)
        if not self.is_plausible or (ids[-1] >= n_ids and ids != list(range(1, n_ids + 1))):
            return None
        if ids == list(range(n_ids)):
            return self._tokens(range(n_ids))
        if ids == list(range(1, n_ids + 1)):
            return self._tokens(range(1, n_ids + 1), "ids count from 1")
        missing = sorted(set(range(min(n_ids, 2 * _MAX_CHARACTERS))) - set(ids))
        if not self.has_ids or len(missing) > len(ids):
            return None
        if missing == [0]:
            return self._tokens(range(n_ids), n_missing=1)
        return self._tokens(range(n_ids), f"without characters for {_spans(missing)}", len(missing))

    def _tokens(self, ids: range, note: str = "", n_missing: int = 0) -> Tokens:
        tokens = tuple(self.by_id.get(id_, (f"<unused {id_}>" if id_ else "<padding>",)) for id_ in ids)
        return Tokens(tokens, note, self.read_as, n_missing)


class _TokenList(NamedTuple):
    """Tokens, and how a file has them.

    Attributes:
        tokens: The tokens.
        are_codes: True if the file has numbers.
        are_bytes: True if the file has bytes that are not UTF-8 by themselves, so that its program read bytes.
    """

    tokens: Sequence[str]
    are_codes: bool = False
    are_bytes: bool = False


def _spans(ids: Sequence[int]) -> str:
    """Spell ascending numbers as spans, such as `ids 0 and 61 to 63`."""
    distinct = set(ids)
    starts = [id_ for id_ in ids if id_ - 1 not in distinct]
    stops = [id_ for id_ in ids if id_ + 1 not in distinct]
    spans = [f"{a}" if a == b else f"{a} to {b}" for a, b in zip(starts, stops, strict=True)]
    return f"{'ids' if len(ids) > 1 else 'id'} {' and '.join(filter(None, (', '.join(spans[:-1]), spans[-1])))}"


def tables_by_name(contents: Contents) -> dict[str, list[TokenTable]]:
    """Return everything in a file that could be a vocabulary, also in JSON that is a string in it."""
    parts = list(_with_json_strings(contents, "", _MAX_JSON_DEPTH))
    facts = {_joined(prefix, name): fact for part, prefix in parts for name, fact in part.facts.items()}
    tables: dict[str, list[TokenTable]] = {}
    for full_name, value in islice(_candidates(parts), _MAX_CANDIDATES):
        if candidates := [table for table in tables_of(value) if table.is_plausible]:
            tables[full_name] = [_as_keras_does(table, facts, full_name) for table in candidates]
    return tables


def counts_by_name(contents: Contents) -> dict[str, list[TokenTable]]:
    """Return the dictionaries in a file that give a number to each character which cannot be its id, such as counts."""
    tables: dict[str, list[TokenTable]] = {}
    for name, value in islice(_candidates([(contents, "")]), _MAX_CANDIDATES):
        with_ids = [table for table in tables_of(value) if table.has_ids] if isinstance(value, Mapping) else []
        if with_ids and not any(table.is_plausible for table in with_ids):
            tables[name] = with_ids
    return tables


def _candidates(parts: Sequence[tuple[Contents, str]]) -> Iterator[tuple[str, Any]]:
    """Yield all values, with their names, that have several parts, each different if they are a string.

    One value may stand in thousands of places of a hostile file, and each would be looked at anew.
    """
    n_names = Counter[int]()
    for part, prefix in parts:
        for name, value in part.plain_values.items():
            n_names[id(value)] += 1
            if n_names[id(value)] > _MAX_NAMES or not 1 < len(value) <= _MAX_CHARACTERS:
                continue
            if not (isinstance(value, str) and len(set(value)) < len(value)):
                yield _joined(prefix, name), value


def _as_keras_does(table: TokenTable, facts: Mapping[str, str | int | float], name: str) -> TokenTable:
    """Return a table as a Keras Tokenizer applies it, if the table is one of a Tokenizer."""
    holder, _, last = name.rpartition(".")
    if last not in ("word_index", "index_word"):
        return table
    lower, n_ids = (facts.get(_joined(holder, key)) for key in ("lower", "num_words"))
    if lower is True:
        table = replace(table, read_as="lower")
    return table.limited(n_ids) if isinstance(n_ids, int) and n_ids > 1 else table


def _joined(*names: str) -> str:
    return ".".join(filter(None, names))


def _with_json_strings(contents: Contents, name: str, depth: int) -> Iterator[tuple[Contents, str]]:
    """Yield contents, and those of each string in them that is JSON, with the name of the string."""
    yield contents, name
    if not depth:
        return
    values = ((key, value) for key, value in contents.plain_values.items() if isinstance(value, str))
    spelled = ((key, value) for key, value in values if value[:1] + value[-1:] in ("{}", "[]", '""'))
    n_chars_left = _MAX_JSON_CHARS
    for key, value in islice(spelled, _MAX_JSON_STRINGS):
        n_chars_left -= len(value)
        if n_chars_left < 0:
            return
        try:
            inner = flatten("JSON", json.loads(value), len(value))
        except (ValueError, RecursionError):  # among them the errors of flattening
            continue
        yield from _with_json_strings(inner, _joined(name, key), depth - 1)


def tables_of(value: Any) -> list[TokenTable]:
    """Return the ways in which a value can be interpreted as a vocabulary, usually one or none.

    It may be a list or string of characters in the order of their ids, a dictionary or a list of pairs from characters
    to ids or back. Characters may be strings, bytes in UTF-8, or code points.
    """
    if isinstance(value, np.ndarray):
        value = value.tolist() if value.ndim == 1 and value.dtype.kind in "iuS" else None
    if isinstance(value, bytes | bytearray):
        value = list(value)
    if isinstance(value, Mapping):
        return _from_pairs(list(value.items()))
    if not isinstance(value, str | list | tuple) or isinstance(value, SetItems) or len(value) > _MAX_CHARACTERS:
        return []
    if value and all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in value):
        return _from_pairs([(pair[0], pair[1]) for pair in value])
    tokens = _characters(value)
    table = None if tokens is None else _table(range(len(value)), tokens, has_ids=False)
    return [table] if table else []


def _from_pairs(pairs: Sequence[tuple[Any, Any]]) -> list[TokenTable]:
    keys, items = [key for key, _ in pairs], [item for _, item in pairs]
    may_be_spelled = not all(_is_decimal(_plain(key)) for key in keys)
    tables = []
    for names, numbers, spelled in ((keys, items, may_be_spelled), (items, keys, True)):
        ids, tokens = _ids(numbers, spelled=spelled), _characters(names, repeated=names is keys)
        if ids is not None and tokens is not None and (table := _table(ids, tokens, has_ids=True)):
            tables.append(table)
    return tables


def _table(ids: Sequence[int], tokens: "_TokenList", *, has_ids: bool) -> TokenTable | None:
    """Return a table of tokens, or None if the ids are the code points or their ranks, which says nothing."""
    differences = {ord(token) - id_ for id_, token in zip(ids, tokens.tokens, strict=True) if len(token) == 1}
    if tokens.are_codes and len(differences) == 1 and abs(differences.pop()) <= 1:
        return None
    by_id: dict[int, list[str]] = {}
    for id_, token in zip(ids, tokens.tokens, strict=True):
        by_id.setdefault(id_, []).append(token)
    by_id_in_order = {id_: tuple(sorted(names, key=_display_order)) for id_, names in by_id.items()}
    return TokenTable(by_id_in_order, has_ids, "bytes" if tokens.are_bytes else "")


def _ids(values: Sequence[Any], *, spelled: bool) -> list[int] | None:
    """Return values as ids, None if they are none; in JSON, ids that are keys are strings."""
    plain = [_plain(value) for value in values]
    if all(_is_whole(value) or (spelled and _is_decimal(value)) for value in plain):
        return [int(value) for value in plain]
    return None


def _is_whole(value: Any) -> bool:
    if isinstance(value, float | np.floating):
        return bool(np.isfinite(value)) and float(value).is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


def _is_decimal(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9


def _characters(values: Sequence[Any], *, repeated: bool = False) -> _TokenList | None:
    """Return values as tokens, most of which are characters; None if they are something else.

    Args:
        values: Strings, bytes in UTF-8, code points, or code points as decimal numbers.
        repeated: True if a character may occur more than once, as for several ways to spell a key.
    """
    plain = [_plain(value) for value in values]
    if all(isinstance(value, str) for value in plain):
        distinct = set(plain)
        spelled = [spelled_character(token, distinct) for token in plain]
        if _are_characters(spelled, repeated=repeated):
            return _TokenList(spelled, are_bytes=_are_bytes(spelled, values))
    codes = [int(value) for value in plain if _is_whole(value) or _is_decimal(value)]
    names = [value for value in plain if isinstance(value, str) and not _is_decimal(value)]
    are_names = all(len(name) != 1 for name in names) and len(names) <= min(_MAX_NAMED_TOKENS, len(codes))
    if len(codes) + len(names) < len(plain) or not are_names or not _are_code_points(codes):
        return None
    return _TokenList([value if value in names else chr(int(value)) for value in plain], are_codes=True)


def _are_characters(tokens: Sequence[str], *, repeated: bool) -> bool:
    """Are most of some tokens characters, each once, and only the others names, words or empty?"""
    single = [token for token in tokens if len(token) == 1]
    n_named = len(tokens) - len(single)
    return (
        bool(single)
        and n_named <= min(_MAX_NAMED_TOKENS, max(len(single), _MAX_GAPS))
        and (repeated or len(set(single)) == len(single))
    )


def _are_code_points(codes: Sequence[int]) -> bool:
    """Are distinct numbers code points of characters that a text may have, and not ids, counts or sizes?"""
    if not codes or len(set(codes)) < len(codes) or min(codes) < 0 or max(codes) > 0x10FFFF:
        return False
    if set(codes) in (set(range(128)), set(range(256))):
        return True
    chars = list(map(chr, codes))
    kinds = Counter(char in _WHITE_SPACE or unicodedata.category(char) not in _UNUSUAL for char in chars)
    n_letters = sum(char.isascii() and char.isalpha() for char in chars)
    has_usual = bool({" ", "\n"} & set(chars)) or 2 * n_letters >= len(chars)
    return has_usual and kinds[True] >= _MIN_TEXT_SHARE * len(chars)


def _plain(value: Any) -> Any:
    """Convert numpy's numbers and strings to Python's, and bytes to what they are in UTF-8, or else a single byte."""
    value = value.value if isinstance(value, ObjectKey) else value
    raw = _raw_bytes(value)
    if raw is None:
        return numpy_scalar(value) if isinstance(value, UnbuiltObject) else value
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1") if len(raw) == 1 else value


def _are_bytes(tokens: Sequence[str], values: Sequence[Any]) -> bool:
    """Are all tokens that are characters ASCII, or else single bytes in the file, of which there are some?"""
    beyond_ascii = [value for token, value in zip(tokens, values, strict=True) if len(token) == 1 and token > "\x7f"]
    return bool(beyond_ascii) and all(map(_is_part_of_utf8, beyond_ascii))


def _is_part_of_utf8(value: Any) -> bool:
    """Is a value a single byte above 127, which is no character in UTF-8?"""
    raw = _raw_bytes(value.value if isinstance(value, ObjectKey) else value)
    return raw is not None and len(raw) == 1 and not raw.isascii()


def _raw_bytes(value: Any) -> bytes | None:
    return as_bytes(value) if isinstance(value, UnbuiltObject | bytes) else None


def _display_order(token: str) -> tuple[bool, bool, bool]:
    """Return a sort key by which the token to be shown comes first: a name, then lower case, then ASCII."""
    return len(token) == 1, token != token.lower(), not token.isascii()


def fitting(tables: Sequence[TokenTable], n_ids: int) -> Tokens | None:
    """Return the tokens of a model by the only one of some tables that can be its vocabulary, otherwise None."""
    tokens = [tokens for table in tables if (tokens := table.for_model(n_ids)) is not None]
    return tokens[0] if len(tokens) == 1 else None


def merged(tables: Sequence[Tokens]) -> Tokens | None:
    """Merge tables of the same ids; None if there are none, or they contradict each other.

    One may have several characters for an id, for example in upper and lower case, and another the one to be shown.
    """
    if not tables:
        return None
    widest = max(tables, key=lambda tokens: tokens.n_tokens)
    narrowest = min(tables, key=lambda tokens: tokens.n_tokens)
    return widest.showing(narrowest) if all(map(widest.has, tables)) else None
