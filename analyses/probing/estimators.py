"""Linear probes as scikit-learn estimators, for arrays that the user gives."""

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
from analyses.probing.fitting.joint_fits import fit_probes
from analyses.probing.fitting.problems import MAX_PASSES, FittedProbe, Problem, SolverOptions
from analyses.probing.fitting.responses import Response
from hypotheses.labels import Kind

_TOLERANCES = {np.dtype(np.float64): 1e-10, np.dtype(np.float32): 1e-6}
_DESIRED_TOLERANCES = {np.dtype(np.float64): 1e-22, np.dtype(np.float32): 1e-7}


class LogisticProbe(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Logistic regression, binary or multinomial, by the solver of `probe fit`.

    It minimises the sum of −log p(label) over the rows, plus penalty · (l1_ratio · |weights| + (1 − l1_ratio)/2 ·
    |weights|²), as scikit-learn's `LogisticRegression` does with C = 1 / penalty. Columns are taken as they are, and
    not standardised.

    Attributes:
        classes_: (n_classes,) the labels.
        coef_: (1 or n_classes, n_columns) the weights.
        intercept_: (1 or n_classes,) the intercepts, which are not penalised.
        n_iter_: (1,) passes over the rows.
        n_features_in_: Number of columns.
    """

    def __init__(
        self,
        penalty: float = 1.0,
        *,
        l1_ratio: float = 0.0,
        class_weight: Any = None,
        tol: float | None = None,
        max_iter: int = MAX_PASSES,
    ) -> None:
        """Set the penalty, and when to stop.

        Args:
            penalty: Strength of the penalty, above 0.
            l1_ratio: From 0, an L2 penalty, to 1, an L1 penalty.
            class_weight: None, `balanced`, or the weight of each label.
            tol: How far the objective may be from its minimum, relative to it. None: as near as the dtype of the
                columns allows, and within 1e-10, or 1e-6 for columns in float32.
            max_iter: Passes over the rows.
        """
        self.penalty = penalty
        self.l1_ratio = l1_ratio
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:  # noqa: N803
        """Fit the probe to (n_rows, n_columns) numbers and (n_rows,) labels, in rows that may be weighted.

        Warns:
            ConvergenceWarning: If the objective is not shown to be as near to its minimum as `tol` says.
        """
        x, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        weights = _check_sample_weight(sample_weight, x, dtype=np.float64)
        if len(np.unique(codes[weights > 0])) < 2:
            raise ValueError("all rows with a weight above 0 are of one class; labels of two classes are needed")
        weights = weights * self._class_weights(y, codes, weights)[codes]
        kind: Kind = "binary" if len(self.classes_) == 2 else "categorical"
        response = Response(kind, codes.astype(np.int16), len(self.classes_))
        fitted, mean = _fit(self, x, response, weights)
        self.coef_, self.intercept_ = fitted.weights.T, fitted.intercept - fitted.weights.T @ mean
        return self

    def _class_weights(
        self, y: ArrayLike, codes: NDArray[np.int64], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(n_classes,) weights of the classes; balanced ones go by the weights of the rows, not by their number."""
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            totals = np.bincount(codes, weights)
            return np.where(totals > 0, weights.sum() / (np.count_nonzero(totals) * np.maximum(totals, 1e-300)), 0)
        return np.asarray(compute_class_weight(self.class_weight, classes=self.classes_, y=y))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """(n_rows,) logits of the second of two classes, or (n_rows, n_classes) logits of several classes."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        z = x @ self.coef_.T + self.intercept_
        return np.asarray(z[:, 0] if z.shape[1] == 1 else z)

    def predict(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """(n_rows,) the most probable label of each row."""
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
        intercept_: The intercept, which is not penalised.
        n_iter_: (1,) passes over the rows.
        n_features_in_: Number of columns.
    """

    def __init__(
        self, penalty: float = 1.0, *, l1_ratio: float = 0.0, tol: float | None = None, max_iter: int = MAX_PASSES
    ) -> None:
        """Set the penalty, and when to stop; arguments as of `LogisticProbe`."""
        self.penalty = penalty
        self.l1_ratio = l1_ratio
        self.tol = tol
        self.max_iter = max_iter

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:  # noqa: N803
        """Fit the probe to (n_rows, n_columns) and (n_rows,) numbers, in rows that may be weighted.

        Warns:
            ConvergenceWarning: If the objective is not shown to be as near to its minimum as `tol` says.
        """
        x, y = validate_data(self, X, y, dtype=[np.float64, np.float32], y_numeric=True)
        weights = _check_sample_weight(sample_weight, x, dtype=np.float64)
        fitted, mean = _fit(self, x, Response("numeric", np.asarray(y, np.float64), 1), weights)
        self.coef_ = fitted.weights[:, 0]
        self.intercept_ = float(fitted.intercept[0] - self.coef_ @ mean)
        return self

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:  # noqa: N803
        """(n_rows,) the predicted number of each row."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=[np.float64, np.float32], reset=False)
        return np.asarray(x @ self.coef_ + self.intercept_)


def _fit(
    estimator: "LogisticProbe | RidgeProbe", x: NDArray[Any], response: Response, weights: NDArray[np.float64]
) -> tuple[FittedProbe, NDArray[np.float64]]:
    """Fit an estimator to centred columns; return the probe, and the means of the columns."""
    design = ArrayDesign(x, weights)
    tol = estimator.tol
    [fitted] = fit_probes(
        design,
        [response],
        [np.ones(len(x), np.bool_)],
        [Problem(penalty=estimator.penalty, l1_ratio=estimator.l1_ratio)],
        weights=weights,
        options=SolverOptions(
            tolerance=_TOLERANCES[x.dtype] if tol is None else tol,
            desired_tolerance=_DESIRED_TOLERANCES[x.dtype] if tol is None else tol,
            negligible=0.0,
            max_passes=estimator.max_iter,
        ),
    )
    estimator.n_iter_ = np.array([fitted.n_passes])
    if not fitted.is_solved:
        warnings.warn(
            f"not converged in {fitted.n_passes} passes over the rows; use a larger penalty, tol or max_iter",
            ConvergenceWarning,
            stacklevel=3,
        )
    return fitted, design.mean
