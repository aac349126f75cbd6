"""Labels: what a hypothesis says of each character."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hypotheses.errors import HypothesisError

Kind = Literal["binary", "numeric"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """One label for each character of a text.

    Attributes:
        values: (n_chars,) bool if binary, float64 if numeric, read-only. What stands where a label is missing
            means nothing.
        kind: `binary` or `numeric`.
        missing: (n_chars,) bool, True where there is nothing to say, read-only; or None if there is always
            something.
    """

    values: NDArray[Any]
    kind: Kind
    missing: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        self.values.flags.writeable = False
        if self.missing is not None:
            self.missing.flags.writeable = False

    def __len__(self) -> int:
        return len(self.values)

    @property
    def present(self) -> NDArray[np.bool_]:
        """(n_chars,) bool, True where there is a label."""
        return np.ones(len(self), bool) if self.missing is None else ~self.missing

    @classmethod
    def of(cls, answer: Any, n_chars: int, kind: Kind | None = None) -> "Labels":
        """Labels from what a hypothesis function returned.

        Args:
            answer: Labels, an array, or a list; None and NaN are missing labels.
            n_chars: How many are due.
            kind: None infers it: bools are binary, other numbers numeric.

        Raises:
            HypothesisError: If the length is not `n_chars`, or the values are not of the kind.
        """
        if isinstance(answer, cls):
            labels = answer
        else:
            values, missing = _to_array(answer)
            labels = cls(values, kind or ("binary" if values.dtype == bool else "numeric"), missing)
        if len(labels) != n_chars:
            raise HypothesisError(
                f"it gave {len(labels):,} labels for a text of {n_chars:,} characters; one each is due"
            )
        return _in_kind(labels, kind or labels.kind)

    @classmethod
    def join(cls, parts: list["Labels"]) -> "Labels":
        """The labels of several documents as one.

        Raises:
            HypothesisError: If they are not all of one kind.
        """
        kinds = {part.kind for part in parts}
        if len(kinds) > 1:
            raise HypothesisError(
                f"it gave {' and '.join(sorted(kinds))} labels for different documents; "
                "declare one with @hypothesis(kind=...)"
            )
        missing = None if all(part.missing is None for part in parts) else np.concatenate([~p.present for p in parts])
        return cls(np.concatenate([part.values for part in parts]), kinds.pop(), missing)


def _to_array(answer: Any) -> tuple[NDArray[Any], NDArray[np.bool_] | None]:
    try:
        array = np.asarray(answer)
    except ValueError as error:
        raise HypothesisError(
            f"it gave labels that do not fit one array ({error}); return one for each character"
        ) from error
    if array.ndim != 1:
        raise HypothesisError(
            f"it gave {type(answer).__name__} of shape {array.shape}; one label for each character is due, in one row"
        )
    if array.dtype == object:
        missing = np.array([label is None for label in array], bool)
        present = np.asarray(array[~missing].tolist())
        filled = np.zeros(len(array), present.dtype if len(present) else np.float64)
        filled[~missing] = present
        array = filled
    else:
        missing = np.zeros(len(array), bool)
    if np.issubdtype(array.dtype, np.floating):
        missing |= np.isnan(array)
        array = np.where(missing, 0.0, array)
    elif array.dtype != bool and not np.issubdtype(array.dtype, np.integer) and len(array):
        raise HypothesisError(f"it gave labels such as {array[0]!r}, which are neither bools nor numbers")
    return np.array(array), missing if missing.any() else None


def _in_kind(labels: Labels, kind: Kind) -> Labels:
    values = labels.values
    if kind == "binary":
        wrong = labels.present & (values != 0) & (values != 1)
        if wrong.any():
            raise HypothesisError(
                f"it gave the label {values[np.argmax(wrong)]!r}, which is not binary; give True or False"
            )
        return Labels(values.astype(bool), kind, labels.missing)
    wrong = labels.present & ~np.isfinite(values.astype(np.float64))
    if wrong.any():
        raise HypothesisError(
            f"it gave the label {values[np.argmax(wrong)]!r}; give finite numbers, NaN where there is none"
        )
    return Labels(values.astype(np.float64), kind, labels.missing)
