"""The errors that a user of the analyses can cause."""


class AnalysisError(ValueError):
    """A question that the given activations and labels cannot answer; the message says why."""
