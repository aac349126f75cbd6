"""Reading rules: how the characters of a text become the tokens that a model reads."""

import unicodedata
from codecs import getincrementaldecoder
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import groupby
from types import MappingProxyType
from typing import Any

from activations.errors import ActivationError
from activations.texts.vocab import Vocabulary

READ_AS = ("bytes", "lower", "ascii")
ENDS = ("lines", "documents")
SOS, EOS = "<sos>", "<eos>"
N_BYTES = 256
_N_NAMED = 3
_LETTERS = "ß=ss ẞ=SS æ=ae Æ=AE œ=oe Œ=OE ø=o Ø=O ð=d Ð=D þ=th Þ=Th ł=l Ł=L đ=d Đ=D ħ=h Ħ=H ı=i ¡=! ¿=? ⁄=/ ×=x ÷=/"
_ASCII = MappingProxyType(
    {
        **dict.fromkeys("‘’‚‛′ʼ‹›´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("•·∙", "*"),
        **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", ""),
        **dict.fromkeys("\u2028\u2029\u0085", "\n"),
        **dict(pair.split("=") for pair in _LETTERS.split()),
    }
)


@dataclass(frozen=True, kw_only=True)
class ReadingRule:
    """A rule by which the characters of a text become the tokens that a model reads; labels are those of the text.

    Each character is spelled on its own, as one token, several, or none: its row of activations is the one after its
    last token, and its loss is the sum over its tokens.

    Attributes:
        read_as: How characters are spelled. `lower`: in lower case, each as one character (only `İ` has two there, of
            which the first, `i`, is taken). `ascii`: é as e, “ as ", — as -, ß as ss, and combining marks as nothing;
            a character without such a spelling stays as it is. `bytes`: as its bytes in UTF-8, where byte n is the
            character of the vocabulary whose code point is n. Empty: as it stands.
        substitutes: Pairs of a character and the character of the vocabulary as which it is read, after `read_as`.
        backwards: Whether documents are read from their end.
        begins: Whether each document begins with the token `<sos>`.
        ends: Where the token `<eos>` stands: `lines`, in place of each line's end, or `documents`, at the end of each
            document. Empty: nowhere.
    """

    read_as: str = ""
    substitutes: tuple[tuple[str, str], ...] = ()
    backwards: bool = False
    begins: bool = False
    ends: str = ""

    def __post_init__(self) -> None:
        if self.read_as not in ("", *READ_AS):
            raise ActivationError(f"a text cannot be read as {self.read_as!r}; choose one of {', '.join(READ_AS)}")
        if self.ends not in ("", *ENDS):
            raise ActivationError(f"{EOS} cannot stand at the end of {self.ends!r}; choose one of {', '.join(ENDS)}")
        if not all(len(char) == len(token) == 1 for char, token in self.substitutes):
            raise ActivationError("a substitute is not one character for another")

    @property
    def is_plain(self) -> bool:
        """Is the text read as it stands?"""
        return self == PLAIN

    def spelled(self, char: str, vocabulary: Vocabulary) -> str:
        """Return the tokens of a character, each as the character that stands for it in the vocabulary."""
        if char in vocabulary.names:
            return char
        if char == "\n" and self.ends == "lines":
            return vocabulary.character_of(EOS)
        return "".join(self._substitutes.get(part, part) for part in _spelled(char, self.read_as))

    def text_of(self, tokens: str, vocabulary: Vocabulary) -> str:
        """Return the text that a model has written, given the tokens in the order in which it wrote them.

        Characters whose last bytes are missing are left out, bytes that are no UTF-8 become U+FFFD, and tokens with
        names stay as they are.
        """
        if self.backwards:
            tokens = tokens[::-1]
        if self.ends == "lines":
            tokens = tokens.replace(vocabulary.character_of(EOS), "\n")
        return _decoded(tokens) if self.read_as == "bytes" else tokens

    def shown(self, token: str, vocabulary: Vocabulary) -> str:
        """Return how to show a token: by its name, or as two hexadecimal digits if it is a byte above 127."""
        if token in vocabulary.names:
            return "\n" if self.ends == "lines" and vocabulary.names[token] == EOS else vocabulary.names[token]
        return f"x{ord(token):02X}" if self.read_as == "bytes" and not token.isascii() else token

    def check(self, vocabulary: Vocabulary) -> None:
        """Check that a model with this vocabulary can follow the rule.

        Raises:
            ActivationError: If a token is missing, or the vocabulary is not one of bytes and should be.
        """
        if self.begins:
            vocabulary.character_of(SOS)
        if self.ends:
            vocabulary.character_of(EOS)
        for char, token in self.substitutes:
            if token not in vocabulary.characters:
                raise ActivationError(f"{char!r} cannot be read as {token!r}, which the model does not know")
        if self.read_as == "bytes":
            characters = [char for char in vocabulary.characters if char not in vocabulary.names]
            no_bytes = [char for char in characters if ord(char) >= N_BYTES and char != vocabulary.replacement]
            if no_bytes:
                raise ActivationError(
                    f"the model cannot read bytes: its vocabulary has {no_bytes[0]!r}, which is none of the "
                    f"{N_BYTES} bytes"
                )

    def to_data(self) -> dict[str, Any]:
        """Return what differs from reading a text as it stands, as JSON can hold it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        data = {name: value for name, value in values.items() if value != getattr(PLAIN, name)}
        return data | ({"substitutes": dict(self.substitutes)} if self.substitutes else {})

    @classmethod
    def from_data(cls, data: object) -> "ReadingRule":
        """Make a rule of what `to_data` returned, or another program wrote.

        Raises:
            ActivationError: If it is no rule.
        """
        kinds = {"read_as": str, "substitutes": Mapping, "backwards": bool, "begins": bool, "ends": str}
        if not isinstance(data, Mapping):
            raise ActivationError(f"its reading rule is a {type(data).__name__}, and not a table of names and values")
        for name, value in data.items():
            if name not in kinds or not isinstance(value, kinds[name]):
                raise ActivationError(
                    f"its reading rule says {str(name)[:40]}: {str(value)[:40]}, which is not understood; it may say "
                    f"{', '.join(kinds)}"
                )
        substitutes = data.get("substitutes", {})
        if not all(isinstance(part, str) for pair in substitutes.items() for part in pair):
            raise ActivationError("the substitutes of its reading rule are not characters")
        return cls(**{**data, "substitutes": tuple(substitutes.items())})

    def __str__(self) -> str:
        parts = [f"as {self.read_as}"] if self.read_as else []
        parts += [self._spelled_substitutes] if self.substitutes else []
        parts += ["backwards"] if self.backwards else []
        parts += [f"with {SOS} before each document"] if self.begins else []
        parts += [f"with {EOS} at the end of {self.ends}"] if self.ends else []
        return ", ".join(parts) or "as it stands"

    @property
    def _spelled_substitutes(self) -> str:
        examples = ", ".join(f"{char!r} as {token!r}" for char, token in self.substitutes[:_N_NAMED])
        n_more = len(self.substitutes) - _N_NAMED
        return f"with {examples}" + (f" and {n_more} more characters as others" if n_more > 0 else "")

    @cached_property
    def _substitutes(self) -> dict[str, str]:
        return dict(self.substitutes)


PLAIN = ReadingRule()


def rule_of(model: object) -> ReadingRule:
    """Return a model's reading rule; a model without one reads the text as it stands."""
    rule = getattr(model, "reading_rule", PLAIN)
    if not isinstance(rule, ReadingRule):
        raise ActivationError(f"the model's reading_rule is a {type(rule).__name__}; make it by ReadingRule(...)")
    return rule


def _spelled(char: str, read_as: str) -> str:
    if read_as == "lower":
        return char.lower()[0]
    if read_as == "bytes":
        return char.encode("utf-8", "surrogatepass").decode("latin-1")
    return _as_ascii(char) if read_as == "ascii" else char


def _decoded(tokens: str) -> str:
    """Decode tokens that are bytes in UTF-8; tokens that are no bytes stay as they are."""
    decoder = getincrementaldecoder("utf-8")("replace")
    text = ""
    for is_byte, run in groupby(tokens, lambda token: ord(token) < N_BYTES):
        part = "".join(run)
        text += decoder.decode(part.encode("latin-1")) if is_byte else decoder.decode(b"", final=True) + part
    return text


def _as_ascii(char: str) -> str:
    """Spell a character in ASCII, or leave it as it is."""
    if char.isascii():
        return char
    if char in _ASCII:
        return _ASCII[char]
    if unicodedata.category(char) in ("Mn", "Me"):
        return ""
    parts = unicodedata.normalize("NFKD", char)
    if parts == char:
        return char
    spelled = "".join(_as_ascii(part) for part in parts)
    return spelled if spelled.isascii() and spelled else char
