"""What a probe keeps of each held-out character is enough to judge it again."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from planting import Arrays
from scipy.special import expit, log_softmax, softmax

from activations.units import Site
from analyses.probing.probes import fit
from analyses.probing.results import Fitting, ProbeResult
from analyses.targets.labelling import target_of_labels
from hypotheses.labels import Kind, Labels

N_CHARS = 20_000
HIDDEN = Site.of(0, "hidden")


def kept(rng: np.random.Generator, kind: Kind) -> tuple[ProbeResult, NDArray[Any]]:
    """A probe that is so sure of a label that its probabilities round to 0 and 1."""
    n_classes = 3
    place = rng.integers(0, n_classes if kind == "categorical" else 2, N_CHARS)
    values = 40.0 * (place[:, None] == np.arange(n_classes)) + rng.normal(size=(N_CHARS, n_classes))
    if kind == "binary":
        values *= rng.exponential(size=(N_CHARS, 1))
    source = Arrays({HIDDEN: values.astype(np.float32)})
    labels = {"binary": place == 1, "categorical": place.astype(np.int32), "numeric": place.astype(np.float64)}[kind]
    names = ("one", "two", "three") if kind == "categorical" else ()
    asked = target_of_labels(source.corpus, "planted", Labels(labels, kind, None, names))
    [result] = fit(source, asked, how=Fitting(penalty=1e-4, keep=True))
    return result, labels


@pytest.mark.parametrize("kind", ["binary", "categorical"])
def test_the_log_loss_follows_from_the_logits(rng: np.random.Generator, kind: Kind) -> None:
    result, labels = kept(rng, kind)
    assert result.logits is not None and result.predictions is not None
    told = np.isfinite(result.logits[:, 0])
    z, y = result.logits[told].astype(np.float64), labels[told].astype(np.int64)
    if kind == "binary":
        losses, probabilities = np.logaddexp(0, z[:, 0]) - y * z[:, 0], expit(z)
    else:
        losses, probabilities = -log_softmax(z, axis=1)[np.arange(len(y)), y], softmax(z, axis=1)
    assert (result.predictions[told] == 1).any() and np.isfinite(losses).all()
    assert losses.mean() == pytest.approx(result.log_loss, rel=1e-5)
    assert told.sum() == result.n_test
    np.testing.assert_allclose(result.predictions[told], probabilities, rtol=1e-5, atol=1e-30)
    np.testing.assert_array_equal(np.isnan(result.predictions), np.isnan(result.logits))


def test_numbers_have_no_logits(rng: np.random.Generator) -> None:
    result, labels = kept(rng, "numeric")
    assert result.logits is None and result.predictions is not None
    told = np.isfinite(result.predictions[:, 0])
    np.testing.assert_allclose(result.predictions[told, 0], labels[told], atol=0.5)
