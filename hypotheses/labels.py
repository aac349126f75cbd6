"""Labels: what a hypothesis says of each character."""

import string
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hypotheses.errors import HypothesisError

CharIndex = slice | NDArray[np.int64]
"""Of some characters of a text: a slice, or (n_chars,) numbers."""

Kind = Literal["binary", "categorical", "numeric"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """One label for each character of a text.

    Attributes:
        values: (n_chars,) bool if binary, float64 if numeric, int32 places in `names` if categorical; read-only. What
            stands where a label is missing means nothing.
        kind: `binary`, `categorical` or `numeric`.
        missing: (n_chars,) bool, True where there is nothing to say, read-only; or None if there is always
            something.
        names: Of the classes of categorical labels.
        cached_at: When they were made, if they are from the disk.
        not_cached_because: Why slow labels were not cached, to end a sentence with; else empty.
    """

    values: NDArray[Any]
    kind: Kind
    missing: NDArray[np.bool_] | None = None
    names: tuple[str, ...] = ()
    cached_at: datetime | None = None
    not_cached_because: str = ""

    def __post_init__(self) -> None:
        for name in ("values", "missing"):
            if (array := getattr(self, name)) is not None:
                view = array.view()
                view.flags.writeable = False
                object.__setattr__(self, name, view)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, place: slice) -> "Labels":
        missing = None if self.missing is None else self.missing[place]
        return replace(self, values=self.values[place], missing=missing)

    @property
    def may_miss(self) -> bool:
        """Whether labels may be missing anywhere."""
        return self.missing is not None

    def values_at(self, places: CharIndex) -> NDArray[Any]:
        """(n_chars,) the values of some characters; a view if they are a slice."""
        return self.values[places]

    def missing_at(self, places: CharIndex) -> NDArray[np.bool_] | None:
        """(n_chars,) where labels of some characters are missing; None if none is missing anywhere."""
        return None if self.missing is None else self.missing[places]

    @property
    def present(self) -> NDArray[np.bool_]:
        """(n_chars,) bool, True where there is a label."""
        return np.ones(len(self), bool) if self.missing is None else ~self.missing

    def tolist(self) -> list[Any]:
        """The labels as bools, numbers or names, None where one is missing."""
        values = self.values.tolist()
        spelled = [self.names[value] for value in values] if self.kind == "categorical" else values
        return [label if there else None for label, there in zip(spelled, self.present.tolist(), strict=True)]

    def marks(self) -> str:
        """One character for each label: x for True, 0 to 9 and a to z for 0 to 35, + above, - below, ? if missing.

        Classes are marked by their first letters, or by a, b, c … in the order of their names if these are not
        distinct.
        """
        marks = {
            "binary": ".x",
            "categorical": self.class_marks(self.names),
            "numeric": string.digits + string.ascii_lowercase,
        }
        found = marks[self.kind]
        places = np.clip(np.floor(self.values.astype(float)), -1, len(found)).astype(int).tolist()
        shown = [("-" if place < 0 else "+" if place >= len(found) else found[place]) for place in places]
        return "".join(mark if there else "?" for mark, there in zip(shown, self.present.tolist(), strict=True))

    @staticmethod
    def class_marks(names: Sequence[str]) -> str:
        """A mark for each class; see `marks`."""
        letters = [name[:1] for name in names]
        if len(set(letters)) < len(letters) or not all(letter.isalnum() for letter in letters):
            letters = [*(string.ascii_letters + string.digits)[: len(names)], *"+" * len(names)][: len(names)]
        return "".join(letters)

    @classmethod
    def from_answer(cls, answer: Any, n_chars: int, kind: Kind | None = None, names: Sequence[str] = ()) -> "Labels":
        """Labels from what a hypothesis function returned.

        Args:
            answer: Labels, an array, or a list; None and NaN are missing labels.
            n_chars: How many are due.
            kind: None infers it: bools are binary, other numbers numeric, strings categorical.
            names: Of the classes, if they are categorical; whole numbers are places in it. None takes those that occur.

        Raises:
            HypothesisError: If the length is not `n_chars`, or the values are not of the kind.
        """
        labels = answer if isinstance(answer, cls) else _from_array(answer, kind, tuple(names))
        if names and labels.kind == "categorical" and labels.names != tuple(names):
            if unknown := sorted(set(labels.names) - set(names)):
                raise HypothesisError(
                    f"it gave the class {unknown[0]!r}, which is none of its names: {', '.join(names)}"
                )
            labels = cls(labels._places(tuple(names)), labels.kind, labels.missing, tuple(names))
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
        if len(parts) == 1:
            return parts[0]
        told = [part for part in parts if part.present.any()] or parts[:1]
        kinds = {part.kind for part in told}
        if len(kinds) > 1:
            raise HypothesisError(
                f"it gave {' and '.join(sorted(kinds))} labels for different documents; "
                "declare one with @hypothesis(kind=...)"
            )
        missing = None if all(part.missing is None for part in parts) else np.concatenate([~p.present for p in parts])
        names = told[0].names
        if any(part.names != names for part in told):
            names = tuple(sorted({name for part in told for name in part.names}))
        dtype = told[0].values.dtype
        return cls(np.concatenate([part._places(names).astype(dtype) for part in parts]), told[0].kind, missing, names)

    def _places(self, names: tuple[str, ...]) -> NDArray[Any]:
        """The values, as places among these names if they are categorical."""
        if not self.names or self.names == names:
            return self.values
        among = [names.index(name) if name in names else 0 for name in self.names]  # a missing label may have any name
        places: NDArray[Any] = np.array(among, np.int32)[self.values]
        return places


def _from_array(answer: Any, kind: Kind | None, names: tuple[str, ...]) -> Labels:
    """Labels of what a function returned: a list, an array, or anything that numpy makes one of."""
    if isinstance(answer, Set | Mapping | str | bytes):
        raise HypothesisError(f"it gave a {type(answer).__name__}; one label for each character is due, in one row")
    try:
        array, missing = _present(answer)
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
        present, names = _places_of(present, names)
    elif present.dtype.kind == "U":
        raise HypothesisError(f"it gave the name {present.tolist()[0]!r}, and is declared to be {kind}")
    values: NDArray[Any] = np.zeros(len(array), present.dtype if len(present) else np.float64)
    values[~missing] = present
    inferred: Kind = "categorical" if names else "binary" if values.dtype == bool else "numeric"
    return Labels(values, kind or inferred, missing if missing.any() else None, names)


def _present(answer: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The answer as one row, in which nothing has been turned into something else, and where labels are missing."""
    if isinstance(answer, np.ma.MaskedArray):
        array, missing = answer.data, np.ma.getmaskarray(answer)
        return array, missing | (np.isnan(array) if array.dtype.kind == "f" else False)
    if isinstance(answer, Iterable) and not hasattr(answer, "__array__"):
        answer = answer if isinstance(answer, list) else list(answer)
        if _is_row(answer):
            return _of_objects(answer)
    array = np.asarray(answer)
    if array.ndim != 1:
        raise HypothesisError(
            f"it gave {type(answer).__name__} of shape {array.shape}; one label for each character is due, in one row"
        )
    if array.dtype == object:
        return _of_objects(array.tolist())
    return array, np.isnan(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)


def _is_row(answer: list[Any]) -> bool:
    return not any(issubclass(each, list | tuple | np.ndarray) for each in set(map(type, answer)))


def _of_objects(labels: list[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Labels of Python, all of one kind: True is no number, and 1 no name."""
    there = [label is not None and label == label for label in labels]
    kinds: dict[str, tuple[int, Any]] = {}
    for place, (label, is_there) in enumerate(zip(labels, there, strict=True)):
        if is_there:
            name = "bools" if isinstance(label, bool | np.bool_) else "names" if isinstance(label, str) else "numbers"
            kinds.setdefault(name, (place, label))
    if len(kinds) > 1:
        (one, _), (_, (place, label)) = list(kinds.items())[:2]
        raise HypothesisError(
            f"it gave {one} and, at character {place:,}, {label!r}; give all labels in one kind, None where there is "
            "nothing to say"
        )
    missing = ~np.array(there, bool)
    if "names" in kinds:
        array: NDArray[Any] = np.array(
            [str.__str__(label) if known else "" for label, known in zip(labels, there, strict=True)]
        )
        return array, missing
    filled = np.asarray([label for label, known in zip(labels, there, strict=True) if known])
    if filled.dtype == object and all(isinstance(label, int | float) for label in filled.tolist()):
        filled = filled.astype(np.float64)
    array = np.zeros(len(labels), filled.dtype)
    array[~missing] = filled
    return array, missing


def _places_of(present: NDArray[Any], names: tuple[str, ...]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Categorical labels as places in a row of names, and these."""
    if names and present.dtype.kind in "biu":
        if len(present) and not (present.min() >= 0 and present.max() < len(names)):
            raise HypothesisError(
                f"it gave the label {present.max() if present.min() >= 0 else present.min()}, which is no place among "
                f"its {len(names)} names"
            )
        return present.astype(np.int32), names
    found, places = np.unique(present, return_inverse=True)
    spelled = tuple(str(name) for name in found)
    if not names:
        return places.astype(np.int32), spelled
    if unknown := [name for name in spelled if name not in names]:
        raise HypothesisError(f"it gave the label {unknown[0]!r}, which is none of its names: {', '.join(names)}")
    return np.array([names.index(name) for name in spelled], np.int32)[places], names


def _first(values: NDArray[Any], wrong: NDArray[np.bool_]) -> str:
    place = int(np.argmax(wrong))
    return f"it gave the label {values[place].item()!r} at character {place:,}"


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
    if (kind == "categorical") != (labels.kind == "categorical"):
        raise HypothesisError(f"it gave {labels.kind} labels, and is declared to be {kind}")
    if kind == "binary":
        if values.dtype == bool:
            return Labels(values, kind, labels.missing)
        wrong = labels.present & (values != 0) & (values != 1)
        if wrong.any():
            raise HypothesisError(f"{_first(values, wrong)}, which is not binary; give True or False")
        return Labels(values.astype(bool), kind, labels.missing)
    if kind == "categorical":
        wrong = labels.present & ((values < 0) | (values >= len(labels.names)))
        if wrong.any():
            raise HypothesisError(f"{_first(values, wrong)}, and there are {len(labels.names)} names of classes")
        return Labels(values.astype(np.int32), kind, labels.missing, labels.names)
    numbers = values.astype(np.float64, copy=False)
    wrong = ~np.isfinite(numbers)
    if wrong.any() and (wrong := wrong & labels.present).any():
        raise HypothesisError(f"{_first(values, wrong)}; give finite numbers, NaN where there is none")
    return Labels(numbers, kind, labels.missing)
