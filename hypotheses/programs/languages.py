"""The programming languages that are known, and how they are told by name or by the name of a file."""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from hypotheses.errors import HypothesisError
from hypotheses.programs import keywords

Style = Literal["python", "braces", "haskell", "shell", "ruby", "sql"]

AUTO = "auto"
"""In place of a language: that of the file's name, or else what the text looks like."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A programming language.

    Attributes:
        name: Its name, in small letters.
        style: How its statements are put together.
        aliases: Other names for it.
        suffixes: Those of its files, in small letters and without the point.
        files: Names of files without a suffix that are written in it, in small letters.
        keywords: Its reserved words.
        has_preprocessor: Whether lines that begin with `#` are for the preprocessor of C.
    """

    name: str
    style: Style
    aliases: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    has_preprocessor: bool = False


C = Language(name="c", style="braces", suffixes=("c", "h"), keywords=keywords.C, has_preprocessor=True)
PYTHON = Language(
    name="python", style="python", aliases=("py",), suffixes=("py", "pyi", "pyw"), keywords=keywords.PYTHON
)
LANGUAGES = (C, PYTHON)


def language_of(name: str) -> Language:
    """Return the language of a name.

    Raises:
        HypothesisError: If there is none.
    """
    for language in LANGUAGES:
        if name.lower() in (language.name, *language.aliases):
            return language
    known = ", ".join((AUTO, *(language.name for language in LANGUAGES)))
    raise HypothesisError(
        f"it knows the languages {known}, not {name!r}; for others there is token:, such as "
        f"token:Comment,{name.lower() or 'kotlin'}"
    )


def language_of_file(file_name: str) -> Language | None:
    """Return the language of a file, such as `a.py` or `a.py.txt`, or None if its name does not tell it."""
    name = PurePath(file_name).name.lower().removesuffix(".txt")
    suffix = PurePath(name).suffix.removeprefix(".")
    for language in LANGUAGES:
        if suffix in language.suffixes or name in language.files:
            return language
    return None
