"""Labels of other labels: and, or, not, and comparisons.

Where a label is missing, so is what depends on it, unless another decides. And, or and not are of binary labels.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from hypotheses.errors import HypothesisError
from hypotheses.labels import Labels
from hypotheses.spelling import short_list, spell_number


def conjunction(left: Labels, right: Labels) -> Labels:
    """True where both are, False where one is False, else missing."""
    return negation(disjunction(negation(left), negation(right)))


def disjunction(left: Labels, right: Labels) -> Labels:
    """True where one is True, False where both are False, else missing."""
    values = (left.values & left.present) | (right.values & right.present)
    if left.missing is None and right.missing is None:
        return Labels(values, "binary")
    return Labels(values, "binary", ~values & ~(left.present & right.present))


def shifted(labels: Labels, lag: int) -> Labels:
    """The label of the character so many later, missing where the text has none."""
    n_chars = len(labels)
    places = np.arange(n_chars) + lag
    inside = (places >= 0) & (places < n_chars)
    places = np.clip(places, 0, max(n_chars - 1, 0))
    return Labels(labels.values[places], labels.kind, ~(inside & labels.present[places]), labels.names)


def negation(labels: Labels) -> Labels:
    """True where it is False."""
    return Labels(~labels.values, "binary", labels.missing)


def compared(labels: Labels, sign: Callable[[Any, Any], Any], value: str | float, *, ordered: bool) -> Labels:
    """True where the label and a value compare so.

    Args:
        labels: Classes or numbers.
        sign: Of the module `operator`.
        value: The name of a class, or a number.
        ordered: Whether the sign asks for an order, which classes have not.
    """
    if labels.kind == "binary":
        raise HypothesisError("it is True or False already; leave the comparison away, or put ~ before it")
    if labels.kind == "numeric":
        try:
            number = float(value)
        except ValueError:
            raise HypothesisError(f"its labels are numbers, and {value!r} is none") from None
        return Labels(np.asarray(sign(labels.values, number)), "binary", labels.missing)
    if ordered:
        raise HypothesisError("its labels are classes, which have no order; compare with == or !=")
    name = value if isinstance(value, str) else spell_number(value)
    if name not in labels.names:
        raise HypothesisError(f"it has no class {name!r}; it has {short_list(labels.names)}")
    return Labels(np.asarray(sign(labels.values, labels.names.index(name))), "binary", labels.missing)
