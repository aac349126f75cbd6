"""Results of linear probes: their weights, and their scores on held-out characters."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from activations.deprecation import renamed_attribute
from activations.results import Result
from activations.units import Unit
from analyses.errors import AnalysisError
from analyses.intervals.estimates import Estimate
from analyses.probing.kept_probes import Probe
from analyses.probing.options import DEFAULT_OPTIONS, FitOptions
from analyses.rounding import rounded
from hypotheses.labels import Kind


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ProbeResult(Result):
    """The weights of a linear probe for one hypothesis, and its scores on held-out characters.

    Scores that do not apply to this kind of label, or that could not be computed, are NaN.

    Attributes:
        hypothesis: Name of the hypothesis that is probed for.
        kind: Kind of its labels: binary, categorical or numeric.
        site: What the probe sees: a site, `3 units`, or `last 5 characters`.
        control: The control that the probe is, None if it is none: `chars` sees only characters and `position` only
            the position in the text, so that they show what can be predicted without the model; `context` and `runs`
            have made-up labels, so that they should be at chance.
        units: The units that the probe sees, in the order of `weights`; empty if it sees characters or the position.
        accuracy: Share of characters classified correctly, in [0, 1].
        majority_accuracy: Accuracy of always predicting the most frequent class in training: chance for `accuracy`.
        balanced_accuracy: Mean recall over the classes, in [0, 1]; chance is 1 / n_classes.
        precision: Share of characters predicted as True that are True, in [0, 1]; of several classes the mean over
            them.
        recall: Share of True characters that are predicted as True, in [0, 1]; of several classes the mean over them.
        f1: Harmonic mean of precision and recall of True; of several classes the mean over them.
        auc: Area under the ROC curve, in [0, 1]; chance is 0.5. Of several classes the mean of each against the rest.
        log_loss: Mean of −log p(label), in nats per character.
        r2: Share of the held-out variance explained, at most 1; 0 is what the mean of the held-out labels explains.
        r: Pearson's correlation of the predictions with the label, in [−1, 1]; chance is 0.
        auc_within_position_groups: `auc` among characters of the same eighth of the text, which leaves out what a
            common trend gives.
        r_within_position_groups: `r` among characters of the same eighth of the text, likewise.
        average_precision: Mean precision at the True characters, in the order of the predictions, in [0, 1]; chance
            is their share. Of several classes the mean over them; of several folds likewise.
        aucs: Of several classes, the AUC of each against the rest, by its name; NaN of one that is not held out.
        estimates: For each score by its name what its interval is made of; see `estimates.Estimate`.
        selectivity: Accuracy (R² for numbers) less that of the same probe for labels drawn at random for each context
            of characters; NaN without that control.
        selectivity_interval: Its 95 % interval, paired by atom; NaN if there is none.
        weights: (n_columns, n_outputs) weights per standard deviation of each unit, the mean over the folds:
            n_outputs is 1, or the number of three or more classes; nats for classes, the label's unit for a number.
        raw_weights: (n_columns, n_outputs) weights per unit of activation.
        intercept: (n_outputs,) the outputs where every unit has its training mean.
        penalties: The penalty of each fold, as given, or as chosen within its training stretches.
        n_chars: Characters of the text, or of the part of it that the source gives.
        n_used: Characters whose activations were read; fewer if all would have exceeded the budget.
        n_train: Training characters with a label, the mean over the folds.
        n_test: Held-out characters with a label.
        n_passes: Passes over the activations that fitting took, at most.
        note: What makes the scores uncertain, or why there are none; empty if nothing does.
        predictions: (n_chars, n_outputs) probabilities (of True, or of each class) or numbers, for the held-out
            characters of the text that were read, and NaN elsewhere; None if not kept.
        logits: (n_chars, n_outputs) logits of the probabilities, NaN elsewhere; None if not kept, or for numbers.
            Where a probability rounds to 0 or 1, its logit does not.
        probe: The probe itself, to be saved and used elsewhere; None of a control, or if it could not be fitted.
        options: The options that the probe was fitted with. With the same source, hypothesis and units they give the
            same result again.
    """

    hypothesis: str
    kind: Kind
    site: str
    control: str | None = None
    units: tuple[Unit, ...] = field(default=(), repr=False)
    accuracy: float = math.nan
    majority_accuracy: float = math.nan
    balanced_accuracy: float = math.nan
    precision: float = math.nan
    recall: float = math.nan
    f1: float = math.nan
    auc: float = math.nan
    log_loss: float = math.nan
    r2: float = math.nan
    r: float = math.nan
    auc_within_position_groups: float = math.nan
    r_within_position_groups: float = math.nan
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
    probe: Probe | None = field(default=None, repr=False)
    options: FitOptions = field(default=DEFAULT_OPTIONS, repr=False)

    majority = renamed_attribute("majority", "majority_accuracy")
    auc_within = renamed_attribute("auc_within", "auc_within_position_groups")
    r_within = renamed_attribute("r_within", "r_within_position_groups")

    @property
    def seed(self) -> int:
        """The seed that reproduces the result: of control labels, and of the draw of training stretches."""
        return self.options.seed

    @property
    def measure(self) -> str:
        """The name of the main score: `auc`, or `r2` for numbers."""
        return "r2" if self.kind == "numeric" else "auc"

    @property
    def score(self) -> float:
        """The value of the main score: the AUC, or R² for numbers."""
        return self.r2 if self.kind == "numeric" else self.auc

    @property
    def intervals(self) -> dict[str, tuple[float, float]]:
        """The 95 % interval of each score, by its name; NaN if there is none."""
        return {name: estimate.interval for name, estimate in self.estimates.items()}

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the main score; NaN if there is none."""
        estimate = self.estimates.get(self.measure)
        return (math.nan, math.nan) if estimate is None else estimate.interval

    def save(self, path: Path | str) -> None:
        """Write the probe to an .npz file, to be read by `probe.load_probe`; see `kept_probes.save_probes`.

        Raises:
            ActivationError: If the file cannot be written.
            AnalysisError: If the result is of a control, or of a probe that could not be fitted.
        """
        if self.probe is None:
            why = f"it is the control {self.control!r}" if self.control else self.note
            raise AnalysisError(f"there is no probe of {self.hypothesis!r} from {self.site} to save: {why}")
        self.probe.save(path)

    def row(self) -> dict[str, str | float | int | None]:
        """Return what `probe fit --json` prints; `low` and `high` are the interval of `score`."""
        low, high = self.interval
        return {
            "hypothesis": self.hypothesis,
            "site": self.site,
            "control": self.control,
            **{name: getattr(self, name) for name in score_names(self.kind)},
            "low": low,
            "high": high,
            "selectivity": self.selectivity,
            "selectivity_low": self.selectivity_interval[0],
            "selectivity_high": self.selectivity_interval[1],
            **{
                f"{name}_{end}": number
                for name, interval in self.intervals.items()
                for end, number in zip(("low", "high"), interval, strict=True)
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
        scores = ", ".join(
            f"{name.replace('_', ' ')} {rounded(getattr(self, name), '.3f')}" for name in score_names(self.kind)
        )
        control = f" ({self.control}, a control)" if self.control else ""
        return f"{self.hypothesis} from {self.site}{control}: {scores}" + (f"; {self.note}" if self.note else "")


def score_names(kind: Kind) -> tuple[str, ...]:
    """Return the names of the scores that a probe has for a kind of labels."""
    if kind == "numeric":
        return "r2", "r", "r_within_position_groups"
    return (
        "accuracy", "majority_accuracy", "balanced_accuracy", "precision", "recall", "f1", "auc",
        "auc_within_position_groups", "average_precision", "log_loss",
    )  # fmt: skip
