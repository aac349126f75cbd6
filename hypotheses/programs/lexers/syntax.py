"""What tells comments and strings apart, as a table for each language that `tokens` reads."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypotheses.characters import pack

SIGN, BLANK, WORD, COMMENT, TEXT, CHARACTER, RAW, QUOTED_NAME, OPEN, CLOSE, DOLLAR = range(11)
"""Kinds of characters: which reader is asked. A `SIGN` is any other."""

NO_QUOTE, CHAR_IN_MARKS, CHAR_OR_NAME = range(3)
"""What an apostrophe begins: nothing but a string; a constant, unless within a number; one of these or a name."""

_N_ASCII = 128


class Syntax(NamedTuple):
    """The tokens of a language.

    Attributes:
        kinds: (128,) kind of each ASCII character; others are parts of words.
        line_comment: Both characters that open a comment to the end of the line.
        block: The character that opens a block comment together with `block_inner`; 0 if there are none.
        block_inner: The second character of the opener, and the first of the closer.
        block_close: The last character of the closer.
        nests: Block comments may be within each other.
        is_continued: A backslash continues a line's comment on the next line.
        documents_slashes: `///` begins a doc comment.
        documents_bangs: `//!` and `/*!` begin one.
        documents_stars: `/**` begins one.
        is_haskell: `--` is a comment if no other sign precedes or follows; `-- |` is documentation, `{-#` no comment;
            a backslash before a blank opens a gap in a string, up to the next backslash; words contain apostrophes.
        has_shebang: `#!` at the beginning of the text is a comment.
        is_multiline: A string continues over line ends.
        has_escapes: A backslash in a string escapes the next character.
        is_doubled: In a string, two marks in a row mean one.
        apostrophe: What an apostrophe may begin.
        separates_digits: An apostrophe within a number is part of that.
        has_text_blocks: Three marks open a string, up to the next three.
        has_templates: Between back-ticks, `${…}` contains code.
        has_regex: A slash where no operand precedes opens a regular expression.
        counts_hashes: `r#"…"#` is a raw string.
        has_raw_delimiters: `R"x(…)x"` is a raw string.
        escape_prefix: The letter, in small, before a string that has escapes although others have none; 0 if there is
            none.
    """

    kinds: NDArray[np.uint8]
    line_comment: int = ord("/")
    block: int = ord("/")
    block_inner: int = ord("*")
    block_close: int = ord("/")
    nests: bool = False
    is_continued: bool = False
    documents_slashes: bool = False
    documents_bangs: bool = False
    documents_stars: bool = False
    is_haskell: bool = False
    has_shebang: bool = False
    is_multiline: bool = False
    has_escapes: bool = True
    is_doubled: bool = False
    apostrophe: int = NO_QUOTE
    separates_digits: bool = False
    has_text_blocks: bool = False
    has_templates: bool = False
    has_regex: bool = False
    counts_hashes: bool = False
    has_raw_delimiters: bool = False
    escape_prefix: int = 0


def _kinds(**chars: str) -> NDArray[np.uint8]:
    """Return (128,) the kind of each ASCII character: the usual ones, and those that are given by name."""
    kinds = np.full(_N_ASCII, SIGN, np.uint8)
    for code in range(_N_ASCII):
        if chr(code).isalnum() or code == ord("_"):
            kinds[code] = WORD
        elif chr(code) in " \t\n\r\f\v":
            kinds[code] = BLANK
    for name, spelled in {"TEXT": '"', "OPEN": "{", "CLOSE": "}", **chars}.items():
        kinds[[ord(char) for char in spelled]] = globals()[name]
    return kinds


_SLASHES = _kinds(COMMENT="/", CHARACTER="'")
_SCRIPT = Syntax(
    _kinds(COMMENT="/", TEXT="\"'", RAW="`", WORD="$"),
    documents_stars=True,
    has_shebang=True,
    has_templates=True,
    has_regex=True,
)
SYNTAXES = {
    "c": Syntax(
        _SLASHES,
        is_continued=True,
        documents_slashes=True,
        documents_bangs=True,
        documents_stars=True,
        apostrophe=CHAR_IN_MARKS,
    ),
    "c++": Syntax(
        _SLASHES,
        is_continued=True,
        documents_slashes=True,
        documents_bangs=True,
        documents_stars=True,
        apostrophe=CHAR_IN_MARKS,
        separates_digits=True,
        has_raw_delimiters=True,
    ),
    "javascript": _SCRIPT,
    "typescript": _SCRIPT,
    "rust": Syntax(
        _SLASHES,
        nests=True,
        documents_slashes=True,
        documents_bangs=True,
        documents_stars=True,
        is_multiline=True,
        apostrophe=CHAR_OR_NAME,
        counts_hashes=True,
    ),
    "go": Syntax(_kinds(COMMENT="/", CHARACTER="'", RAW="`"), apostrophe=CHAR_IN_MARKS),
    "java": Syntax(
        _kinds(COMMENT="/", CHARACTER="'", WORD="$"),
        documents_stars=True,
        apostrophe=CHAR_IN_MARKS,
        has_text_blocks=True,
    ),
    "haskell": Syntax(
        _kinds(COMMENT="-{", CHARACTER="'"),
        line_comment=ord("-"),
        block=ord("{"),
        block_inner=ord("-"),
        block_close=ord("}"),
        nests=True,
        is_haskell=True,
        has_shebang=True,
        apostrophe=CHAR_OR_NAME,
    ),
    "sql": Syntax(
        _kinds(COMMENT="-/", TEXT="'", QUOTED_NAME='"`', DOLLAR="$"),
        line_comment=ord("-"),
        nests=True,
        is_multiline=True,
        has_escapes=False,
        is_doubled=True,
        escape_prefix=ord("e"),
    ),
}

RAW_OF_RUST = tuple(pack(prefix) for prefix in ("r", "br", "cr"))
RAW_OF_CPP = tuple(pack(prefix) for prefix in ("R", "LR", "uR", "UR", "u8R"))
BYTE_PREFIX = pack("b")
BODY_FOLLOWS = tuple(pack(word) for word in ("as", "do"))
"""Words of SQL, in small letters, after which the text between dollar quotes is code."""
NAMES_BODY = pack("language")
"""The word before the name of a language, after which that is so, too."""

OPERAND_FOLLOWS = tuple(
    pack(word[-8:])
    for word in (
        "await", "case", "delete", "do", "else", "in", "instanceof", "new", "of", "return", "throw", "typeof", "void",
        "yield",
    )
)  # fmt: skip
"""Words of JavaScript, the last 8 letters of each, after which a slash opens a regular expression."""
