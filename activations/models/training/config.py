"""The settings of a training."""

import math
from dataclasses import dataclass, replace

import torch

from activations.errors import ActivationError
from activations.models.initialising import INITIALISATIONS

PRECISIONS = ("float32", "bf16")
OPTIMIZERS = ("adam", "adamw", "rmsprop")
SCHEDULES = ("cosine", "exponential", "constant")
DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How a model is trained.

    Attributes:
        epochs: Passes over the training text.
        n_lanes: Pieces of the text that are read side by side: the batch.
        n_steps: Characters through which the gradient flows back.
        optimizer: One of `OPTIMIZERS`.
        learning_rate: At its height; it rises over the first 100 updates.
        schedule: How the learning rate falls: along a `cosine`, by a factor after each epoch (`exponential`), or not at
            all (`constant`).
        decay: That factor.
        weight_decay: Of AdamW; the others have none.
        clip: The largest norm of the gradient; what is larger is made so short.
        patience: Rounds (epochs, or parts of long ones) in which the held-out loss does not fall, after which training
            ends; 0 is never.
        dropout: Share of activations dropped between layers and before the read-out, in [0, 1).
        initialisation: One of `initialising.INITIALISATIONS`.
        norm_stabiliser: What the penalty on changing norms of hidden states weighs; see `stabilising.norm_penalty`.
        min_count: Characters that occur less often share one replacement.
        precision: `float32`, or `bf16` for matrix products in half the time where the processor has them.
        device: `cpu`, `cuda`, or `auto`: a GPU if there is one.
        seed: Same seed, same machine: same model.
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
    patience: int = 0
    dropout: float = 0.0
    initialisation: str = "default"
    norm_stabiliser: float = 0.0
    min_count: int = 1
    precision: str = "float32"
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (
            ("precision", PRECISIONS),
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("initialisation", INITIALISATIONS),
            ("device", DEVICES),
        ):
            if getattr(self, name) not in known:
                raise ActivationError(f"the {name} is {getattr(self, name)!r}; choose one of {', '.join(known)}")
        for name in ("epochs", "n_lanes", "n_steps", "min_count"):
            if getattr(self, name) < 1:
                raise ActivationError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("learning_rate", "clip"):
            if not 0 < getattr(self, name) < math.inf:
                raise ActivationError(f"the {name.replace('_', ' ')} is {getattr(self, name)}; it must be above 0")
        for name in ("weight_decay", "norm_stabiliser", "patience"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ActivationError(f"the {name.replace('_', ' ')} is {getattr(self, name)}; it must be 0 or above")
        if not 0 < self.decay <= 1:
            raise ActivationError(f"the decay is {self.decay}; it must be above 0, and at most 1")
        if not 0 <= self.seed < 1 << 63:
            raise ActivationError(f"the seed is {self.seed}; it must be a whole number from 0 up to 2^63")
        if not 0 <= self.dropout < 1:
            raise ActivationError(f"the dropout is {self.dropout}; it must be from 0 up to, but not, 1")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ActivationError("the device is cuda, but there is no GPU here that PyTorch can use; leave it out")

    def settled(self) -> "TrainingConfig":
        """With a device for `auto`."""
        return replace(self, device="cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self
