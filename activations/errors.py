"""The errors that a user of models, texts and recordings can cause."""


class ActivationError(ValueError):
    """A text, model or recording that cannot be used as it is; the message says what to do."""
