"""Scores of probes in folds scatter as much as they say, though each piece of a text trains the probes of others."""

import numpy as np
import pytest
from numpy.typing import NDArray
from planting import Arrays, in_runs

from activations.units import Site
from analyses.intervals.estimates import standard_errors
from analyses.probing.options import FitOptions
from analyses.probing.probes import fit
from analyses.probing.results import ProbeResult
from analyses.probing.scoring.scores import FoldAgreement
from analyses.targets.labelling import target

HIDDEN = Site.of(0, "hidden")


def fitted(seed: int, gain: float, folds: int, kind: str = "binary") -> ProbeResult:
    """A probe of four units of noise, the first of which shares something with labels in short runs."""
    rng = np.random.default_rng(seed)
    labels = in_runs(rng, 20_000, 20)
    values = rng.normal(size=(20_000, 4)).astype(np.float32)
    values[:, 0] += gain * labels
    source = Arrays({HIDDEN: values})
    answers: NDArray[np.generic] = labels if kind == "binary" else labels + rng.normal(size=20_000)
    [result] = fit(source, target(source.corpus, lambda text: answers), options=FitOptions(folds=folds, penalty=1.0))
    return result


@pytest.mark.parametrize(
    ("kind", "name", "folds"),
    [
        ("binary", "auc", 5),
        ("numeric", "r", 2),
        pytest.param("binary", "auc", 2, marks=pytest.mark.slow),  # 60 more fits
        pytest.param("numeric", "r", 5, marks=pytest.mark.slow),
    ],
)
def test_scores_in_folds_scatter_as_much_as_they_say_where_there_is_nothing(kind: str, name: str, folds: int) -> None:
    """If folds did not depend on each other, it would be 1.41 times as much as they say."""
    estimates = [fitted(seed, 0.0, folds, kind).estimates[name] for seed in range(60)]
    errors = [
        standard_errors(estimate.influence[:, None], estimate.n_atoms, estimate.n_cosines)[0] for estimate in estimates
    ]
    scatter = np.std([estimate.value for estimate in estimates], ddof=1) / np.sqrt(np.mean(np.square(errors)))
    assert 0.75 < scatter < 1.2  # a standard deviation of 60 is right to a tenth


def test_little_of_the_predictions_is_training_noise_where_probes_know_something() -> None:
    rng = np.random.default_rng(0)
    x, truth, noise = rng.normal(size=(5000, 1000)), rng.normal(size=1000), rng.normal(size=(5, 1000))
    without_fold = (noise.sum(axis=0) - noise) / 2  # each is trained on the four others
    for of_truth in (0.0, 0.5, 1.0, 10.0):
        agreement = FoldAgreement(5)
        for rows in np.split(x, 5):
            some = rows[rows[:, 0] > -1]
            agreement.add((some @ (of_truth * truth + without_fold).T + 3)[..., None])
        assert agreement.training_noise == pytest.approx(1 / (1 + of_truth**2), abs=0.15)
    assert FoldAgreement(1).training_noise == 0
