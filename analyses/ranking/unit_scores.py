"""AUCs and correlations of the units of a site, computed from sums over the text."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.intervals.atom_sums import AtomSums
from analyses.intervals.long_run import WithinGroups, position_groups
from analyses.ranking.influences import r_influence
from analyses.statistics.products import Products
from analyses.statistics.rank_sums import RankTotals
from analyses.targets.splits import ALL, TEST, TRAIN


class UnitScores(NamedTuple):
    """AUC or Pearson's r of every unit of a site for one label, and what intervals are made of.

    Attributes:
        train: (n_units,) AUC or r on the training characters.
        held_out: (n_units,) the same on the held-out characters.
        overall: (n_units,) the same on all characters.
        error: (n_units,) how far `overall` may be from the exact number.
        tie_probability: (n_units,) probability that another character, drawn at random, has the same recorded value, in
            [0, 1]; NaN if values are not ranked.
        within_position_groups: (n_units,) `held_out` among characters of the same position group; NaN for units without
            an interval.
        sums: Sums over each atom: of ranks for AUCs, and of the values themselves for r.
        interval_units: (n_interval_units,) the units that have an interval.
        influence: (n_atoms, n_interval_units) what each atom adds to the error of `held_out`, to first order.
    """

    train: NDArray[np.float64]
    held_out: NDArray[np.float64]
    overall: NDArray[np.float64]
    error: NDArray[np.float64]
    tie_probability: NDArray[np.float64]
    within_position_groups: NDArray[np.float64]
    sums: AtomSums
    interval_units: NDArray[np.int64]
    influence: NDArray[np.float64]

    def beside(self, other: "UnitScores") -> "UnitScores":
        """Return these scores followed by those of further units of the same site."""
        columns = map(np.concatenate, zip(self[:6], other[:6], strict=True))
        train, held_out, overall, error, tie_probability, within_position_groups = columns
        return UnitScores(
            train,
            held_out,
            overall,
            error,
            tie_probability,
            within_position_groups,
            self.sums.beside(other.sums),
            np.concatenate([self.interval_units, other.interval_units + len(self.train)]),
            np.concatenate([self.influence, other.influence], axis=1),
        )


def auc_scores(totals: RankTotals, label: int) -> UnitScores:
    """Compute AUCs for one label from sums of ranks, without intervals so far."""
    sums, summary = totals.of_atoms(label), totals.summary
    n, total = summary.n[ALL], sums.together()
    train, held_out = (_auc(totals.of_part(label, part))[0] for part in (TRAIN, TEST))
    return UnitScores(
        train=train,
        held_out=held_out,
        overall=_auc(total)[0],
        error=summary.auc_error(totals.others[:, label], float(total.y[0])),
        tie_probability=summary.ties / max(n * (n - 1.0), 1.0),
        within_position_groups=np.full(len(train), np.nan),
        sums=sums,
        interval_units=np.empty(0, np.int64),
        influence=np.empty((int((sums.n > 0).sum()), 0)),
    )


def _auc(sums: AtomSums) -> NDArray[np.float64]:
    """(n_cells, n_units) AUCs from sums of ranks over 2 n; NaN where one class is empty."""
    positive, negative = sums.y[:, None], (sums.n - sums.y)[:, None]
    with np.errstate(invalid="ignore", divide="ignore"):
        aucs = 0.5 + sums.xy / positive - (sums.x - sums.xy) / negative
    return np.asarray(aucs.clip(0, 1))  # rounding leads a hair beyond


def correlation_scores(products: Products, n_intervals: int | None) -> UnitScores:
    """Compute Pearson's r for a numeric label from sums of products.

    The `n_intervals` units with the highest correlation in training have an interval; None is all units.
    """
    train, held_out, overall = (products.r(part) for part in (TRAIN, TEST, ALL))
    sums = products.of_atoms
    held_out_atoms = np.zeros(len(sums.n), np.bool_)
    held_out_atoms[products.atoms[products.held_out]] = True
    interval_units = np.sort(farthest_from_chance(train, 0.0, n_intervals))
    chosen = sums.units(interval_units)
    within_position_groups = np.full(len(train), np.nan)
    within_position_groups[interval_units] = _r_within_groups(chosen, held_out_atoms & (chosen.n > 0))
    return UnitScores(
        train=train,
        held_out=held_out,
        overall=overall,
        error=np.zeros_like(train),
        tie_probability=np.full(len(train), np.nan),
        within_position_groups=within_position_groups,
        sums=sums,
        interval_units=interval_units,
        influence=r_influence(chosen, held_out_atoms),
    )


def farthest_from_chance(scores: NDArray[np.float64], chance: float, most: int | None) -> NDArray[np.int64]:
    """Return the units whose score is farthest from chance, the farthest first, at most `most` of them."""
    return np.argsort(-np.nan_to_num(np.abs(scores - chance), nan=-1.0), kind="stable")[:most]


def _r_within_groups(sums: AtomSums, atoms: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n_units,) Pearson's r over some atoms, of deviations from the means of the position groups."""
    groups = position_groups(len(sums.n))
    within = WithinGroups(sums.of(atoms), groups[atoms])
    with np.errstate(invalid="ignore", divide="ignore"):
        product = np.sqrt(within.label_scatter * within.unit_scatter)
        return np.where(product > 0, within.product.sum(axis=0) / product, np.nan)
