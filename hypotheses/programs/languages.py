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
LANGUAGES = (
    C,
    Language(
        name="c++",
        style="braces",
        aliases=("cpp", "cxx"),
        suffixes=("cc", "cpp", "cxx", "hh", "hpp", "hxx", "ipp"),
        keywords=keywords.CPP,
        has_preprocessor=True,
    ),
    Language(name="go", style="braces", aliases=("golang",), suffixes=("go",), keywords=keywords.GO),
    Language(name="haskell", style="haskell", aliases=("hs",), suffixes=("hs",), keywords=keywords.HASKELL),
    Language(name="java", style="braces", suffixes=("java",), keywords=keywords.JAVA),
    Language(
        name="javascript",
        style="braces",
        aliases=("js",),
        suffixes=("js", "cjs", "jsx", "mjs"),
        keywords=keywords.JAVASCRIPT,
    ),
    PYTHON,
    Language(
        name="ruby",
        style="ruby",
        aliases=("rb",),
        suffixes=("rb", "gemspec", "rake", "ru"),
        files=("gemfile", "rakefile"),
        keywords=keywords.RUBY,
    ),
    Language(name="rust", style="braces", aliases=("rs",), suffixes=("rs",), keywords=keywords.RUST),
    Language(
        name="shell",
        style="shell",
        aliases=("bash", "sh"),
        suffixes=("sh", "bash", "ksh"),
        files=(".bashrc", ".bash_profile", ".profile"),
        keywords=keywords.SHELL,
    ),
    Language(name="sql", style="sql", suffixes=("sql",), keywords=keywords.SQL),
    Language(
        name="typescript",
        style="braces",
        aliases=("ts",),
        suffixes=("ts", "cts", "mts", "tsx"),
        keywords=keywords.TYPESCRIPT,
    ),
)


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
    name, suffix = name_and_suffix(file_name)
    for language in LANGUAGES:
        if suffix in language.suffixes or name in language.files:
            return language
    return None


def name_and_suffix(file_name: str) -> tuple[str, str]:
    """Return the name of a file and its suffix, in small letters and without a final `.txt`.

    >>> name_and_suffix("src/Main.RS.txt")
    ('main.rs', 'rs')
    """
    name = PurePath(file_name).name.lower().removesuffix(".txt")
    return name, PurePath(name).suffix.removeprefix(".")
