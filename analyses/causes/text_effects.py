"""Effects of interventions on texts that a model writes: what hypotheses measure in them, with the texts as sample."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from activations.results import Result
from activations.texts.corpus import Corpus
from analyses.errors import AnalysisError
from analyses.intervals.matched_p_values import matched_p_value
from analyses.intervals.significance import q_values
from analyses.intervals.students_t import quantile
from analyses.targets.labelling import AnyHypothesis, label, labeller_of_new_texts
from hypotheses.registry import hypothesis_of

Array = NDArray[np.float64]
LOSS = "loss"
"""The measure of how well the unsteered model predicts the texts, in nats per character."""
FEWEST_TEXTS = 8
"""The number of texts below which there are no intervals and no p-values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEffect(Result):
    """The effect of an intervention on one measure of the texts that a model writes.

    Attributes:
        intervention: What was changed, such as a unit, and in which way.
        at: The value at which units were held, or the factor of the direction that was added.
        measure: The hypothesis: the share of characters at which it holds, or the mean of its numbers; or `LOSS`.
        unsteered: The mean over the texts that are written without the intervention.
        steered: The mean over those that are written with it.
        effect: The mean over all texts of the difference from the unsteered text of the same seed.
        low: The lower end of its 95 % interval, by Student's t over the texts; NaN for fewer than 8.
        high: The upper one.
        matched: Mean effect of the matched interventions; NaN without any.
        matched_sd: Standard deviation of their effects.
        beyond_matched: The effect less that of the matched interventions.
        p: Two-sided p-value under the null that the intervention is one like the matched ones; NaN if there is none.
        q: False discovery rate over all interventions and measures of the table.
        n_texts: Number of texts in which it can be measured, with and without the intervention.
    """

    intervention: str
    at: float
    measure: str
    unsteered: float
    steered: float
    effect: float
    low: float
    high: float
    matched: float
    matched_sd: float
    beyond_matched: float
    p: float
    q: float
    n_texts: int


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """One measure of all texts, without an intervention, with it, and with those that are matched to it.

    Attributes:
        intervention: What was changed.
        at: The value, or the factor.
        measure: What is measured.
        unsteered: (n_texts,) without the intervention; NaN where it cannot be measured, as in all arrays.
        steered: (n_texts,) with it; each text has the seed of the unsteered one.
        matched: (n_matched, n_texts) with the matched interventions.
    """

    intervention: str
    at: float
    measure: str
    unsteered: Array
    steered: Array
    matched: Array


def text_means(texts: Sequence[str], hypothesis: AnyHypothesis, written: slice) -> Array:
    """Return (n_texts,) what a hypothesis measures in each text: a share in [0, 1], or a mean.

    Args:
        texts: The texts, each labelled by itself.
        hypothesis: A hypothesis of two values, or of numbers.
        written: The characters of each text that count, such as those after the prompt.

    Returns:
        The share of characters at which it holds, or the mean of the numbers; NaN where no character has a label.

    Raises:
        AnalysisError: If the hypothesis has several classes.
        HypothesisError: If there is no such hypothesis, or it fails on a text.
    """
    labeller = labeller_of_new_texts(hypothesis, "a text that a model writes")
    corpus = Corpus.from_texts(texts)
    labels = label(corpus, labeller, use_cache=False)
    if labels.kind == "categorical":
        raise AnalysisError(
            f"{labeller.name!r} has several classes, which have no mean; compare it with one of them, such as "
            f"'{labeller.name} == {labels.names[0]}'"
        )
    means = np.full(len(texts), np.nan)
    for number, document in enumerate(corpus.documents):
        of_text = labels[document.start : document.stop][written]
        if of_text.present.any():
            means[number] = of_text.values[of_text.present].mean(dtype=np.float64)
    return means


def name_of(hypothesis: AnyHypothesis) -> str:
    """Return the name of a hypothesis."""
    return hypothesis_of(hypothesis).name


def text_effects(measured: Sequence[Measured]) -> list[TextEffect]:
    """Compare texts with and without interventions, and with matched interventions, text by text.

    The texts are the sample: each is compared with the unsteered one of the same seed. An intervention like the matched
    ones differs from their mean by the spread of their true effects, and by the sampling error of the texts; see
    `matched_p_value`.
    """
    effects = [_effect(measure) for measure in measured]
    q = q_values(np.array([effect.p for effect in effects]))
    return [replace(effect, q=float(value)) for effect, value in zip(effects, q, strict=True)]


def _effect(measured: Measured) -> TextEffect:
    differences = measured.steered - measured.unsteered
    is_known = np.isfinite(differences)
    n = int(is_known.sum())
    effect = float(differences[is_known].mean()) if n else np.nan
    low, high = _interval(differences[is_known])
    of_matched = measured.matched - measured.unsteered
    known_by_matched = np.isfinite(of_matched).any(axis=1) if len(of_matched) else np.zeros(0, bool)
    matched_means = np.array([np.nanmean(row) for row in of_matched[known_by_matched]])
    has_matched = len(matched_means) >= 2
    matched = float(matched_means.mean()) if has_matched else np.nan
    spread = float(matched_means.std(ddof=1)) if has_matched else np.nan
    return TextEffect(
        intervention=measured.intervention,
        at=measured.at,
        measure=measured.measure,
        unsteered=float(measured.unsteered[is_known].mean()) if n else np.nan,
        steered=float(measured.steered[is_known].mean()) if n else np.nan,
        effect=effect,
        low=low,
        high=high,
        matched=matched,
        matched_sd=spread,
        beyond_matched=effect - matched,
        p=_p_value(differences, of_matched[known_by_matched], effect - matched, spread),
        q=np.nan,
        n_texts=n,
    )


def _interval(differences: Array) -> tuple[float, float]:
    """Return the 95 % interval of the mean of (n_texts,) differences, by Student's t."""
    n = len(differences)
    if n < FEWEST_TEXTS:
        return np.nan, np.nan
    mean, reach = differences.mean(), quantile(0.975, n - 1) * differences.std(ddof=1) / np.sqrt(n)
    return float(mean - reach), float(mean + reach)


def _p_value(differences: Array, of_matched: Array, beyond: float, spread: float) -> float:
    """Return the p-value of the difference from the matched interventions; NaN if there are too few, or no error."""
    n_matched = len(of_matched)
    if not n_matched or (beyond == 0 and spread == 0):
        return np.nan
    mean_of_matched = np.array([np.nanmean(row) if np.isfinite(row).any() else np.nan for row in of_matched.T])
    by_text = (differences - mean_of_matched)[np.isfinite(differences - mean_of_matched)]
    n = len(by_text)
    if n < FEWEST_TEXTS:
        return np.nan
    deviations = of_matched - mean_of_matched
    error_variances = [_variance_of_mean(row[np.isfinite(row)]) for row in deviations]
    return matched_p_value(
        beyond,
        _variance_of_mean(by_text),
        n - 1,
        matched_variance=spread**2,
        matched_error_variance=sum(error_variances) / max(n_matched - 1, 1),
        n_matched=n_matched,
    )


def _variance_of_mean(values: Array) -> float:
    """Return the variance of the sampling error of a mean of (n_texts,) values; 0 for a single one."""
    return float(values.var(ddof=1)) / len(values) if len(values) > 1 else 0.0
