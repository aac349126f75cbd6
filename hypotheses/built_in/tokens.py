"""The tokens of a lexer, in any of the 500 languages that the library Pygments knows. They look ahead."""

import functools

from pygments.token import STANDARD_TYPES, Comment, String, _TokenType, string_to_tokentype

from hypotheses.built_in.token_types import DOC_COMMENT, token_types
from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels

LIMIT_S = 60.0
"""Longest time that a lexer may take for a text, in seconds; twenty more seconds for each megabyte of the text."""


@hypothesis(kind="binary", causal=False, example="Keyword,python")
def token(text: str, type: str, language: str = "", *, file_name: str = "") -> Labels:
    """Is the character in a token of this type, as a lexer of the library Pygments sees it?

    `token:Comment`, `token:Name.Function`, `token:String.Doc`, `token:Keyword,rust`. Types within a type count: those
    of `Comment` are `Comment.Single`, `Comment.Multiline` and so on. The language is any that Pygments knows, set with
    `--language` or after a comma; by default, the name of the file decides. All characters of a token are True,
    including its delimiters.

    `Comment` and `String` mean the same in every language. Documentation that is written as a comment (`///`, `/** */`)
    is a comment, though Pygments calls it `String.Doc` in some languages; a docstring of Python is a string. Attributes
    and directives, such as `#[derive(Debug)]` in Rust and `#include` in C, are no comments, though Pygments calls them
    `Comment.Preproc`. All types with a dot are those of Pygments.

    Several questions about a text take one reading of it: the types of the last texts are kept, up to 64 MB.

    >>> print(token.with_parameters("Comment", "c").mark("a; // b"))
    a; // b
    ...xxxx
    """
    wanted = _token_type(type)
    types = token_types(text, language, file_name, LIMIT_S + 20 * len(text) / 1e6)
    return Labels(types.are(functools.partial(_is_wanted, wanted=wanted)), "binary")


def _is_wanted(kind: _TokenType, wanted: _TokenType) -> bool:
    """Tell whether a type is one that is asked for, as people mean comments and strings."""
    if kind is DOC_COMMENT:
        return wanted is Comment or wanted is String.Doc
    if wanted is Comment and (kind in Comment.Preproc or kind in Comment.PreprocFile):
        return False
    return kind in wanted


def _token_type(name: str) -> _TokenType:
    spelled = name.removeprefix("Token.")
    known = {str(token_type).removeprefix("Token.") for token_type in STANDARD_TYPES} - {"Token"}
    known |= {known_name.replace("Literal.", "", 1) for known_name in known if known_name.startswith("Literal.")}
    if spelled not in known:
        top_level = ", ".join(sorted(known_name for known_name in known if "." not in known_name))
        raise HypothesisError(
            f"it knows no tokens of type {name!r}; there are {top_level}, and types within these, such as String.Doc"
        )
    full = spelled if string_to_tokentype(spelled) in STANDARD_TYPES else f"Literal.{spelled}"
    return string_to_tokentype(full)
