"""Results of a training: the loss on the way, what can be looked at on the way, and the trained model."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

from activations.models.char_rnn import CharRNN
from activations.models.evaluation import Evaluation
from activations.models.training.config import TrainingConfig


class TrainingRow(NamedTuple):
    """The loss at one point of a training.

    Attributes:
        update: Updates of the weights so far.
        epoch: Passes over the text so far, with a fraction.
        loss: Mean training loss since the previous row, in nats per character; NaN before the first update of a model
            that was trained before.
        held_out: Loss on the held-out text, in nats per character; None within a round.
    """

    update: int
    epoch: float
    loss: float
    held_out: float | None


class TrainingSnapshot(NamedTuple):
    """A model in training, as it is at one moment.

    Attributes:
        model: The model in evaluation mode.
        update: Updates of the weights so far.
        rows: The losses so far.
        is_best: True if the held-out loss has just been measured and is the lowest so far.
    """

    model: CharRNN
    update: int
    rows: Sequence[TrainingRow]
    is_best: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Training:
    """A trained model and the losses of its training.

    Attributes:
        model: The model in evaluation mode, with the weights of the round with the lowest held-out loss.
        losses: (n_rounds,) mean training loss, in nats per character. A round is an epoch, or a part of a long one. A
            training that begins with a trained model has NaN before these.
        held_out: (n_rounds,) evaluation on the held-out text after each round; before these, of the model that the
            training began with, if that was trained.
        config: The settings of the training.
        rows: The same losses in finer steps.
        seconds: Duration, without the time between an interruption and its resumption.
    """

    model: CharRNN
    losses: tuple[float, ...]
    held_out: tuple[Evaluation, ...]
    config: TrainingConfig
    rows: tuple[TrainingRow, ...] = ()
    seconds: float = 0.0

    @property
    def best(self) -> Evaluation:
        """The held-out evaluation of `model`."""
        return min(self.held_out, key=lambda evaluation: evaluation.nats_per_char)

    def record(self) -> dict[str, str | int | float]:
        """Return what a checkpoint of the model says about its training."""
        return {**asdict(self.config), "held_out_nats_per_char": self.best.nats_per_char}

    def __str__(self) -> str:
        epochs = self.rows[-1].epoch if self.rows else self.config.epochs
        return f"held-out loss after {epochs:g} epochs: {self.best}"
