"""The error for what a user of models, texts and recordings can get wrong."""


class ActivationError(ValueError):
    """A text, model or recording cannot be used as it is; the message says what to do."""
