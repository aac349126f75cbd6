"""What the body of a request says, field by field, each within bounds."""

from collections.abc import Collection

from hypotheses.spelling import short_list
from probe.explorer.requests import RequestError, in_bounds, json_of

_MOST_POSITION = 1 << 40
_MOST_NAME_CHARS = 4_000
_LARGEST = 1e30


class Body:
    """A JSON object whose fields are read one by one; what is wrong with one is said in a sentence."""

    def __init__(self, content: bytes, *names: str) -> None:
        """Read a body.

        Args:
            content: Its bytes.
            names: The fields that it may have.

        Raises:
            RequestError: If it is no JSON object, or has another field; as of all methods here.
        """
        self._fields = json_of(content)
        if unknown := [name for name in self._fields if name not in names]:
            raise RequestError(
                f"the request has {unknown[0]!r:.50}, which is not known here; there are {short_list([*names])}"
            )

    def has(self, name: str) -> bool:
        """Tell whether there is a field, and it is not null."""
        return self._fields.get(name) is not None

    def whole(self, name: str, low: int = 0, high: int = _MOST_POSITION, default: int = 0) -> int:
        """Return a whole number from `low` to `high`."""
        number = self._fields.get(name, default)
        if type(number) is not int:
            raise RequestError(f"{name} is {number!r:.50}; it must be a whole number")
        return in_bounds(name, number, low, high)

    def number(self, name: str, default: float | None = None) -> float:
        """Return a finite number."""
        number = self._fields.get(name, default)
        if not isinstance(number, int | float) or isinstance(number, bool) or not abs(number) <= _LARGEST:
            raise RequestError(f"{name} is {number!r:.50}; it must be a number")
        return float(number)

    def text(self, name: str, most_chars: int = _MOST_NAME_CHARS, default: str | None = None) -> str:
        """Return a text of at most `most_chars` characters."""
        return self._text(name, self._fields.get(name, default), most_chars)

    def texts(self, name: str, most: int) -> list[str]:
        """Return at most `most` texts; none if there is no such field."""
        values = self._fields.get(name, [])
        if not isinstance(values, list) or len(values) > most:
            raise RequestError(f"{name} must be a list of at most {most} texts")
        return [self._text(name, value, _MOST_NAME_CHARS) for value in values]

    def choice(self, name: str, choices: Collection[str]) -> str:
        """Return a text that is one of some words."""
        word = self.text(name)
        if word not in choices:
            raise RequestError(f"{name} is {word!r:.50}; it must be {' or '.join(choices)}")
        return word

    @staticmethod
    def _text(name: str, value: object, most_chars: int) -> str:
        if not isinstance(value, str):
            raise RequestError(f"{name} is {value!r:.50}; it must be a text")
        if len(value) > most_chars:
            raise RequestError(f"{name} has {len(value):,} characters; it may have at most {most_chars:,}")
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise RequestError(f"{name} has half of a character (a surrogate) in it; remove it") from error
        return value
