"""The models of a sweep, and what each of them gets right that the others do not."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from activations.deprecation import renamed_attribute
from activations.results import Result, TableCell


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SweptModel(Result):
    """The scores of one model of a grid.

    Attributes:
        cell: The name of its recurrent cell.
        n_layers: Number of recurrent layers.
        n_units: Number of units in each layer.
        n_parameters: Number of learned parameters.
        train_nats_per_char: Loss on the training text in the last epoch, or round of a long one.
        validation_nats_per_char: Loss on the text that chose the epoch.
        test_nats_per_char: Loss on the test text.
        test_accuracy: Share of test characters that are predicted correctly, in [0, 1].
        share_uniquely_correct: Share of test characters that this model predicts correctly, and no other, in [0, 1].
        training_s: How long the training took, in seconds.
        model: The model's file.
    """

    cell: str
    n_layers: int
    n_units: int
    n_parameters: int
    train_nats_per_char: float
    validation_nats_per_char: float
    test_nats_per_char: float
    test_accuracy: float
    share_uniquely_correct: float
    training_s: float
    model: Path

    layers = renamed_attribute("layers", "n_layers")
    hidden = renamed_attribute("hidden", "n_units")
    parameters = renamed_attribute("parameters", "n_parameters")
    train = renamed_attribute("train", "train_nats_per_char")
    validation = renamed_attribute("validation", "validation_nats_per_char")
    test = renamed_attribute("test", "test_nats_per_char")
    accuracy = renamed_attribute("accuracy", "test_accuracy")
    alone = renamed_attribute("alone", "share_uniquely_correct")
    seconds = renamed_attribute("seconds", "training_s")

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
        best = min(self.models, key=lambda model: model.test_nats_per_char)
        loss = f"{best.test_nats_per_char:.3f} nats per character of the test part"
        return f"{len(self.models)} models; the best is {best.name}: {loss}"
