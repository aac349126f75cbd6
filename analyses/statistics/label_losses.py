"""Losses by label: how well a model predicts inside quotes, at the ends of words, or wherever else a label says."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block
from activations.predictions import LOG_PROB
from activations.results import Result, TableCell
from activations.units import Site
from analyses.collecting.statistic import BlockLabels, State
from analyses.collecting.text_cells import Part, TextCells, cells_of
from analyses.errors import AnalysisError
from analyses.rounding import rounded
from analyses.session import AnySource, Session
from analyses.targets.labelling import ManyHypotheses, targets_for
from analyses.targets.target import Target

Array = NDArray[np.float64]
_ROUNDING = 1e-12  # of the mean square; a variance below that is rounding
_N_SUMS = 5  # for a number: of losses, of labels, of the squares of both, and of their products


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ClassLosses(Result):
    """The losses of a model where a label is True, where it is False, or in each of its classes.

    The loss is −log p of the next character, in nats. It counts for the label of the character that has just been read.

    Attributes:
        hypothesis: The label.
        names: (n_classes,) names of its values: `False` and `True`, or the classes.
        cells: The cells of the text that sums are kept of.
        n: (n_cells, n_classes) how many characters each cell has of each class.
        loss: (n_cells, n_classes) sums of their losses.
    """

    hypothesis: str
    names: tuple[str, ...]
    cells: TextCells
    n: NDArray[np.int64]
    loss: Array

    def mean(self, part: Part = "all", fold: int | None = None) -> Array:
        """(n_classes,) mean losses, in nats per character, NaN where there is none; parts as in `TextCells.chosen`."""
        chosen = self.cells.chosen(part, fold)
        n = self.n[chosen].sum(axis=0)
        return np.asarray(np.divide(self.loss[chosen].sum(axis=0), n, out=np.full(len(n), np.nan), where=n > 0))

    def rows(self) -> list[dict[str, TableCell]]:
        """Return one row for each class that occurs, with its mean loss."""
        columns = zip(self.names, self.mean(), self.n.sum(axis=0), strict=True)
        return [
            {"hypothesis": self.hypothesis, "label": name, "nats_per_char": float(mean), "n_chars": int(n)}
            for name, mean, n in columns
            if n
        ]

    def __str__(self) -> str:
        n, mean = self.n.sum(axis=0), self.mean()
        lines = [
            f"{self.names[number]}: {rounded(mean[number], '.3f')} nats per character, of {n[number]:,}"
            for number in np.flatnonzero(n)
        ]
        return "\n".join([self.hypothesis, *lines])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class NumberLosses(Result):
    """The losses of a model, as in `ClassLosses`, and their correlation with a label that is a number.

    Attributes:
        hypothesis: The label.
        middle: The label's mean, which is subtracted from it, so that products keep their digits.
        cells: The cells of the text that sums are kept of.
        n: (n_cells,) how many characters have a label and a next character.
        loss: (n_cells,) sums of losses.
        loss_squared: (n_cells,) sums of their squares.
        label: (n_cells,) sums of the label less `middle`.
        label_squared: (n_cells,) sums of the squares of that.
        product: (n_cells,) sums of products of the loss and the label less `middle`.
    """

    hypothesis: str
    middle: float
    cells: TextCells
    n: NDArray[np.int64]
    loss: Array
    loss_squared: Array
    label: Array
    label_squared: Array
    product: Array

    def mean(self, part: Part = "all", fold: int | None = None) -> float:
        """Return the mean loss, in nats per character; NaN if there is none; parts as in `TextCells.chosen`."""
        chosen = self.cells.chosen(part, fold)
        n = int(self.n[chosen].sum())
        return float(self.loss[chosen].sum()) / n if n else np.nan

    def r(self, part: Part = "all", fold: int | None = None) -> float:
        """Return Pearson's correlation of loss and label, in [-1, 1]; NaN if either never changes."""
        chosen = self.cells.chosen(part, fold)
        n = max(int(self.n[chosen].sum()), 1)
        loss, label = self.loss[chosen].sum() / n, self.label[chosen].sum() / n
        loss_squared, label_squared = self.loss_squared[chosen].sum() / n, self.label_squared[chosen].sum() / n
        loss_variance, label_variance = loss_squared - loss**2, label_squared - label**2
        if not (loss_variance > _ROUNDING * loss_squared and label_variance > _ROUNDING * label_squared):
            return float(np.nan)
        return float((self.product[chosen].sum() / n - loss * label) / np.sqrt(loss_variance * label_variance))

    def row(self) -> dict[str, TableCell]:
        """Return the mean loss, and its correlation with the label."""
        return {
            "hypothesis": self.hypothesis,
            "nats_per_char": self.mean(),
            "r": self.r(),
            "n_chars": int(self.n.sum()),
        }

    def __str__(self) -> str:
        return (
            f"{self.hypothesis}: {rounded(self.mean(), '.3f')} nats per character, of {self.n.sum():,}; "
            f"r = {rounded(self.r(), '.3f')}"
        )


class LossesByLabel:
    """Losses of a model's predictions where labels have each of their values, in one reading.

    Sums are kept of each cell of the text (see `TextCells`), so that sums over parts, folds and atoms follow. The last
    character of a document has no next one, and is left out.
    """

    n_readings = 1
    predictions = True

    def __init__(self, source: AnySource, hypotheses: ManyHypotheses) -> None:
        """Start with no characters, and label the text of a source.

        Args:
            source: What will be read.
            hypotheses: Names, functions or targets.

        Raises:
            HypothesisError: If there is no such hypothesis, or it fails on this text.
            AnalysisError: If the labels leave nothing to tell apart, or have different splits.
        """
        source = Session.of(source)
        self.sites: list[Site] = []
        self._targets = targets_for(source, hypotheses)
        self._cells = cells_of(self._targets)
        self._middles = [target.sizes().mean if target.kind == "numeric" else 0.0 for target in self._targets]
        n_classes = [len(_names(target)) for target in self._targets]
        self._n = [np.zeros((len(self._cells), max(n, 1)), np.int64) for n in n_classes]
        self._sums = [np.zeros((len(self._cells), n or _N_SUMS)) for n in n_classes]

    def update(self, block: Block, labels: BlockLabels) -> None:
        """Add the characters of a block.

        Raises:
            AnalysisError: If the source has no predictions.
        """
        if LOG_PROB not in block.predictions:
            raise AnalysisError(
                "the model's predictions are needed, and there are none: it was recorded without them, or is one that "
                "predicts no characters"
            )
        losses = -block.predictions[LOG_PROB].astype(np.float64)
        cells = self._cells.of(block)
        for target, middle, n, sums in zip(self._targets, self._middles, self._n, self._sums, strict=True):
            values, parts = labels.of(target)
            chosen = (parts >= 0) & ~np.isnan(losses)
            loss = losses[chosen]
            if target.kind == "numeric":
                chosen_cells, y = cells[chosen], values[chosen] - middle
                n[:, 0] += np.bincount(chosen_cells, minlength=len(n))
                for column, weights in enumerate((loss, loss**2, y, y**2, loss * y)):
                    sums[:, column] += np.bincount(chosen_cells, weights, len(n))
            else:
                classes = cells[chosen] * n.shape[1] + values[chosen]
                n += np.bincount(classes, minlength=n.size).reshape(n.shape)
                sums += np.bincount(classes, loss, n.size).reshape(n.shape)

    def merge(self, other: "LossesByLabel") -> None:
        """Add what another statistic has seen of other characters."""
        for n, more in zip(self._n, other._n, strict=True):
            n += more
        for sums, others in zip(self._sums, other._sums, strict=True):
            sums += others

    def end_reading(self) -> None:
        """Prepare for the next reading, or for the result."""

    def result(self) -> list[ClassLosses | NumberLosses]:
        """Return the losses of each hypothesis, in their order."""
        losses: list[ClassLosses | NumberLosses] = []
        for target, middle, n, sums in zip(self._targets, self._middles, self._n, self._sums, strict=True):
            name, cells = target.hypothesis, self._cells
            if target.kind != "numeric":
                losses.append(ClassLosses(hypothesis=name, names=_names(target), cells=cells, n=n, loss=sums))
                continue
            loss, loss_squared, label, label_squared, product = sums.T
            losses.append(
                NumberLosses(
                    hypothesis=name,
                    middle=middle,
                    cells=cells,
                    n=n[:, 0],
                    loss=loss,
                    loss_squared=loss_squared,
                    label=label,
                    label_squared=label_squared,
                    product=product,
                )
            )
        return losses

    def arrays(self) -> State:
        """Return the whole state as arrays by name."""
        state: State = {f"{number}/n": n for number, n in enumerate(self._n)}
        return state | {f"{number}/sums": sums for number, sums in enumerate(self._sums)}

    def restore(self, arrays: State) -> None:
        """Take over the state that `arrays` returned."""
        self._n = [arrays[f"{number}/n"].copy() for number in range(len(self._n))]
        self._sums = [arrays[f"{number}/sums"].copy() for number in range(len(self._sums))]


def _names(target: Target) -> tuple[str, ...]:
    """Return the names of the values of a label; none for a number."""
    return {"binary": ("False", "True"), "categorical": target.labels.names, "numeric": ()}[target.kind]
