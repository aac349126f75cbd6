"""The names of the methods, without numba: the command offers them before it loads the methods themselves."""

import sys

METHOD_NAMES = (
    "auc",
    "r",
    "r2",
    "spearman",
    "eta2",
    "mutual_information",
    "balanced_accuracy",
    "f1",
    "iou",
    "mcc",
    "average_precision",
    "mean_difference",
    "weight",
    "standardised_weight",
    "elastic_net",
    "sparse",
    "attribution",
)


def method_names() -> list[str]:
    """List the methods that a ranking can name, those among them that a program has added to `registry.METHODS`."""
    registry = sys.modules.get(f"{__package__}.registry")  # a program that has added one has loaded it
    return list(METHOD_NAMES if registry is None else registry.METHODS)
