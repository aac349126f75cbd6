"""Rows of a quick ranking: from the levels that stand beside a recording, before its values are read."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.units import Site, Unit
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target
from probe.explorer.questions.quick_ranking import quick_aucs, sampled_rows

Levels = NDArray[np.uint8]


def quick_rows(levels: Mapping[Site, Levels], labels: Target, n_shown: int) -> list[dict[str, Any]]:
    """Rank units by the AUCs of their levels, to the precision of 255 levels, of a sample of a long text.

    As in `rank`, training characters give the order and the sign, and held-out characters the score.

    Args:
        levels: (n_units, n_rows) levels of each site.
        labels: Binary labels of the text.
        n_shown: How many rows are wanted.

    Returns:
        The best units: `unit`, `held_out_auc` (None where all held-out labels are the same) and `direction`.
    """
    n_rows = labels.selection.n_chars
    stretches = sampled_rows(n_rows)
    is_true, parts = _labels_at(labels, stretches)
    train, held_out = ({"present": parts == part, "rows": stretches} for part in (TRAIN, TEST))
    scored: list[tuple[float, float, Site, int]] = []
    for site, of_site in levels.items():
        for index, auc in enumerate(quick_aucs(of_site, is_true, **train).tolist()):
            if np.isfinite(auc):
                scored.append((max(auc, 1 - auc), auc, site, index))
    scored.sort(key=lambda unit: -unit[0])
    rows = []
    for _, auc, site, index in scored[:n_shown]:
        direction = 1 if auc >= 0.5 else -1
        [raw] = quick_aucs(levels[site][index : index + 1], is_true, **held_out).tolist()
        score = raw if direction > 0 else 1 - raw
        rows.append(
            {
                "unit": str(Unit(site, index)),
                "held_out_auc": score if np.isfinite(score) else None,
                "direction": direction,
            }
        )
    return rows


def _labels_at(labels: Target, stretches: list[slice]) -> tuple[NDArray[np.bool_], NDArray[np.int8]]:
    """Return (n_rows,) labels and the part of each row, which are looked up in these stretches alone."""
    selection = labels.selection
    is_true = np.zeros(selection.n_chars, np.bool_)
    parts = np.full(selection.n_chars, -1, np.int8)
    for stretch in stretches:
        start, stop = (selection.start + row * selection.every for row in (stretch.start, stretch.stop))
        rows = labels.rows_at(slice(start, min(stop, selection.stop), selection.every))
        is_true[stretch], parts[stretch] = rows.labels, rows.parts
    return is_true, parts
