"""Labels and activations as arrays for models of your own, such as those of scikit-learn."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.lazy_activations import LazyActivations
from activations.results import Result, Row
from activations.site_names import AnySites, select_sites
from analyses.session import AnySource, Session, question
from analyses.targets.labelling import AnyHypothesis, target_for
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target
from hypotheses.labels import Kind

_PART_NAMES = ("train", "test", "gap", "missing")  # by the numbers of parts; -1 is the last


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RowLabels(Result):
    """Labels of the rows of a source, one row per character that it gives, and which rows train and test.

    Attributes:
        hypothesis: The name of the hypothesis.
        kind: `binary`, `categorical` or `numeric`.
        names: The names of the classes of categorical labels.
        values: (n_rows,) bool if binary, int32 indices of `names` if categorical, float64 if numeric. Where a label is
            missing, numbers are NaN, and other values mean nothing.
        parts: (n_rows,) int8: 0 for training rows, 1 for test rows, 2 for rows in the gaps between them, and -1 where
            the label is missing.
        stretches: (n_rows,) the stretch of the text that each row lies in. Neighbouring rows depend on each other, so
            these are the groups to cross-validate by.
        positions: (n_rows,) the position in the corpus of each row's character.
    """

    hypothesis: str
    kind: Kind
    names: tuple[str, ...]
    values: NDArray[Any]
    parts: NDArray[np.int8]
    stretches: NDArray[np.int64]
    positions: NDArray[np.int64]

    @property
    def train(self) -> NDArray[np.int64]:
        """Return the row numbers of the training characters that have a label."""
        return np.flatnonzero(self.parts == TRAIN)

    @property
    def test(self) -> NDArray[np.int64]:
        """Return the row numbers of the held-out characters that have a label."""
        return np.flatnonzero(self.parts == TEST)

    def __len__(self) -> int:
        return len(self.values)

    def rows(self, top: int | None = None) -> list[Row]:
        """Return a row for each of the first `top` characters: position, label (None if missing), part and stretch."""
        labels = self.values[:top].tolist()
        if self.kind == "categorical":
            labels = [self.names[code] for code in labels]
        columns = (self.positions[:top].tolist(), labels, self.parts[:top].tolist(), self.stretches[:top].tolist())
        return [
            {
                "position": position,
                "label": None if part < 0 else label,
                "part": _PART_NAMES[part],
                "stretch": stretch,
            }
            for position, label, part, stretch in zip(*columns, strict=True)
        ]

    def __str__(self) -> str:
        sizes = f"{len(self):,} characters, {len(self.train):,} train and {len(self.test):,} test"
        return f"{self.kind} labels of {self.hypothesis} at {sizes}"


class ActivationMatrix(LazyActivations):
    """The activations of some sites of a source, which may be the path of a recording; see `LazyActivations`.

    Estimators that need all rows at once read everything: give those `matrix[train]`. Estimators with `partial_fit` can
    take a few thousand rows at a time.
    """

    def __init__(self, source: AnySource, sites: AnySites | None = None) -> None:
        """Prepare to read a source, without reading any of it.

        Args:
            source: A recording, its path, or live activations; a session of it keeps it open.
            sites: The sites whose units are the columns; None means all.

        Raises:
            ActivationError: If there is no such recording or site.
        """
        session = Session.of(source)
        super().__init__(session, select_sites(session.sites, sites))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Design(Result):
    """Activations, labels and a split, to fit a model of your own to and to judge it on.

    Attributes:
        X: (n_rows, n_units) activations, which are read when rows of them are used; see `ActivationMatrix`.
        labels: The labels of the same rows.
    """

    X: ActivationMatrix
    labels: RowLabels

    @property
    def y(self) -> NDArray[Any]:
        """Return the (n_rows,) labels; see `RowLabels.values`."""
        return self.labels.values

    @property
    def train(self) -> NDArray[np.int64]:
        """Return the row numbers of the training characters that have a label."""
        return self.labels.train

    @property
    def test(self) -> NDArray[np.int64]:
        """Return the row numbers of the held-out characters that have a label."""
        return self.labels.test

    @property
    def groups(self) -> NDArray[np.int64]:
        """Return the (n_rows,) stretches, which are the groups of scikit-learn's `GroupKFold`."""
        return self.labels.stretches

    def rows(self) -> list[Row]:
        """Return one row for each character; see `RowLabels.rows`."""
        return self.labels.rows()

    def __str__(self) -> str:
        return f"{self.labels}; {self.X.shape[1]:,} units"


@question
def labels(source: Source, hypothesis: AnyHypothesis | Target) -> RowLabels:
    """Label the rows of a source, and say which of them train and test.

    Args:
        source: A recording, its path, or live activations.
        hypothesis: A name, a function, or a target made before, which has its own split.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels leave nothing to tell apart.
    """
    target = target_for(source, hypothesis)
    selection, rows = target.selection, target.all_rows
    values = rows.labels
    if target.kind == "numeric":
        values = np.where(rows.parts < 0, np.nan, values)
    positions = np.arange(selection.start, selection.stop, selection.every)
    return RowLabels(
        hypothesis=target.hypothesis,
        kind=target.kind,
        names=target.labels.names,
        values=values,
        parts=rows.parts,
        stretches=target.split.stretch(positions),
        positions=positions,
    )


def design(source: AnySource, sites: AnySites | None, hypothesis: AnyHypothesis | Target) -> Design:
    """Return activations, labels and the split for a model of your own, without reading the activations.

        design = probe.design("activations.h5", "1/cell", "in_quotes")
        model = LogisticRegression().fit(design.X[design.train], design.y[design.train])
        print(model.score(design.X[design.test], design.y[design.test]))

    Args:
        source: A recording, its path, or live activations. A recording that is given as a path stays open for as long
            as the design is used.
        sites: The sites whose units are the columns of `X`; None means all.
        hypothesis: A name, a function, or a target made before, which has its own split.

    Raises:
        ActivationError: If there is no such recording or site.
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels leave nothing to tell apart.
    """
    matrix = ActivationMatrix(source, sites)
    return Design(X=matrix, labels=labels(matrix.source, hypothesis))
