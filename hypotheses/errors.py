"""The errors that a user of the hypotheses can cause."""


class HypothesisError(ValueError):
    """A hypothesis that is unknown, cannot be loaded, or gives labels that cannot be used."""
