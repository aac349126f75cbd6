"""Probes with scikit-learn's interface keep its rules, and agree with it."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.utils.estimator_checks import check_estimator

from analyses.probing.estimators import LogisticProbe, RidgeProbe


@pytest.mark.parametrize("estimator", [LogisticProbe(), RidgeProbe()], ids=["logistic", "ridge"])
def test_an_estimator_keeps_the_rules(estimator: BaseEstimator) -> None:
    results = check_estimator(estimator, on_skip=None)
    assert sum(result["status"] == "passed" for result in results) > 50
    assert {result["status"] for result in results} == {"passed", "skipped"}


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("class_weight", [None, "balanced", {"a": 0.5, "b": 4.0, "c": 1.0}])
def test_a_logistic_probe_is_that_of_scikit_learn(
    n_classes: int, class_weight: dict[str, float] | str | None, rng: np.random.Generator
) -> None:
    x = rng.normal(size=(800, 4)) * [1, 10, 0.1, 1] + 5
    y = np.array(list("abc"))[np.digitize(x[:, 0] + rng.normal(size=800), [4.5, 6.0][: n_classes - 1])]
    if isinstance(class_weight, dict):
        class_weight = {label: class_weight[label] for label in np.unique(y).tolist()}
    weights = rng.uniform(0, 2, 800)
    fitted = LogisticProbe(2.0, class_weight=class_weight).fit(x, y, weights)
    reference = LogisticRegression(C=0.5, class_weight=class_weight, tol=1e-12, max_iter=100_000).fit(x, y, weights)
    np.testing.assert_allclose(fitted.predict_proba(x), reference.predict_proba(x), atol=1e-4)
    np.testing.assert_allclose(fitted.coef_, reference.coef_, atol=1e-3)
    assert (fitted.predict(x) == reference.predict(x)).all()


def test_a_ridge_probe_is_that_of_scikit_learn(rng: np.random.Generator) -> None:
    x, weights = rng.normal(size=(500, 6)) + 3, rng.uniform(0, 2, 500)
    y = x @ np.arange(6.0) + rng.normal(size=500)
    fitted = RidgeProbe(7.0).fit(x, y, weights)
    reference = Ridge(7.0).fit(x, y, weights)
    np.testing.assert_allclose(fitted.predict(x), reference.predict(x), rtol=1e-6)
    np.testing.assert_allclose(fitted.coef_, reference.coef_, rtol=1e-6)


def rare_class(rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Six classes, one of them of a single row."""
    x = rng.normal(size=(1000, 12))
    y = np.argmax(4 * x[:, :6] + 0.3 * rng.gumbel(size=(1000, 6)), axis=1)
    y[y == 5], y[17] = 0, 5
    return x, y


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_class_of_a_single_row_is_no_obstacle(dtype: str, rng: np.random.Generator) -> None:
    x, y = rare_class(rng)
    fitted = LogisticProbe(0.01).fit(x.astype(dtype), y)
    reference = LogisticRegression(C=100, tol=1e-10, max_iter=10_000).fit(x, y)
    np.testing.assert_allclose(fitted.predict_proba(x.astype(dtype)), reference.predict_proba(x), atol=1e-2)
    assert log_loss(y, fitted.predict_proba(x.astype(dtype))) == pytest.approx(
        log_loss(y, reference.predict_proba(x)), rel=1e-2
    )


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_a_probe_that_is_given_too_few_passes_warns(l1_ratio: float, rng: np.random.Generator) -> None:
    x, y = rare_class(rng)
    with pytest.warns(ConvergenceWarning, match="not converged in 3 passes"):
        LogisticProbe(0.01, l1_ratio=l1_ratio, max_iter=3).fit(x, y)
    with pytest.warns(ConvergenceWarning, match="not converged in 1 passes"):
        RidgeProbe(0.01, l1_ratio=l1_ratio, max_iter=1).fit(x, x[:, 0] + y)
    LogisticProbe(0.01, l1_ratio=l1_ratio).fit(x, y)
