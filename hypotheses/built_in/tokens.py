"""The tokens of a program, in any of the 500 languages that the library Pygments knows. They look ahead."""

import functools

import numpy as np
from numpy.typing import NDArray
from pygments.token import STANDARD_TYPES, Comment, Keyword, Number, String, _TokenType, string_to_tokentype

from hypotheses.built_in import code
from hypotheses.characters import traits
from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels
from hypotheses.programs.languages import Language, language_of, language_of_file
from hypotheses.programs.lexers.states import CODE, COMMENT, DOC_COMMENT, DOCSTRING, FIELD, STRING
from hypotheses.programs.numbers import literals_of, number_literals, whole_numbers
from hypotheses.programs.program import read_program, whole_tokens
from hypotheses.pygments_tokens.token_types import DOC_COMMENT as DOC_COMMENT_TYPE
from hypotheses.pygments_tokens.token_types import token_types

LIMIT_S = 60.0
"""Longest time that a lexer may take for a text, in seconds; twenty more seconds for each megabyte of the text."""


@hypothesis(kind="binary", causal=False, example="Keyword,python")
def token(text: str, type: str, language: str = "", *, file_name: str = "") -> Labels:
    """Is the character in a token of this type: a comment, a keyword, a function's name, an operator?

    `token:Comment`, `token:Name.Function`, `token:String.Doc`, `token:Keyword,rust`. The types are those of the library
    Pygments. Types within a type count: those of `Comment` are `Comment.Single`, `Comment.Multiline` and so on. The
    language is any that Pygments knows, set with `--language` or after a comma; by default, the name of the file
    decides. All characters of a token are True, including its delimiters.

    `Comment`, `String`, `Keyword` and `Number` mean the same in every language. In the languages of `in_comment`, they
    are what `in_comment`, `in_string`, `in_keyword` and `in_number` find, with whole delimiters, and with points
    and signs of numbers (`1.5e-3`). In all others, as for all other types, a lexer of Pygments finds the tokens; but
    documentation that is written as a comment (`///`, `/** */`) is a comment, though Pygments calls it `String.Doc` in
    some languages, and attributes and directives are no comments, though Pygments calls them `Comment.Preproc`. All
    types with a dot are those of Pygments.

    Several questions about a text take one reading of Pygments: the types of the last texts are kept, up to 64 MB.

    >>> print(token.with_parameters("Comment", "c").mark("a; // b"))
    a; // b
    ...xxxx
    """
    wanted = _token_type(type)
    known = _known_language(language, file_name)
    if known is not None and wanted is Keyword:
        return code.in_keyword(text, known.name)
    if known is not None and wanted in (Comment, String):
        states = (COMMENT, DOC_COMMENT) if wanted is Comment else (STRING, DOCSTRING)
        return Labels(whole_tokens(text, known.name, *states), "binary")
    if known is not None and wanted is Number:
        return Labels(_numbers(text, known), "binary")
    types = token_types(text, language, file_name, LIMIT_S + 20 * len(text) / 1e6)
    return Labels(types.are(functools.partial(_is_wanted, wanted=wanted)), "binary")


def _numbers(text: str, language: Language) -> NDArray[np.bool_]:
    """Return (n_chars,) whether a character is in a number, with its points and signs."""
    program = read_program(text, language.name)
    kinds, is_code = traits(program.codes), program.readings[0].is_any(CODE, FIELD)
    if language.style == "shell":
        return number_literals(program.codes, kinds, is_code, True)
    return whole_numbers(program.codes, kinds, is_code, literals_of(language))


def _known_language(language: str, file_name: str) -> Language | None:
    """Return the language of a name or a file, if this package reads it itself."""
    if not language:
        return language_of_file(file_name)
    try:
        return language_of(language)
    except HypothesisError:
        return None


def _is_wanted(kind: _TokenType, wanted: _TokenType) -> bool:
    """Tell whether a type is one that is asked for, as people mean comments and strings."""
    if kind is DOC_COMMENT_TYPE:
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
