"""Quick rankings from levels: AUCs to the precision of 255 levels, of a sample of a long text."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from analyses.errors import AnalysisError
from analyses.threads import do_in_threads
from hypotheses.kernels import compiled
from probe.explorer.sidecar.stretches import stretches

N_SAMPLED = 100_000
"""Rows of a long text that are counted."""

_STRETCH = 4096  # a page of memory, which is what is read of a mapped file at least
_UNITS_AT_ONCE = 64
_N_LEVELS = 255
_OF_TRUE, _OF_NEITHER = 256, 512  # where the counts of characters labelled True begin, and those without a label


def sampled_rows(n_rows: int, n_sampled: int = N_SAMPLED) -> list[slice]:
    """Return the rows that a quick ranking counts: all, or evenly spaced stretches of a long text.

    Args:
        n_rows: How many rows there are.
        n_sampled: How many rows to take, about; all are taken if there are at most twice as many.
    """
    return stretches(n_rows, n_sampled, _STRETCH)


def quick_aucs(
    levels: NDArray[np.uint8],
    labels: NDArray[np.bool_],
    *,
    present: NDArray[np.bool_] | None = None,
    rows: Sequence[slice] | None = None,
) -> NDArray[np.float64]:
    """Return the AUC of every unit as a detector of the label, values with the same level being ties.

    Args:
        levels: (n_units, n_rows) levels 0 to 254, or 255 where a value is missing, which is left out.
        labels: (n_rows,) what is to be detected.
        present: (n_rows,) which labels are not missing; None is all.
        rows: The stretches of rows that are counted; None is `sampled_rows`.

    Returns:
        (n_units,) raw AUCs in [0, 1], .5 by chance; NaN where all labels are the same.

    Raises:
        AnalysisError: If the lengths differ.
    """
    n_units, n_rows = levels.shape
    if labels.shape != (n_rows,) or (present is not None and present.shape != (n_rows,)):
        raise AnalysisError(f"{len(labels):,} labels do not fit {n_rows:,} rows; give one for each row")
    chosen = sampled_rows(n_rows) if rows is None else list(rows)
    spans = np.array([(stretch.start, stretch.stop) for stretch in chosen], np.int64).reshape(-1, 2)
    codes = np.where(labels, _OF_TRUE, 0).astype(np.uint16)
    if present is not None:
        codes[~present] = _OF_NEITHER
    plain, aucs = np.asarray(levels), np.empty(n_units)

    def find(units: slice) -> None:
        _write_aucs(plain[units], codes, spans, aucs[units])

    do_in_threads(find, [slice(start, start + _UNITS_AT_ONCE) for start in range(0, n_units, _UNITS_AT_ONCE)])
    return aucs


@compiled(nogil=True)
def _write_aucs(
    levels: NDArray[np.uint8], codes: NDArray[np.uint16], spans: NDArray[np.int64], aucs: NDArray[np.float64]
) -> None:
    """Count each unit's levels for each label, and write its AUC.

    Neighbouring characters are counted in different tables: they often have the same level, and a count could not
    begin before the one before it has ended.
    """
    counts = np.empty((4, 768), np.int32)
    for unit in range(len(levels)):
        counts[:] = 0
        for number in range(len(spans)):
            start, stop = spans[number]
            of_unit, of_rows = levels[unit, start:stop], codes[start:stop]
            n_by_four = len(of_unit) // 4 * 4
            for t in range(0, n_by_four, 4):
                counts[0, of_rows[t] + of_unit[t]] += 1
                counts[1, of_rows[t + 1] + of_unit[t + 1]] += 1
                counts[2, of_rows[t + 2] + of_unit[t + 2]] += 1
                counts[3, of_rows[t + 3] + of_unit[t + 3]] += 1
            for t in range(n_by_four, len(of_unit)):
                counts[0, of_rows[t] + of_unit[t]] += 1
        aucs[unit] = _auc_of_counts(counts)


@compiled()
def _auc_of_counts(counts: NDArray[np.int32]) -> float:
    """Return the chance that a character labelled True has the higher level, ties counted half."""
    n_true = n_false = 0
    n_pairs = 0.0  # in which the character labelled True has the higher level
    for level in range(_N_LEVELS):
        of_false, of_true = 0, 0
        for table in range(len(counts)):
            of_false += counts[table, level]
            of_true += counts[table, _OF_TRUE + level]
        n_pairs += of_true * (n_false + 0.5 * of_false)
        n_false += of_false
        n_true += of_true
    return n_pairs / (float(n_true) * n_false) if n_true and n_false else np.nan
