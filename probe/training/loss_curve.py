"""Plot a training run's loss."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from probe.pictures.figures import STYLES, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from activations.models.training.results import TrainingRow


def plot_losses(rows: "Sequence[TrainingRow]", axes: "Axes | None" = None) -> "Axes":
    """Plot a training run's loss on the training text and on the held-out text.

    Args:
        rows: The losses after each part of the training.
        axes: Where to draw; None makes a new figure.
    """
    axes = axes or new_axes()
    (training, _, line), (held_out, marker, _) = STYLES[0], STYLES[1]
    axes.plot([row.epoch for row in rows], [row.loss for row in rows], color=training, linestyle=line, label="training")
    judged = [(row.epoch, row.held_out) for row in rows if row.held_out is not None]
    if judged:
        best = min(judged, key=lambda epoch_and_loss: epoch_and_loss[1])
        axes.plot(*zip(*judged, strict=True), color=held_out, marker=marker, ms=4, linestyle="--", label="held out")
        axes.annotate(f"{best[1]:.3f}", best, textcoords="offset points", xytext=(0, 7), ha="right", color=held_out)
    axes.set_xlabel("epochs")
    axes.set_ylabel("nats per character")
    in_bits = axes.secondary_yaxis(
        "right", functions=(lambda nats: np.divide(nats, math.log(2)), lambda bits: np.multiply(bits, math.log(2)))
    )
    in_bits.set_ylabel("bits per character")
    axes.grid(alpha=0.25)
    axes.legend(frameon=False, fontsize="small")
    return axes
