"""The vocabulary of another program's model: where it is found, and whether it is the model's."""

import codecs
import re
import string
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from activations.errors import ActivationError
from activations.file_kinds import START_BYTES
from activations.files import is_pipe
from activations.importers.contents import Contents
from activations.importers.files import read_contents
from activations.importers.vocabulary.token_names import vocabulary_of
from activations.importers.vocabulary.token_tables import (
    Tokens,
    TokenTable,
    counts_by_name,
    fitting,
    merged,
    tables_by_name,
    tables_of,
)
from activations.texts.codes import codes_to_text
from activations.texts.corpus import Corpus
from activations.texts.text_streams import is_standard_input, open_text, text_name
from activations.texts.vocab import Vocabulary

SPELLINGS = "printable, sorted:FILE, json:FILE, pickle:FILE, file:NAME, chars:STRING, code-points"
_BOM = "\ufeff"
_N_SHOWN = 4
_MIN_SHARE = 4  # a table has at least a fourth of the characters of a model to be worth naming
_SURROGATE = 0xD800  # the first code point that is no character
_NAME = re.compile(r"<[a-z]+>|.", re.DOTALL)
_ESCAPE = re.compile(r"\\(?:[nrtfv\\0'\"]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})")


class FoundVocabulary(NamedTuple):
    """A vocabulary, and where it was found.

    Attributes:
        vocabulary: The characters in the order of their ids.
        source: Where it was found, in words.
        name: Name of the value in the model's file that it was made from, if it was.
        substitutes: Other characters that share the id of a character of the vocabulary, each with that character.
        read_as: How the program that wrote the vocabulary changed a text before it looked up its characters; see
            `ReadingRule`.
    """

    vocabulary: Vocabulary
    source: str
    name: str | None = None
    substitutes: tuple[tuple[str, str], ...] = ()
    read_as: str = ""


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
    if kind == "code-points" and not rest and n_characters <= _SURROGATE:
        return _checked(map(chr, range(n_characters)), n_characters, "each id is a code point")
    if kind == "chars" and rest:
        return _checked(
            _spelled_tokens(_ESCAPE.sub(_unescaped, rest), n_characters), n_characters, "the characters given"
        )
    if kind == "sorted" and rest:
        return _sorted(Path(rest), n_characters, encoding, newlines)
    if kind == "file" and rest:
        return _in_model_file(contents, n_characters, rest)
    if kind in ("json", "pickle") and rest:
        return _stored(rest, kind, n_characters)
    raise ActivationError(f"{spelling!r} is no vocabulary; give one of {SPELLINGS}")


def file_of(spelling: str | None) -> Path | None:
    """Return the file that a spelling of a vocabulary names, if it names one."""
    kind, _, rest = (spelling or "").partition(":")
    return _file_and_name(rest)[0] if kind in ("sorted", "json", "pickle") and rest else None


def _file_and_name(spelling: str) -> tuple[Path, str]:
    """Split `FILE` or `FILE:NAME`, where NAME is that of a value in the file; it is empty if there is none."""
    file, _, name = spelling.rpartition(":")
    return (Path(file), name) if file and not Path(spelling).exists() and Path(file).exists() else (Path(spelling), "")


def _spelled_tokens(spelling: str, n_characters: int) -> list[str]:
    """Return characters, and names in angle brackets as one token each if these are as many as the model has."""
    tokens = _NAME.findall(spelling)
    return tokens if len(tokens) == n_characters else list(spelling)


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
    source += f", {tokens.note}" if tokens.note else ""
    return FoundVocabulary(vocabulary, source, substitutes=tuple(substitutes), read_as=tokens.read_as)


def vocabulary_from(value: Any, n_characters: int) -> FoundVocabulary:
    """Make a vocabulary from characters in the order of their ids, or from a dictionary from characters to ids or back.

    Args:
        value: The characters or the dictionary.
        n_characters: Number of characters of the model.

    Raises:
        ActivationError: If the value is neither, or not of the size of the model.
    """
    tables = tables_of(value)
    if not tables:
        raise ActivationError(
            f"a {type(value).__name__} is no vocabulary here; give the characters, each once, in the order of their "
            "ids, or a dictionary from characters to ids"
        )
    tokens = fitting(tables, n_characters)
    return _checked(tables[0].in_order if tokens is None else tokens, n_characters, "the vocabulary")


def _sorted(path: Path, n_characters: int, encoding: str, newlines: str) -> FoundVocabulary:
    """Make a vocabulary from the characters of a text in the order of their code points.

    If these are not as many as the model has, but exactly one other way of reading the text (CRLF as LF, with its
    byte-order mark, or both) gives that number, that way is taken.
    """
    corpus = Corpus.read(path, encoding=encoding, newlines=newlines)
    characters = set(_characters_of(corpus))
    characters_by_way = {"": characters}
    if newlines == "keep" and "\r" in characters:
        characters_by_way[", with CRLF read as LF"] = characters - {"\r"} | {"\n"}
    if _has_byte_order_mark(path):
        characters_by_way |= {
            f"{way}, with its byte-order mark": chars | {_BOM} for way, chars in characters_by_way.items()
        }
    fitting = [way for way, chars in characters_by_way.items() if len(chars) == n_characters]
    if "" in fitting or len(fitting) != 1:
        return _checked(sorted(characters), n_characters, f"the sorted characters of {text_name(path)}")
    source = f"the sorted characters of {text_name(path)}{fitting[0]}"
    return _checked(sorted(characters_by_way[fitting[0]]), n_characters, source)


def _has_byte_order_mark(path: Path) -> bool:
    """Tell whether a text begins with the mark of UTF-8; False for a pipe, which cannot be read twice."""
    if is_standard_input(path) or is_pipe(path):
        return False
    with open_text(path, START_BYTES) as stream:
        return stream.start.startswith(codecs.BOM_UTF8)


def _characters_of(corpus: Corpus) -> str:
    return codes_to_text(np.unique(corpus.codes))


def _stored(spelling: str, kind: str, n_characters: int) -> FoundVocabulary:
    path, name = _file_and_name(spelling)
    contents = read_contents(path)
    if (kind == "json") != (contents.kind == "JSON"):
        raise ActivationError(f"{path} is not {kind} but {contents.kind}; give one of {SPELLINGS}")
    tables = tables_by_name(contents)
    counts = _described_counts(contents)
    chosen = _named(tables, name, str(path), counts) if name else tables
    by_name = _fitting_by_name(chosen, n_characters)
    tokens = merged(list(by_name.values()))
    if tokens is None:
        sizes = sorted({len(table) for candidates in chosen.values() for table in candidates})
        what = (
            f"vocabularies of {', '.join(map(str, sizes))} characters"
            if sizes
            else f"no vocabulary{counts and f' ({counts})'}"
        )
        if by_name:
            what = f"more than one vocabulary, {_contradiction(by_name)}; choose one, as with --vocab {kind}:{path}:"
            what += next(iter(by_name))
        raise ActivationError(
            f"{path} holds {what}, and the model has {n_characters} characters; a vocabulary is a list of characters, "
            "or a dictionary from characters to ids or back"
        )
    return _checked(tokens, n_characters, str(path))


def _in_model_file(contents: Contents, n_characters: int, chosen: str = "") -> FoundVocabulary:
    tables = tables_by_name(contents)
    named = _named(tables, chosen, "the file", _described_counts(contents)) if chosen else tables
    by_name = _fitting_by_name(named, n_characters)
    tokens = merged(list(by_name.values()))
    if tokens is None:
        counts = _described_counts(contents)
        raise ActivationError(
            f"the vocabulary of the model's {n_characters} characters must be given, since the file holds "
            f"{_what_there_is(tables, by_name, n_characters)}{counts and f' ({counts})'}: --vocab {SPELLINGS}"
        )
    name = max(by_name, key=lambda name: by_name[name].n_tokens)
    is_beside = any(name == outside or name.startswith(f"{outside}.") for outside in contents.beside)
    source = name if is_beside else f"{name or 'all of it'} in the file itself"
    return _checked(tokens, n_characters, source)._replace(name=name)


def _fitting_by_name(tables: Mapping[str, list[TokenTable]], n_characters: int) -> dict[str, Tokens]:
    """Return the tokens of tables that can be the vocabulary of a model: of those that lack the fewest ids."""
    by_name = {
        name: tokens for name, candidates in tables.items() if (tokens := fitting(candidates, n_characters)) is not None
    }
    fewest = min((tokens.n_missing for tokens in by_name.values()), default=0)
    return {name: tokens for name, tokens in by_name.items() if tokens.n_missing == fewest}


def _described_counts(contents: Contents) -> str:
    """Say which values give a number to each character that is not its id; empty if none does."""
    names = [name or "all of it" for name in counts_by_name(contents)][:_N_SHOWN]
    if not names:
        return ""
    return f"{', '.join(names)} {'hold' if len(names) > 1 else 'holds'} a count of each character, and not its id"


def _named(
    tables: Mapping[str, list[TokenTable]], name: str, where: str, counts: str = ""
) -> dict[str, list[TokenTable]]:
    """Return the table of a name, or of a name that ends with it."""
    ending = [full_name for full_name in tables if full_name.endswith(f".{name}")]
    if name not in tables and len(ending) != 1:
        known = ", ".join(list(tables)[:_N_SHOWN]) or "none"
        raise ActivationError(
            f"{where} has no vocabulary named {name}; what may be one: {known}{counts and f'; {counts}'}"
        )
    return {name: tables[name]} if name in tables else {ending[0]: tables[ending[0]]}


def _what_there_is(
    tables: Mapping[str, list[TokenTable]], fitting_tables: Mapping[str, Tokens], n_characters: int
) -> str:
    """Say which tables there are, without those too short to be meant, such as the letters of `cuda`."""
    if fitting_tables:
        first = next(iter(fitting_tables))
        return f"more than one, {_contradiction(fitting_tables)}; choose one, as with --vocab file:{first}, or give it"
    sizes = [
        f"{name or 'all of it'} has {len(candidates[0])}"
        for name, candidates in tables.items()
        if _MIN_SHARE * len(candidates[0]) >= n_characters
    ]
    return f"none of that size ({', '.join(sizes[:_N_SHOWN])})" if sizes else "none"


def _contradiction(by_name: Mapping[str, Tokens]) -> str:
    """Say which vocabularies contradict each other, and where two of them do."""
    names = list(by_name)
    sentence = f"{', '.join(names[:_N_SHOWN])}, which contradict each other"
    for other in names[1:]:
        pairs = zip(by_name[names[0]].by_id, by_name[other].by_id, strict=True)
        if difference := next(((n, a[0], b[0]) for n, (a, b) in enumerate(pairs) if not set(a) & set(b)), None):
            n, first, second = difference
            return f"{sentence} (id {n} is {first!r} in {names[0]} and {second!r} in {other})"
    return sentence
