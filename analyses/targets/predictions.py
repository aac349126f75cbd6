"""The model's own predictions of the next character, as labels."""

import ast
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.predictions import DISTRIBUTION
from analyses.errors import AnalysisError
from hypotheses.labels import Labels

PREFIX = "predicts:"


def predicted(source: Source, name: str, start: int | None = None, stop: int | None = None) -> Labels:
    r"""Return the probability, after each character, that the model gives to a certain next character.

    Args:
        source: Activations with predictions.
        name: What is predicted, such as `predicts:a`, `predicts:'\n'` or `predicts:\n`, or a token by its name, such
            as `predicts:<eos>`.
        start: Position of the first character of a passage, the only one that is read; None is all of the text.
        stop: One past the position of its last character.

    Returns:
        Numbers in [0, 1], missing where no character is read.

    Raises:
        AnalysisError: If that is not one character, or the model does not know it or reads it as several tokens, or
            there are no predictions.
    """
    token_number = source.vocabulary.characters.index(_token(source, name))
    if start is None:
        values = np.full(len(source.corpus), np.nan)
        for block in source.blocks([], predictions=True):
            values[block.positions] = _probabilities(block.predictions, name, token_number)
    else:
        part = source.selection.part(start, stop)
        values = np.full((len(source.corpus) if stop is None else stop) - start, np.nan)
        predictions = source.read_predictions([DISTRIBUTION], start, stop)
        values[part.start - start : part.stop - start : part.every] = _probabilities(predictions, name, token_number)
    missing = np.isnan(values)
    return Labels(np.where(missing, 0.0, values), "numeric", missing if missing.any() else None)


def _probabilities(predictions: Mapping[str, NDArray[Any]], name: str, token_number: int) -> NDArray[np.float64]:
    """(n_chars,) the probability of a token."""
    if DISTRIBUTION not in predictions:
        raise AnalysisError(
            f"for {name} the model's distribution over all characters is needed, and there is none: it was "
            "recorded without, or the model has more than 512 characters or predicts none"
        )
    return np.asarray(np.exp(predictions[DISTRIBUTION][:, token_number].astype(np.float64)))


def _token(source: Source, name: str) -> str:
    """Return the token that a name stands for, as it is in the model's vocabulary."""
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
    character: object = spelled
    if len(spelled) > 1:
        quoted = spelled if spelled[0] in "'\"" and spelled[-1] == spelled[0] else f'"{spelled}"'
        try:
            character = ast.literal_eval(quoted)
        except (SyntaxError, ValueError):
            character = ""
    if not isinstance(character, str) or len(character) != 1:
        raise AnalysisError(f"{name} does not name one character; write it as in predicts:a or predicts:'\\n'")
    return character
