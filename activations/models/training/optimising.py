"""The optimiser of a training and the schedule of its learning rate."""

import math

import torch

from activations.models.char_rnn import CharRNN
from activations.models.training.config import TrainingConfig

_WARM_UP_UPDATES = 100
_ADAGRAD_EPSILON = 1e-8
_FINAL_FACTOR = 0.01


def optimizer_of(model: CharRNN, config: TrainingConfig) -> torch.optim.Optimizer:
    """Make the optimiser that the settings name.

    Adam is AdamW without weight decay. Adagrad is that of Karpathy's min-char-rnn: a weight changes by the learning
    rate times d / √(Σ d² + 10⁻⁸), where d is its gradient, and the sum is over all updates so far.
    """
    if config.optimizer == "adagrad":  # which begins with the 10⁻⁸, so that it stands within the root
        return torch.optim.Adagrad(
            model.parameters(), config.learning_rate, initial_accumulator_value=_ADAGRAD_EPSILON, eps=0.0
        )
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(model.parameters(), config.learning_rate, alpha=0.95)
    decay = config.weight_decay if config.optimizer == "adamw" else 0.0
    return torch.optim.AdamW(
        model.parameters(), config.learning_rate, betas=(0.9, 0.99), weight_decay=decay, fused=True
    )


def clip_gradient(model: CharRNN, config: TrainingConfig) -> None:
    """Limit the gradient: first each of its elements, as char-rnn and min-char-rnn do, and then its norm."""
    if config.clip_values:
        torch.nn.utils.clip_grad_value_(model.parameters(), config.clip_values)
    if config.clip < math.inf:
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip)


def learning_rate_factor(update: int, n_updates: int, epoch: int, config: TrainingConfig) -> float:
    """Return the share of the peak learning rate that an update uses, in (0, 1]."""
    warm_up = min(1.0, (update + 1) / min(_WARM_UP_UPDATES, n_updates))
    if config.schedule == "cosine":
        cosine = 0.5 * (1 + math.cos(math.pi * min(update / n_updates, 1.0)))
        return warm_up * (_FINAL_FACTOR + (1 - _FINAL_FACTOR) * cosine)
    return warm_up * (config.decay**epoch if config.schedule == "exponential" else 1.0)
