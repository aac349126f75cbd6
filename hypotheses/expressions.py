"""The language in which hypotheses are combined: `in_quotes & ~in_comment`, `position_in_line >= 40`."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from hypotheses.combining import COMPARISONS
from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import Hypothesis

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
    """Make a hypothesis of an expression.

    From the tightest to the loosest, signs are: `~`, `@` with a lag, comparisons (`== != >= <= > <` with a number or a
    class), `&`, `|`; parentheses group. Names and parameters with blanks or signs in them are written in quotes, within
    which a quotation mark is doubled.

    Args:
        spelled: An expression such as `in_quotes & ~(indent_at_least:3 | position_in_line > 60)`.
        find: Returns the hypothesis for a name with its parameters, without quotes.

    Raises:
        HypothesisError: If it cannot be read.
    """
    parser = _Parser(spelled, list(_tokens(spelled)), find)
    hypothesis = parser.disjunction()
    parser.expect_end()
    return hypothesis


def _tokens(spelled: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(spelled.rstrip()):
        if match["stray"]:
            advice = "a comparison is spelled with ==" if match["stray"] == "=" else "put names with signs in quotes"
            raise HypothesisError(f"{spelled!r} cannot be read at {match['stray']!r}; {advice}")
        yield _Token(match["sign"] or match["atom"], match["sign"] is not None)


class _Parser:
    """A recursive-descent parser: a method for each level of precedence."""

    def __init__(self, spelled: str, tokens: list[_Token], find: Callable[[str], Hypothesis]) -> None:
        self._spelled, self._tokens, self._find = spelled, tokens[::-1], find

    def disjunction(self) -> Hypothesis:
        hypothesis = self._conjunction()
        while self._accept("|"):
            hypothesis = hypothesis | self._conjunction()
        return hypothesis

    def expect_end(self) -> None:
        if self._tokens:
            token = self._tokens[-1].text
            advice = "; parameters with signs in them are in quotes, as in regex:'(a|b)'" if token in "()" else ""
            raise self._error(f"{token!r} is not expected there{advice}")

    def _conjunction(self) -> Hypothesis:
        hypothesis = self._comparison()
        while self._accept("&"):
            hypothesis = hypothesis & self._comparison()
        return hypothesis

    def _comparison(self) -> Hypothesis:
        hypothesis = self._negation()
        while self._accept("@"):
            hypothesis = hypothesis.lagged(self._lag())
        if sign := self._accept(*COMPARISONS):
            return hypothesis.compared(sign, self._atom(f"a number or a class after {sign}"))
        return hypothesis

    def _negation(self) -> Hypothesis:
        if self._accept("~"):
            return ~self._negation()
        if self._accept("("):
            hypothesis = self.disjunction()
            if not self._accept(")"):
                raise self._error("a ) is missing")
            return hypothesis
        return self._find(self._atom("the name of a hypothesis"))

    def _lag(self) -> int:
        spelled = self._atom("a number of characters after @")
        try:
            return int(spelled)
        except ValueError:
            raise self._error(f"expected a whole number of characters after @, not {spelled!r}") from None

    def _accept(self, *signs: str) -> str | None:
        """Consume the next token if it is one of these signs, and return it."""
        if self._tokens and self._tokens[-1].is_sign and self._tokens[-1].text in signs:
            return self._tokens.pop().text
        return None

    def _atom(self, expected: str) -> str:
        """Consume a name, parameter or number, and return it without quotes."""
        if not self._tokens or self._tokens[-1].is_sign:
            next_token = repr(self._tokens[-1].text) if self._tokens else "the end"
            raise self._error(f"expected {expected}, not {next_token}")
        return _unquoted(self._tokens.pop().text)

    def _error(self, why: str) -> HypothesisError:
        return HypothesisError(
            f"cannot read {self._spelled!r}: {why}; combinations are spelled like 'in_quotes & ~in_comment'"
        )


def _unquoted(atom: str) -> str:
    return _QUOTED.sub(lambda part: (part[1] or "").replace("''", "'") + (part[2] or "").replace('""', '"'), atom)
