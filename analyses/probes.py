"""Linear probes: all units of a site, or any list of units, against a label."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source
from activations.units import Site, Unit
from analyses.alignment import AnyHypothesis, Target, ask, refuse_classes
from analyses.errors import AnalysisError
from analyses.level_counts import LevelCounts, auc_from_counts
from analyses.levels import to_levels
from analyses.logistic import Batch, Linear, fit_logistic, fit_ridge
from analyses.moments import Moments
from analyses.splits import TEST, TRAIN

Progress = Callable[[int, int], None]
_NOT_NUMBERS = "some activations are not numbers (NaN or infinite); the model's weights may be broken"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProbeResult:
    """How well a linear probe reads one hypothesis from some units, on held-out characters.

    Attributes:
        hypothesis: Name of the hypothesis probed for.
        units: What the probe sees, in the order of `weights`.
        weights: (n_units,) coefficients per standard deviation of each unit: nats for a binary label, the
            label's unit for a numeric one.
        raw_weights: (n_units,) the same per value of a unit.
        intercept: The probe's value at the training mean of every unit.
        n_train: Training characters with a label.
        n_test: Held-out characters with a label.
        n_passes: Over the activations, to fit it.
    """

    hypothesis: str
    units: tuple[Unit, ...] = field(repr=False)
    weights: NDArray[np.float64] = field(repr=False)
    raw_weights: NDArray[np.float64] = field(repr=False)
    intercept: float
    n_train: int
    n_test: int
    n_passes: int

    @property
    def name(self) -> str:
        """The site, if the probe sees all units of one; else how many units it sees."""
        sites = {unit.site for unit in self.units}
        return str(sites.pop()) if len(sites) == 1 else f"{len(self.units)} units"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BinaryProbeResult(ProbeResult):
    """A logistic probe of a binary label.

    Attributes:
        accuracy: Share of held-out characters classified right, in [0, 1].
        majority: Accuracy of always saying what is more frequent in training: chance for `accuracy`.
        f1: Harmonic mean of precision and recall of True, in [0, 1]; NaN if True is neither said nor there.
        auc: Area under the ROC curve, in [0, 1]; chance is 0.5. Exact up to 11 significant bits of the logit.
    """

    accuracy: float
    majority: float
    f1: float
    auc: float

    def row(self) -> dict[str, str | float]:
        """What `probe fit --json` prints."""
        return {
            "hypothesis": self.hypothesis,
            "site": self.name,
            "accuracy": self.accuracy,
            "majority": self.majority,
            "f1": self.f1,
            "auc": self.auc,
        }

    def __str__(self) -> str:
        return (
            f"{self.hypothesis} from {self.name}: accuracy {self.accuracy:.3f} (majority {self.majority:.3f}), "
            f"F1 {self.f1:.3f}, AUC {self.auc:.3f}"
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NumericProbeResult(ProbeResult):
    """A ridge probe of a numeric label.

    Attributes:
        r2: Share of the held-out variance explained, at most 1; 0 is what the mean of the held-out labels does.
        r: Pearson's correlation of the probe's value with the label, in [−1, 1]; chance is 0.
    """

    r2: float
    r: float

    def row(self) -> dict[str, str | float]:
        """What `probe fit --json` prints."""
        return {"hypothesis": self.hypothesis, "site": self.name, "r2": self.r2, "r": self.r}

    def __str__(self) -> str:
        return f"{self.hypothesis} from {self.name}: R² {self.r2:.3f}, r {self.r:.3f}"


AnyProbeResult = BinaryProbeResult | NumericProbeResult


def fit(
    source: Source,
    hypothesis: AnyHypothesis | Target,
    *,
    sites: Collection[Site] | None = None,
    penalty: float = 1.0,
    progress: Progress = lambda done, total: None,
) -> list[AnyProbeResult]:
    """Fit one linear probe for each site and judge it on held-out characters.

    Args:
        source: A recording or live activations. A probe needs many passes: those of a live source are recorded
            first, in a temporary folder.
        hypothesis: Its name, a function, or a target made before.
        sites: Where to look; None is everywhere.
        penalty: L2 penalty on the weights, on the scale of the summed loss (1/C in scikit-learn).
        progress: Called, step by step, with what is done and a guess of how much there is to do.

    Returns:
        A result for each site, in their order.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels cannot be probed for.
    """
    chosen = sorted(source.sites if sites is None else sites)
    designs = [[Unit(site, index) for index in range(source.sites[site])] for site in chosen]
    return fit_units(source, hypothesis, designs, penalty=penalty, progress=progress)


def fit_units(
    source: Source,
    hypothesis: AnyHypothesis | Target,
    designs: Sequence[Sequence[Unit]],
    *,
    penalty: float = 1.0,
    progress: Progress = lambda done, total: None,
) -> list[AnyProbeResult]:
    """Fit linear probes that each see their own list of units, all in the same passes. See `fit`."""
    if not penalty > 0:
        raise AnalysisError(f"the penalty is {penalty}; it must be above 0")
    asked = ask(source, hypothesis)
    refuse_classes(asked)
    sites = sorted({unit.site for design in designs for unit in design})
    with source.rereadable(sites, progress) as recording:
        probing = _Probing(recording, asked, designs, progress)
        if asked.kind == "binary":
            fitted = fit_logistic(probing.training_rows, probing.sizes, penalty, progress)
        else:
            fitted = fit_ridge(probing.training_rows, probing.sizes, penalty, progress)
        progress(1, 1)
        return probing.judge(fitted)


class _Probing:
    """The rows that several designs are fitted to and judged on."""

    def __init__(self, source: Source, asked: Target, designs: Sequence[Sequence[Unit]], progress: Progress) -> None:
        self._source = source
        self._asked = asked
        self._designs = designs
        units = sorted({unit for design in designs for unit in design}, key=lambda unit: (unit.site, unit.index))
        place = {unit: n for n, unit in enumerate(units)}
        self._columns = [_slice([place[unit] for unit in design]) for design in designs]
        self._sites = sorted({unit.site for unit in units})
        self._of_site = {site: _slice([unit.index for unit in units if unit.site == site]) for site in self._sites}
        self._moments = Moments.empty(len(units))
        done = 0
        for block in source.blocks(self._sites):
            labels, parts = asked.rows(block)
            train = np.flatnonzero(parts == TRAIN)
            self._moments.merge(Moments.of(self._gather(block, train), labels[train].astype(np.float64)))
            done += block.n_chars
            progress(done, source.selection.n_chars)
        if not np.isfinite(self._moments.mean).all():
            raise AnalysisError(_NOT_NUMBERS)
        deviation = self._moments.deviation
        self._mean = self._moments.mean.astype(np.float32)
        self._scale = np.where(deviation > 0, deviation, 1.0).astype(np.float32)

    @property
    def sizes(self) -> list[int]:
        """How many units each design has."""
        return [len(design) for design in self._designs]

    def training_rows(self, every: int) -> Iterator[list[Batch]]:
        """A pass over every n-th training row: units and labels for every design, in batches."""
        yield from self._rows(TRAIN, every)

    def judge(self, fitted: Sequence[Linear]) -> list[AnyProbeResult]:
        """How every design does on the test rows."""
        judge = self._judge_binary if self._asked.kind == "binary" else self._judge_numeric
        return judge(fitted)

    def _rows(self, part: int, every: int = 1) -> Iterator[list[Batch]]:
        for block in self._source.blocks(self._sites):
            labels, parts = self._asked.rows(block)
            rows = np.flatnonzero(parts == part)[::every]
            if len(rows):
                x = (self._gather(block, rows) - self._mean) / self._scale
                y = labels[rows].astype(np.float64)
                yield [(x[:, columns], y) for columns in self._columns]

    def _gather(self, block: Block, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n_rows, n_units) activations of all units of all designs."""
        return np.hstack([block.values[site][rows][:, self._of_site[site]].astype(np.float32) for site in self._sites])

    def _judge_binary(self, fitted: Sequence[Linear]) -> list[AnyProbeResult]:
        logit_counts = LevelCounts(2, len(fitted))
        confusion = np.zeros((len(fitted), 2, 2), np.int64)  # design, label, said
        for batches in self._rows(TEST):
            y = batches[0][1].astype(np.int8)
            logits = np.stack(
                [
                    x @ f.weights.astype(np.float32) + np.float32(f.intercept)
                    for (x, _), f in zip(batches, fitted, strict=True)
                ],
                axis=1,
            )
            if not np.isfinite(logits).all():
                raise AnalysisError(_NOT_NUMBERS)
            levels = np.empty(logits.T.shape, np.uint16)
            to_levels(logits, levels)
            logit_counts.update(levels, y)
            for label in (0, 1):
                said = (logits[y == label] > 0).sum(0)
                confusion[:, label, 1] += said
                confusion[:, label, 0] += (y == label).sum() - said
        aucs = auc_from_counts(logit_counts.counts[..., 1], logit_counts.counts[..., 0])
        n_test = int(confusion[0].sum())
        usual = int(self._moments.label_mean > 0.5)
        results: list[AnyProbeResult] = []
        for design, columns, f, auc, table in zip(self._designs, self._columns, fitted, aucs, confusion, strict=True):
            relevant = 2 * table[1, 1] + table[0, 1] + table[1, 0]
            results.append(
                BinaryProbeResult(
                    hypothesis=self._asked.hypothesis,
                    units=tuple(design),
                    weights=f.weights,
                    raw_weights=f.weights / self._scale[columns],
                    intercept=f.intercept,
                    n_train=self._moments.n,
                    n_test=n_test,
                    n_passes=f.n_passes,
                    accuracy=float(table[0, 0] + table[1, 1]) / n_test,
                    majority=float(table[usual].sum()) / n_test,
                    f1=float(2 * table[1, 1] / relevant) if relevant else float("nan"),
                    auc=float(auc),
                )
            )
        return results

    def _judge_numeric(self, fitted: Sequence[Linear]) -> list[AnyProbeResult]:
        moments = Moments.empty(len(fitted))
        squares = np.zeros(len(fitted))
        for batches in self._rows(TEST):
            y = batches[0][1]
            said = np.stack([x @ f.weights + f.intercept for (x, _), f in zip(batches, fitted, strict=True)], axis=1)
            squares += ((said - y[:, None]) ** 2).sum(0)
            moments.merge(Moments.of(said, y))
        if not np.isfinite(squares).all():
            raise AnalysisError(_NOT_NUMBERS)
        return [
            NumericProbeResult(
                hypothesis=self._asked.hypothesis,
                units=tuple(design),
                weights=f.weights,
                raw_weights=f.weights / self._scale[columns],
                intercept=f.intercept,
                n_train=self._moments.n,
                n_test=moments.n,
                n_passes=f.n_passes,
                r2=float(1 - square / moments.label_scatter),
                r=float(r),
            )
            for design, columns, f, square, r in zip(
                self._designs, self._columns, fitted, squares, moments.correlation, strict=True
            )
        ]


def _slice(places: list[int]) -> slice | NDArray[np.int64]:
    """An index for columns, which copies nothing where they stand side by side."""
    if places == list(range(places[0], places[0] + len(places))):
        return slice(places[0], places[0] + len(places))
    return np.array(places)
