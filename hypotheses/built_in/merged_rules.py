"""Runs the lexers of Pygments faster, with the same tokens.

A lexer of rules tries the patterns of a state one after the other at each token, in a loop of Python. Here the patterns
of a state are alternatives of one pattern, so that they are tried within the library `re`. An empty group after each
tells which of them has matched.
"""

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from types import FunctionType
from typing import Any

from pygments.lexer import Lexer, RegexLexer
from pygments.token import Error, Whitespace, _TokenType

_Match = Callable[[str, int], re.Match[str] | None]
_Token = tuple[int, _TokenType, str]
_Rule = tuple[_Match, Any, Any]
"""What Pygments makes of a rule: the pattern, the type of its token or what makes tokens of it, and the next state."""

_NOT_MERGED = re.compile(r"\\[1-9]|\(\?P|\(\?\(|^\(\?[a-zA-Z]+\)")
"""References to groups, whose numbers would change, names of groups, and flags for a whole pattern."""


def merged(lexer: Lexer) -> Lexer:
    """Return a lexer with the same tokens that is faster, or the same lexer if it does not go by rules.

    The new lexer has no options.
    """
    lexer_class: Any = type(lexer)
    if not isinstance(lexer, RegexLexer) or "_tokens" not in vars(lexer_class) or "_tokens" in vars(lexer):
        return lexer
    faster: Lexer = _merged_class(lexer_class)()
    return faster


@functools.cache
def _merged_class(lexer_class: Any) -> Any:
    """Return a class of lexers with the same rules, whose loop is that of this module."""
    method = lexer_class.get_tokens_unprocessed
    if method is RegexLexer.get_tokens_unprocessed:
        method = _read
    elif isinstance(method, FunctionType) and method.__globals__.get("RegexLexer") is RegexLexer:
        # It asks RegexLexer for the tokens and changes some of their types, as that of C does: let it ask this module.
        variables = {**method.__globals__, "RegexLexer": _Merged}
        method = FunctionType(method.__code__, variables, method.__name__, method.__defaults__, method.__closure__)
    else:
        return lexer_class
    members = {
        "__module__": lexer_class.__module__,
        "_tokens": lexer_class._tokens,
        "_merged_states": _States(lexer_class),
        "get_tokens_unprocessed": method,
    }
    return type(lexer_class)(lexer_class.__name__, (lexer_class,), members)


def _read(lexer: Any, text: str, stack: Iterable[str] = ("root",)) -> Iterator[_Token]:
    """Yield the tokens of a text, as `RegexLexer.get_tokens_unprocessed` does."""
    states = lexer._merged_states
    names, position = list(stack), 0
    rules = states[names[-1]]
    while True:
        for match, by_group in rules:
            matched = match(text, position)
            if matched is None:
                continue
            alone, action, new_state = by_group[matched.lastindex or 0]
            if action is not None:
                if type(action) is _TokenType:
                    yield position, action, matched.group()
                else:  # it may ask for groups by number, which are those of the pattern alone
                    yield from action(lexer, alone(text, position))
            position = matched.end()
            if new_state is not None:
                _change(names, new_state)
                rules = states[names[-1]]
            break
        else:
            if position >= len(text):
                return
            if text[position] == "\n":
                names, rules = ["root"], states["root"]
                yield position, Whitespace, "\n"
            else:
                yield position, Error, text[position]
            position += 1


class _Merged:
    """Stands for `RegexLexer` in lexers that ask it for the tokens."""

    get_tokens_unprocessed = staticmethod(_read)


class _States(dict[str, list[tuple[_Match, Any]]]):
    """The states of a lexer by name, each with its patterns, and by the group that matched last the rule that it is of.

    A state is merged when it is first used.
    """

    def __init__(self, lexer: Any) -> None:
        super().__init__()
        self._rules, self._flags = lexer._tokens, lexer.flags

    def __missing__(self, name: str) -> list[tuple[_Match, Any]]:
        merged: list[tuple[_Match, Any]] = []
        neighbours: list[_Rule] = []
        for rule in self._rules[name]:
            if _NOT_MERGED.search(rule[0].__self__.pattern):
                merged += [*_merge(neighbours, self._flags), *_merge([rule], self._flags)]
                neighbours = []
            else:
                neighbours.append(rule)
        merged += _merge(neighbours, self._flags)
        self[name] = merged
        return merged


def _merge(rules: list[_Rule], flags: int) -> list[tuple[_Match, Any]]:
    """Merge the patterns of some rules into one, or return each alone where that is not possible."""
    alone: list[tuple[_Match, Any]] = [(match, _AnyGroup(rule)) for rule in rules for match in rule[:1]]
    if len(rules) < 2:
        return alone
    end = "\n" if flags & re.VERBOSE else ""  # a pattern may end in a comment
    by_group: list[_Rule | None] = [None]
    patterns: list[str] = []
    for rule in rules:
        pattern: re.Pattern[str] = rule[0].__self__  # type: ignore[attr-defined]
        patterns.append(f"(?:{pattern.pattern}{end})()")
        by_group += [None] * pattern.groups + [rule]
    try:
        return [(re.compile("|".join(patterns), flags).match, by_group)]
    except re.error:
        return alone


class _AnyGroup:
    """Gives one rule, whichever group has matched."""

    def __init__(self, rule: _Rule) -> None:
        self._rule = rule

    def __getitem__(self, group: int) -> _Rule:
        return self._rule


def _change(names: list[str], new_state: Any) -> None:
    """Change the stack of states as a rule says; at least one state is kept."""
    if isinstance(new_state, tuple):
        for state in new_state:
            if state == "#pop":
                if len(names) > 1:
                    names.pop()
            elif state == "#push":
                names.append(names[-1])
            else:
                names.append(state)
    elif isinstance(new_state, int):
        del names[new_state if abs(new_state) < len(names) else 1 :]
    elif new_state == "#push":
        names.append(names[-1])
