"""The vocabulary of somebody else's model: the order in which it numbers the characters."""

import codecs
import re
import string
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from activations.corpus import Corpus, codes_to_text
from activations.errors import ActivationError
from activations.models.importers.contents import Contents
from activations.models.importers.files import read_contents
from activations.models.importers.pickles import Made, Unordered
from activations.models.importers.tensors import numpy_scalar
from activations.vocab import REPLACEMENT, Vocabulary

SPELLINGS = "printable, sorted:FILE, json:FILE, pickle:FILE, chars:STRING"
_BOM = "\ufeff"
_PRIVATE = 0xE000
_MOST_CHARACTERS = 200_000
_ESCAPE = re.compile(r"\\(?:[nrtfv\\0'\"]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})")


class Found(NamedTuple):
    """A vocabulary, and where it was found.

    Attributes:
        vocabulary: The characters in the order of their ids.
        source: In words.
        name: Of what it was taken from, if that is in the model's file.
    """

    vocabulary: Vocabulary
    source: str
    name: str | None = None


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


def _checked(tokens: Iterable[str], n_characters: int, source: str) -> Found:
    tokens = list(tokens)
    if len(tokens) != n_characters:
        raise ActivationError(
            f"the model has {n_characters} characters, and {source} {len(tokens)}; give the vocabulary that it was "
            f"trained with (--vocab {SPELLINGS})"
        )
    return Found(vocabulary_of(tokens), source)


def vocabulary_from(value: Any) -> Vocabulary:
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
    return vocabulary_of(tokens)


def vocabulary_of(tokens: list[str]) -> Vocabulary:
    """Characters as they are; tokens of several characters (<pad>) get code points that stand in no text."""
    characters: list[str] = []
    for place, token in enumerate(tokens):
        if len(token) == 1:
            characters.append(token)
        elif "unk" in token.lower() and REPLACEMENT not in (*tokens, *characters):
            characters.append(REPLACEMENT)
        else:
            characters.append(chr(_PRIVATE + place if place < 6400 else 0xF0000 + place))
    replaces = REPLACEMENT in characters and REPLACEMENT not in tokens
    return Vocabulary("".join(characters), REPLACEMENT if replaces else None)


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
    if len(set(map(tuple, found.values()))) != 1:
        sizes = sorted({len(tokens) for tokens in _tokens_by_name(contents).values()})
        what = f"vocabularies of {', '.join(map(str, sizes))} characters" if sizes else "no vocabulary"
        raise ActivationError(
            f"{path} holds {'more than one vocabulary' if found else what}, and the model has {n_characters} "
            "characters; a vocabulary is a list of characters, or a dictionary from characters to ids or back"
        )
    return _checked(next(iter(found.values())), n_characters, str(path))


def _beside_the_weights(contents: Contents, n_characters: int) -> Found:
    found = _search(contents, n_characters)
    if len(set(map(tuple, found.values()))) != 1:
        why = "more than one" if found else "none"
        raise ActivationError(
            f"the vocabulary of the model's {n_characters} characters must be given, since the file holds {why}: "
            f"--vocab {SPELLINGS}"
        )
    name = next(iter(found))
    return _checked(found[name], n_characters, f"{name or 'all of it'} in the file itself")._replace(name=name)


def _search(contents: Contents, n_characters: int) -> dict[str, list[str]]:
    return {name: tokens for name, tokens in _tokens_by_name(contents).items() if len(tokens) == n_characters}


def _tokens_by_name(contents: Contents) -> dict[str, list[str]]:
    """Everything in a file that could be a vocabulary."""
    found = {}
    for name, value in contents.plain.items():
        tokens = _tokens(value)
        if tokens is not None and 1 < len(tokens) <= _MOST_CHARACTERS:
            found[name] = tokens
    return found


def _tokens(value: Any) -> list[str] | None:
    """The tokens in the order of their ids, if a value can be read as that."""
    if isinstance(value, Mapping):
        pairs = [(key, _number(place)) for key, place in value.items()]
        if all(isinstance(key, str) and type(place) is int for key, place in pairs):
            return _in_order({place: key for key, place in pairs}, len(pairs))
        if all(_is_id(key) and isinstance(token, str) for key, token in pairs):
            return _in_order({int(key): token for key, token in pairs}, len(pairs))
        return None
    if isinstance(value, str | list | tuple) and not isinstance(value, Unordered) and len(value) <= _MOST_CHARACTERS:
        tokens = [_number(token) for token in value]
        if all(isinstance(token, str) for token in tokens) and len(set(tokens)) == len(tokens):
            singles = sum(len(token) == 1 for token in tokens)
            return tokens if tokens and singles >= len(tokens) - 8 and singles else None
    return None


def _number(value: Any) -> Any:
    """Numpy's numbers and strings as Python's."""
    return numpy_scalar(value) if isinstance(value, Made) else value


def _is_id(value: Any) -> bool:
    """JSON has strings for keys."""
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and len(value) < 9
    return isinstance(value, int) and not isinstance(value, bool)


def _in_order(by_id: dict[int, str], n_tokens: int) -> list[str] | None:
    places = sorted(by_id)
    if places == list(range(1, n_tokens + 1)):  # 0 is kept for padding
        by_id, places = {0: "<padding>", **by_id}, [0, *places]
    return [by_id[place] for place in places] if places and places == list(range(len(places))) else None
