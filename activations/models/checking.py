"""Checking a checkpoint: is it sound, what kind of model is in it, and how was that trained?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN
from activations.models.checkpoints import NoCheckpointError, load_model, model_sha256, training_record
from activations.models.training.records import (
    HASHES,
    described,
    earlier_trainings,
    losses_of,
    other_settings,
    settings_of,
)
from activations.results import Result, TableCell
from activations.texts.character_names import is_visible, name_of, readable
from activations.texts.reading_rule import N_BYTES
from activations.texts.vocab import Vocabulary

_CELLS = {
    "lstm": "LSTM",
    "gru": "GRU",
    "gru_reset_before": "GRU (with the reset before the matrix)",
    "rnn": "RNN (tanh)",
    "rnn_relu": "RNN (relu)",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ModelCheck(Result):
    """The result of checking a checkpoint.

    Attributes:
        path: The file.
        complaints: One for each thing that is wrong or damaged; none if the model is sound.
        model: The model; None if the file could not be read as one.
        training: What the file says about how the model was trained, by name; see `Training.record`.
        is_checkpoint: Whether the file is a checkpoint of ours, damaged ones included.
    """

    path: Path
    complaints: tuple[str, ...]
    model: CharRNN | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    is_checkpoint: bool = True

    @property
    def sound(self) -> bool:
        """Is there nothing wrong with it?"""
        return not self.complaints

    @property
    def sha256(self) -> str | None:
        """The hash of the model, which recordings of it have, too; None without a model."""
        return None if self.model is None else model_sha256(self.model)

    def row(self) -> dict[str, TableCell]:
        """Return the row that `probe check --json` prints."""
        row: dict[str, TableCell] = {
            "path": str(self.path),
            "sound": self.sound,
            "complaints": list(self.complaints),
        }
        if self.model is None:
            return row
        config, vocabulary = self.model.config, self.model.vocabulary
        return row | {
            "cell": config.cell,
            "n_layers": config.n_layers,
            "n_units": config.n_units,
            "n_embedding": config.n_embedding,
            "gates": config.gates,
            "peepholes": config.peepholes,
            "n_projected": config.n_projected,
            "layer_norm": config.layer_norm,
            "n_parameters": _n_parameters(self.model),
            "vocabulary_size": len(vocabulary),
            "vocabulary": [vocabulary.names.get(char, char) for char in vocabulary.characters],
            "replacement": vocabulary.shown(vocabulary.replacement) if vocabulary.replacement else None,
            "reading_rule": str(self.model.reading_rule),
            "trained": self.model.trained,
            **losses_of(self.training),
            **settings_of(self.training),
            "trained_before": [described(record) for record in earlier_trainings(self.training)],
            "model_sha256": self.sha256,
        }

    def __str__(self) -> str:
        if self.model is None:
            return "\n".join(self.complaints)
        config = self.model.config
        first = (
            f"{self.path} is {'' if self.sound else 'not '}sound: {config.n_layers} "
            f"{'layers' if config.n_layers > 1 else 'layer'} of {config.n_units} {_CELLS[config.cell]} units, "
            f"{_n_parameters(self.model):,} parameters"
        )
        lines = [f"{name:<13}{line}" for name, line in self._lines() if line]
        return "\n  ".join([first, *self.complaints, *lines])

    def _lines(self) -> Iterator[tuple[str, str]]:
        """Give what is shown below the first line, each with its name; empty lines are left out."""
        if (model := self.model) is None:
            return
        config = model.config
        options = {
            f"{config.gates} gates": config.gates != "sigmoid",
            "peepholes": config.peepholes,
            f"hidden states projected to {config.n_projected} units": config.n_projected,
            "layer normalisation": config.layer_norm,
        }
        yield "cell", ", ".join(name for name, is_there in options.items() if is_there)
        yield "input", f"learned vectors of {config.n_embedding}" if config.n_embedding else "one-hot characters"
        yield "vocabulary", _described(model.vocabulary, is_of_bytes=model.reading_rule.read_as == "bytes")
        yield "text", f"read {model.reading_rule}"
        yield "training", described(self.training) if model.trained else "none: its weights are those of a new model"
        yield "settings", other_settings(self.training)
        yield "losses", _losses(self.training)
        for name, what in HASHES.items():
            if name in self.training:
                yield "", f"{settings_of(self.training)[f'training_{name}']} is the hash of {what}"
        for record in reversed(earlier_trainings(self.training)):
            yield "before that", described(record)
        yield "hash", f"{self.sha256} is the hash of the model, which its recordings have"


def check_model(path: Path | str) -> ModelCheck:
    """Read a checkpoint, and report what is in it and what is wrong with it.

    Args:
        path: A file that may be a checkpoint of `probe train` or `probe import`.
    """
    path = Path(path)
    try:
        model, record = load_model(path), training_record(path)
    except ActivationError as error:
        return ModelCheck(path=path, complaints=(str(error),), is_checkpoint=not isinstance(error, NoCheckpointError))
    return ModelCheck(path=path, complaints=tuple(_faults(model)), model=model, training=record)


def _faults(model: CharRNN) -> Iterator[str]:
    """Give a sentence for every array of weights that has something else than numbers."""
    for name, weight in model.state_dict().items():
        if n_wrong := int((~torch.isfinite(weight)).sum()):
            yield f"{name} has {n_wrong:,} of {weight.numel():,} values that are not numbers (NaN or infinite)"


def _n_parameters(model: CharRNN) -> int:
    return sum(weight.numel() for weight in model.parameters())


def _described(vocabulary: Vocabulary, *, is_of_bytes: bool) -> str:
    """Describe a vocabulary for people, with control characters and tokens by name."""
    names = vocabulary.names
    characters = [char for char in vocabulary.characters if char not in names]
    is_whole = is_of_bytes and sorted(characters) == list(map(chr, range(N_BYTES)))
    kind = "bytes" if is_of_bytes else "characters"
    text = f"all {N_BYTES} bytes" if is_whole else f"{len(characters):,} {kind}: {readable(characters)}"
    if characters != sorted(characters):
        text += "; their ids are in another order"
    if names:
        text += f"; and {', '.join(names.values())}"
    if (replacement := vocabulary.replacement) is not None:
        shown = vocabulary.shown(replacement)
        shown = shown if len(shown) > 1 or is_visible(shown) else name_of(shown)
        text += f"; others can be read as {shown}"
    return text


def _losses(record: Mapping[str, Any]) -> str:
    """Describe the losses of a training, in nats per character."""
    names = {"nats_per_char": "on the training text in its last round", "held_out_nats_per_char": "held out"}
    losses = losses_of(record)
    parts = [f"{losses[key]:.3f} {name}" for key, name in names.items() if losses[key] is not None]
    return f"{', '.join(parts)}, in nats per character" if parts else ""
