"""The errors that a user of the analyses can cause."""


class AnalysisError(ValueError):
    """A question that the given activations and labels cannot answer; the message says why."""


class ConstantLabelsError(AnalysisError):
    """Labels that are missing or all the same, in a text or in a part of it, so that there is nothing to tell apart."""
