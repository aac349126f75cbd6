"""Training a grid of models on one text, and what each of them gets right that the others do not."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.files import make_folder
from activations.models.checkpoints import load_model, training_record
from activations.models.evaluation import losses
from activations.results import Cell, Result
from activations.texts.corpus import Corpus
from probe.training.recipes import settings_of, shape_of
from probe.training.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Swept(Result):
    """One model of a grid.

    Attributes:
        cell: As it was asked for.
        layers: Recurrent layers.
        hidden: Units in each.
        parameters: Numbers that were learned.
        train: Loss on the training text in the last epoch, or round of a long one, in nats per character.
        validation: On the text that chose the epoch.
        test: On the test text.
        accuracy: Share of test characters predicted right, in [0, 1].
        alone: Share of test characters that it alone of all models gets right, in [0, 1].
        seconds: That the training took.
        model: Its file.
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
        """How it is called among the others."""
        return self.model.stem

    def row(self) -> dict[str, str | int | float]:
        """What `probe sweep --json` prints."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Sweep(Result):
    """A grid of models.

    Attributes:
        models: In the order of the grid.
        overlap: (n_models, n_models) the share of test characters that one (row) gets right and another (column) does
            not, in [0, 1].
    """

    models: tuple[Swept, ...]
    overlap: NDArray[np.float64]

    def rows(self) -> list[Mapping[str, Cell]]:
        """Return the rows that `probe sweep --json` prints: one for each model."""
        return [model.row() for model in self.models]

    def __str__(self) -> str:
        best = min(self.models, key=lambda each: each.test)
        return (
            f"{len(self.models)} models; the best is {best.name}: {best.test:.3f} nats per character of the test part"
        )


def sweep(
    parts: Sequence[Corpus],
    folder: Path,
    cells: Sequence[str],
    layers: Sequence[int],
    hidden: Sequence[int],
    *,
    settings: Mapping[str, str | float | None],
    progress: Callable[[str, int, int, str], None] = lambda name, done, total, note: None,
) -> Sweep:
    """Train each model of a grid once, and judge all on the test text.

    What was trained before, on the same text and with the same settings, is not trained again; what was interrupted
    goes on.

    Args:
        parts: Training, validation and test text.
        folder: Where the models go.
        cells: Of the grid; see `recipes.shape_of`.
        layers: Of the grid.
        hidden: Units in each layer, of the grid.
        settings: See `recipes.settings_of`.
        progress: Called with a model's name, the updates done, their number, and the losses so far in words.

    Raises:
        ActivationError: If there are not three parts, or one of the models cannot be trained.
    """
    if len(parts) != 3:
        raise ActivationError(
            "a sweep judges its models on a test part; split the text in three, such as --split 90,5,5"
        )
    n_chars = len(parts[0])
    grid = [  # and all of it is in order, before any is trained
        (
            (cell, n_layers, n_units, folder / f"{cell}-{n_layers}x{n_units}.pt"),
            shape_of(cell, n_chars, preset=None, layers=n_layers, units=n_units),
            settings_of(cell, n_chars, **settings).settled(),  # type: ignore[arg-type]
        )
        for cell, n_layers, n_units in dict.fromkeys(itertools.product(cells, layers, hidden))
    ]
    make_folder(folder)
    for (*_, path), shape, config in grid:
        run = Run(path)
        wanted = asdict(config) | {"text": parts[0].sha256, "held_out": parts[1].sha256}
        if not run.is_interrupted and path.exists() and wanted.items() <= training_record(path).items():
            continue
        run.begin(resume=run.is_interrupted)

        def report(done: int, total: int, note: str, name: str = path.stem) -> None:
            progress(name, done, total, note)

        run.train(parts, shape, config, progress=report)
    return _judged([found for found, *_ in grid], parts[2])


def _judged(found: Sequence[tuple[str, int, int, Path]], test: Corpus) -> Sweep:
    models = [load_model(path) for *_, path in found]
    said = [losses(model, test, replace_unknown=True) for model in models]
    right = np.stack([each.right for each in said])
    by_how_many = right.sum(axis=0)
    swept = []
    for (cell, n_layers, n_units, path), model, own in zip(found, models, said, strict=True):
        record = training_record(path)
        swept.append(
            Swept(
                cell=cell,
                layers=n_layers,
                hidden=n_units,
                parameters=sum(weight.numel() for weight in model.parameters()),
                train=float(record["nats_per_char"]),
                validation=float(record["held_out_nats_per_char"]),
                test=float(own.nats.mean(dtype=np.float64)),
                accuracy=float(own.right.mean()),
                alone=float((own.right & (by_how_many == 1)).mean()),
                seconds=float(record["seconds"]),
                model=path,
            )
        )
    as_numbers = right.astype(np.float32)
    overlap = (as_numbers @ (1 - as_numbers).T).astype(np.float64) / right.shape[1]
    return Sweep(models=tuple(swept), overlap=overlap)
