"""Probes with scikit-learn's interface, for arrays of one's own."""

import warnings
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from analyses.probing.designs.arrays import ArrayDesign
from analyses.probing.fitting.joint_fits import MOST_PASSES, fit_probes
from analyses.probing.fitting.problems import FittedProbe, Problem
from analyses.probing.fitting.responses import Response
from hypotheses.labels import Kind

_TOLERANCES = {np.dtype(np.float64): 1e-10, np.dtype(np.float32): 1e-6}
_AIMS = {np.dtype(np.float64): 1e-22, np.dtype(np.float32): 1e-7}


class LogisticProbe(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Logistic regression, binary or multinomial, by the solver of `probe fit`.

    It minimises the sum of −log p(label) over the rows, plus penalty · (l1_ratio · |weights| + (1 − l1_ratio)/2 ·
    |weights|²), weights being per value of a column, as scikit-learn's `LogisticRegression` does with C = 1 / penalty.

    Attributes:
        classes_: (n_classes,) the labels.
        coef_: (1 or n_classes, n_columns) the weights.
        intercept_: (1 or n_classes,) not penalised.
        n_iter_: (1,) passes over the rows.
        n_features_in_: Columns.
    """

    def __init__(
        self,
        penalty: float = 1.0,
        *,
        l1_ratio: float = 0.0,
        class_weight: Any = None,
        tol: float | None = None,
        max_iter: int = MOST_PASSES,
    ) -> None:
        """Of how the weights are penalised.

        Args:
            penalty: Above 0.
            l1_ratio: From 0, an L2 penalty, to 1, an L1 penalty.
            class_weight: None, `balanced`, or the weight of each label.
            tol: How far the objective may be from the smallest one, as a share of it; None: as near as the number type
                of the columns allows, and not further than 1e-10, or 1e-6 of columns in float32.
            max_iter: Passes over the rows.
        """
        self.penalty = penalty
        self.l1_ratio = l1_ratio
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:  # noqa: N803
        """Fit it to (n_rows, n_columns) numbers and (n_rows,) labels, in rows that may weigh differently.

        Warns:
            ConvergenceWarning: If it is not known to be as near to the minimum as `tol` says.
        """
        x, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        weights = _check_sample_weight(sample_weight, x, dtype=np.float64)
        if len(np.unique(codes[weights > 0])) < 2:
            raise ValueError("the labels of rows that weigh anything are all of one class; two are needed")
        if (
            isinstance(self.class_weight, str) and self.class_weight == "balanced"
        ):  # of rows as they weigh, not as they are many
            counts = np.bincount(codes, weights)
            of_class = np.where(counts > 0, weights.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1e-300)), 0)
        else:
            of_class = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
        weights = weights * of_class[codes]
        kind: Kind = "binary" if len(self.classes_) == 2 else "categorical"
        found = _fit(self, x, Response(kind, codes.astype(np.int16), len(self.classes_)), weights, self.l1_ratio)
        self.coef_, self.intercept_ = found.weights.T, found.intercept - found.weights.T @ self._mean
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """(n_rows,) logits of the second of two classes, or (n_rows, n_classes)."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        z = x @ self.coef_.T + self.intercept_
        return np.asarray(z[:, 0] if z.shape[1] == 1 else z)

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """(n_rows,) the most probable labels."""
        z = self.decision_function(X)
        return np.asarray(self.classes_[(z > 0).astype(int) if z.ndim == 1 else z.argmax(axis=1)])

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """(n_rows, n_classes) probabilities of the labels."""
        z = self.decision_function(X)
        return np.asarray(np.column_stack([expit(-z), expit(z)]) if z.ndim == 1 else softmax(z, axis=1))


class RidgeProbe(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Linear regression with a penalty, by the solver of `probe fit`.

    It minimises half the sum of squared errors, plus penalty · (l1_ratio · |weights| + (1 − l1_ratio)/2 · |weights|²):
    scikit-learn's `Ridge` with alpha = penalty, if `l1_ratio` is 0.

    Attributes:
        coef_: (n_columns,) the weights.
        intercept_: Not penalised.
        n_iter_: (1,) passes over the rows.
        n_features_in_: Columns.
    """

    def __init__(
        self, penalty: float = 1.0, *, l1_ratio: float = 0.0, tol: float | None = None, max_iter: int = MOST_PASSES
    ) -> None:
        """Arguments as of `LogisticProbe`."""
        self.penalty = penalty
        self.l1_ratio = l1_ratio
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:  # noqa: N803
        """Fit it to (n_rows, n_columns) and (n_rows,) numbers, in rows that may weigh differently.

        Warns:
            ConvergenceWarning: If it is not known to be as near to the minimum as `tol` says.
        """
        x, y = validate_data(self, X, y, dtype=[np.float64, np.float32], y_numeric=True)
        weights = _check_sample_weight(sample_weight, x, dtype=np.float64)
        found = _fit(self, x, Response("numeric", np.asarray(y, np.float64), 1), weights, self.l1_ratio)
        self.coef_ = found.weights[:, 0]
        self.intercept_ = float(found.intercept[0] - self.coef_ @ self._mean)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """(n_rows,) numbers."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return np.asarray(x @ self.coef_ + self.intercept_)


def _fit(
    estimator: "LogisticProbe | RidgeProbe",
    x: NDArray[Any],
    response: Response,
    weights: NDArray[np.float64],
    l1_ratio: float,
) -> FittedProbe:
    """Fit to columns less their means, which are kept."""
    design = ArrayDesign(x, weights)
    estimator._mean = design.mean
    [found] = fit_probes(
        design,
        [response],
        [np.ones(len(x), np.bool_)],
        [Problem(penalty=estimator.penalty, l1_ratio=l1_ratio)],
        weights=weights,
        tolerance=_TOLERANCES[x.dtype] if estimator.tol is None else estimator.tol,
        desired_tolerance=_AIMS[x.dtype] if estimator.tol is None else estimator.tol,
        negligible=0.0,
        most_passes=estimator.max_iter,
    )
    estimator.n_iter_ = np.array([found.n_passes])
    if not found.is_solved:
        warnings.warn(
            f"not converged in {found.n_passes} passes over the rows; use a larger penalty, tol or max_iter",
            ConvergenceWarning,
            stacklevel=3,
        )
    return found
