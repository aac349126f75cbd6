"""The characters with which a match of a pattern of the library `re` may begin."""

import importlib
import re
from collections.abc import Iterable
from typing import Any

ASCII = frozenset(map(chr, range(128)))
_CATEGORIES = {
    f"CATEGORY_{name}": frozenset(char for char in ASCII if re.match(pattern, char))
    for name, pattern in (
        ("DIGIT", r"\d"), ("NOT_DIGIT", r"\D"), ("SPACE", r"\s"), ("NOT_SPACE", r"\S"), ("WORD", r"\w"),
        ("NOT_WORD", r"\W"),
    )
}  # fmt: skip


def first_characters(pattern: re.Pattern[str]) -> frozenset[str] | None:
    """Return the ASCII characters with which a match may begin; there may be fewer, but no others.

    None if a match may be empty, or if that is not known: the parser of `re` is not public, and may be another one in
    a later Python.
    """
    try:
        parsed = importlib.import_module("re._parser").parse(pattern.pattern, pattern.flags)
        firsts, may_be_empty = _of_sequence(parsed, pattern.flags)
    except (ImportError, AttributeError, LookupError, TypeError, ValueError):
        return None
    return None if may_be_empty else firsts


def _of_sequence(sequence: Iterable[tuple[Any, Any]], flags: int) -> tuple[frozenset[str], bool]:
    """Return the first characters of what a sequence of parsed operations matches, and whether it may be empty."""
    so_far: frozenset[str] = frozenset()
    for operation, argument in sequence:
        firsts, may_be_empty = _of_operation(str(operation), argument, flags)
        so_far |= firsts
        if not may_be_empty:
            return so_far, False
    return so_far, True


def _of_operation(operation: str, argument: Any, flags: int) -> tuple[frozenset[str], bool]:
    """Return the same for one operation."""
    match operation:
        case "LITERAL":
            return _of_character(argument, flags), False
        case "NOT_LITERAL":
            return (ASCII if flags & re.IGNORECASE else ASCII - _of_character(argument, flags)), False
        case "ANY":
            return ASCII, False
        case "IN":
            return _of_set(argument, flags), False
        case "AT" | "ASSERT" | "ASSERT_NOT":
            return frozenset(), True
        case "SUBPATTERN":
            _, added, removed, inner = argument
            return _of_sequence(inner, (flags | added) & ~removed)
        case "ATOMIC_GROUP":
            return _of_sequence(argument, flags)
        case "BRANCH":
            branches = [_of_sequence(branch, flags) for branch in argument[1]]
            return frozenset().union(*(firsts for firsts, _ in branches)), any(is_empty for _, is_empty in branches)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            fewest, _, inner = argument
            firsts, may_be_empty = _of_sequence(inner, flags)
            return firsts, may_be_empty or fewest == 0
    return ASCII, True  # a reference to a group, or what a later Python has


def _of_character(code: int, flags: int) -> frozenset[str]:
    """Return the ASCII characters that a literal matches; some beyond ASCII match a letter if case is ignored."""
    if flags & re.IGNORECASE:
        return ASCII if code > 127 else frozenset((chr(code).lower(), chr(code).upper()))
    return frozenset((chr(code),)) if code < 128 else frozenset()


def _of_set(items: Iterable[tuple[Any, Any]], flags: int) -> frozenset[str]:
    """Return the ASCII characters in a set such as `[a-z_]`."""
    within: frozenset[str] = frozenset()
    is_negated = False
    for operation, argument in items:
        match str(operation):
            case "NEGATE":
                is_negated = True
            case "LITERAL":
                within |= _of_character(argument, flags)
            case "RANGE":
                first, last = argument
                codes = range(first, min(last, 128 if flags & re.IGNORECASE else 127) + 1)
                within = within.union(*(_of_character(code, flags) for code in codes))
            case "CATEGORY":
                within |= _CATEGORIES[str(argument)]
            case _:
                return ASCII
    if is_negated:
        return ASCII if flags & re.IGNORECASE else ASCII - within
    return within
