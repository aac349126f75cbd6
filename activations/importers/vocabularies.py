"""The vocabulary of somebody else's model: the order in which it numbers the characters."""

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
from activations.importers.pickles import Key, Made, Unordered
from activations.importers.tensors import as_bytes, numpy_scalar
from activations.texts.codes import codes_to_text
from activations.texts.corpus import Corpus
from activations.texts.vocab import REPLACEMENT, Vocabulary, stand_ins

SPELLINGS = "printable, sorted:FILE, json:FILE, pickle:FILE, chars:STRING"
_BOM = "\ufeff"
_MOST_CHARACTERS = 200_000
_ESCAPE = re.compile(r"\\(?:[nrtfv\\0'\"]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})")


class Found(NamedTuple):
    """A vocabulary, and where it was found.

    Attributes:
        vocabulary: The characters in the order of their ids.
        source: In words.
        name: Of what it was taken from, if that is in the model's file.
        substitutes: Other characters that have the id of one of the vocabulary, each with that one.
    """

    vocabulary: Vocabulary
    source: str
    name: str | None = None
    substitutes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Tokens:
    """What each id of a model stands for: (n_ids,) tokens, as a rule one each, the one to be shown first."""

    by_id: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.by_id)

    @property
    def n_tokens(self) -> int:
        """How many there are with all ids."""
        return sum(map(len, self.by_id))

    @property
    def shown(self) -> list[str]:
        """(n_ids,) the first of each."""
        return [tokens[0] for tokens in self.by_id]

    def has(self, other: "Tokens") -> bool:
        """Whether each id stands for all that it stands for in another table of as many."""
        return all(set(few) <= set(many) for many, few in zip(self.by_id, other.by_id, strict=True))

    def showing(self, other: "Tokens") -> "Tokens":
        """The same, each id shown by the token that is first in another table."""
        pairs = zip(self.by_id, other.shown, strict=True)
        return Tokens(tuple((first, *(each for each in tokens if each != first)) for tokens, first in pairs))


def find_vocabulary(
    spelling: str | None,
    n_characters: int,
    contents: Contents,
    *,
    encoding: str = "utf-8",
    newlines: str = "keep",
) -> Found:
    """The vocabulary of a model with so many characters.

    Args:
        spelling: How the user gives it, one of `SPELLINGS`; None looks for it in the model's file.
        n_characters: How many the model has.
        contents: What is in the model's file.
        encoding: Of a text for `sorted:`.
        newlines: Whether to keep the line ends of such a text or to read CRLF as LF.

    Raises:
        ActivationError: If it cannot be found, or has another size.
    """
    if spelling is None:
        return _beside_the_weights(contents, n_characters)
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
    """The file that a spelling of a vocabulary names, if it names one."""
    kind, _, rest = (spelling or "").partition(":")
    return Path(rest) if kind in ("sorted", "json", "pickle") and rest else None


def _unescaped(match: re.Match[str]) -> str:
    try:
        return codecs.decode(match[0], "unicode_escape")
    except UnicodeDecodeError as error:
        raise ActivationError(f"{match[0]} is no character; give one of {SPELLINGS}") from error


def _checked(tokens: Tokens | Iterable[str], n_characters: int, source: str) -> Found:
    tokens = tokens if isinstance(tokens, Tokens) else Tokens(tuple((token,) for token in tokens))
    if len(tokens) != n_characters:
        raise ActivationError(
            f"the model has {n_characters} characters, and {source} {len(tokens)}; give the vocabulary that it was "
            f"trained with (--vocab {SPELLINGS})"
        )
    return _found(tokens, source)


def _found(tokens: Tokens, source: str) -> Found:
    vocabulary = vocabulary_of(tokens.shown)
    substitutes = [
        (other, char)
        for char, (_, *others) in zip(vocabulary.characters, tokens.by_id, strict=True)
        for other in others
        if len(other) == 1
    ]
    return Found(vocabulary, source, substitutes=tuple(substitutes))


def vocabulary_from(value: Any) -> Found:
    """A vocabulary from characters in the order of their ids, or a dictionary from characters to ids or back.

    Raises:
        ActivationError: If it is none of these.
    """
    tokens = _tokens(value)
    if tokens is None:
        raise ActivationError(
            f"a {type(value).__name__} is no vocabulary here; give the characters, each once, in the order of their "
            "ids, or a dictionary from characters to ids"
        )
    return _found(tokens, "given")


def vocabulary_of(tokens: list[str]) -> Vocabulary:
    """Characters as they are; tokens of several characters (<pad>) get characters that stand for them, and names."""
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


def _name(token: str, taken: Collection[str]) -> str:
    """What a token is called: itself, in angle brackets; what cannot be printed of it is spelled as in Python."""
    token = "".join(char if char.isprintable() else repr(char)[1:-1] for char in token)
    name = token if token.startswith("<") and token.endswith(">") and len(token) > 1 else f"<{token}>"
    while name in taken:
        name = f"<{name}>"
    return name


def _sorted(path: Path, n_characters: int, encoding: str, newlines: str) -> Found:
    """The characters of a text in the order of their code points.

    How the text was read decides which there are: if the way asked for gives another number than the model has, and
    just one other way of reading gives that number, it is taken.
    """
    corpus = Corpus.read(path, encoding=encoding, newlines=newlines)
    characters = set(_characters_of(corpus))
    ways = {"": characters}
    if newlines == "keep" and "\r" in characters:
        ways[", with CRLF read as LF"] = set(_characters_of(Corpus.read(path, encoding=encoding, newlines="lf")))
    with path.open("rb") as file:
        has_bom = file.read(3) == codecs.BOM_UTF8
    if has_bom:
        ways |= {f"{way}, with its byte-order mark": found | {_BOM} for way, found in ways.items()}
    fitting = [way for way, found in ways.items() if len(found) == n_characters]
    if "" in fitting or len(fitting) != 1:
        return _checked(sorted(characters), n_characters, f"the sorted characters of {path}")
    return _checked(sorted(ways[fitting[0]]), n_characters, f"the sorted characters of {path}{fitting[0]}")


def _characters_of(corpus: Corpus) -> str:
    return codes_to_text(np.unique(corpus.codes))


def _stored(path: Path, kind: str, n_characters: int) -> Found:
    contents = read_contents(path)
    if (kind == "json") != (contents.kind == "JSON"):
        raise ActivationError(f"{path} is not {kind} but {contents.kind}; give one of {SPELLINGS}")
    found = _search(contents, n_characters)
    tokens = _joined(list(found.values()))
    if tokens is None:
        sizes = sorted({len(tokens) for tokens in _tokens_by_name(contents).values()})
        what = f"vocabularies of {', '.join(map(str, sizes))} characters" if sizes else "no vocabulary"
        raise ActivationError(
            f"{path} holds {'more than one vocabulary' if found else what}, and the model has {n_characters} "
            "characters; a vocabulary is a list of characters, or a dictionary from characters to ids or back"
        )
    return _checked(tokens, n_characters, str(path))


def _beside_the_weights(contents: Contents, n_characters: int) -> Found:
    found = _search(contents, n_characters)
    tokens = _joined(list(found.values()))
    if tokens is None:
        why = "more than one" if found else "none"
        raise ActivationError(
            f"the vocabulary of the model's {n_characters} characters must be given, since the file holds {why}: "
            f"--vocab {SPELLINGS}"
        )
    name = max(found, key=lambda name: found[name].n_tokens)
    return _checked(tokens, n_characters, f"{name or 'all of it'} in the file itself")._replace(name=name)


def _joined(found: Sequence[Tokens]) -> Tokens | None:
    """What some tables of as many ids say together; None if there are none, or they contradict each other.

    One may have several characters for an id, as where upper and lower case are alike, and another the one to be shown.
    """
    if not found:
        return None
    widest = max(found, key=lambda tokens: tokens.n_tokens)
    narrowest = min(found, key=lambda tokens: tokens.n_tokens)
    return widest.showing(narrowest) if all(map(widest.has, found)) else None


def _search(contents: Contents, n_characters: int) -> dict[str, Tokens]:
    return {name: tokens for name, tokens in _tokens_by_name(contents).items() if len(tokens) == n_characters}


def _tokens_by_name(contents: Contents) -> dict[str, Tokens]:
    """Everything in a file that could be a vocabulary."""
    found = {}
    for name, value in contents.plain.items():
        tokens = _tokens(value)
        if tokens is not None and 1 < len(tokens) <= _MOST_CHARACTERS:
            found[name] = tokens
    return found


def _tokens(value: Any) -> Tokens | None:
    """The tokens in the order of their ids, if a value can be read as that."""
    if isinstance(value, Mapping):
        pairs = [(_plain(key), _plain(place)) for key, place in value.items()]
        if all(isinstance(key, str) and type(place) is int for key, place in pairs):
            return _in_order([(place, key) for key, place in pairs])
        if all(_is_id(key) and isinstance(token, str) for key, token in pairs):
            return _in_order([(int(key), token) for key, token in pairs])
        return None
    if isinstance(value, str | list | tuple) and not isinstance(value, Unordered) and len(value) <= _MOST_CHARACTERS:
        tokens = [_plain(token) for token in value]
        if all(isinstance(token, str) for token in tokens) and len(set(tokens)) == len(tokens):
            singles = sum(len(token) == 1 for token in tokens)
            if tokens and singles >= len(tokens) - 8 and singles:
                return Tokens(tuple((token,) for token in tokens))
    return None


def _plain(value: Any) -> Any:
    """Numpy's numbers and strings as Python's; bytes as the character that they are in UTF-8, or else as one byte."""
    value = value.value if isinstance(value, Key) else value
    if not isinstance(value, Made | bytes):
        return value
    raw = as_bytes(value)
    if raw is None:
        return numpy_scalar(value) if isinstance(value, Made) else value
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1") if len(raw) == 1 else value


def _is_id(value: Any) -> bool:
    """JSON has strings for keys."""
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and len(value) < 9
    return isinstance(value, int) and not isinstance(value, bool)


def _in_order(pairs: Sequence[tuple[int, str]]) -> Tokens | None:
    """The tokens of each id, where ids are all numbers from 0, or from 1, which leaves 0 for padding."""
    by_id: dict[int, list[str]] = {}
    for place, token in pairs:
        by_id.setdefault(place, []).append(token)
    places = sorted(by_id)
    if places == list(range(1, len(places) + 1)):
        by_id, places = {0: ["<padding>"], **by_id}, [0, *places]
    if not places or places != list(range(len(places))):
        return None
    return Tokens(tuple(tuple(sorted(by_id[place], key=_as_shown)) for place in places))


def _as_shown(token: str) -> tuple[bool, bool, bool]:
    """By which of the tokens that share an id it is shown: a name, or a small letter, or one in ASCII."""
    return len(token) == 1, token != token.lower(), not token.isascii()
