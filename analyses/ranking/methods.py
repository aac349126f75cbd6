"""Ways to score how much a unit has to do with a label: what `probe rank --method` can name."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.units import Site, in_order
from analyses.collecting.collect import AnyStatistic, collect
from analyses.errors import AnalysisError
from analyses.intervals.significance import FEWEST_RUNS
from analyses.levels.columns import Columns, LevelReader, groups
from analyses.levels.joint_labels import JointLabels
from analyses.probing.probes import fit
from analyses.probing.results import Fitting
from analyses.probing.selection import select
from analyses.session import Session
from analyses.statistics.level_tables import LevelTables
from analyses.statistics.products import Products, ProductSums
from analyses.statistics.quantile_counts import N_BINS, QuantileCounts
from analyses.statistics.rank_sums import RankSums, RankTotals
from analyses.targets.classes import classes_of, one_against_rest, runs_of_classes
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target
from analyses.threads import in_threads
from hypotheses.labels import Kind, Labels


class MethodScores(NamedTuple):
    """The scores that a method gives to the units of a site.

    Attributes:
        train: (n_units,) on training characters, from 0 on: what orders them.
        test: (n_units,) on held-out characters, with what was chosen in training; NaN if the method has none.
        note: What one has to know to read the scores of all sites, as a sentence; empty if nothing.
    """

    train: NDArray[np.float64]
    test: NDArray[np.float64]
    note: str = ""


Forward = Callable[[int], None]
Measure = Callable[[Source, Target, Collection[Site], Forward], dict[Site, MethodScores]]


@dataclass(frozen=True, slots=True)
class Need:
    """A statistic that scores are made of; methods that name the same one share it.

    Attributes:
        make: The statistic of a label and some columns of a source, as its reader reads them.
        of: What its result says of one of the columns, from the result and the columns.
        bytes_per_unit: Memory that it takes; 0 if it sees blocks, not levels, and columns are whole sites.
    """

    make: Callable[[Target, Sequence[Columns], LevelReader], AnyStatistic]
    of: Callable[[Any, Columns], Any]
    bytes_per_unit: int = 0


@dataclass(frozen=True, slots=True)
class Method:
    """A way to score units.

    Attributes:
        name: As it is asked for.
        kinds: Of the labels that it is for.
        summary: What the score is.
        over_classes: Whether it sees that a label has to do with a unit though neither rises with the other.
        needs: The statistic that it is made of; None if it is a score that every ranking has, or `measure` makes it.
        score: Makes scores of the units of some columns from what the statistic says of them, and the label.
        note: What one has to know to read the scores, from all training scores and the label; empty if nothing.
        measure: Scores the units of sites where no statistic is enough.
    """

    name: str
    kinds: tuple[Kind, ...]
    summary: str
    over_classes: bool = False
    needs: Need | None = None
    score: Callable[[Any, Target], MethodScores] | None = None
    note: Callable[[NDArray[np.float64], Target], str] | None = None
    measure: Measure | None = None


class Plan:
    """What has to be counted for some methods, each statistic once, for as many units at a time as the memory allows.

    Attributes:
        statistics: Those that others may update in readings of their own, and then remove: what sees blocks, and from a
            live source, whose readings are dear, also what sees the levels of the first units.
    """

    def __init__(self, source: Source, asked: Target, methods: Sequence[Method], sites: Collection[Site]) -> None:
        """Of a label, the methods, and the sites whose units are scored."""
        self._source, self._asked, self._methods = source, asked, list(dict.fromkeys(methods))
        self._sizes = [(site, source.sites[site]) for site in in_order(source.sites, sites)]
        self._reader = Session.of(source).levels
        needs = list(dict.fromkeys(each.needs for each in methods if each.needs is not None))
        self._of_blocks = [each for each in needs if not each.bytes_per_unit]
        self._of_levels = [each for each in needs if each.bytes_per_unit]
        self._whole = [Columns(site, 0, n_units) for site, n_units in self._sizes]
        self._groups: list[list[Columns]] = []
        if self._of_levels:
            n_bytes = sum(each.bytes_per_unit for each in self._of_levels)
            self._groups = groups(self._sizes, self._reader.most_units(n_bytes))
            self._reader.find_bins(source, [site for site, _ in self._sizes])
        self._first = self._make(self._of_blocks, self._whole)
        if self._groups:
            self._first |= self._make(self._of_levels, self._groups[0])
        self.statistics: list[AnyStatistic] = [
            own for need, own in self._first.items() if source.is_live or not need.bytes_per_unit
        ]
        self._own = [own for own in self._first.values() if own not in self.statistics]

    def _make(self, needs: Sequence[Need], columns: Sequence[Columns]) -> dict[Need, AnyStatistic]:
        return {each: each.make(self._asked, columns, self._reader) for each in needs}

    def marks(self, forward: Forward) -> dict[str, dict[Site, MethodScores]]:
        """Read what has still to be read, and score: by the names of the methods."""
        pieces: dict[str, dict[Site, list[MethodScores]]] = {each.name: {} for each in self._methods if each.needs}
        collect(self._source, [*self._own, *self.statistics], forward)
        self._score(self._first, pieces, self._groups[0] if self._groups else [])
        for tables in (self._first, self._own, self.statistics):  # some gigabytes, before others are made
            tables.clear()
        for group in self._groups[1:]:
            made = self._make(self._of_levels, group)
            collect(self._source, list(made.values()), forward)
            self._score(made, pieces, group)
            made.clear()
        found = {}
        for method in self._methods:
            if method.needs:
                found[method.name] = {site: _joined(pieces[method.name][site]) for site, _ in self._sizes}
            if method.needs and method.note:
                scores = np.concatenate([each.train for each in found[method.name].values()])
                note = method.note(scores, self._asked)
                found[method.name] = {site: own._replace(note=note) for site, own in found[method.name].items()}
        return found

    def _score(
        self,
        statistics: Mapping[Need, AnyStatistic],
        pieces: dict[str, dict[Site, list[MethodScores]]],
        group: Sequence[Columns],
    ) -> None:
        for need, statistic in statistics.items():
            result = statistic.result()
            for columns in group if need.bytes_per_unit else self._whole:
                found = need.of(result, columns)
                for method in self._methods:
                    if method.needs == need and method.score:
                        pieces[method.name].setdefault(columns.site, []).append(method.score(found, self._asked))


def _joined(pieces: Sequence[MethodScores]) -> MethodScores:
    """Those of some units of a site after another, in their order."""
    return MethodScores(np.concatenate([each.train for each in pieces]), np.concatenate([each.test for each in pieces]))


def _products(asked: Target, columns: Sequence[Columns], reader: LevelReader) -> AnyStatistic:
    return ProductSums([asked], {each.site: each.n_units for each in columns})


def _products_of_classes(asked: Target, columns: Sequence[Columns], reader: LevelReader) -> AnyStatistic:
    classes = classes_of(asked)
    sizes = {each.site: each.n_units for each in columns}
    return ProductSums(one_against_rest(asked, classes), sizes, classes)


def _quantile_counts(asked: Target, columns: Sequence[Columns], reader: LevelReader) -> AnyStatistic:
    return QuantileCounts(asked.parts_of_text, classes_of(asked), columns)


def _level_tables(asked: Target, columns: Sequence[Columns], reader: LevelReader) -> AnyStatistic:
    """Training characters that are False and that are True, and test ones."""
    kinds = [np.where((parts == TRAIN) | (parts == TEST), 2 * parts + labels, -1) for labels, parts in asked.chunks()]
    of_text = np.full(len(asked.labels), -1, np.int8)
    of_text[asked.used] = np.concatenate(kinds)
    return LevelTables(of_text, 4, columns)


def _rank_sums(asked: Target, columns: Sequence[Columns], reader: LevelReader) -> AnyStatistic:
    """Of units' ranks with those of the label, in each part."""
    from scipy.stats import rankdata

    labels, parts = asked.labels.values, asked.parts_of_text
    ranks = np.zeros(len(labels))
    for part in (TRAIN, TEST):
        ranks[parts == part] = rankdata(labels[parts == part])
    joint = JointLabels(asked.split, [Labels(ranks, "numeric", asked.labels.missing)])
    return RankSums([joint], columns, {each: reader.middle_levels(each) for each in columns})


PRODUCTS = Need(_products, lambda result, columns: result[0][columns.site])
PRODUCTS_OF_CLASSES = Need(_products_of_classes, lambda result, columns: [each[columns.site] for each in result])
QUANTILE_COUNTS = Need(_quantile_counts, lambda result, columns: result[columns], 1 << 21)
LEVEL_TABLES = Need(_level_tables, lambda result, columns: _occupied(result[columns]), 1 << 20)
RANK_SUMS = Need(_rank_sums, lambda result, columns: result[0][columns], 1 << 20)


def method_for(name: str | None, kind: Kind) -> Method:
    """The method of this name, or the one that is used if none is named.

    Raises:
        AnalysisError: If there is none of this name, or it is not for labels of this kind.
    """
    if name is None:
        return METHODS["r" if kind == "numeric" else "auc"]
    found = METHODS.get(name)
    if found is None or kind not in found.kinds:
        fitting = ", ".join(each.name for each in METHODS.values() if kind in each.kinds)
        reason = f"there is no method {name!r}" if found is None else f"{name} is not for {kind} labels"
        raise AnalysisError(f"{reason}; for these there are {fitting}")
    return found


def _mean_difference(found: Sequence[Products], asked: Target) -> MethodScores:
    """Of the class whose mean is farthest from that of the others in training; its sign there is that of the label."""
    counted = [1] if asked.kind == "binary" else _counted(asked)
    if not counted:
        nothing = np.full(found[0].cells.x.shape[1], np.nan)
        return MethodScores(nothing, nothing)
    train, test = (np.array([_difference(found[place], part) for place in counted]) for part in (TRAIN, TEST))
    best = np.nan_to_num(np.abs(train)).argmax(axis=0)
    units = np.arange(len(best))
    return _turned(train[best, units], test[best, units])


def _counted(asked: Target) -> list[int]:
    """The places of the classes that have runs enough, in training and held out, to be told from the others."""
    return [place for place, n in enumerate(runs_of_classes(asked, classes_of(asked))) if n >= FEWEST_RUNS]


def _difference(own: Products, part: int) -> NDArray[np.float64]:
    total = own.of(part)
    n, positive = total.n[0], total.y[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total.xy[0] / positive - (total.x[0] - total.xy[0]) / (n - positive))


def _r(own: Products, asked: Target) -> MethodScores:
    return _turned(own.r(TRAIN), own.r(TEST))


def _r2(own: Products, asked: Target) -> MethodScores:
    """Held out: what the line that was fitted in training explains of the test labels, which can be less than 0."""
    train, test, r = own.of(TRAIN), own.of(TEST), own.r(TRAIN)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_x, mean_y = train.x[0] / train.n[0], train.y[0] / train.n[0]
        slope = (train.xy[0] - train.n[0] * mean_x * mean_y) / own.scatter(TRAIN)
        start = mean_y - slope * mean_x
        n, x, xx, y, yy, xy = (each[0] for each in (test.n, test.x, test.xx, test.y, test.yy, test.xy))
        missed = yy + slope**2 * xx + n * start**2 - 2 * slope * xy - 2 * start * y + 2 * slope * start * x
        explained = 1 - missed / (yy - y * y / n)
    return MethodScores(r**2, np.where(np.isnan(r), np.nan, explained))


def _spearman(totals: RankTotals, asked: Target) -> MethodScores:
    return _turned(*(totals.correlations(part) for part in (TRAIN, TEST)))


def _eta2(of_classes: Sequence[Products], asked: Target) -> MethodScores:
    """Held out: what the means of the classes in training explain of the unit in the test part."""
    between, missed = 0.0, 0.0
    for own in of_classes:
        train, test = own.of(TRAIN), own.of(TEST)
        n, sums = train.y[0], train.xy[0]
        mean = sums / n if n else train.x[0] / train.n[0]
        between = between + (n * (mean - train.x[0] / train.n[0]) ** 2)
        missed = missed + test.y[0] * mean**2 - 2 * mean * test.xy[0]
    own = of_classes[0]
    with np.errstate(invalid="ignore", divide="ignore"):
        explained = np.where(own.scatter(TRAIN) > 0, between / own.scatter(TRAIN), np.nan)
        rest = np.where(own.scatter(TEST) > 0, (missed + own.of(TEST).xx[0]) / own.scatter(TEST), np.nan)
    return MethodScores(explained, 1 - rest)


def _mutual_information(counts: NDArray[np.int64], asked: Target) -> MethodScores:
    return MethodScores(_bits(counts[:, TRAIN]), _bits(counts[:, TEST]))


def _bits(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n_units,) mutual information, in bits, of (n_units, n_bins, n_classes) counts, less what chance adds to it.

    Source:
        Miller 1955, in Quastler (ed.), Information Theory in Psychology: the correction for few characters.
    """
    found = np.zeros(len(counts))
    for unit, table in enumerate(counts):
        n, of_bins, of_classes = table.sum(), table.sum(axis=1), table.sum(axis=0)
        bins, classes = np.nonzero(table)
        own = table[bins, classes] / n
        information = (own * np.log2(own * n * n / (of_bins[bins] * of_classes[classes]))).sum()
        n_free = (np.count_nonzero(of_bins) - 1) * (np.count_nonzero(of_classes) - 1)
        found[unit] = max(information - n_free / (2 * n * np.log(2)), 0.0)
    return found


Counts = NDArray[np.int64]
Threshold = Callable[[Counts, Counts, Counts, Counts], NDArray[np.float64]]
"""A score of how many True and False characters are said to be True, and how many there are."""


def _of_threshold(score: Threshold) -> Callable[[Sequence[NDArray[np.uint32]], Target], MethodScores]:
    """The score of saying True above or below a threshold, both chosen in training, of all that differ for a unit."""

    def best(table: NDArray[np.uint32]) -> tuple[float, float]:
        """Of (n_levels, 2, 2) how many characters of each level, part and label there are."""
        n = table.sum(axis=0, dtype=np.int64)
        below = np.zeros((2, len(table) + 1), np.int64)  # of each label, how many are below each threshold
        for label, own in enumerate(below):
            np.cumsum(table[:, TRAIN, label], out=own[1:])
        sides = below, n[TRAIN, :, None] - below
        with np.errstate(invalid="ignore", divide="ignore"):
            scores = np.array([score(*said[::-1], *n[TRAIN, ::-1]) for said in sides])
            is_above, threshold = divmod(int(np.nan_to_num(scores, nan=-1.0).argmax()), scores.shape[1])
            held_out = (table[threshold:] if is_above else table[:threshold])[:, TEST].sum(axis=0, dtype=np.int64)
            return float(scores[is_above, threshold]), float(score(*held_out[::-1], *n[TEST, ::-1]))

    return lambda tables, asked: _unit_by_unit(best, tables)


def _unit_by_unit(
    score: Callable[[NDArray[np.uint32]], tuple[float, float]], tables: Sequence[NDArray[np.uint32]]
) -> MethodScores:
    train, test = np.array(list(in_threads(score, tables))).T
    return MethodScores(train, test)


def _occupied(tables: NDArray[np.uint32]) -> list[NDArray[np.uint32]]:
    """For each unit (n_levels, 2, 2) counts by part and label, of the levels that some character has."""

    def of_unit(table: NDArray[np.uint32]) -> NDArray[np.uint32]:
        return np.asarray(table[table.any(axis=1)].reshape(-1, 2, 2))

    return list(in_threads(of_unit, tables))


def _floor_of(name: str, score: Threshold) -> Callable[[NDArray[np.float64], Target], str]:
    """How many units are no better than saying True everywhere."""

    def note(scores: NDArray[np.float64], asked: Target) -> str:
        n_false, n_true = np.sum(
            [np.bincount(labels[parts == TRAIN], minlength=2) for labels, parts in asked.chunks()], 0
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            floor = float(np.nan_to_num(score(n_true, n_false, n_true, n_false)))
        n_at_floor = int((scores < floor + _HARDLY_MORE).sum())
        return (
            f"{n_at_floor:,} of {len(scores):,} units have the {name} of always saying True, {floor:.4f}, or less than "
            f"{_HARDLY_MORE} more; units with the same {name} stand in the order of their AUC's distance from chance"
            if n_at_floor
            else ""
        )

    return note


def _average_precision(tables: Sequence[NDArray[np.uint32]], asked: Target) -> MethodScores:
    """Of the order that has the larger one in training: from the highest value on, or from the lowest."""

    def best(table: NDArray[np.uint32]) -> tuple[float, float]:
        found = np.array([[_area(ordered[:, part]) for part in (TRAIN, TEST)] for ordered in (table[::-1], table)])
        return tuple(found[np.nan_to_num(found[:, 0]).argmax()].tolist())

    return _unit_by_unit(best, tables)


def _area(counts: NDArray[np.uint32]) -> float:
    """Mean precision at the True characters, of (n_levels, 2) False and True ones, those said first to be True first.

    Characters of one level are said to be True together, as in scikit-learn's `average_precision_score`.
    """
    own = counts[counts[:, 1] > 0, 1]
    n_true = np.cumsum(counts[:, 1], dtype=np.int64)
    n_said = n_true + np.cumsum(counts[:, 0], dtype=np.int64)
    there = counts[:, 1] > 0
    return float((own * (n_true[there] / n_said[there])).sum() / own.sum()) if len(own) else np.nan


def _matthews(true: Counts, false: Counts, n_true: Counts, n_false: Counts) -> NDArray[np.float64]:
    """Matthews' correlation; NaN where all or none are said to be True.

    Source:
        Matthews 1975, Biochimica et Biophysica Acta 405:442-451.
    """
    said, n = (true + false).astype(np.float64), float(n_true + n_false)
    size = np.sqrt(said * (n - said) * float(n_true) * float(n_false))
    return np.asarray((true * float(n_false) - false * float(n_true)) / size)


def _balanced_accuracy(true: Counts, false: Counts, n_true: Counts, n_false: Counts) -> NDArray[np.float64]:
    """Of how many True and False characters are said to be True, and how many there are."""
    return np.asarray((true / n_true + 1 - false / n_false) / 2)


def _f1(true: Counts, false: Counts, n_true: Counts, n_false: Counts) -> NDArray[np.float64]:
    return np.asarray(2 * true / (true + false + n_true))


def _iou(true: Counts, false: Counts, n_true: Counts, n_false: Counts) -> NDArray[np.float64]:
    return np.asarray(true / (n_true + false))


def _weight(*, standardised: bool, how: Fitting) -> Measure:
    def measure(
        source: Source, asked: Target, sites: Collection[Site], forward: Callable[[int], None]
    ) -> dict[Site, MethodScores]:
        chosen = in_order(source.sites, sites)
        found = {}
        for site, probe in zip(chosen, fit(source, asked, sites=chosen, how=how), strict=True):
            if not len(probe.weights):
                raise AnalysisError(f"no probe can be fitted for {asked.hypothesis!r}: {probe.note}")
            weights = np.abs(probe.weights if standardised else probe.raw_weights)[:, 0]
            found[site] = MethodScores(weights, np.full(len(weights), np.nan))
        return found

    return measure


def _sparse(
    source: Source, asked: Target, sites: Collection[Site], forward: Callable[[int], None]
) -> dict[Site, MethodScores]:
    """What a unit and those chosen after it add to those before it."""
    with source.rereadable(sites) as recording:
        chosen = select(recording, asked, sites, _MOST_SELECTED)
    before = np.concatenate([[0.0], chosen.r2[:-1]])
    note = ""
    if chosen.every > 1:
        note = f"the units were chosen on one training character in {chosen.every}, {chosen.n_chars:,} of them"
    marks = {
        site: MethodScores(np.zeros(source.sites[site]), np.full(source.sites[site], np.nan), note) for site in sites
    }
    for unit, share in zip(chosen.units, chosen.r2[-1:] - before, strict=True):
        marks[unit.site].train[unit.index] = share
    return marks


def _turned(train: NDArray[np.float64], test: NDArray[np.float64]) -> MethodScores:
    """Scores that may be below 0, turned the way that training says."""
    return MethodScores(np.abs(train), np.where(train < 0, -test, test))


_MOST_SELECTED = 64
_HARDLY_MORE = 0.001
_BINARY: tuple[Kind, ...] = ("binary",)
_NUMERIC: tuple[Kind, ...] = ("numeric",)


def _threshold_method(name: str, spelled: str, summary: str, score: Threshold) -> Method:
    return Method(
        name, _BINARY, summary, needs=LEVEL_TABLES, score=_of_threshold(score), note=_floor_of(spelled, score)
    )


METHODS: dict[str, Method] = {
    each.name: each
    for each in (
        Method("auc", ("binary", "categorical"), "distance of the area under the ROC curve from chance, 0 to 1"),
        Method("r", ("binary", "numeric"), "size of Pearson's correlation", needs=PRODUCTS, score=_r),
        Method(
            "r2",
            _NUMERIC,
            "share of the label's variance that a line through the unit explains",
            needs=PRODUCTS,
            score=_r2,
        ),
        Method("spearman", ("binary", "numeric"), "size of the rank correlation", needs=RANK_SUMS, score=_spearman),
        Method(
            "eta2",
            ("numeric", "categorical"),
            "share of the unit's variance that lies between classes, or bins of the label; sees waves",
            over_classes=True,
            needs=PRODUCTS_OF_CLASSES,
            score=_eta2,
        ),
        Method(
            "mutual_information",
            ("binary", "numeric", "categorical"),
            f"bits that {N_BINS} bins of the unit tell of the label",
            over_classes=True,
            needs=QUANTILE_COUNTS,
            score=_mutual_information,
        ),
        _threshold_method(
            "balanced_accuracy",
            "balanced accuracy",
            "mean share of True and of False characters that the best threshold gets right",
            _balanced_accuracy,
        ),
        _threshold_method("f1", "F1", "F1 of the best threshold", _f1),
        _threshold_method("iou", "IoU", "intersection over union of the best threshold", _iou),
        _threshold_method("mcc", "MCC", "Matthews' correlation of the best threshold", _matthews),
        Method(
            "average_precision",
            _BINARY,
            "mean precision at the True characters, in the order of the unit's value; for rare labels",
            needs=LEVEL_TABLES,
            score=_average_precision,
        ),
        Method(
            "mean_difference",
            ("binary", "categorical"),
            "difference of the means where the label is True and False, or between a class and the others, in the "
            "unit's values",
            needs=PRODUCTS_OF_CLASSES,
            score=_mean_difference,
        ),
        Method(
            "weight",
            ("binary", "numeric"),
            "size of the coefficient in a linear probe of its site, per value of the unit",
            measure=_weight(standardised=False, how=Fitting(penalty=1.0)),
        ),
        Method(
            "standardised_weight",
            ("binary", "numeric"),
            "the same per standard deviation of the unit",
            measure=_weight(standardised=True, how=Fitting(penalty=1.0)),
        ),
        Method(
            "elastic_net",
            ("binary", "numeric"),
            "the same with an elastic net, half L1 and half L2, whose strength is chosen in training",
            measure=_weight(standardised=True, how=Fitting(l1_ratio=0.5)),
        ),
        Method(
            "sparse",
            ("binary", "numeric", "categorical"),
            "share of the label's variance that the unit and those chosen after it add to those chosen before, of "
            f"{_MOST_SELECTED} that are best together, chosen on all training characters, or some of a long text",
            measure=_sparse,
        ),
    )
}
