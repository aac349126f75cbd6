"""The models of a sweep, and what each of them gets right that the others do not."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from activations.results import Result, TableCell


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SweptModel(Result):
    """The scores of one model of a grid.

    Attributes:
        cell: The name of its recurrent cell.
        layers: Number of recurrent layers.
        hidden: Number of units in each layer.
        parameters: Number of learned parameters.
        train: Loss on the training text in the last epoch, or round of a long one, in nats per character.
        validation: The same loss on the text that chose the epoch.
        test: The same loss on the test text.
        accuracy: Share of test characters predicted right, in [0, 1].
        alone: Share of test characters that only this model of all gets right, in [0, 1].
        seconds: How long the training took.
        model: The model's file.
    """

    cell: str
    layers: int
    hidden: int
    parameters: int
    train: float
    validation: float
    test: float
    accuracy: float
    alone: float
    seconds: float
    model: Path

    @property
    def name(self) -> str:
        """The name of the model among those of the grid."""
        return self.model.stem

    def row(self) -> dict[str, str | int | float]:
        """Return the row that `probe sweep --json` prints."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Sweep(Result):
    """The models of a grid, compared.

    Attributes:
        models: In the order of the grid.
        overlap: (n_models, n_models) the share of test characters that one model (row) gets right and another
            (column) does not, in [0, 1].
    """

    models: tuple[SweptModel, ...]
    overlap: NDArray[np.float64]

    def rows(self) -> list[Mapping[str, TableCell]]:
        """Return the rows that `probe sweep --json` prints: one for each model."""
        return [model.row() for model in self.models]

    def __str__(self) -> str:
        best = min(self.models, key=lambda model: model.test)
        return (
            f"{len(self.models)} models; the best is {best.name}: {best.test:.3f} nats per character of the test part"
        )
