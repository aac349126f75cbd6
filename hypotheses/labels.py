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
        for name in ("values", "missing"):
            if (array := getattr(self, name)) is not None:
                view = array.view()
                view.flags.writeable = False
                object.__setattr__(self, name, view)

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
        labels = answer if isinstance(answer, cls) else _from_array(answer, kind)
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
        told = [part for part in parts if part.present.any()] or parts[:1]
        kinds = {part.kind for part in told}
        if len(kinds) > 1:
            raise HypothesisError(
                f"it gave {' and '.join(sorted(kinds))} labels for different documents; "
                "declare one with @hypothesis(kind=...)"
            )
        missing = None if all(part.missing is None for part in parts) else np.concatenate([~p.present for p in parts])
        dtype = told[0].values.dtype
        return cls(np.concatenate([part.values.astype(dtype) for part in parts]), told[0].kind, missing)


def _from_array(answer: Any, kind: Kind | None) -> Labels:
    """Labels of what a function returned: a list, an array, or anything that numpy makes one of."""
    try:
        array = np.asarray(answer)
        if array.ndim == 1 and array.dtype == object:
            missing = np.array([label is None or label != label for label in array], bool)
            present = np.asarray(array[~missing].tolist())
        else:
            missing = np.isnan(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)
            present = array[~missing] if array.ndim == 1 else array
    except (TypeError, ValueError, RuntimeError) as error:
        raise HypothesisError(
            f"it gave labels that do not fit one array ({error}); return one for each character"
        ) from error
    if array.ndim != 1 or present.ndim != 1:
        raise HypothesisError(
            f"it gave {type(answer).__name__} of shape {array.shape}; one label for each character is due, in one row"
        )
    if len(present) and present.dtype.kind not in "biuf":
        raise HypothesisError(f"it gave labels such as {present[0]!r}, which are neither bools nor numbers")
    values: NDArray[Any] = np.zeros(len(array), present.dtype if len(present) else np.float64)
    values[~missing] = present
    inferred: Kind = "binary" if values.dtype == bool else "numeric"
    return Labels(values, kind or inferred, missing if missing.any() else None)


def _in_kind(labels: Labels, kind: Kind) -> Labels:
    values = labels.values
    if kind not in KINDS:
        raise HypothesisError(f"it gave labels of kind {kind!r}; the kinds are {', '.join(KINDS)}")
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise HypothesisError(f"it gave {values.dtype} of shape {values.shape}; give one row of bools or numbers")
    if labels.missing is not None and labels.missing.shape != values.shape:
        raise HypothesisError(
            f"it gave {len(values):,} labels, and says of {len(labels.missing):,} whether they are missing"
        )
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
