"""Choosing the number of lanes and of groups of lanes that read a text side by side."""

import torch

from activations.reading.lanes.compute_options import ComputeOptions
from activations.texts.lanes import default_n_lanes
from activations.texts.selection import Selection

_FEWEST_LANES_OF_A_GROUP = 16


def choose_n_lanes(selection: Selection, compute: ComputeOptions) -> int:
    """Choose the number of lanes by the length of the selected part of a text, and by the number of cores."""
    fewest = 1 if compute.precision == "float32" else 2  # a single lane is exact
    return max(fewest, default_n_lanes(selection.stop - selection.start, compute.n_cores))


def choose_n_groups(n_lanes: int, compute: ComputeOptions, *, is_shareable: bool) -> int:
    """Choose the number of groups of lanes, each of which is read by a core of its own.

    Args:
        n_lanes: Number of lanes.
        compute: Where they are read.
        is_shareable: Whether several threads may use the model at once; a user's model need not allow it.
    """
    if not compute.on_cpu or not is_shareable:
        return 1
    return max(1, min(torch.get_num_threads(), n_lanes // _FEWEST_LANES_OF_A_GROUP))
