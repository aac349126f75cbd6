"""Probes with scikit-learn's interface keep its rules, and agree with it."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils.estimator_checks import check_estimator

from analyses.estimators import LogisticProbe, RidgeProbe


@pytest.mark.parametrize("estimator", [LogisticProbe(), RidgeProbe()], ids=["logistic", "ridge"])
def test_an_estimator_keeps_the_rules(estimator: BaseEstimator) -> None:
    results = check_estimator(estimator, on_skip=None)
    assert sum(each["status"] == "passed" for each in results) > 50
    assert {each["status"] for each in results} == {"passed", "skipped"}


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
    found = LogisticProbe(2.0, class_weight=class_weight).fit(x, y, weights)
    reference = LogisticRegression(C=0.5, class_weight=class_weight, tol=1e-12, max_iter=100_000).fit(x, y, weights)
    np.testing.assert_allclose(found.predict_proba(x), reference.predict_proba(x), atol=1e-4)
    np.testing.assert_allclose(found.coef_, reference.coef_, atol=1e-3)
    assert (found.predict(x) == reference.predict(x)).all()


def test_a_ridge_probe_is_that_of_scikit_learn(rng: np.random.Generator) -> None:
    x, weights = rng.normal(size=(500, 6)) + 3, rng.uniform(0, 2, 500)
    y = x @ np.arange(6.0) + rng.normal(size=500)
    found = RidgeProbe(7.0).fit(x, y, weights)
    reference = Ridge(7.0).fit(x, y, weights)
    np.testing.assert_allclose(found.predict(x), reference.predict(x), rtol=1e-6)
    np.testing.assert_allclose(found.coef_, reference.coef_, rtol=1e-6)
