"""Which hypothesis describes each unit best in training, and the errors of the held-out scores of these alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.progress import Advance
from activations.units import Site
from analyses.collecting.collect import AnyStatistic, collect
from analyses.intervals.significance import surprise
from analyses.levels.columns import Columns, column_groups
from analyses.levels.joint_labels import JointLabels
from analyses.ranking.influences import auc_influence, r_influence
from analyses.ranking.labels import RankedLabel
from analyses.ranking.results import Ranking
from analyses.ranking.unit_scores import UnitScores
from analyses.session import Session
from analyses.statistics.placements import PlacementSums
from analyses.targets.target import Target

_N_ERRORS, _LEAST_T = 2.0, 1e-3


class Choices(NamedTuple):
    """The hypothesis that was chosen for each unit of a site.

    Attributes:
        labels: (n_units,) the number of the label; −1 where none has a score and a p-value.
        classes: (n_units,) the number of its class among those that are scored; 0 for a label that has none.
        n_hypotheses: (n_units,) among how many it was chosen.
    """

    labels: NDArray[np.int64]
    classes: NDArray[np.int64]
    n_hypotheses: NDArray[np.int64]


class _ChosenUnits(NamedTuple):
    """The units of a site for which one target, a label or a class of one, was chosen."""

    target: Target
    site: Site
    scores: UnitScores
    units: NDArray[np.int64]


def choose(
    labels: Sequence[RankedLabel], rankings: Sequence[Ranking], scores: Sequence[Sequence[UnitScores]], site: Site
) -> Choices:
    """Choose for each unit of a site the label that describes it best in training, among those with a p-value.

    That is the label with the largest score less two of its standard errors, score (1 − 2 / t), where t is the
    cluster-robust t over the training atoms. The score alone would favour rare labels, which some unit fits by chance.

    Args:
        labels: The labels.
        rankings: The ranking of each.
        scores: For each label, and each of its targets, the scores of the units of the site.
        site: The site.
    """
    n_units = len(scores[0][0].train)
    sure_scores = np.full((len(labels), n_units), -np.inf)
    classes = np.zeros((len(labels), n_units), np.int64)
    for number, (label, ranking) in enumerate(zip(labels, rankings, strict=True)):
        training_atoms = ~label.target.split.held_out_atoms
        t = np.array([surprise(of_target.sums.of(training_atoms)) for of_target in scores[number][: label.n_scored]])
        class_numbers = {name: position for position, name in enumerate(label.names)}
        for ranked in ranking.units:
            unit = ranked.unit.index
            if ranked.unit.site == site and np.isfinite(ranked.p) and np.isfinite(ranked.score):
                classes[number, unit] = class_number = class_numbers[ranked.label]
                sure_scores[number, unit] = ranked.score * (1 - _N_ERRORS / max(t[class_number, unit], _LEAST_T))
    n_hypotheses = np.isfinite(sure_scores).sum(axis=0)
    best = sure_scores.argmax(axis=0)
    return Choices(np.where(n_hypotheses > 0, best, -1), classes[best, np.arange(n_units)], n_hypotheses)


def add_errors(
    source: Source,
    labels: Sequence[RankedLabel],
    scores: Sequence[Sequence[dict[Site, UnitScores]]],
    choices: Mapping[Site, Choices],
    forward: Advance,
    statistics: Sequence[AnyStatistic],
) -> list[list[dict[Site, UnitScores]]]:
    """Add what the intervals of the chosen scores are made of, one for each unit; AUCs take two readings for these.

    Args:
        source: A recording or live activations.
        labels: The labels.
        scores: For each label, and each of its targets, the scores of each site, without intervals.
        choices: The label and class of each unit.
        forward: Called with the characters that were read.
        statistics: Further statistics, which are updated in the same readings.

    Returns:
        The scores with intervals of the chosen units.
    """
    completed = [[dict(by_site) for by_site in of_label] for of_label in scores]
    binary: list[tuple[int, int, _ChosenUnits]] = []
    for number, target_number, chosen in _chosen_units(labels, scores, choices):
        if chosen.target.kind == "numeric":
            held_out = chosen.target.split.held_out_atoms
            influence = r_influence(chosen.scores.sums.units(chosen.units), held_out)
            completed[number][target_number][chosen.site] = _with_errors(chosen, influence)
        else:
            binary.append((number, target_number, chosen))
    placed = _influences(source, [chosen for _, _, chosen in binary], choices, forward, statistics)
    for (number, target_number, chosen), influence in zip(binary, placed, strict=True):
        completed[number][target_number][chosen.site] = _with_errors(chosen, influence)
    return completed


def _chosen_units(
    labels: Sequence[RankedLabel],
    scores: Sequence[Sequence[dict[Site, UnitScores]]],
    choices: Mapping[Site, Choices],
) -> Iterator[tuple[int, int, _ChosenUnits]]:
    """Yield each target that was chosen for units of a site, with the numbers of its label and class."""
    for site, (label_of_unit, class_of_unit, _) in choices.items():
        pairs = np.unique(np.stack([label_of_unit, class_of_unit]), axis=1).T.tolist()
        for number, target_number in pairs:
            if number >= 0:
                units = np.flatnonzero((label_of_unit == number) & (class_of_unit == target_number))
                of_site = scores[number][target_number][site]
                yield number, target_number, _ChosenUnits(labels[number].targets[target_number], site, of_site, units)


def _with_errors(chosen: _ChosenUnits, influence: NDArray[np.float64]) -> UnitScores:
    return chosen.scores._replace(interval_units=chosen.units, influence=influence)


def _influences(
    source: Source,
    chosen: Sequence[_ChosenUnits],
    choices: Mapping[Site, Choices],
    forward: Advance,
    statistics: Sequence[AnyStatistic],
) -> list[NDArray[np.float64]]:
    """Return the influences of atoms on AUCs, some hundreds of units at a time, each for its own label."""
    sizes = [(site, len(of_site.labels)) for site, of_site in choices.items()]
    most_units = Session.of(source).levels.most_units(PlacementSums.BYTES_PER_UNIT)
    waiting = list(statistics)
    parts: list[list[NDArray[np.float64]]] = [[] for _ in chosen]
    for group in column_groups(sizes, most_units):
        sums: list[tuple[int, NDArray[np.int64], Columns, PlacementSums]] = []
        for position, of_target in enumerate(chosen):
            for columns in group:
                units = of_target.units[(of_target.units >= columns.start) & (of_target.units < columns.stop)]
                if of_target.site == columns.site and len(units):
                    joint = JointLabels(of_target.target.split, [of_target.target.labels])
                    placements = PlacementSums(joint, {(0, columns): units - columns.start})
                    sums.append((position, units, columns, placements))
        collect(source, [*(placements for *_, placements in sums), *waiting], forward)
        waiting = []
        for position, units, columns, placements in sums:
            of_target = chosen[position]
            placed = placements.result()[0, columns]
            held_out = of_target.target.split.held_out_atoms
            parts[position].append(auc_influence(of_target.scores.sums.units(units), placed, held_out))
    collect(source, waiting, forward)
    return [np.concatenate(of_target, axis=1) for of_target in parts]
