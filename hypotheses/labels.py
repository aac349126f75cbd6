"""Labels: what a hypothesis says about each character of a text."""

import string
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hypotheses.errors import HypothesisError
from hypotheses.terminal.marks import takes_one_column

CharIndex = slice | NDArray[np.int64]
_MOST_TOO_MANY = 1_000_000  # labels that are counted of an answer that is too long: it may have no end
"""Selects characters of a text: a slice, or an array of their indices."""

Kind = Literal["binary", "categorical", "numeric"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MOST_NAME_CHARS = 1_000
"""The longest name of a class."""


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """One label for each character of a text.

    Attributes:
        values: (n_chars,) bool if binary, float64 if numeric, int32 indices into `names` if categorical; read-only. The
            value of a missing label means nothing.
        kind: `binary`, `categorical` or `numeric`.
        missing: (n_chars,) bool, True where there is no label, read-only; None if no label is missing.
        names: Names of the classes of categorical labels.
        cached_at: When they were made, if they were read from the cache.
        not_cached_because: Why slow labels were not cached, to end a sentence with; else empty.
        notes: Sentences about where they come from, if they were read from a file.
    """

    values: NDArray[Any]
    kind: Kind
    missing: NDArray[np.bool_] | None = None
    names: tuple[str, ...] = ()
    cached_at: datetime | None = None
    not_cached_because: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("values", "missing"):
            if (array := getattr(self, name)) is not None:
                view = array.view()
                view.flags.writeable = False
                object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: slice) -> "Labels":
        missing = None if self.missing is None else self.missing[index]
        return replace(self, values=self.values[index], missing=missing)

    @property
    def may_miss(self) -> bool:
        """True if any label may be missing."""
        return self.missing is not None

    def values_at(self, index: CharIndex) -> NDArray[Any]:
        """Return the (n_selected,) values of some characters; a view if the index is a slice."""
        return self.values[index]

    def missing_at(self, index: CharIndex) -> NDArray[np.bool_] | None:
        """Return (n_selected,) which labels of some characters are missing; None if no label is missing anywhere."""
        return None if self.missing is None else self.missing[index]

    @property
    def present(self) -> NDArray[np.bool_]:
        """(n_chars,) bool, True where there is a label."""
        return np.ones(len(self), bool) if self.missing is None else ~self.missing

    def tolist(self) -> list[Any]:
        """Return the labels as bools, numbers or names of classes, None where one is missing."""
        values = self.values.tolist()
        labels = [self.names[value] for value in values] if self.kind == "categorical" else values
        return [label if present else None for label, present in zip(labels, self.present.tolist(), strict=True)]

    def marks(self) -> str:
        """Return one mark for each label: x if True, . if False, 0 to 9 and a to z for 0 to 35, ? if missing.

        Numbers above 35 are marked +, negative ones -. Classes are marked by their first letters, or by a, b, c … in
        the order of their names if the first letters are not distinct, or too wide for one column.
        """
        alphabets = {
            "binary": ".x",
            "categorical": self.class_marks(self.names),
            "numeric": string.digits + string.ascii_lowercase,
        }
        alphabet = alphabets[self.kind]
        numbers = np.clip(np.floor(self.values.astype(float)), -1, len(alphabet)).astype(int).tolist()
        marks = [("-" if n < 0 else "+" if n >= len(alphabet) else alphabet[n]) for n in numbers]
        return "".join(mark if present else "?" for mark, present in zip(marks, self.present.tolist(), strict=True))

    @staticmethod
    def class_marks(names: Sequence[str]) -> str:
        """Return a mark for each class; see `marks`."""
        letters = [name[:1] for name in names]
        is_clear = all(letter.isalnum() and takes_one_column(letter) for letter in letters)
        if len(set(letters)) < len(letters) or not is_clear:
            letters = [*(string.ascii_letters + string.digits)[: len(names)], *"+" * len(names)][: len(names)]
        return "".join(letters)

    @classmethod
    def from_answer(cls, answer: Any, n_chars: int, kind: Kind | None = None, names: Sequence[str] = ()) -> "Labels":
        """Make labels of what a hypothesis function returned.

        Args:
            answer: Labels, an array, or a list; None and NaN are missing labels.
            n_chars: Number of characters of the text.
            kind: By default it is inferred: bools are binary, other numbers numeric, strings categorical.
            names: Names of the classes of categorical labels; whole numbers are indices into them. By default, the
                classes that occur.

        Raises:
            HypothesisError: If there is not one label per character, or the labels are not of the kind.
        """
        labels = answer if isinstance(answer, cls) else _from_array(_listed(answer, n_chars), kind, tuple(names))
        if names and labels.kind == "categorical" and labels.names != tuple(names):
            if unknown := sorted(set(labels.names) - set(names)):
                raise HypothesisError(
                    f"it gave the class {unknown[0]!r}, which is none of its names: {', '.join(names)}"
                )
            labels = cls(labels._values_among(tuple(names)), labels.kind, labels.missing, tuple(names))
        if len(labels) != n_chars:
            raise HypothesisError(
                f"it gave {len(labels):,} labels for a text of {n_chars:,} characters; expected one label per character"
            )
        return _checked(labels, kind or labels.kind)

    @classmethod
    def join(cls, parts: list["Labels"]) -> "Labels":
        """Join the labels of several documents.

        Raises:
            HypothesisError: If they are not all of one kind.
        """
        if len(parts) == 1:
            return parts[0]
        nonempty = [part for part in parts if part.present.any()] or parts[:1]
        kinds = {part.kind for part in nonempty}
        if len(kinds) > 1:
            raise HypothesisError(
                f"it gave {' and '.join(sorted(kinds))} labels for different documents; "
                "declare one with @hypothesis(kind=...)"
            )
        missing = None if all(part.missing is None for part in parts) else np.concatenate([~p.present for p in parts])
        names = nonempty[0].names
        if any(part.names != names for part in nonempty):
            names = tuple(sorted({name for part in nonempty for name in part.names}))
        dtype = nonempty[0].values.dtype
        values = np.concatenate([part._values_among(names).astype(dtype) for part in parts])
        return cls(values, nonempty[0].kind, missing, names)

    def _values_among(self, names: tuple[str, ...]) -> NDArray[Any]:
        """Return the values; if categorical, as indices into other names of classes."""
        if not self.names or self.names == names:
            return self.values
        indices = [names.index(name) if name in names else 0 for name in self.names]  # an absent class is only missing
        values: NDArray[Any] = np.array(indices, np.int32)[self.values]
        return values


def alike(parts: Sequence[Labels]) -> list[Labels]:
    """Return labels of several documents with the same kind and the same names of classes.

    Raises:
        HypothesisError: If they are of different kinds.
    """
    present = [part for part in parts if part.present.any()] or list(parts[:1])
    if len(kinds := {part.kind for part in present}) > 1:
        raise HypothesisError(f"there are {' and '.join(sorted(kinds))} labels for different documents; give one kind")
    if not parts:
        return []
    kind, dtype = present[0].kind, present[0].values.dtype
    names = present[0].names
    if any(part.names != names for part in present):
        names = tuple(sorted({name for part in present for name in part.names}))
    return [replace(p, values=p._values_among(names).astype(dtype), kind=kind, names=names) for p in parts]


def _from_array(answer: Any, kind: Kind | None, names: tuple[str, ...]) -> Labels:
    """Make labels of a list, an array, or anything that numpy converts to one."""
    if isinstance(answer, Set | Mapping | str | bytes):
        raise HypothesisError(f"it gave a {type(answer).__name__}; expected one label per character, in one dimension")
    try:
        array, missing = _values_and_missing(answer)
    except HypothesisError:
        raise
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise HypothesisError(
            f"it gave labels that do not fit one array ({error}); return one for each character"
        ) from error
    present = array[~missing]
    if len(present) and present.dtype.kind not in "biufU":
        raise HypothesisError(
            f"it gave labels such as {present.tolist()[0]!r}, which fit no kind; give bools, numbers, or names as "
            "strings"
        )
    if kind == "categorical" or (kind is None and len(present) and present.dtype.kind == "U"):
        present, names = _class_indices(present, names)
    elif present.dtype.kind == "U":
        raise HypothesisError(f"it gave the name {present.tolist()[0]!r}, and is declared to be {kind}")
    values: NDArray[Any] = np.zeros(len(array), present.dtype if len(present) else np.float64)
    values[~missing] = present
    inferred: Kind = "categorical" if names else "binary" if values.dtype == bool else "numeric"
    return Labels(values, kind or inferred, missing if missing.any() else None, names)


def _listed(answer: Any, n_chars: int) -> Any:
    """Return a list of what an answer gives that is no array and can be counted through; others as they are."""
    if isinstance(answer, list | Set | Mapping | str | bytes) or hasattr(answer, "__array__"):
        return answer
    return list(islice(answer, n_chars + _MOST_TOO_MANY)) if isinstance(answer, Iterable) else answer


def _values_and_missing(answer: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the answer as a 1-D array in which no value was converted to another type, and where it is missing."""
    if isinstance(answer, np.ma.MaskedArray):
        array, missing = answer.data, np.ma.getmaskarray(answer)
        return array, missing | (np.isnan(array) if array.dtype.kind == "f" else False)
    if isinstance(answer, list) and _is_flat(answer):
        return _from_objects(answer)
    array = np.asarray(answer)
    if array.ndim != 1:
        raise HypothesisError(
            f"it gave labels of shape {array.shape} ({type(answer).__name__}); expected one label per character, in "
            "one dimension"
        )
    if array.dtype == object:
        return _from_objects(array.tolist())
    return array, np.isnan(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)


def _is_flat(answer: list[Any]) -> bool:
    return not any(issubclass(kind, list | tuple | np.ndarray) for kind in set(map(type, answer)))


def _from_objects(labels: list[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Convert Python objects of one kind to an array, in which True is no number, and 1 no name."""
    if any(kind.__name__ == "NAType" for kind in set(map(type, labels))):  # of pandas, which is equal to nothing
        labels = [None if type(label).__name__ == "NAType" else label for label in labels]
    present = [label is not None and label == label for label in labels]
    first_of_kind: dict[str, tuple[int, Any]] = {}
    for t, (label, is_present) in enumerate(zip(labels, present, strict=True)):
        if is_present:
            kind = "bools" if isinstance(label, bool | np.bool_) else "names" if isinstance(label, str) else "numbers"
            first_of_kind.setdefault(kind, (t, label))
    if len(first_of_kind) > 1:
        (kind, _), (_, (t, label)) = list(first_of_kind.items())[:2]
        raise HypothesisError(
            f"it gave {kind} and, at character {t:,}, {label!r}; give all labels in one kind, and None where there is "
            "no label"
        )
    missing = ~np.array(present, bool)
    if "names" in first_of_kind:
        names = [str.__str__(label) if is_present else "" for label, is_present in zip(labels, present, strict=True)]
        longest = max(names, key=len)
        if len(longest) > MOST_NAME_CHARS:  # an array of names has room for the longest at every character
            raise HypothesisError(
                f"it gave a name of {len(longest):,} characters, {longest[:40]!r} …; the name of a class has at most "
                f"{MOST_NAME_CHARS:,}"
            )
        array: NDArray[Any] = np.array(names)
        return array, missing
    values = np.asarray([label for label, is_present in zip(labels, present, strict=True) if is_present])
    if values.dtype == object and all(isinstance(label, int | float) for label in values.tolist()):
        values = values.astype(np.float64)
    array = np.zeros(len(labels), values.dtype)
    array[~missing] = values
    return array, missing


def _class_indices(present: NDArray[Any], names: tuple[str, ...]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return categorical labels as indices into names of classes, and these names."""
    if names and present.dtype.kind in "biu":
        if len(present) and not (present.min() >= 0 and present.max() < len(names)):
            wrong = present.max() if present.min() >= 0 else present.min()
            raise HypothesisError(f"it gave the label {wrong}; its {len(names)} names are numbered from 0")
        return present.astype(np.int32), names
    unique, indices = np.unique(present, return_inverse=True)
    classes = tuple(str(name) for name in unique)
    if not names:
        return indices.astype(np.int32), classes
    if unknown := [name for name in classes if name not in names]:
        raise HypothesisError(f"it gave the label {unknown[0]!r}, which is none of its names: {', '.join(names)}")
    return np.array([names.index(name) for name in classes], np.int32)[indices], names


def _checked(labels: Labels, kind: Kind) -> Labels:
    """Return labels of a kind, in its dtype.

    Raises:
        HypothesisError: If they are not of the kind.
    """
    values = labels.values
    if kind not in KINDS:
        raise HypothesisError(f"it gave labels of kind {kind!r}; the kinds are {', '.join(KINDS)}")
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise HypothesisError(f"it gave {values.dtype} of shape {values.shape}; give one dimension of bools or numbers")
    if labels.missing is not None and labels.missing.shape != values.shape:
        raise HypothesisError(
            f"it gave {len(values):,} labels, but says of {len(labels.missing):,} whether they are missing"
        )
    if (kind == "categorical") != (labels.kind == "categorical"):
        raise HypothesisError(f"it gave {labels.kind} labels, and is declared to be {kind}")
    if kind == "binary":
        if values.dtype == bool:
            return Labels(values, kind, labels.missing)
        wrong = labels.present & (values != 0) & (values != 1)
        if wrong.any():
            raise HypothesisError(f"{_first_wrong(values, wrong)}, which is not binary; give True or False")
        return Labels(values.astype(bool), kind, labels.missing)
    if kind == "categorical":
        wrong = labels.present & ((values < 0) | (values >= len(labels.names)))
        if wrong.any():
            raise HypothesisError(f"{_first_wrong(values, wrong)}, and there are {len(labels.names)} names of classes")
        return Labels(values.astype(np.int32), kind, labels.missing, labels.names)
    numbers = values.astype(np.float64, copy=False)
    wrong = ~np.isfinite(numbers)
    if wrong.any() and (wrong := wrong & labels.present).any():
        raise HypothesisError(f"{_first_wrong(values, wrong)}; give finite numbers, and NaN for a missing label")
    return Labels(numbers, kind, labels.missing)


def _first_wrong(values: NDArray[Any], wrong: NDArray[np.bool_]) -> str:
    t = int(np.argmax(wrong))
    return f"it gave the label {values[t].item()!r} at character {t:,}"
