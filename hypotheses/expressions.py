"""How hypotheses are spelled: names, parameters, and combinations of them, such as `in_quotes & ~in_comment`."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import COMPARISONS, Hypothesis

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<sign> [&|()~@] | [=!<>]= | [<>] )
  | (?P<atom> (?: '(?:[^']|'')*' | "(?:[^"]|"")*" | [^\s&|()~@<>=!'"] | (?<=\w)=(?!=) | ['"] )+ )
  | (?P<stray> \S )
    )""",
    re.VERBOSE,
)
_QUOTED = re.compile(r"""'((?:[^']|'')*)'|"((?:[^"]|"")*)\"""")


class _Token(NamedTuple):
    text: str
    is_sign: bool


def parse(spelled: str, find: Callable[[str], Hypothesis]) -> Hypothesis:
    """Make a hypothesis of how it is spelled.

    From the firmest to the loosest: `~`, `@` with a lag, comparisons (`== != >= <= > <` with a number or a class),
    `&`, `|`; parentheses group. What has blanks or signs in it stands in quotes, in which a doubled mark is one.

    Args:
        spelled: Such as `in_quotes & ~(indent_at_least:3 | position_in_line > 60)`.
        find: Gives the hypothesis for a name with its parameters, without quotes.

    Raises:
        HypothesisError: If it cannot be read.
    """
    tokens = list(_tokens(spelled))
    reader = _Reader(spelled, tokens, find)
    found = reader.disjunction()
    reader.end()
    return found


def _tokens(spelled: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(spelled.rstrip()):
        if match["stray"]:
            raise HypothesisError(f"{spelled!r} cannot be read at {match['stray']!r}; put names with signs in quotes")
        yield _Token(match["sign"] or match["atom"], match["sign"] is not None)


class _Reader:
    """Reads an expression from left to right."""

    def __init__(self, spelled: str, tokens: list[_Token], find: Callable[[str], Hypothesis]) -> None:
        self._spelled, self._tokens, self._find = spelled, tokens[::-1], find

    def disjunction(self) -> Hypothesis:
        found = self._conjunction()
        while self._take("|"):
            found = found | self._conjunction()
        return found

    def end(self) -> None:
        if self._tokens:
            raise self._unreadable(f"{self._tokens[-1].text!r} is not expected there")

    def _conjunction(self) -> Hypothesis:
        found = self._comparison()
        while self._take("&"):
            found = found & self._comparison()
        return found

    def _comparison(self) -> Hypothesis:
        found = self._negation()
        while self._take("@"):
            found = found.lagged(self._lag())
        if sign := self._take(*COMPARISONS):
            return found.compared(sign, self._atom(f"a number or a class behind {sign}"))
        return found

    def _negation(self) -> Hypothesis:
        if self._take("~"):
            return ~self._negation()
        if self._take("("):
            found = self.disjunction()
            if not self._take(")"):
                raise self._unreadable("a ) is missing")
            return found
        return self._find(self._atom("the name of a hypothesis"))

    def _lag(self) -> int:
        spelled = self._atom("a number of characters behind @")
        try:
            return int(spelled)
        except ValueError:
            raise self._unreadable(f"behind @ stands a whole number of characters, not {spelled!r}") from None

    def _take(self, *signs: str) -> str | None:
        if self._tokens and self._tokens[-1].is_sign and self._tokens[-1].text in signs:
            return self._tokens.pop().text
        return None

    def _atom(self, wanted: str) -> str:
        if not self._tokens or self._tokens[-1].is_sign:
            found = f"{self._tokens[-1].text!r} stands there" if self._tokens else "it ends"
            raise self._unreadable(f"{wanted} is due, and {found}")
        return _unquoted(self._tokens.pop().text)

    def _unreadable(self, why: str) -> HypothesisError:
        return HypothesisError(
            f"cannot read {self._spelled!r}: {why}; combinations are spelled like 'in_quotes & ~in_comment'"
        )


def _unquoted(atom: str) -> str:
    return _QUOTED.sub(lambda part: (part[1] or "").replace("''", "'") + (part[2] or "").replace('""', '"'), atom)
