"""Settings of a training run: data, optimiser, regularisation and stopping."""

import math
from dataclasses import dataclass, replace

import torch

from activations.errors import ActivationError
from activations.models.initialising import INITIALISATIONS

PRECISIONS = ("float32", "bf16")
OPTIMIZERS = ("adam", "adamw", "rmsprop", "adagrad")
SCHEDULES = ("cosine", "exponential", "constant")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """Settings of a training run: data, optimiser, regularisation and stopping.

    Attributes:
        epochs: Number of passes over the training text.
        n_lanes: Number of lanes of the text that are read side by side (the batch size).
        n_steps: Number of characters through which the gradient is propagated.
        optimizer: One of `OPTIMIZERS`.
        learning_rate: Peak learning rate, which is reached after a warm-up of 100 updates.
        schedule: How the learning rate falls: along a `cosine`, by a factor after each epoch (`exponential`), or not at
            all (`constant`).
        decay: The factor of the exponential schedule.
        weight_decay: Weight decay of AdamW; the other optimisers have none.
        clip: Maximum norm of the gradient; larger gradients are scaled down to it. Infinite for no such limit.
        clip_values: Maximum size of each element of the gradient; larger ones are cut off, before the norm is limited.
            0 for no such limit.
        patience: Number of rounds (epochs, or parts of long ones) without a fall of the held-out loss after which
            training ends; 0 for no such limit.
        dropout: Share of activations dropped between layers and before the read-out, in [0, 1).
        initialisation: One of `initialising.INITIALISATIONS`.
        norm_stabiliser: Weight of the penalty on changes of the norm of hidden states; see `stabilising.norm_penalty`.
        min_count: Characters that occur less often are replaced by a common replacement.
        precision: `float32`, or `bf16` for matrix products in half the time on processors that support it.
        device: `cpu`, `cuda`, or `auto` for a GPU if there is one.
        seed: Seed of the weights, of dropout and of the order of the text; on one machine, the same seed gives the same
            model.
    """

    epochs: int = 10
    n_lanes: int = 32
    n_steps: int = 64
    optimizer: str = "adamw"
    learning_rate: float = 8e-3
    schedule: str = "cosine"
    decay: float = 0.97
    weight_decay: float = 0.1
    clip: float = 1.0
    clip_values: float = 0.0
    patience: int = 0
    dropout: float = 0.0
    initialisation: str = "default"
    norm_stabiliser: float = 0.0
    min_count: int = 1
    precision: str = "float32"
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        self._check_choices()
        self._check_ranges()
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ActivationError("the device is cuda, but PyTorch finds no GPU that it can use; choose cpu or auto")

    def _check_choices(self) -> None:
        for name, choices in (
            ("precision", PRECISIONS),
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("initialisation", INITIALISATIONS),
            ("device", DEVICES),
        ):
            if getattr(self, name) not in choices:
                raise ActivationError(f"the {name} is {getattr(self, name)!r}; choose one of {', '.join(choices)}")

    def _check_ranges(self) -> None:
        for name in ("epochs", "n_lanes", "n_steps", "min_count"):
            if getattr(self, name) < 1:
                raise ActivationError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not 0 < self.learning_rate < math.inf:
            raise ActivationError(f"the learning rate is {self.learning_rate}; it must be above 0")
        if not self.clip > 0:
            raise ActivationError(f"the clip is {self.clip}; it must be above 0, and inf for no limit")
        for name in ("weight_decay", "norm_stabiliser", "patience", "clip_values"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ActivationError(f"the {name.replace('_', ' ')} is {getattr(self, name)}; it must be 0 or above")
        if not 0 < self.decay <= 1:
            raise ActivationError(f"the decay is {self.decay}; it must be above 0, and at most 1")
        if not 0 <= self.seed < 1 << 63:
            raise ActivationError(f"the seed is {self.seed}; it must be a whole number from 0 up to 2^63")
        if not 0 <= self.dropout < 1:
            raise ActivationError(f"the dropout is {self.dropout}; it must be at least 0 and below 1")

    def settled(self) -> "TrainingConfig":
        """Return the settings with `auto` replaced by a device."""
        return replace(self, device="cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self
