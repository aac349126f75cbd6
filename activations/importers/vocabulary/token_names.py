"""Tokens that are not characters, such as <pad>: what other programs call them, and what stands for them here."""

import re
from collections.abc import Collection, Sequence

from activations.texts.reading_rule import EOS, SOS
from activations.texts.vocab import REPLACEMENT, Vocabulary, stand_ins

_UNKNOWN = re.compile(r"unk|\boov\b|[<\[]\?[>\]]", re.IGNORECASE)
_CHARACTERS_BY_SPELLING = {
    r"\n": "\n",
    r"\t": "\t",
    r"\r": "\r",
    "<newline>": "\n",
    "<nl>": "\n",
    "<tab>": "\t",
    "<space>": " ",
}
_MAX_SPELLING = max(map(len, _CHARACTERS_BY_SPELLING))
_SPELLINGS = {
    SOS: ["<sos>", "<s>", "<bos>", "<start>", "<begin>", "<go>", "[sos]", "[bos]", "[start]", "[go]", "sos", "xxbos"],
    EOS: ["<eos>", "</s>", "<end>", "<stop>", "<|endoftext|>", "[eos]", "[end]", "eos", "end", "stop", "xxeos"],
}


def is_unknown_token(token: str) -> bool:
    """Is a token the one that stands for unknown characters, such as `<unk>` or `[OOV]`?"""
    return len(token) > 1 and _UNKNOWN.search(token) is not None


def spelled_character(token: str, tokens: Collection[str]) -> str:
    r"""Return the character that a token of several spells, such as `\n`, if it is not among the tokens itself."""
    char = _CHARACTERS_BY_SPELLING.get(token.lower(), token) if 1 < len(token) <= _MAX_SPELLING else token
    return token if char != token and char in tokens else char


def vocabulary_of(tokens: Sequence[str]) -> Vocabulary:
    """Make a vocabulary from tokens; those of several characters, such as <pad>, get a stand-in and a name.

    The first token that is called `<eos>`, or else `</s>`, `<end>`, `[EOS]` and the like, is named `<eos>`; likewise
    `<sos>`.
    """
    characters: list[str] = []
    free = stand_ins(set(tokens))
    renamed = _renamed(tokens)
    names: dict[str, str] = {}
    for n, token in enumerate(tokens):
        if len(token) == 1:
            characters.append(token)
        elif is_unknown_token(token) and REPLACEMENT not in (*tokens, *characters):
            characters.append(REPLACEMENT)
        else:
            characters.append(next(free))
        if len(token) != 1:
            names[characters[-1]] = _name(renamed.get(n, token), names.values())
    replaces = REPLACEMENT in characters and REPLACEMENT not in tokens
    return Vocabulary("".join(characters), REPLACEMENT if replaces else None, names)


def _renamed(tokens: Sequence[str]) -> dict[int, str]:
    """Return the names of the tokens before and after a text that other programs call otherwise, by id."""
    ids = {token: n for n, token in reversed(list(enumerate(map(str.lower, tokens)))) if len(token) != 1}
    renamed = {}
    for name, spellings in _SPELLINGS.items():
        if name not in tokens and (spelling := next((spelling for spelling in spellings if spelling in ids), None)):
            renamed[ids[spelling]] = name
    return renamed


def _name(token: str, used_names: Collection[str]) -> str:
    """Return the name of a token: itself in angle brackets, with unprintable characters escaped as in Python."""
    token = "".join(char if char.isprintable() else repr(char)[1:-1] for char in token) or "empty"
    name = token if token.startswith("<") and token.endswith(">") and len(token) > 1 else f"<{token}>"
    while name in used_names:
        name = f"<{name}>"
    return name
