"""Labels that are given as they are: in an array, a list or `Labels`, or in a dict by the names of the documents."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hypotheses.errors import HypothesisError
from hypotheses.label_files.documents import find_by_name, warn_of_missing, without_labels
from hypotheses.labels import Kind, Labels, alike
from hypotheses.origins import Documents, Origin

GivenAsLabels = Labels | np.ndarray[Any, Any] | Sequence[bool | float | None] | Mapping[str, Any]
"""One label for each character of a text, or those of each document by its name; also a pandas Series or a tensor."""


def are_labels(value: Any) -> bool:
    """Tell whether a value is labels, rather than a function, a name, or several of these.

    A list is labels if it begins with a bool, a number or None. A list of strings has names of hypotheses: classes are
    given as an array.
    """
    if isinstance(value, Labels | Mapping):
        return True
    if isinstance(value, list | tuple):
        return bool(value) and (value[0] is None or isinstance(value[0], bool | int | float | np.generic))
    return not isinstance(value, str | bytes | type) and not callable(value) and hasattr(value, "__array__")


class GivenLabels:
    """A function that returns labels which were given. Only 0 and 1 are False and True, unless the kind is given.

    Attributes:
        name: What they are called: the name of a pandas Series, or `labels`.
        kind: Their kind.
        names: The names of their classes.
    """

    def __init__(self, given: Any, kind: Kind | None, names: Sequence[str]) -> None:
        """Check labels, and hold them.

        Raises:
            HypothesisError: If they cannot be used.
        """
        name = getattr(given, "name", None)
        self.name = name if isinstance(name, str) else "labels"
        by_name = given if isinstance(given, Mapping) else {"": given}
        if not by_name:
            raise HypothesisError("the labels are an empty dict; give those of each document by its name")
        parts = {}
        for document, answer in by_name.items():
            where = f" of {document!r}" if isinstance(given, Mapping) else ""
            try:
                n_labels = len(answer)
                parts[str(document)] = Labels.from_answer(answer, n_labels, kind, names)
            except HypothesisError as error:
                message = (
                    str(error).replace("it gave the label", "there is the label", 1).replace("it gave", "there are", 1)
                )
                raise HypothesisError(f"the labels{where} cannot be used: {message}") from error
            except TypeError as error:
                raise HypothesisError(f"the labels{where} are a single {type(answer).__name__}") from error
        self._by_name = dict(zip(parts, alike(list(parts.values())), strict=True))
        self._is_by_document = isinstance(given, Mapping)
        if kind is None and not any(isinstance(answer, Labels) for answer in by_name.values()):
            self._by_name = _as_bools(self._by_name)
        first = next(iter(self._by_name.values()))
        self.kind: Kind = first.kind
        self.names = first.names

    def __call__(self, text: str, *, _origin: Origin) -> Labels:
        """Return the labels of a text.

        Raises:
            HypothesisError: If there are not as many as characters, or of a document that is not there.
        """
        if not self._is_by_document:
            return self._of_all(text, _origin)
        key = id(self)
        if key not in _origin.documents.kept:
            _origin.documents.kept[key] = self._names_for(_origin.documents)
        name = _origin.documents.kept[key][_origin.number]
        if name is None:
            return without_labels(len(text), self.kind, self.names)
        labels, expected = self._by_name[name], _origin.documents.lengths[_origin.number]
        if len(labels) != expected:
            raise HypothesisError(
                f"there are {len(labels):,} labels for {_origin.document or 'the text'}, which has {expected:,} "
                "characters; give one for each character"
            )
        return labels[_origin.start : _origin.start + len(text)]

    def _names_for(self, documents: Documents) -> list[str | None]:
        """Return for each document the name under which its labels were given; None if they were not."""
        names = find_by_name(list(self._by_name), documents.names)
        missing = [document for document, name in zip(documents.names, names, strict=True) if name is None]
        warn_of_missing(missing, documents)
        return names

    def _of_all(self, text: str, origin: Origin) -> Labels:
        labels, expected = self._by_name[""], origin.documents.starts[-1]
        if len(labels) != expected:
            n_documents = len(origin.documents.names)
            whose = (
                f"the {n_documents:,} documents together have"
                if n_documents > 1
                else f"{origin.document or 'the text'} has"
            )
            raise HypothesisError(
                f"there are {len(labels):,} labels, and {whose} {expected:,} characters; give one for each character, "
                "or a dict of labels by the names of the documents"
            )
        return labels[origin.start_in_all : origin.start_in_all + len(text)]


def _as_bools(by_name: dict[str, Labels]) -> dict[str, Labels]:
    """Return numbers that are all 0 and 1 as False and True, and other labels as they are."""
    parts = by_name.values()
    if any(part.kind != "numeric" or not np.isin(part.values[part.present], (0, 1)).all() for part in parts):
        return by_name
    return {name: replace(part, values=part.values.astype(bool), kind="binary") for name, part in by_name.items()}
