"""What the columns of the tables mean: for each command, those that the help text does not define in passing."""

from collections.abc import Mapping

_INTERVAL = "the ends of its 95 % interval"
_SCORES_OF_PROBES = {
    "auc": "the area under the ROC curve on held-out stretches (chance: .5); of several classes the mean of each "
    "against the rest",
    "r2": "the share of the held-out variance of a number that is explained (0: no better than its mean)",
    "r": "the correlation of the predictions with a number",
    "low and high": "the ends of the 95 % interval of auc or r2",
    "accuracy": "the share of characters that are classified correctly",
    "majority accuracy": "that of always predicting the most frequent class",
    "balanced accuracy": "the mean over the classes of the share of each that is recognised",
    "precision and recall": "the share of the characters predicted as True that are True, and the reverse; of several "
    "classes the means",
    "f1": "the harmonic mean of precision and recall",
    "auc within position groups and r within position groups": "the same among characters of the same eighth of the "
    "text",
    "average precision": "the mean precision at the True characters, in the order of the predictions (chance: their "
    "share)",
}
_OF_CURVES = {
    "hypothesis": "what the probe reads",
    "units, chars, lag, sites, penalty or steps": "the point of the curve",
    **_SCORES_OF_PROBES,
    "control score": "the auc or r2 of the probe of the last 20 characters, with control low and control high, the "
    "ends of its interval",
    "log loss": "the mean of −log p of the label, in nats",
    "n train": "the number of training characters",
    "unit and unit score": "of a training, the best single unit at each step and its held-out score",
}
_OF_DIFFERENCES = {
    "difference": "between two recordings, how much better the second is by the measure, with low, high and p",
    "first and second": "the units of the two that are compared",
    "note": "why something is missing or uncertain",
}
_OF_PROBES = {"site": "what the probe sees", **_SCORES_OF_PROBES, "measure": "auc or r2", **_OF_DIFFERENCES}
_OF_RANKINGS = {
    "hypothesis": "what is asked for",
    "class": "of a hypothesis with several, the class that the unit distinguishes from the rest",
    "direction": "1 if the unit is higher where the label holds or is higher, −1 if it is lower",
}
COLUMN_TEXTS: Mapping[str, Mapping[str, str]] = {
    "train": {
        "epoch": "how often the training text has been read",
        "nats per char": "the mean loss on it",
        "held-out nats per char": "the mean loss on the validation text",
    },
    "sweep": {
        "cell, n layers and n units": "of the model: its recurrent cell, its layers, and the units of each",
        "n parameters": "the number of learned parameters",
        "train nats per char": "the loss on the training text in the last epoch",
        "validation nats per char": "the loss on the text that chose the epoch",
        "test nats per char": "the loss on the test text",
        "test accuracy": "the share of test characters that are predicted correctly",
        "share uniquely correct": "the share that no other model of the sweep predicts correctly",
        "training s": "how long the training took, in seconds",
    },
    "evaluate": {
        "model": "the model, or what it is compared with",
        "part": "the part of --split",
        "nats per char and bits per char": "the mean loss",
        "accuracy": "the share of characters that were the most probable one",
        "n chars": "the number of characters predicted",
    },
    "hypotheses": {
        "hypothesis": "its name, with its parameters, [in brackets] if they may be left out",
        "labels": "what kind they are: binary, categorical, or the unit of a number",
        "summary": "what it says of a character",
        "label": "a value of the label",
        "n chars": "the number of characters that have it",
        "share and share true": "their share of the text",
        "n runs": "the number of stretches that have it without a break",
        "mean run and longest run": "their length in characters",
        "longest run at and at character": "where the longest begins",
        "first and last": "where the label is first and last, in characters",
        "n missing": "the number of characters without a label",
        "lowest, mean and highest": "of a number",
    },
    "rank": {
        **_OF_RANKINGS,
        "measure": "auc or r, which held-out, low and high are of",
        "score": "what orders the units in training, headed by its name, as in training auc; with --method also "
        "training f1 and held-out f1",
        "training attribution, held-out attribution and overall attribution": "that score on these parts, with "
        "attribution low, attribution high, attribution p and attribution q, its interval and tests",
        "r within position groups": "as auc within position groups, for numbers",
        "tie probability": "how often two characters have the same value of the unit",
        "rank": "with --compare, the place by each method",
        **_OF_DIFFERENCES,
    },
    "explain": {
        "hypothesis": "with the class, of several",
        "measure": "auc or r",
        "held-out, low and high": "its value on held-out stretches, and its 95 % interval",
        "within position groups": "the same among characters of the same eighth of the text",
        "direction": _OF_RANKINGS["direction"],
        "overall": "the measure on all characters, not sign-aligned",
    },
    "units": {
        "hypothesis": "the best one",
        "direction": _OF_RANKINGS["direction"],
        "at least": "the least strength that counts",
        "n explained and n units": "how many units count, and how many there are",
        "share": "the one divided by the other, with low and high",
        "n without interval": "how many of the explained units have no interval of their own",
        "model": "with --untrained, the model, the twin, or their difference",
        "p": "of that difference",
    },
    "similarity": {
        "first and second": "the sites that are compared",
        "n units": "the number of units",
        "mean r": "the mean of their correlations with their partners",
        "model": "whose units they are",
    },
    "fit": _OF_PROBES,
    "curve": _OF_CURVES,
    "ablate": {
        "inside − outside": "how much more the loss changes inside than outside, in nats per character",
        "low and high": _INTERVAL,
    },
    "orders": {
        "order": "what decides which unit is taken away next",
        "lead, all": "the lead at all characters, not only inside",
        "low and high": _INTERVAL,
    },
    "patch": {"patched": "the mean log probability after the patch"},
    "steer": {
        "steered": "the measure of the texts that are written with it",
        "low and high": "the ends of the 95 % interval of the effect",
    },
    "perturb": {
        "quantity": "the loss, a unit or the probe",
        "low and high": _INTERVAL,
        "after": "the characters after the edit",
        "label changes at": "the number of places where the label differs that many characters later",
    },
    "demo": {
        "hypothesis": "what was asked",
        "direction": _OF_RANKINGS["direction"],
        "method and score": "what orders the units, and its value in training",
        "probe site": "the site whose probe is best",
        **{name: _SCORES_OF_PROBES[name] for name in ("accuracy", "majority accuracy", "f1", "r2")},
    },
    "plot ranking": {
        **_OF_RANKINGS,
        "unit": "layer, signal and index",
        "held-out auc or held-out r": "the score on held-out stretches",
        "low and high": _INTERVAL,
    },
    "plot matrix": {
        "hypothesis": "what is read",
        "measure": "of the scores: auc or r2",
        "text alone": "the best probe without a model",
    },
    "plot overlap": {
        "right": "which models predict a character correctly, alone of all",
        "n chars and share": "how many characters these are, with low and high, " + _INTERVAL,
        "if independent": "the share if the models were right independently of each other",
    },
    "plot curve": _OF_CURVES,
    "plot steps": _OF_CURVES,
}
"""What columns mean, by the heading, or by several headings in words, for each command that prints tables."""


def column_help(command: str) -> str:
    """Return the paragraph of a command's help text that defines columns of its tables; empty if there is none."""
    texts = COLUMN_TEXTS.get(command)
    if not texts:
        return ""
    return f"Columns: {'; '.join(f'{heading}: {text}' for heading, text in texts.items())}."
