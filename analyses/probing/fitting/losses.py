"""The losses of logistic, multinomial and linear probes, with their first and second derivatives."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hypotheses.kernels import compiled


class LogisticLabels(NamedTuple):
    """Which of some labels, and of some sets of rows, each of several probes is fitted to.

    Attributes:
        label: (n_probes,) number of the label.
        mask: (n_probes,) number of the set of rows.
        weights: (n_probes, 2) weights of rows labelled False and True.
    """

    label: NDArray[np.int64]
    mask: NDArray[np.int64]
    weights: NDArray[Any]


class LossesOfRows(NamedTuple):
    """Losses of some rows, and their derivatives.

    Attributes:
        residuals: (n_rows, n_outputs) derivatives of the losses by the outputs.
        curvatures: (n_rows, n_outputs) second derivatives of the losses, by the same output twice.
        losses: (n_probes,) sums of the losses over the rows.
        residual_sums: (n_outputs,) sums of the residuals.
        curvature_sums: (n_outputs,) sums of the curvatures.
    """

    residuals: NDArray[Any]
    curvatures: NDArray[Any]
    losses: NDArray[np.float64]
    residual_sums: NDArray[np.float64]
    curvature_sums: NDArray[np.float64]


def logistic(
    z: NDArray[Any],
    y: NDArray[np.int8],
    masks: NDArray[np.bool_],
    row_weights: NDArray[Any] | None,
    of_probes: LogisticLabels,
) -> LossesOfRows:
    """Compute the logistic loss −log p(label), in nats, of binary labels.

    Args:
        z: (n_rows, n_probes) logits.
        y: (n_rows, n_labels) 0 or 1, and -1 where a row has no label.
        masks: (n_rows, n_masks) sets of rows.
        row_weights: (n_rows,) weights of the rows, in the dtype of z; None: all weigh 1.
        of_probes: Which label, mask and weights each probe has.
    """
    exponential = np.abs(z)
    np.negative(exponential, out=exponential)
    np.exp(exponential, out=exponential)
    logarithm = exponential + z.dtype.type(1)
    np.log(logarithm, out=logarithm)
    weights = np.ones(0, z.dtype) if row_weights is None else row_weights
    residuals, curvatures, sums = np.empty_like(z), np.empty_like(z), np.zeros((3, z.shape[1]))
    _logistic(z, y, masks, weights, *of_probes, exponential, logarithm, residuals, curvatures, sums)
    return LossesOfRows(residuals, curvatures, *sums)


@compiled(nogil=True, error_model="numpy")
def _logistic(
    z: NDArray[Any],
    y: NDArray[np.int8],
    masks: NDArray[np.bool_],
    row_weights: NDArray[Any],
    label_of_probe: NDArray[np.int64],
    mask_of_probe: NDArray[np.int64],
    class_weights: NDArray[Any],
    exponential: NDArray[Any],
    logarithm: NDArray[Any],
    residuals: NDArray[Any],
    curvatures: NDArray[Any],
    sums: NDArray[np.float64],
) -> None:
    """Fill the results of `logistic`, given exp(−|z|), and log(1 + exp(−|z|)) of the rounded sum.

    The logarithm of the exact sum is computed from that of the rounded one, as by Kahan (Goldberg 1991, ACM Computing
    Surveys 23:5-48), in a third of the time that log1p takes. Without weights of rows, (0,) are given.
    """
    n_rows, n_probes = z.shape
    zero, unity = z.dtype.type(0), z.dtype.type(1)  # with these, float32 stays float32
    for row in range(n_rows):
        for probe in range(n_probes):
            label = y[row, label_of_probe[probe]]
            if label < 0 or not masks[row, mask_of_probe[probe]]:
                residuals[row, probe] = curvatures[row, probe] = zero
                continue
            weight = class_weights[probe, label]
            if len(row_weights):
                weight *= row_weights[row]
            is_true = unity if label else zero
            rounded = unity + exponential[row, probe]
            p_larger = unity / rounded
            p_smaller = exponential[row, probe] * p_larger
            p = p_larger if z[row, probe] >= 0 else p_smaller
            residual = (p - is_true) * weight
            curvature = p_larger * p_smaller * weight
            added = rounded - unity
            log = logarithm[row, probe] * (exponential[row, probe] / added) if added > 0 else exponential[row, probe]
            loss = log + max(z[row, probe], zero) - is_true * z[row, probe]
            residuals[row, probe], curvatures[row, probe] = residual, curvature
            sums[0, probe] += loss * weight
            sums[1, probe] += residual
            sums[2, probe] += curvature


def softmax(z: NDArray[Any], classes: NDArray[Any], weights: NDArray[Any]) -> LossesOfRows:
    """Compute the multinomial loss −log p(label), in nats, of one probe for several classes.

    Args:
        z: (n_rows, n_classes) logits.
        classes: (n_rows,) the class that each row is labelled with.
        weights: (n_rows,) weights of the rows; 0 leaves a row out.
    """
    z = z - z.max(axis=1, keepdims=True)
    p = np.exp(z)
    total = p.sum(axis=1)
    rows = np.arange(len(z))
    losses = (np.log(total) - z[rows, classes]) * weights
    p /= total[:, None]
    curvatures = p * (1 - p) * weights[:, None]
    p[rows, classes] -= 1
    p *= weights[:, None]
    return LossesOfRows(p, curvatures, losses.sum(dtype=np.float64)[None], column_sums(p), column_sums(curvatures))


def squared(z: NDArray[Any], y: NDArray[Any], weights: NDArray[Any]) -> LossesOfRows:
    """Compute half the squared error of numeric labels.

    Args:
        z: (n_rows, n_probes) predictions.
        y: (n_rows, n_probes) labels, in the dtype of z.
        weights: (n_rows, n_probes) weights of the rows; 0 leaves a row out.
    """
    residuals = (z - y) * weights
    losses = 0.5 * column_sums(residuals * (z - y))
    return LossesOfRows(residuals, weights, losses, column_sums(residuals), column_sums(weights))


@compiled(nogil=True)
def column_sums(numbers: NDArray[Any]) -> NDArray[np.float64]:
    """(n_columns,) sums over the rows of (n_rows, n_columns) numbers, in float64."""
    n_rows, n_columns = numbers.shape
    sums = np.zeros(n_columns)
    for row in range(n_rows):
        for column in range(n_columns):
            sums[column] += numbers[row, column]
    return sums
