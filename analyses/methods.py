"""Ways to score how much a unit has to do with a label: what `probe rank --method` can name."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.units import Site
from analyses.alignment import Target
from analyses.classes import classes_of, one_against_rest
from analyses.errors import AnalysisError
from analyses.histograms import N_BINS, histograms, level_tables
from analyses.probe_results import Fitting
from analyses.probes import fit
from analyses.scores import products, spearman
from analyses.selecting import select
from analyses.splits import TEST, TRAIN
from analyses.threads import in_threads
from hypotheses.labels import Kind


class Marks(NamedTuple):
    """The scores that a method gives to the units of a site.

    Attributes:
        train: (n_units,) on training characters, from 0 on: what orders them.
        test: (n_units,) on held-out characters, with what was chosen in training; NaN if the method has none.
        note: What one has to know to read the scores of all sites, as a sentence; empty if nothing.
    """

    train: NDArray[np.float64]
    test: NDArray[np.float64]
    note: str = ""


Measure = Callable[[Source, Target, Collection[Site], Callable[[int], None]], dict[Site, Marks]]


@dataclass(frozen=True, slots=True)
class Method:
    """A way to score units.

    Attributes:
        name: As it is asked for.
        kinds: Of the labels that it is for.
        summary: What the score is.
        over_classes: Whether it sees that a label has to do with a unit though neither rises with the other.
        measure: Scores the units of sites; None if the score is one that every ranking has.
    """

    name: str
    kinds: tuple[Kind, ...]
    summary: str
    over_classes: bool = False
    measure: Measure | None = None


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


def _mean_difference(
    source: Source, asked: Target, sites: Collection[Site], forward: Callable[[int], None]
) -> dict[Site, Marks]:
    [found] = products(source, [asked], sites, forward)
    marks = {}
    for site, own in found.items():
        differences = []
        for part in (TRAIN, TEST):
            total = own.of(part)
            n, positive = total.n[0], total.y[0]
            differences.append(total.xy[0] / positive - (total.x[0] - total.xy[0]) / (n - positive))
        marks[site] = _turned(*differences)
    return marks


def _r(source: Source, asked: Target, sites: Collection[Site], forward: Callable[[int], None]) -> dict[Site, Marks]:
    [found] = products(source, [asked], sites, forward)
    return {site: _turned(own.r(TRAIN), own.r(TEST)) for site, own in found.items()}


def _r2(source: Source, asked: Target, sites: Collection[Site], forward: Callable[[int], None]) -> dict[Site, Marks]:
    """Held out: what the line that was fitted in training explains of the test labels, which can be less than 0."""
    [found] = products(source, [asked], sites, forward)
    marks = {}
    for site, own in found.items():
        train, test, r = own.of(TRAIN), own.of(TEST), own.r(TRAIN)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean_x, mean_y = train.x[0] / train.n[0], train.y[0] / train.n[0]
            slope = (train.xy[0] - train.n[0] * mean_x * mean_y) / own.scatter(TRAIN)
            start = mean_y - slope * mean_x
            n, x, xx, y, yy, xy = (each[0] for each in (test.n, test.x, test.xx, test.y, test.yy, test.xy))
            missed = yy + slope**2 * xx + n * start**2 - 2 * slope * xy - 2 * start * y + 2 * slope * start * x
            explained = 1 - missed / (yy - y * y / n)
        marks[site] = Marks(r**2, np.where(np.isnan(r), np.nan, explained))
    return marks


def _spearman(
    source: Source, asked: Target, sites: Collection[Site], forward: Callable[[int], None]
) -> dict[Site, Marks]:
    return {site: _turned(train, test) for site, (train, test) in spearman(source, asked, sites, forward).items()}


def _eta2(source: Source, asked: Target, sites: Collection[Site], forward: Callable[[int], None]) -> dict[Site, Marks]:
    """Held out: what the means of the classes in training explain of the unit in the test part."""
    of_classes = products(source, one_against_rest(asked, classes_of(asked)), sites, forward)
    marks = {}
    for site in sites:
        between, missed = 0.0, 0.0
        for own in (each[site] for each in of_classes):
            train, test = own.of(TRAIN), own.of(TEST)
            n, sums = train.y[0], train.xy[0]
            mean = sums / n if n else train.x[0] / train.n[0]
            between = between + (n * (mean - train.x[0] / train.n[0]) ** 2)
            missed = missed + test.y[0] * mean**2 - 2 * mean * test.xy[0]
        own = of_classes[0][site]
        with np.errstate(invalid="ignore", divide="ignore"):
            explained = np.where(own.scatter(TRAIN) > 0, between / own.scatter(TRAIN), np.nan)
            rest = np.where(own.scatter(TEST) > 0, (missed + own.of(TEST).xx[0]) / own.scatter(TEST), np.nan)
        marks[site] = Marks(explained, 1 - rest)
    return marks


def _mutual_information(
    source: Source, asked: Target, sites: Collection[Site], forward: Callable[[int], None]
) -> dict[Site, Marks]:
    of_sites: dict[Site, list[Marks]] = {}
    for columns, counts in histograms(source, asked, classes_of(asked), sites, forward):
        of_sites.setdefault(columns.site, []).append(Marks(_bits(counts[:, TRAIN]), _bits(counts[:, TEST])))
    return _joined(of_sites)


def _joined(of_sites: Mapping[Site, Sequence[Marks]], note: str = "") -> dict[Site, Marks]:
    """Those of some units of each site after another, in their order."""
    return {
        site: Marks(np.concatenate([each.train for each in of]), np.concatenate([each.test for each in of]), note)
        for site, of in of_sites.items()
    }


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


def _at_threshold(name: str, score: Callable[..., NDArray[np.float64]]) -> Measure:
    """The score of saying True above or below a threshold, both chosen in training, of all that differ for a unit."""

    def best(table: NDArray[np.uint32]) -> tuple[float, float]:
        """Of (65536, 2, 2) how many characters of each level, part and label there are."""
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

    def measure(
        source: Source, asked: Target, sites: Collection[Site], forward: Callable[[int], None]
    ) -> dict[Site, Marks]:
        of_sites: dict[Site, list[Marks]] = {}
        for columns, tables in level_tables(source, asked, sites, forward):
            train, test = np.array(list(in_threads(best, tables))).T
            of_sites.setdefault(columns.site, []).append(Marks(train, test))
        labels, parts = asked.all_rows
        n_false, n_true = np.bincount(labels[parts == TRAIN], minlength=2)
        floor = float(score(n_true, n_false, n_true, n_false))
        scores = np.concatenate([each.train for of in of_sites.values() for each in of])
        n_at_floor = int((scores < floor + _HARDLY_MORE).sum())
        note = (
            f"{n_at_floor:,} of {len(scores):,} units have the {name} of always saying True, {floor:.4f}, or less than "
            f"{_HARDLY_MORE} more; units with the same {name} stand in the order of their AUC's distance from chance"
        )
        return _joined(of_sites, note if n_at_floor else "")

    return measure


def _balanced_accuracy(
    true: NDArray[np.int64], false: NDArray[np.int64], n_true: NDArray[np.int64], n_false: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Of how many True and False characters are said to be True, and how many there are."""
    return np.asarray((true / n_true + 1 - false / n_false) / 2)


def _f1(
    true: NDArray[np.int64], false: NDArray[np.int64], n_true: NDArray[np.int64], n_false: NDArray[np.int64]
) -> NDArray[np.float64]:
    return np.asarray(2 * true / (true + false + n_true))


def _iou(
    true: NDArray[np.int64], false: NDArray[np.int64], n_true: NDArray[np.int64], n_false: NDArray[np.int64]
) -> NDArray[np.float64]:
    return np.asarray(true / (n_true + false))


def _weight(*, standardised: bool, how: Fitting) -> Measure:
    def measure(
        source: Source, asked: Target, sites: Collection[Site], forward: Callable[[int], None]
    ) -> dict[Site, Marks]:
        chosen = sorted(sites)
        found = {}
        for site, probe in zip(chosen, fit(source, asked, sites=chosen, how=how), strict=True):
            if not len(probe.weights):
                raise AnalysisError(f"no probe can be fitted for {asked.hypothesis!r}: {probe.note}")
            weights = np.abs(probe.weights if standardised else probe.raw_weights)[:, 0]
            found[site] = Marks(weights, np.full(len(weights), np.nan))
        return found

    return measure


def _sparse(
    source: Source, asked: Target, sites: Collection[Site], forward: Callable[[int], None]
) -> dict[Site, Marks]:
    """What a unit and those chosen after it add to those before it."""
    with source.rereadable(sites) as recording:
        chosen = select(recording, asked, sites, _MOST_SELECTED)
    before = np.concatenate([[0.0], chosen.r2[:-1]])
    note = ""
    if chosen.every > 1:
        note = f"the units were chosen on one training character in {chosen.every}, {chosen.n_chars:,} of them"
    marks = {site: Marks(np.zeros(source.sites[site]), np.full(source.sites[site], np.nan), note) for site in sites}
    for unit, share in zip(chosen.units, chosen.r2[-1:] - before, strict=True):
        marks[unit.site].train[unit.index] = share
    return marks


def _turned(train: NDArray[np.float64], test: NDArray[np.float64]) -> Marks:
    """Scores that may be below 0, turned the way that training says."""
    return Marks(np.abs(train), np.where(train < 0, -test, test))


_MOST_SELECTED = 64
_HARDLY_MORE = 0.001
_BINARY: tuple[Kind, ...] = ("binary",)
_NUMERIC: tuple[Kind, ...] = ("numeric",)
METHODS: Mapping[str, Method] = {
    each.name: each
    for each in (
        Method("auc", ("binary", "categorical"), "distance of the area under the ROC curve from chance, 0 to 1"),
        Method("r", ("binary", "numeric"), "size of Pearson's correlation", measure=_r),
        Method("r2", _NUMERIC, "share of the label's variance that a line through the unit explains", measure=_r2),
        Method("spearman", ("binary", "numeric"), "size of the rank correlation", measure=_spearman),
        Method(
            "eta2",
            ("numeric", "categorical"),
            "share of the unit's variance that lies between classes, or bins of the label; sees waves",
            True,
            _eta2,
        ),
        Method(
            "mutual_information",
            ("binary", "numeric", "categorical"),
            f"bits that {N_BINS} bins of the unit tell of the label",
            True,
            _mutual_information,
        ),
        Method(
            "balanced_accuracy",
            _BINARY,
            "mean share of True and of False characters that the best threshold gets right",
            measure=_at_threshold("balanced accuracy", _balanced_accuracy),
        ),
        Method("f1", _BINARY, "F1 of the best threshold", measure=_at_threshold("F1", _f1)),
        Method("iou", _BINARY, "intersection over union of the best threshold", measure=_at_threshold("IoU", _iou)),
        Method(
            "mean_difference",
            _BINARY,
            "difference of the means where the label is True and False, in the unit's values",
            measure=_mean_difference,
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
