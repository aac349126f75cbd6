"""Shapes of models and settings of their training, chosen by a few words and the size of the text."""

import math

from activations.errors import ActivationError
from activations.models.cells.names import INITIALISED_CELLS, TRAINABLE_CELLS
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.training.config import TrainingConfig

PRESETS = {"tiny": (1, 64), "small": (2, 128), "karpathy": (3, 512)}
_TINY_TEXT = 100_000  # characters, below which the preset is tiny
_USUAL_CHARS = 10_000_000  # that are read in all epochs together
_MOST_EPOCHS = 50
_MOST_LANES, _CHARS_PER_LANE = 32, 1000
_WEIGHT_DECAY = 0.1  # for a text so short that it is read often enough to be learned by heart
_SHORT_TEXT = 2_000_000
_RATES = {"rnn_relu": 1e-3, "np_rnn": 1e-3, "irnn": 3e-4}
_USUAL_RATE = 8e-3
_ADAGRAD_FACTOR = 10.0  # its steps get smaller by themselves
_USUAL_CLIP = 1.0


def cell_names() -> list[str]:
    """List the cells that can be trained, including those that are another cell with its own initialisation."""
    return list(TRAINABLE_CELLS)


def shape_of(
    cell: str,
    n_chars: int,
    *,
    preset: str | None,
    layers: int | None,
    units: int | None,
    embedding: int = 0,
    **options: str | int,
) -> ModelConfig:
    """Return the shape of a model.

    Args:
        cell: One of `cell_names`.
        n_chars: Length of the training text, by which the preset is chosen if it is None.
        preset: One of `PRESETS`.
        layers: Number of recurrent layers, instead of that of the preset.
        units: Number of units in each layer, instead of that of the preset.
        embedding: Size of learned input vectors; 0 is one-hot.
        options: Other attributes of a `ModelConfig`.

    Raises:
        ActivationError: If there is no such cell or preset, or the cell has no such option.
    """
    if preset is not None and preset not in PRESETS:
        raise ActivationError(f"there is no preset {preset!r}; choose one of {', '.join(PRESETS)}")
    usual_layers, usual_units = PRESETS[preset or ("tiny" if n_chars < _TINY_TEXT else "small")]
    if cell not in cell_names():
        raise ActivationError(f"there is no cell named {cell!r}; choose one of {', '.join(cell_names())}")
    return ModelConfig(
        cell=INITIALISED_CELLS.get(cell, (cell, ""))[0],
        n_layers=usual_layers if layers is None else layers,
        n_units=usual_units if units is None else units,
        n_embedding=embedding,
        **options,  # type: ignore[arg-type]
    )


def settings_of(
    cell: str,
    n_chars: int,
    *,
    epochs: int | None,
    lanes: int | None,
    learning_rate: float | None,
    optimizer: str = "adamw",
    weight_decay: float | None = None,
    clip: float | None = None,
    clip_values: float = 0.0,
    **others: str | float,
) -> TrainingConfig:
    """Return how a model is trained.

    Args:
        cell: One of `cell_names`.
        n_chars: Length of the training text.
        epochs: Passes over the text; None is as many as read ten million characters.
        lanes: Batch size; None is 32, or fewer for a short text.
        learning_rate: None is .008; .001 for cells with a relu, and .0003 for an IRNN, which diverges easily; for
            Adagrad ten times as much.
        optimizer: See `TrainingConfig`.
        weight_decay: None is .1 for a text below two million characters, and 0 for a longer one, for cells with a relu,
            whose recurrent matrices it would pull away from their initialisation, and for optimisers that have none.
        clip: Maximum norm of the gradient; None is 1, or no limit if its elements are limited.
        clip_values: Maximum size of each element of the gradient; 0 is no limit.
        others: Other attributes of a `TrainingConfig`.
    """
    _, initialisation = INITIALISED_CELLS.get(cell, (cell, "default"))
    usual_rate = _RATES.get(cell, _USUAL_RATE) * (_ADAGRAD_FACTOR if optimizer == "adagrad" else 1.0)
    usual_clip = math.inf if clip_values else _USUAL_CLIP
    decays = optimizer == "adamw" and n_chars < _SHORT_TEXT and cell not in _RATES
    usual_decay = _WEIGHT_DECAY if decays else 0.0
    return TrainingConfig(
        epochs=min(max(round(_USUAL_CHARS / n_chars), 1), _MOST_EPOCHS) if epochs is None else epochs,
        n_lanes=min(max(n_chars // _CHARS_PER_LANE, 1), _MOST_LANES) if lanes is None else lanes,
        learning_rate=usual_rate if learning_rate is None else learning_rate,
        optimizer=optimizer,
        clip=usual_clip if clip is None else clip,
        clip_values=clip_values,
        weight_decay=usual_decay if weight_decay is None else weight_decay,
        initialisation=initialisation,
        **others,  # type: ignore[arg-type]
    )


def cell_name_of(model: CharRNN) -> str:
    """Return which of `cell_names` a model has, given its cell and its initialisation."""
    kind = (model.config.cell, model.initialisation)
    return next((name for name, known in INITIALISED_CELLS.items() if known == kind), model.config.cell)


def shares_of(split: str) -> list[float]:
    """Parse a split of a text into two or three parts, in percent.

    Returns:
        The share of each part, in [0, 1].

    Raises:
        ActivationError: If the shares are no numbers, or do not add up to 100 %.
    """
    try:
        percents = [float(percent) for percent in split.split(",")]
    except ValueError:
        percents = []
    is_in_range = all(0 < percent < 100 for percent in percents)
    if len(percents) not in (2, 3) or not is_in_range or abs(sum(percents) - 100) > 1e-6:
        raise ActivationError(
            f"{split!r} is no split; write the shares of training, validation and, if there is to be one, test in "
            "percent, such as 90,5,5"
        )
    return [percent / 100 for percent in percents]
