"""The vocabulary of another program's model: the order in which it numbers the characters."""

import codecs
import re
import string
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from activations.errors import ActivationError
from activations.importers.contents import Contents
from activations.importers.files import read_contents
from activations.importers.pickles import ObjectKey, SetItems, UnbuiltObject
from activations.importers.tensors import as_bytes, numpy_scalar
from activations.texts.codes import codes_to_text
from activations.texts.corpus import Corpus
from activations.texts.vocab import REPLACEMENT, Vocabulary, stand_ins

SPELLINGS = "printable, sorted:FILE, json:FILE, pickle:FILE, chars:STRING"
_MAX_NAMED_TOKENS = 8  # such as <pad>; a list with more multi-character tokens than this is a word list
_BOM = "\ufeff"
_MAX_CHARACTERS = 200_000
_ESCAPE = re.compile(r"\\(?:[nrtfv\\0'\"]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})")


class FoundVocabulary(NamedTuple):
    """A vocabulary, and where it was found.

    Attributes:
        vocabulary: The characters in the order of their ids.
        source: Where it was found, in words.
        name: Name of the value in the model's file that it was made from, if it was.
        substitutes: Other characters that share the id of a character of the vocabulary, each with that character.
    """

    vocabulary: Vocabulary
    source: str
    name: str | None = None
    substitutes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of every id of a model, usually one each; of several, the one to be shown comes first."""

    by_id: tuple[tuple[str, ...], ...]

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
        return Tokens(tuple((first, *(token for token in tokens if token != first)) for tokens, first in pairs))


def find_vocabulary(
    spelling: str | None,
    n_characters: int,
    contents: Contents,
    *,
    encoding: str = "utf-8",
    newlines: str = "keep",
) -> FoundVocabulary:
    """Find the vocabulary of a model.

    Args:
        spelling: What the user specifies, one of `SPELLINGS`; None looks for the vocabulary in the model's file.
        n_characters: Number of characters of the model.
        contents: The contents of the model's file.
        encoding: Encoding of a text for `sorted:`.
        newlines: `keep` keeps the line ends of such a text, `lf` reads CRLF as LF.

    Raises:
        ActivationError: If no vocabulary is found, or its size is not that of the model.
    """
    if spelling is None:
        return _in_model_file(contents, n_characters)
    kind, _, rest = spelling.partition(":")
    if kind == "printable" and not rest:
        return _checked(string.printable, n_characters, "Python's string.printable")
    if kind == "chars" and rest:
        return _checked(_ESCAPE.sub(_unescaped, rest), n_characters, "the characters given")
    if kind == "sorted" and rest:
        return _sorted(Path(rest), n_characters, encoding, newlines)
    if kind in ("json", "pickle") and rest:
        return _stored(Path(rest), kind, n_characters)
    raise ActivationError(f"{spelling!r} is no vocabulary; give one of {SPELLINGS}")


def file_of(spelling: str | None) -> Path | None:
    """Return the file that a spelling of a vocabulary names, if it names one."""
    kind, _, rest = (spelling or "").partition(":")
    return Path(rest) if kind in ("sorted", "json", "pickle") and rest else None


def _unescaped(match: re.Match[str]) -> str:
    try:
        return codecs.decode(match[0], "unicode_escape")
    except UnicodeDecodeError as error:
        raise ActivationError(f"{match[0]} is no character; give one of {SPELLINGS}") from error


def _checked(tokens: Tokens | Iterable[str], n_characters: int, source: str) -> FoundVocabulary:
    tokens = tokens if isinstance(tokens, Tokens) else Tokens(tuple((token,) for token in tokens))
    if len(tokens) != n_characters:
        raise ActivationError(
            f"the model has {n_characters} characters, and {source} {len(tokens)}; give the vocabulary that it was "
            f"trained with (--vocab {SPELLINGS})"
        )
    return _with_substitutes(tokens, source)


def _with_substitutes(tokens: Tokens, source: str) -> FoundVocabulary:
    vocabulary = vocabulary_of(tokens.shown)
    substitutes = [
        (substitute, char)
        for char, (_, *substitutes_of_char) in zip(vocabulary.characters, tokens.by_id, strict=True)
        for substitute in substitutes_of_char
        if len(substitute) == 1
    ]
    return FoundVocabulary(vocabulary, source, substitutes=tuple(substitutes))


def vocabulary_from(value: Any) -> FoundVocabulary:
    """Make a vocabulary from characters in the order of their ids, or from a dictionary from characters to ids or back.

    Raises:
        ActivationError: If the value is neither.
    """
    tokens = _tokens(value)
    if tokens is None:
        raise ActivationError(
            f"a {type(value).__name__} is no vocabulary here; give the characters, each once, in the order of their "
            "ids, or a dictionary from characters to ids"
        )
    return _with_substitutes(tokens, "given")


def vocabulary_of(tokens: list[str]) -> Vocabulary:
    """Make a vocabulary from tokens; those of several characters, such as <pad>, get a stand-in and a name."""
    characters: list[str] = []
    free = stand_ins(set(tokens))
    names: dict[str, str] = {}
    for token in tokens:
        if len(token) == 1:
            characters.append(token)
        elif "unk" in token.lower() and REPLACEMENT not in (*tokens, *characters):
            characters.append(REPLACEMENT)
        else:
            characters.append(next(free))
        if len(token) != 1:
            names[characters[-1]] = _name(token, names.values())
    replaces = REPLACEMENT in characters and REPLACEMENT not in tokens
    return Vocabulary("".join(characters), REPLACEMENT if replaces else None, names)


def _name(token: str, used_names: Collection[str]) -> str:
    """Return the name of a token: itself in angle brackets, with unprintable characters escaped as in Python."""
    token = "".join(char if char.isprintable() else repr(char)[1:-1] for char in token)
    name = token if token.startswith("<") and token.endswith(">") and len(token) > 1 else f"<{token}>"
    while name in used_names:
        name = f"<{name}>"
    return name


def _sorted(path: Path, n_characters: int, encoding: str, newlines: str) -> FoundVocabulary:
    """Make a vocabulary from the characters of a text in the order of their code points.

    If these are not as many as the model has, but exactly one other way of reading the text (CRLF as LF, with its
    byte-order mark, or both) gives that number, that way is taken.
    """
    corpus = Corpus.read(path, encoding=encoding, newlines=newlines)
    characters = set(_characters_of(corpus))
    characters_by_way = {"": characters}
    if newlines == "keep" and "\r" in characters:
        characters_by_way[", with CRLF read as LF"] = set(
            _characters_of(Corpus.read(path, encoding=encoding, newlines="lf"))
        )
    with path.open("rb") as file:
        has_bom = file.read(3) == codecs.BOM_UTF8
    if has_bom:
        characters_by_way |= {
            f"{way}, with its byte-order mark": chars | {_BOM} for way, chars in characters_by_way.items()
        }
    fitting = [way for way, chars in characters_by_way.items() if len(chars) == n_characters]
    if "" in fitting or len(fitting) != 1:
        return _checked(sorted(characters), n_characters, f"the sorted characters of {path}")
    return _checked(sorted(characters_by_way[fitting[0]]), n_characters, f"the sorted characters of {path}{fitting[0]}")


def _characters_of(corpus: Corpus) -> str:
    return codes_to_text(np.unique(corpus.codes))


def _stored(path: Path, kind: str, n_characters: int) -> FoundVocabulary:
    contents = read_contents(path)
    if (kind == "json") != (contents.kind == "JSON"):
        raise ActivationError(f"{path} is not {kind} but {contents.kind}; give one of {SPELLINGS}")
    tables = _tables_of_size(contents, n_characters)
    tokens = _merged(list(tables.values()))
    if tokens is None:
        sizes = sorted({len(tokens) for tokens in _tokens_by_name(contents).values()})
        what = f"vocabularies of {', '.join(map(str, sizes))} characters" if sizes else "no vocabulary"
        raise ActivationError(
            f"{path} holds {'more than one vocabulary' if tables else what}, and the model has {n_characters} "
            "characters; a vocabulary is a list of characters, or a dictionary from characters to ids or back"
        )
    return _checked(tokens, n_characters, str(path))


def _in_model_file(contents: Contents, n_characters: int) -> FoundVocabulary:
    tables = _tables_of_size(contents, n_characters)
    tokens = _merged(list(tables.values()))
    if tokens is None:
        number = "more than one" if tables else "none"
        raise ActivationError(
            f"the vocabulary of the model's {n_characters} characters must be given, since the file holds {number}: "
            f"--vocab {SPELLINGS}"
        )
    name = max(tables, key=lambda name: tables[name].n_tokens)
    source = name if name in contents.beside else f"{name or 'all of it'} in the file itself"
    return _checked(tokens, n_characters, source)._replace(name=name)


def _merged(tables: Sequence[Tokens]) -> Tokens | None:
    """Merge tables of the same ids; None if there are none, or they contradict each other.

    One may have several characters for an id, for example in upper and lower case, and another the one to be shown.
    """
    if not tables:
        return None
    widest = max(tables, key=lambda tokens: tokens.n_tokens)
    narrowest = min(tables, key=lambda tokens: tokens.n_tokens)
    return widest.showing(narrowest) if all(map(widest.has, tables)) else None


def _tables_of_size(contents: Contents, n_characters: int) -> dict[str, Tokens]:
    return {name: tokens for name, tokens in _tokens_by_name(contents).items() if len(tokens) == n_characters}


def _tokens_by_name(contents: Contents) -> dict[str, Tokens]:
    """Return everything in a file that could be a vocabulary."""
    tables = {}
    for name, value in contents.plain_values.items():
        tokens = _tokens(value)
        if tokens is not None and 1 < len(tokens) <= _MAX_CHARACTERS:
            tables[name] = tokens
    return tables


def _tokens(value: Any) -> Tokens | None:
    """Return the tokens in the order of their ids if a value can be interpreted as a vocabulary, otherwise None."""
    if isinstance(value, Mapping):
        pairs = [(_plain(key), _plain(item)) for key, item in value.items()]
        if all(isinstance(token, str) and type(id_) is int for token, id_ in pairs):
            return _in_order([(id_, token) for token, id_ in pairs])
        if all(_is_id(id_) and isinstance(token, str) for id_, token in pairs):
            return _in_order([(int(id_), token) for id_, token in pairs])
        return None
    if isinstance(value, str | list | tuple) and not isinstance(value, SetItems) and len(value) <= _MAX_CHARACTERS:
        tokens = [_plain(token) for token in value]
        if all(isinstance(token, str) for token in tokens) and len(set(tokens)) == len(tokens):
            n_single = sum(len(token) == 1 for token in tokens)
            if tokens and n_single >= len(tokens) - _MAX_NAMED_TOKENS and n_single:
                return Tokens(tuple((token,) for token in tokens))
    return None


def _plain(value: Any) -> Any:
    """Convert numpy's numbers and strings to Python's, and bytes to what they are in UTF-8, or else a single byte."""
    value = value.value if isinstance(value, ObjectKey) else value
    if not isinstance(value, UnbuiltObject | bytes):
        return value
    raw = as_bytes(value)
    if raw is None:
        return numpy_scalar(value) if isinstance(value, UnbuiltObject) else value
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1") if len(raw) == 1 else value


def _is_id(value: Any) -> bool:
    """Is a value an id? In JSON, ids that are keys are strings."""
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and len(value) < 9
    return isinstance(value, int) and not isinstance(value, bool)


def _in_order(pairs: Sequence[tuple[int, str]]) -> Tokens | None:
    """Return the tokens of each id; ids are all numbers from 0, or from 1 if 0 is for padding; otherwise None."""
    by_id: dict[int, list[str]] = {}
    for id_, token in pairs:
        by_id.setdefault(id_, []).append(token)
    ids = sorted(by_id)
    if ids == list(range(1, len(ids) + 1)):
        by_id, ids = {0: ["<padding>"], **by_id}, [0, *ids]
    if not ids or ids != list(range(len(ids))):
        return None
    return Tokens(tuple(tuple(sorted(by_id[id_], key=_display_order)) for id_ in ids))


def _display_order(token: str) -> tuple[bool, bool, bool]:
    """Return a sort key by which the token to be shown comes first: a name, then lower case, then ASCII."""
    return len(token) == 1, token != token.lower(), not token.isascii()
