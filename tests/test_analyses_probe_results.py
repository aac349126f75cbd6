"""A result holds what reproduces it, and what a probe keeps is enough to judge its predictions again."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from planting import Arrays
from scipy.special import expit, log_softmax, softmax

from activations.units import Site
from analyses.probing.options import FitOptions
from analyses.probing.probes import fit
from analyses.probing.results import ProbeResult
from analyses.targets.labelling import target_of_labels
from hypotheses.labels import Kind, Labels

N_CHARS = 20_000
HIDDEN = Site.of(0, "hidden")


def sure_probe(rng: np.random.Generator, kind: Kind) -> tuple[ProbeResult, NDArray[Any]]:
    """Fit a probe that is so sure of a label that its probabilities round to 0 and 1."""
    n_classes = 3
    codes = rng.integers(0, n_classes if kind == "categorical" else 2, N_CHARS)
    values = 40.0 * (codes[:, None] == np.arange(n_classes)) + rng.normal(size=(N_CHARS, n_classes))
    if kind == "binary":
        values *= rng.exponential(size=(N_CHARS, 1))
    source = Arrays({HIDDEN: values.astype(np.float32)})
    labels = {"binary": codes == 1, "categorical": codes.astype(np.int32), "numeric": codes.astype(np.float64)}[kind]
    names = ("one", "two", "three") if kind == "categorical" else ()
    planted = target_of_labels(source.corpus, "planted", Labels(labels, kind, None, names))
    [result] = fit(source, planted, options=FitOptions(penalty=1e-4, keep=True))
    return result, labels


@pytest.mark.parametrize("kind", ["binary", "categorical"])
def test_the_log_loss_follows_from_the_logits(rng: np.random.Generator, kind: Kind) -> None:
    result, labels = sure_probe(rng, kind)
    assert result.logits is not None and result.predictions is not None
    is_held_out = np.isfinite(result.logits[:, 0])
    z, y = result.logits[is_held_out].astype(np.float64), labels[is_held_out].astype(np.int64)
    if kind == "binary":
        losses, probabilities = np.logaddexp(0, z[:, 0]) - y * z[:, 0], expit(z)
    else:
        losses, probabilities = -log_softmax(z, axis=1)[np.arange(len(y)), y], softmax(z, axis=1)
    assert (result.predictions[is_held_out] == 1).any() and np.isfinite(losses).all()
    assert losses.mean() == pytest.approx(result.log_loss, rel=1e-5)
    assert is_held_out.sum() == result.n_test
    np.testing.assert_allclose(result.predictions[is_held_out], probabilities, rtol=1e-5, atol=1e-30)
    np.testing.assert_array_equal(np.isnan(result.predictions), np.isnan(result.logits))


def test_numbers_have_no_logits(rng: np.random.Generator) -> None:
    result, labels = sure_probe(rng, "numeric")
    assert result.logits is None and result.predictions is not None
    is_held_out = np.isfinite(result.predictions[:, 0])
    np.testing.assert_allclose(result.predictions[is_held_out, 0], labels[is_held_out], atol=0.5)


@pytest.mark.parametrize("seed", [0, 3])
def test_the_options_of_a_result_reproduce_it(rng: np.random.Generator, seed: int) -> None:
    """Training stretches and control labels are drawn, the penalty is chosen, and controls have an L2 penalty."""
    codes = rng.integers(0, 2, N_CHARS)
    source = Arrays({HIDDEN: (codes[:, None] + rng.normal(size=(N_CHARS, 2))).astype(np.float32)})
    planted = target_of_labels(source.corpus, "planted", Labels(codes == 1, "binary"))
    options = FitOptions(n_stretches=4, l1_ratio=0.5, seed=seed)
    results = fit(source, planted, controls=["context", "position"], options=options)
    assert [result.options.l1_ratio for result in results] == [0.5, 0.5, 0.0]
    assert {result.seed for result in results} == {seed}
    again = fit(source, planted, controls=["context", "position"], options=results[0].options)
    for first, second in zip(results, again, strict=True):
        np.testing.assert_equal(first.row(), second.row())
        np.testing.assert_array_equal(first.weights, second.weights)
    others = fit(source, planted, controls=["context"], options=FitOptions(n_stretches=4, l1_ratio=0.5, seed=seed + 1))
    assert (others[0].weights != results[0].weights).any()
