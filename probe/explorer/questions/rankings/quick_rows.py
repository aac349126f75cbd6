"""Rows of a quick ranking: from the levels of a sample of the text, before all its values are read."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.units import Site, Unit
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target
from probe.explorer.questions.quick_ranking import quick_aucs, sampled_rows

LevelsAt = Callable[[Site, Sequence[slice]], "tuple[NDArray[np.uint8], list[slice]]"]
"""Gives (n_units, n) levels of a site that have some stretches of rows, and where they have them."""


def quick_rows(sites: Sequence[Site], levels_at: LevelsAt, labels: Target, n_shown: int) -> list[dict[str, Any]]:
    """Rank units by the AUCs of their levels, to the precision of 255 levels, of a sample of a long text.

    As in `rank`, training characters give the order and the sign, and held-out characters the score.

    Args:
        sites: Their sites.
        levels_at: Gives their levels.
        labels: Binary labels of the text.
        n_shown: How many rows are wanted.

    Returns:
        The best units: `unit`, `held_out_auc` (None where all held-out labels are the same) and `direction`.
    """
    stretches = sampled_rows(labels.selection.n_chars)
    is_true, parts = _labels_at(labels, stretches)
    rows: list[tuple[float, dict[str, Any]]] = []
    for site in sites:
        levels, places = levels_at(site, stretches)
        rows += _rows_of_site(site, levels, places, is_true, parts, n_shown)
    rows.sort(key=lambda scored: -scored[0])
    return [row for _, row in rows[:n_shown]]


def _rows_of_site(
    site: Site,
    levels: NDArray[np.uint8],
    places: list[slice],
    is_true: NDArray[np.bool_],
    parts: NDArray[np.int8],
    n_shown: int,
) -> list[tuple[float, dict[str, Any]]]:
    """Return the best units of a site, each with its AUC in training, sign-aligned."""
    labels, present = np.zeros(levels.shape[1], np.bool_), np.full(levels.shape[1], -1, np.int8)
    start = 0
    for place in places:
        stop = start + place.stop - place.start
        labels[place], present[place] = is_true[start:stop], parts[start:stop]
        start = stop
    trained = quick_aucs(levels, labels, present=present == TRAIN, rows=places)
    aligned = np.maximum(trained, 1 - trained)
    best = [index for index in np.argsort(-aligned, kind="stable")[:n_shown].tolist() if np.isfinite(trained[index])]
    rows = []
    for index in best:
        direction = 1 if trained[index] >= 0.5 else -1
        [raw] = quick_aucs(levels[index : index + 1], labels, present=present == TEST, rows=places).tolist()
        score = raw if direction > 0 else 1 - raw
        row = {
            "unit": str(Unit(site, index)),
            "held_out_auc": score if np.isfinite(score) else None,
            "direction": direction,
        }
        rows.append((float(aligned[index]), row))
    return rows


def _labels_at(labels: Target, stretches: list[slice]) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
    """Return (n_sampled,) labels and the part of each row, of these stretches one after another."""
    selection = labels.selection
    is_true, parts = [], []
    for stretch in stretches:
        start, stop = (selection.start + row * selection.every for row in (stretch.start, stretch.stop))
        rows = labels.rows_at(slice(start, min(stop, selection.stop), selection.every))
        is_true.append(rows.labels)
        parts.append(rows.parts)
    return np.concatenate(is_true), np.concatenate(parts)
