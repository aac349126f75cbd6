"""Labels computed from other labels: and, or, not, lags and comparisons; and what identifies the combination.

Where a label is missing, the result is missing too, unless the other label decides it. And, or and not take binary
labels.
"""

import hashlib
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from hypotheses.errors import HypothesisError
from hypotheses.labels import Labels
from hypotheses.spelling import short_list, spell_number

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def conjunction(left: Labels, right: Labels) -> Labels:
    """Return labels that are True where both are True, False where one is False, and else missing."""
    return negation(disjunction(negation(left), negation(right)))


def disjunction(left: Labels, right: Labels) -> Labels:
    """Return labels that are True where one is True, False where both are False, and else missing."""
    values = (left.values & left.present) | (right.values & right.present)
    if left.missing is None and right.missing is None:
        return Labels(values, "binary")
    return Labels(values, "binary", ~values & ~(left.present & right.present))


def negation(labels: Labels) -> Labels:
    """Return labels that are True where these are False, and False where these are True."""
    return Labels(~labels.values, "binary", labels.missing)


def shifted(labels: Labels, lag: int) -> Labels:
    """Return for each character the label of the character `lag` later, missing where the text has none."""
    n_chars = len(labels)
    sources = np.arange(n_chars) + lag
    inside = (sources >= 0) & (sources < n_chars)
    sources = np.clip(sources, 0, max(n_chars - 1, 0))
    return Labels(labels.values[sources], labels.kind, ~(inside & labels.present[sources]), labels.names)


def compared(labels: Labels, sign: str, value: str | float) -> Labels:
    """Return labels that are True where the comparison of a label with a value holds.

    Args:
        labels: Classes or numbers.
        sign: A key of `COMPARISONS`; for classes, == or !=.
        value: The name of a class, or a number.

    Raises:
        HypothesisError: If such labels cannot be compared with such a value.
    """
    compare = COMPARISONS[sign]
    if labels.kind == "binary":
        raise HypothesisError("it is True or False already; remove the comparison, or negate the hypothesis with ~")
    if labels.kind == "numeric":
        try:
            number = float(value)
        except ValueError:
            raise HypothesisError(f"its labels are numbers, and {value!r} is none") from None
        return Labels(np.asarray(compare(labels.values, number)), "binary", labels.missing)
    if sign not in ("==", "!="):
        raise HypothesisError("its labels are classes, which have no order; compare with == or !=")
    name = value if isinstance(value, str) else spell_number(value)
    if name not in labels.names:
        raise HypothesisError(f"it has no class {name!r}; it has {short_list(labels.names)}")
    return Labels(np.asarray(compare(labels.values, labels.names.index(name))), "binary", labels.missing)


def common_separator(separators: Sequence[str | None]) -> str | None:
    """Return the longest separator if it begins and ends with every other one, so that it serves all; else None."""
    known = sorted((separator for separator in separators if separator is not None), key=len)
    is_common = len(known) == len(separators) and all(
        known[-1].endswith(separator) and known[-1].startswith(separator) for separator in known
    )
    return known[-1] if is_common else None


def combined_hash(operation: str, parts: Sequence[tuple[str | None, str | None, tuple[str, ...]]]) -> str | None:
    """Return the hash of a combination; None if a part has none.

    Args:
        operation: The operation with its operands.
        parts: The hash, the kind and the names of the classes of each part.
    """
    if any(definition_hash is None for definition_hash, _, _ in parts):
        return None
    return hashlib.sha256(f"{operation} {parts}".encode("utf-8", "surrogatepass")).hexdigest()
