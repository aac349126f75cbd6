"""Runs the lexers of Pygments faster, with the same tokens.

A lexer of rules tries the patterns of a state one after the other at each token. Here only those are tried that can
begin with the next character: some five of fifty.
"""

import functools
from collections.abc import Iterable, Iterator
from types import FunctionType
from typing import Any

from pygments.lexer import ExtendedRegexLexer, Lexer, LexerContext, RegexLexer
from pygments.token import Error, Text, Whitespace, _TokenType

from hypotheses.pygments_tokens.first_characters import first_characters

_Token = tuple[int, _TokenType, str]
_Rule = tuple[Any, Any, Any]
"""What Pygments makes of a rule: what matches its pattern, the type of its token or what makes tokens of the match, and
the next state."""


def faster(lexer: Lexer) -> Lexer:
    """Return a lexer with the same tokens that is faster, or the same lexer if it does not go by rules.

    The new lexer has no options.
    """
    lexer_class: Any = type(lexer)
    if not isinstance(lexer, RegexLexer) or "_tokens" not in vars(lexer_class) or "_tokens" in vars(lexer):
        return lexer
    made: Lexer = _faster_class(lexer_class)()
    return made


@functools.cache
def _faster_class(lexer_class: Any) -> Any:
    """Return a class of lexers with the same rules, whose loop is that of this module."""
    method = lexer_class.get_tokens_unprocessed
    if method is RegexLexer.get_tokens_unprocessed:
        method = _read
    elif method is ExtendedRegexLexer.get_tokens_unprocessed:
        method = _read_with_context
    elif isinstance(method, FunctionType) and method.__globals__.get("RegexLexer") is RegexLexer:
        # It asks RegexLexer for the tokens and changes some of their types, as that of C does: let it ask this module.
        variables = {**method.__globals__, "RegexLexer": _StandIn}
        method = FunctionType(method.__code__, variables, method.__name__, method.__defaults__, method.__closure__)
    else:
        return lexer_class
    members = {
        "__module__": lexer_class.__module__,
        "_tokens": lexer_class._tokens,
        "_states": _States(lexer_class._tokens),
        "get_tokens_unprocessed": method,
    }
    return type(lexer_class)(lexer_class.__name__, (lexer_class,), members)


def _read(lexer: Any, text: str, stack: Iterable[str] = ("root",)) -> Iterator[_Token]:
    """Yield the tokens of a text, as `RegexLexer.get_tokens_unprocessed` does."""
    states = lexer._states
    names, position = list(stack), 0
    rules = states[names[-1]]
    while True:
        for match, action, new_state in rules[text[position : position + 1]]:
            matched = match(text, position)
            if matched is None:
                continue
            if action is not None:
                if type(action) is _TokenType:
                    yield position, action, matched.group()
                else:
                    yield from action(lexer, matched)
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


class _StandIn:
    """Stands for `RegexLexer` in lexers that ask it for the tokens."""

    get_tokens_unprocessed = staticmethod(_read)


def _read_with_context(lexer: Any, text: str | None = None, context: LexerContext | None = None) -> Iterator[_Token]:
    """Yield the tokens of a text, as `ExtendedRegexLexer.get_tokens_unprocessed` does: actions may change the state."""
    states = lexer._states
    at: Any = context or LexerContext(text, 0)
    text = at.text
    rules = states[at.stack[-1]]
    while True:
        for match, action, new_state in rules[text[at.pos : min(at.pos + 1, at.end)]]:
            matched = match(text, at.pos, at.end)
            if matched is None:
                continue
            if type(action) is _TokenType:
                yield at.pos, action, matched.group()
                at.pos = matched.end()
            elif action is not None:
                yield from action(lexer, matched, at)
            if new_state is not None:
                _change(at.stack, new_state)
            rules = states[at.stack[-1]]
            break
        else:
            if at.pos >= min(at.end, len(text)):
                return
            if text[at.pos] == "\n":
                at.stack, rules = ["root"], states["root"]
                yield at.pos, Text, "\n"
            else:
                yield at.pos, Error, text[at.pos]
            at.pos += 1


class _States(dict[str, "_Rules"]):
    """The rules of a lexer, by state; those of a state are prepared when it is first used."""

    def __init__(self, rules_by_state: dict[str, list[_Rule]]) -> None:
        super().__init__()
        self._rules_by_state = rules_by_state

    def __missing__(self, name: str) -> "_Rules":
        self[name] = rules = _Rules(self._rules_by_state[name])
        return rules


class _Rules(dict[str, list[_Rule]]):
    """The rules of a state in their order, by the next character, or an empty string at the end of the text."""

    def __init__(self, rules: list[_Rule]) -> None:
        super().__init__()
        self._rules = [(rule, first_characters(rule[0].__self__)) for rule in rules]

    def __missing__(self, char: str) -> list[_Rule]:
        if char.isascii():
            possible = [rule for rule, firsts in self._rules if firsts is None or char in firsts]
        else:
            possible = [rule for rule, _ in self._rules]
        self[char] = possible
        return possible


def _change(names: list[str], new_state: Any) -> None:
    """Change the stack of states as a rule says; at least one state is kept."""
    if isinstance(new_state, tuple):
        for name in new_state:
            if name == "#pop":
                if len(names) > 1:
                    names.pop()
            else:
                names.append(names[-1] if name == "#push" else name)
    elif isinstance(new_state, int):
        del names[new_state if abs(new_state) < len(names) else 1 :]
    elif new_state == "#push":
        names.append(names[-1])
