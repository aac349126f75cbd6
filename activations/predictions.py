"""The kinds of prediction that a model makes after each character, and the arrays that hold them."""

from typing import Any

import numpy as np

LOG_PROB = "log_prob"
DISTRIBUTION = "log_distribution"
TOP_IDS = "top_ids"
TOP_LOG_PROBS = "top_log_probs"
MOST_WHOLE_DISTRIBUTION = 512
N_TOP = 5


def prediction_fields(n_characters: int, *, whole: bool | None = None) -> dict[str, tuple[np.dtype[Any], int | None]]:
    """Return the dtype and the width of each kind of prediction; a width of None is one number per character.

    `log_prob` is the log probability, in nats, of the true next character, NaN at the end of a document.
    `log_distribution` is that of every character of the vocabulary, in float16. `top_ids` and `top_log_probs` are the
    five most probable characters and their log probabilities.

    Args:
        n_characters: Size of the vocabulary.
        whole: Whether to have the probabilities of all characters, or those of the most probable ones; None is what
            `probe extract` records: all, for a vocabulary of up to 512.
    """
    if whole is None:
        whole = n_characters <= MOST_WHOLE_DISTRIBUTION
    if whole:
        return {LOG_PROB: (np.dtype("<f4"), None), DISTRIBUTION: (np.dtype("<f2"), n_characters)}
    return {
        LOG_PROB: (np.dtype("<f4"), None),
        TOP_IDS: (np.dtype("<u4"), N_TOP),
        TOP_LOG_PROBS: (np.dtype("<f2"), N_TOP),
    }
