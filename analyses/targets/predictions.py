"""What the model itself expects, as labels."""

import ast

import numpy as np

from activations.blocks import Source
from activations.predictions import DISTRIBUTION
from analyses.errors import AnalysisError
from hypotheses.labels import Labels

PREFIX = "predicts:"


def predicted(source: Source, name: str) -> Labels:
    r"""The probability that the model gives, after each character, to a certain one being next.

    Args:
        source: Activations with predictions.
        name: Such as `predicts:a`, `predicts:'\n'` or `predicts:\n`, or a token by its name, such as `predicts:<eos>`.

    Returns:
        Numbers in [0, 1], missing where no character is read.

    Raises:
        AnalysisError: If that is no character, or one that the model does not know or reads as several tokens, or there
            are no predictions.
    """
    place = source.vocabulary.characters.index(_token(source, name))
    values = np.full(len(source.corpus), np.nan)
    for block in source.blocks([], predictions=True):
        if DISTRIBUTION not in block.predictions:
            raise AnalysisError(
                f"for {name} the model's distribution over all characters is needed, and this recording does not have "
                "it: it was made without, or of a model with more than 512 characters"
            )
        values[block.positions] = np.exp(block.predictions[DISTRIBUTION][:, place].astype(np.float64))
    missing = np.isnan(values)
    return Labels(np.where(missing, 0.0, values), "numeric", missing if missing.any() else None)


def _token(source: Source, name: str) -> str:
    """The token of the model that a name asks for, as it stands in the vocabulary."""
    vocabulary = source.vocabulary
    spelled = name.removeprefix(PREFIX).strip(" ")
    if spelled in vocabulary.names.values():
        return vocabulary.character_of(spelled)
    char = _character(name)
    tokens = source.reading_rule.spelled(char, vocabulary)
    if len(tokens) != 1:
        raise AnalysisError(f"the model reads {char!r} as {len(tokens)} tokens, and predicts one of them at a time")
    if tokens not in vocabulary.characters:
        raise AnalysisError(f"the model does not know {char!r}, so that it never predicts it")
    return tokens


def _character(name: str) -> str:
    spelled = name.removeprefix(PREFIX).strip(" ") or " "
    found: object = spelled
    if len(spelled) > 1:
        quoted = spelled if spelled[0] in "'\"" and spelled[-1] == spelled[0] else f'"{spelled}"'
        try:
            found = ast.literal_eval(quoted)
        except (SyntaxError, ValueError):
            found = ""
    if not isinstance(found, str) or len(found) != 1:
        raise AnalysisError(f"{name} does not name one character; write it as in predicts:a or predicts:'\\n'")
    return found
