"""The statistics that methods compute their scores from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analyses.collecting.collect import AnyStatistic
from analyses.levels.columns import Columns, LevelReader
from analyses.levels.joint_labels import JointLabels
from analyses.ranking.methods.binary_counts import counts_below, quantile_counts, spearman_by_part
from analyses.ranking.methods.method import Derivation, Need
from analyses.statistics.level_tables import LevelTables
from analyses.statistics.products import ProductSums
from analyses.statistics.quantile_counts import QuantileCounts
from analyses.statistics.rank_sums import RankSums
from analyses.targets.classes import classes_of, one_against_rest
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target
from hypotheses.labels import Labels


def _products(target: Target, columns: Sequence[Columns], reader: LevelReader) -> AnyStatistic:
    return ProductSums([target], {units.site: units.n_units for units in columns})


def _products_of_classes(target: Target, columns: Sequence[Columns], reader: LevelReader) -> AnyStatistic:
    classes = classes_of(target)
    return ProductSums(one_against_rest(target, classes), {units.site: units.n_units for units in columns}, classes)


def _quantile_counts(target: Target, columns: Sequence[Columns], reader: LevelReader) -> AnyStatistic:
    return QuantileCounts(target.parts_of_text, classes_of(target), columns)


def _level_tables(target: Target, columns: Sequence[Columns], reader: LevelReader) -> AnyStatistic:
    """Count False and True characters of the training part, and then of the test part, at each level."""
    kinds = [np.where((parts == TRAIN) | (parts == TEST), 2 * parts + labels, -1) for labels, parts in target.chunks()]
    kinds_of_text = np.full(len(target.labels), -1, np.int8)
    kinds_of_text[target.used] = np.concatenate(kinds)
    return LevelTables(kinds_of_text, 4, columns)


def _rank_sums(target: Target, columns: Sequence[Columns], reader: LevelReader) -> AnyStatistic:
    """Sum products of the units' ranks with the ranks of the label, in each part."""
    labels, parts = target.labels.values, target.parts_of_text
    ranks = np.zeros(len(labels))
    for part in (TRAIN, TEST):
        ranks[parts == part] = _mid_ranks(labels[parts == part])
    joint = JointLabels(target.split, [Labels(ranks, "numeric", target.labels.missing)])
    return RankSums([joint], columns, {units: reader.middle_levels(units) for units in columns})


def _mid_ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """Return the rank of each of (n,) numbers, from 1; equal ones share the mean of their ranks."""
    _, numbers, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[numbers])


PRODUCTS = Need(_products, lambda result, columns: result[0][columns.site])
PRODUCTS_OF_CLASSES = Need(_products_of_classes, lambda result, columns: [by_site[columns.site] for by_site in result])
LEVEL_TABLES = Need(_level_tables, lambda result, columns: counts_below(result[columns]), 1 << 20)
QUANTILE_COUNTS = Need(
    _quantile_counts, lambda result, columns: result[columns], 1 << 21, Derivation(LEVEL_TABLES, quantile_counts)
)
RANK_CORRELATIONS = Need(
    _rank_sums,
    lambda result, columns: [result[0][columns].correlations(part) for part in (TRAIN, TEST)],
    1 << 20,
    Derivation(LEVEL_TABLES, spearman_by_part),
)
