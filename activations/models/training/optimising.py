"""The optimiser of a training and the schedule of its learning rate."""

import math

import torch

from activations.models.char_rnn import CharRNN
from activations.models.training.config import TrainingConfig

_WARM_UP_UPDATES = 100
_FINAL_FACTOR = 0.01


def optimizer_of(model: CharRNN, config: TrainingConfig) -> torch.optim.Optimizer:
    """Make the optimiser that the settings name; Adam is AdamW without weight decay."""
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(model.parameters(), config.learning_rate, alpha=0.95)
    decay = config.weight_decay if config.optimizer == "adamw" else 0.0
    return torch.optim.AdamW(
        model.parameters(), config.learning_rate, betas=(0.9, 0.99), weight_decay=decay, fused=True
    )


def learning_rate_factor(update: int, n_updates: int, epoch: int, config: TrainingConfig) -> float:
    """Return the share of the peak learning rate that an update uses, in (0, 1]."""
    warm_up = min(1.0, (update + 1) / min(_WARM_UP_UPDATES, n_updates))
    if config.schedule == "cosine":
        cosine = 0.5 * (1 + math.cos(math.pi * min(update / n_updates, 1.0)))
        return warm_up * (_FINAL_FACTOR + (1 - _FINAL_FACTOR) * cosine)
    return warm_up * (config.decay**epoch if config.schedule == "exponential" else 1.0)
