"""Draw the test losses of a grid of models."""

from typing import TYPE_CHECKING

import numpy as np

from probe.pictures.figures import new_axes
from probe.pictures.heat_maps import text_colour
from probe.training.swept_models import Sweep

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_sweep(sweep: Sweep, axes: "Axes | None" = None) -> "Axes":
    """Draw the test loss of each model of a grid: cells and layers down, hidden units across, the best one in bold.

    Args:
        sweep: The models.
        axes: Where to draw; None makes a new figure.
    """
    rows = list(dict.fromkeys((model.cell, model.n_layers) for model in sweep.models))
    columns = sorted({model.n_units for model in sweep.models})
    losses = np.full((len(rows), len(columns)), np.nan)
    for model in sweep.models:
        losses[rows.index((model.cell, model.n_layers)), columns.index(model.n_units)] = model.test_nats_per_char
    axes = axes or new_axes(2.4 + 0.9 * len(columns), 1.4 + 0.4 * len(rows))
    image = axes.imshow(losses, cmap="Blues_r", aspect="auto")
    best = np.unravel_index(np.nanargmin(losses), losses.shape)
    for (row, column), loss in np.ndenumerate(losses):
        colour, weight = text_colour(image, loss), "bold" if (row, column) == best else "normal"
        axes.text(column, row, f"{loss:.3f}", ha="center", va="center", color=colour, weight=weight)
    axes.set_xticks(range(len(columns)), [str(n_units) for n_units in columns])
    axes.set_yticks(range(len(rows)), [f"{cell}, {n} layer{'' if n == 1 else 's'}" for cell, n in rows])
    axes.set_xlabel("hidden units in each layer")
    axes.set_title("test loss, nats per character", fontsize="medium")
    return axes
