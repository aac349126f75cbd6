"""The methods that `probe rank --method` can name, in the order of `names`. Add a score of your own to `METHODS`.

A method names the statistic that it needs (see `needs`) and a function that turns its result into scores: scores of
products and correlations are in `product_scores`, of thresholds in `threshold_scores`, of information in
`information_scores`. Methods that need more than one statistic have a function `compute`, as in `probe_scores`.
"""

from analyses.errors import AnalysisError
from analyses.probing.options import FitOptions
from analyses.ranking.methods.information_scores import mutual_information
from analyses.ranking.methods.method import Method
from analyses.ranking.methods.model_scores import attribution
from analyses.ranking.methods.needs import (
    LEVEL_TABLES,
    PRODUCTS,
    PRODUCTS_OF_CLASSES,
    QUANTILE_COUNTS,
    RANK_CORRELATIONS,
)
from analyses.ranking.methods.probe_scores import MOST_SELECTED, sparse_choice, weight_in_probe
from analyses.ranking.methods.product_scores import eta2, mean_difference, pearson, r2, spearman
from analyses.ranking.methods.threshold_scores import (
    average_precision,
    balanced_accuracy,
    f1,
    iou,
    matthews,
    threshold_method,
)
from analyses.statistics.quantile_counts import N_BINS
from hypotheses.labels import Kind

_BINARY: tuple[Kind, ...] = ("binary",)
_NUMERIC: tuple[Kind, ...] = ("numeric",)
_METHODS = (
    Method("auc", ("binary", "categorical"), "distance of the area under the ROC curve from chance, 0 to 1"),
    Method("r", ("binary", "numeric"), "size of Pearson's correlation", needs=PRODUCTS, score=pearson),
    Method(
        "r2",
        _NUMERIC,
        "share of the label's variance that a line through the unit explains",
        needs=PRODUCTS,
        score=r2,
    ),
    Method("spearman", ("binary", "numeric"), "size of the rank correlation", needs=RANK_CORRELATIONS, score=spearman),
    Method(
        "eta2",
        ("numeric", "categorical"),
        "share of the unit's variance that lies between classes, or bins of the label; sees waves",
        detects_nonmonotonic=True,
        needs=PRODUCTS_OF_CLASSES,
        score=eta2,
    ),
    Method(
        "mutual_information",
        ("binary", "numeric", "categorical"),
        f"bits that {N_BINS} bins of the unit give about the label",
        detects_nonmonotonic=True,
        needs=QUANTILE_COUNTS,
        score=mutual_information,
    ),
    threshold_method(
        "balanced_accuracy",
        "balanced accuracy",
        "mean share of True and of False characters that the best threshold gets right",
        balanced_accuracy,
    ),
    threshold_method("f1", "F1", "F1 of the best threshold", f1),
    threshold_method("iou", "IoU", "intersection over union of the best threshold", iou),
    threshold_method("mcc", "MCC", "Matthews' correlation of the best threshold", matthews),
    Method(
        "average_precision",
        _BINARY,
        "mean precision at the True characters, in the order of the unit's value; for rare labels",
        needs=LEVEL_TABLES,
        score=average_precision,
    ),
    Method(
        "mean_difference",
        ("binary", "categorical"),
        "difference of the means where the label is True and False, or between a class and the others, in the "
        "unit's values",
        needs=PRODUCTS_OF_CLASSES,
        score=mean_difference,
    ),
    Method(
        "weight",
        ("binary", "numeric"),
        "size of the coefficient in a linear probe of its site, per value of the unit",
        compute=weight_in_probe(standardised=False, options=FitOptions(penalty=1.0)),
    ),
    Method(
        "standardised_weight",
        ("binary", "numeric"),
        "the same per standard deviation of the unit",
        compute=weight_in_probe(standardised=True, options=FitOptions(penalty=1.0)),
    ),
    Method(
        "elastic_net",
        ("binary", "numeric"),
        "the same with an elastic net, half L1 and half L2, whose strength is chosen in training",
        compute=weight_in_probe(standardised=True, options=FitOptions(l1_ratio=0.5)),
    ),
    Method(
        "sparse",
        ("binary", "numeric", "categorical"),
        "share of the label's variance that the unit and those chosen after it add to those chosen before, of "
        f"{MOST_SELECTED} that are best together, chosen on all training characters, or some of a long text",
        compute=sparse_choice,
    ),
    Method(
        "attribution",
        _BINARY,
        "what replacing the unit's values by its mean would add to the loss inside less outside, by derivatives; needs "
        "the model",
        compute=attribution,
        needs_model=True,
    ),
)
METHODS: dict[str, Method] = {method.name: method for method in _METHODS}


def method_for(name: str | None, kind: Kind) -> Method:
    """Return the method of this name, or the default for the kind of label: `auc`, or `r` for a number.

    Raises:
        AnalysisError: If there is no method of this name, or it is not for labels of this kind.
    """
    if name is None:
        return METHODS["r" if kind == "numeric" else "auc"]
    method = METHODS.get(name)
    if method is None or kind not in method.kinds:
        suitable = ", ".join(suited.name for suited in METHODS.values() if kind in suited.kinds)
        reason = f"there is no method {name!r}" if method is None else f"{name} is not for {kind} labels"
        raise AnalysisError(f"{reason}; for these there are {suitable}")
    return method
