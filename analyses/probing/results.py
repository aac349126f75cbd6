"""How probes are fitted and judged, and what comes out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from activations.results import Result
from activations.units import Unit
from analyses.intervals.estimates import Estimate
from analyses.probing.designs.design import MEMORY
from hypotheses.labels import Kind

PENALTIES = (1.0, 10.0, 100.0, 1000.0, 10_000.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """How probes are fitted and judged.

    Attributes:
        penalty: On the weights, on the scale of the summed loss (1/C in scikit-learn); None chooses the one of
            `PENALTIES` that does best on stretches of the training part.
        l1_ratio: From 0, an L2 penalty, to 1, an L1 penalty; in between, an elastic net.
        balanced: Whether all classes weigh the same, however rare they are.
        folds: How often another part of the stretches is held out, so that each is once; None holds one fifth out.
        n_stretches: How many of the training stretches are used, drawn at random; None is all.
        memory: Bytes that activations may take between passes; those that do not fit are read again in each.
        budget: Bytes of activations that are read at most: of a longer text, a run of characters from each atom; see
            `budgets.chosen_runs`. None is 4 GB from a live source, and no limit otherwise.
        keep: Whether to keep what a probe says of each held-out character that is read.
        seed: Of the control tasks, and of the training stretches that are drawn.
    """

    penalty: float | None = None
    l1_ratio: float = 0.0
    balanced: bool = False
    folds: int | None = None
    n_stretches: int | None = None
    memory: int = MEMORY
    budget: int | None = None
    keep: bool = False
    seed: int = 0


DEFAULT = Fitting()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ProbeResult(Result):
    """How well a linear probe reads one hypothesis from some units, on held-out characters.

    Scores that are not for this kind of label, or that could not be had, are NaN.

    Attributes:
        hypothesis: Name of the hypothesis probed for.
        kind: Of its labels: binary, categorical or numeric.
        site: What the probe sees: a site, `3 units`, or `last 5 characters`.
        control: What makes it a control, which ought to be chance or tells what is to be had without the model: `chars`
            sees characters alone, `position` the place in the text, the labels of `context` and `runs` are made up;
            None if it is none.
        units: What the probe sees, in the order of `weights`; none if it sees characters.
        accuracy: Share of characters classified right, in [0, 1].
        majority: Accuracy of always saying what is most frequent in training: chance for `accuracy`.
        balanced_accuracy: Mean over the classes of the share found of each, in [0, 1]; chance is 1 / n_classes.
        precision: How many of those said to be True are, in [0, 1]; of several classes the mean over them.
        recall: How many of those that are True are said to be; likewise.
        f1: Harmonic mean of precision and recall of True; likewise.
        auc: Area under the ROC curve, in [0, 1]; chance is 0.5. Of several classes the mean of each against the rest.
        log_loss: Mean of −log p(label), in nats per character.
        r2: Share of the held-out variance explained, at most 1; 0 is what the mean of the held-out labels does.
        r: Pearson's correlation of what the probe says with the label, in [−1, 1]; chance is 0.
        auc_within: `auc` among characters of the same eighth of the text, so that what a common trend gives is left
            out.
        r_within: `r`, likewise.
        average_precision: Mean precision at the True characters, in the order of what the probe says, in [0, 1]; chance
            is their share. Of several classes the mean over them; of several folds likewise.
        aucs: Of several classes, the AUC of each against the rest, by its name; NaN of one that is not held out.
        estimates: For each score by its name what its interval is made of; see `estimates.Estimate`.
        selectivity: Its accuracy (R² for numbers) less that of the same probe for labels that are drawn at random for
            each context of characters; NaN without that control.
        selectivity_interval: Its 95 % interval, paired by atom; NaN if there is none.
        weights: (n_columns, n_scores) coefficients, per standard deviation of each unit, the mean over the folds:
            n_scores is 1, or the number of three or more classes; nats for classes, the label's unit for a number.
        raw_weights: (n_columns, n_scores) the same per value of a unit.
        intercept: (n_scores,) what the probe says at the training mean of every unit.
        penalties: Of each fold: given, or chosen within its training stretches.
        n_chars: Characters of the text, or of the part of it that the source gives.
        n_used: Those of them whose activations were read; fewer if all would not have fitted the budget.
        n_train: Training characters with a label, the mean over the folds.
        n_test: Held-out characters with a label.
        n_passes: Over the activations, to fit it, at most.
        note: What makes the scores uncertain, or why there are none; empty if nothing does.
        predictions: (n_chars, n_scores) of the text: probabilities (of True, or of each class) or values at held-out
            characters that were read, NaN elsewhere; None if not kept.
        logits: (n_chars, n_scores) what the probabilities are made of, by the logistic function or softmax; NaN
            elsewhere; None if not kept, or for numbers. A probability can round to 0 or 1, a logit says how sure.
    """

    hypothesis: str
    kind: Kind
    site: str
    control: str | None = None
    units: tuple[Unit, ...] = field(default=(), repr=False)
    accuracy: float = math.nan
    majority: float = math.nan
    balanced_accuracy: float = math.nan
    precision: float = math.nan
    recall: float = math.nan
    f1: float = math.nan
    auc: float = math.nan
    log_loss: float = math.nan
    r2: float = math.nan
    r: float = math.nan
    auc_within: float = math.nan
    r_within: float = math.nan
    average_precision: float = math.nan
    aucs: Mapping[str, float] = field(default_factory=dict, repr=False)
    estimates: Mapping[str, Estimate] = field(default_factory=dict, repr=False)
    selectivity: float = math.nan
    selectivity_interval: tuple[float, float] = (math.nan, math.nan)
    weights: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)), repr=False)
    raw_weights: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 0)), repr=False)
    intercept: NDArray[np.float64] = field(default_factory=lambda: np.empty(0), repr=False)
    penalties: tuple[float, ...] = ()
    n_chars: int = 0
    n_used: int = 0
    n_train: int = 0
    n_test: int = 0
    n_passes: int = 0
    note: str = ""
    predictions: NDArray[np.float32] | None = field(default=None, repr=False)
    logits: NDArray[np.float32] | None = field(default=None, repr=False)

    @property
    def measure(self) -> str:
        """The name of the score that tells most at once: `auc`, or `r2` for numbers."""
        return "r2" if self.kind == "numeric" else "auc"

    @property
    def score(self) -> float:
        """That score."""
        return self.r2 if self.kind == "numeric" else self.auc

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """For each score by its name the 95 % interval; NaN if there is none."""
        return {name: each.interval for name, each in self.estimates.items()}

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of `score`."""
        own = self.estimates.get(self.measure)
        return (math.nan, math.nan) if own is None else own.interval

    def row(self) -> dict[str, str | float | int | None]:
        """What `probe fit --json` prints; `low` and `high` are the interval of `score`."""
        low, high = self.interval
        return {
            "hypothesis": self.hypothesis,
            "site": self.site,
            "control": self.control,
            **{name: getattr(self, name) for name in scores_of(self.kind)},
            "low": low,
            "high": high,
            "selectivity": self.selectivity,
            "selectivity_low": self.selectivity_interval[0],
            "selectivity_high": self.selectivity_interval[1],
            **{
                f"{name}_{end}": number
                for name, own in self.intervals.items()
                for end, number in zip(("low", "high"), own, strict=True)
            },
            **{f"auc_of_{name}": number for name, number in self.aucs.items()},
            "penalty": float(np.median(self.penalties)) if self.penalties else math.nan,
            "n_chars": self.n_chars,
            "n_used": self.n_used,
            "n_train": self.n_train,
            "n_test": self.n_test,
            "note": self.note,
        }

    def __str__(self) -> str:
        found = ", ".join(f"{name.replace('_', ' ')} {getattr(self, name):.3f}" for name in scores_of(self.kind))
        control = f" ({self.control}, a control)" if self.control else ""
        return f"{self.hypothesis} from {self.site}{control}: {found}" + (f"; {self.note}" if self.note else "")


def scores_of(kind: Kind) -> tuple[str, ...]:
    """The names of the scores that a probe of such labels has."""
    if kind == "numeric":
        return "r2", "r", "r_within"
    return (
        "accuracy", "majority", "balanced_accuracy", "precision", "recall", "f1", "auc", "auc_within",
        "average_precision", "log_loss",
    )  # fmt: skip
