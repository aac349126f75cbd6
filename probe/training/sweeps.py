"""Train a grid of models on one text, and compare what each of them gets right."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from activations.errors import ActivationError
from activations.files import make_folder
from activations.models.char_rnn import ModelConfig
from activations.models.checkpoints import load_model, training_record
from activations.models.evaluation import losses
from activations.models.training.config import TrainingConfig
from activations.texts.corpus import Corpus
from probe.pictures.figures import figure_of, save_figure
from probe.tables import write_table
from probe.training.recipes import settings_of, shape_of
from probe.training.runs import Run
from probe.training.sweep_grid import plot_sweep
from probe.training.swept_models import Sweep, SweptModel


def sweep(
    parts: Sequence[Corpus],
    folder: Path,
    cells: Sequence[str],
    layers: Sequence[int],
    hidden: Sequence[int],
    *,
    settings: Mapping[str, str | float | None],
    overwrite: bool = False,
    progress: Callable[[str, int, int, str], None] = lambda name, done, total, note: None,
) -> Sweep:
    """Train each model of a grid once, and judge all of them on the test text.

    A model that was trained before, on the same text and with the same settings, is not trained again; a training that
    was interrupted continues. A model that was trained otherwise is replaced only if that is wanted.

    Args:
        parts: Training, validation and test text.
        folder: Where the models go.
        cells: The recurrent cells of the grid; see `recipes.shape_of`.
        layers: The numbers of layers of the grid.
        hidden: The numbers of units in each layer of the grid.
        settings: How the models are trained; see `recipes.settings_of`.
        overwrite: Whether to replace models that were trained on another text or with other settings.
        progress: Called with a model's name, the updates done, their number, and the losses so far in words.

    Raises:
        ActivationError: If there are not three parts, one of the models cannot be trained, or one would be replaced.
    """
    if len(parts) != 3:
        raise ActivationError(
            "a sweep judges its models on a test part; split the text in three, such as --split 90,5,5"
        )
    n_chars = len(parts[0])
    grid = [  # made as a whole, so that a wrong setting is refused before any training
        _GridModel(
            cell=cell,
            path=folder / f"{cell}-{n_layers}x{n_units}.pt",
            shape=shape_of(cell, n_chars, preset=None, layers=n_layers, units=n_units),
            config=settings_of(cell, n_chars, **settings).settled(),  # type: ignore[arg-type]
        )
        for cell, n_layers, n_units in dict.fromkeys(itertools.product(cells, layers, hidden))
    ]
    make_folder(folder)
    missing = [model for model in grid if not _is_trained(model, parts, overwrite=overwrite)]
    for model in missing:
        _train(model, parts, progress)
    return _compare(grid, parts[2])


def write_sweep(result: Sweep, folder: Path) -> None:
    """Write the tables results.csv and overlap.csv and the picture test_loss.png of a sweep into a folder."""
    write_table(folder / "results.csv", [model.row() for model in result.models])
    names = [model.name for model in result.models]
    overlap = [
        {"correct_model": name, **dict(zip(names, shares.tolist(), strict=True))}
        for name, shares in zip(names, result.overlap, strict=True)
    ]
    write_table(folder / "overlap.csv", overlap)
    save_figure(figure_of(plot_sweep(result)), folder / "test_loss.png")


class _GridModel(NamedTuple):
    """A model of the grid, before it is trained."""

    cell: str
    path: Path
    shape: ModelConfig
    config: TrainingConfig


def _is_trained(model: _GridModel, parts: Sequence[Corpus], *, overwrite: bool) -> bool:
    """Tell whether a model of the grid has been trained on the same text with the same settings.

    Raises:
        ActivationError: If it was trained otherwise, and may not be replaced.
    """
    if not model.path.exists() or Run(model.path).is_interrupted:
        return False
    record = training_record(model.path)
    wanted = asdict(model.config) | {"text": parts[0].sha256, "held_out": parts[1].sha256}
    trained = asdict(TrainingConfig()) | record  # a checkpoint lacks settings that there were not when it was made
    changed = [name.replace("_", " ") for name, value in wanted.items() if trained.get(name) != value]
    if record and changed and not overwrite:  # without a record, a training was stopped before its end
        raise ActivationError(
            f"{model.path} was trained otherwise (other: {', '.join(changed)}); name another folder with -o, or train "
            "such models anew with --overwrite"
        )
    return bool(record) and not changed


def _train(model: _GridModel, parts: Sequence[Corpus], progress: Callable[[str, int, int, str], None]) -> None:
    """Train a model of the grid, or resume its training."""
    run = Run(model.path)

    def report(done: int, total: int, note: str) -> None:
        progress(model.path.stem, done, total, note)

    run.begin(resume=run.is_interrupted, overwrite=True)
    run.train(parts, model.shape, model.config, progress=report)


def _compare(grid: Sequence[_GridModel], test: Corpus) -> Sweep:
    """Judge trained models on the test text."""
    models = [load_model(trained.path) for trained in grid]
    predictions = [losses(model, test, replace_unknown=True) for model in models]
    right = np.stack([of_model.right for of_model in predictions])
    n_models_correct = right.sum(axis=0)
    swept = []
    for trained, model, of_model in zip(grid, models, predictions, strict=True):
        record = training_record(trained.path)
        swept.append(
            SweptModel(
                cell=trained.cell,
                n_layers=trained.shape.n_layers,
                n_units=trained.shape.n_units,
                n_parameters=sum(weight.numel() for weight in model.parameters()),
                train_nats_per_char=float(record["nats_per_char"]),
                validation_nats_per_char=float(record["held_out_nats_per_char"]),
                test_nats_per_char=float(of_model.nats.mean(dtype=np.float64)),
                test_accuracy=float(of_model.right.mean()),
                share_uniquely_correct=float((of_model.right & (n_models_correct == 1)).mean()),
                training_s=float(record["seconds"]),
                model=trained.path,
            )
        )
    as_numbers = right.astype(np.float32)
    overlap = (as_numbers @ (1 - as_numbers).T).astype(np.float64) / right.shape[1]
    return Sweep(models=tuple(swept), overlap=overlap)
