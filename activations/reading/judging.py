"""Does the model fit the text at all? A wrong vocabulary shows in the loss before anything else."""

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block
from activations.errors import ActivationError
from activations.predictions import LOG_PROB
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import PLAIN, ReadingRule
from activations.texts.vocab import Vocabulary

CHECKED_CHARS = 20_000
_FEWEST_CHARS = 200
_CHUNK = 1 << 20


class Judge:
    """Compares a model's loss on the first characters that are read with that of the characters' frequencies.

    The frequencies are those of the whole text, with one added to each character of the model's vocabulary and the
    character in question left out, so that they know nothing in advance even of a short text.
    """

    def __init__(self, corpus: Corpus, vocabulary: Vocabulary, rule: ReadingRule = PLAIN) -> None:
        """Count the characters, or the tokens, of a text.

        Args:
            corpus: The text.
            vocabulary: The vocabulary of the model.
            rule: How characters become tokens; the frequencies are those of the tokens.
        """
        self._codes = corpus.codes
        self._step = -1 if rule.backwards else 1
        highest = max(int(corpus.codes[k : k + _CHUNK].max()) for k in range(0, len(corpus), _CHUNK))
        counts = np.zeros(highest + 1, np.int64)
        for start in range(0, len(corpus), _CHUNK):
            counts += np.bincount(corpus.codes[start : start + _CHUNK], minlength=highest + 1)
        if rule.is_plain:
            self._log_probs = np.log(np.maximum(counts, 1) / (len(corpus) - 1 + len(vocabulary)))
        else:
            self._log_probs = _log_probs_of_spellings(counts, vocabulary, rule)
        self._model = self._frequencies = 0.0
        self._n_chars = 0
        self._decided = False

    def to_array(self) -> NDArray[np.float64]:
        """Return the sums so far, to resume from."""
        return np.array([self._model, self._frequencies, self._n_chars, self._decided], np.float64)

    def restore(self, sums: NDArray[np.float64]) -> None:
        """Resume from what `to_array` returned."""
        self._model, self._frequencies = float(sums[0]), float(sums[1])
        self._n_chars, self._decided = int(sums[2]), bool(sums[3])

    def add(self, block: Block) -> None:
        """Add a block's predictions to the two losses.

        Raises:
            ActivationError: If there are enough characters now, and the model has predicted them worse.
        """
        if self._decided:
            return
        log_probs = block.predictions[LOG_PROB].astype(np.float64)
        next_positions = np.arange(block.start, block.stop, block.every) + self._step
        is_known = ~np.isnan(log_probs) & (next_positions >= 0) & (next_positions < len(self._codes))
        self._model -= float(log_probs[is_known].sum())
        self._frequencies -= float(self._log_probs[self._codes[next_positions[is_known]]].sum())
        self._n_chars += int(is_known.sum())
        if self._n_chars >= CHECKED_CHARS:
            self.decide()

    def decide(self) -> None:
        """Compare the two losses, once.

        Raises:
            ActivationError: If the model's loss is higher.
        """
        if self._decided or self._n_chars < _FEWEST_CHARS:
            return
        self._decided = True
        model, frequencies = self._model / self._n_chars, self._frequencies / self._n_chars
        if model > frequencies:
            raise ActivationError(
                f"the model predicts this text worse ({model:.2f} nats per character on the first {self._n_chars:,} "
                f"read) than the frequencies of its characters alone would ({frequencies:.2f}); usually, that is a "
                "vocabulary in another order than the one it was trained with, a text of another kind, or a model that "
                "has hardly learned; correct the vocabulary, choose another text, or record it all the same with "
                "--force"
            )


def _log_probs_of_spellings(
    counts: NDArray[np.int64], vocabulary: Vocabulary, rule: ReadingRule
) -> NDArray[np.float64]:
    """Compute log probabilities of characters from the frequencies of their tokens.

    Args:
        counts: (n,) how often each character occurs in the text, by code point.
        vocabulary: The vocabulary of the model.
        rule: How characters become tokens.
    """
    spellings = {code: rule.spelled(chr(code), vocabulary) for code in np.flatnonzero(counts).tolist()}
    token_counts: Counter[str] = Counter()
    for code, tokens in spellings.items():
        for token in tokens:
            token_counts[token] += int(counts[code])
    n_tokens = token_counts.total() - 1 + len(vocabulary)
    log_probs = np.zeros(len(counts))
    for code, tokens in spellings.items():
        log_probs[code] = sum(math.log(token_counts[token] / n_tokens) for token in tokens)
    return log_probs


def mean_loss(log_probs: Iterable[NDArray[np.float32]]) -> float:
    """Compute the mean negative log probability, in nats, of the true next characters, where one is known.

    Args:
        log_probs: Parts of the text one after another, each (n_chars,); NaN where no character follows.
    """
    total, n_chars = 0.0, 0
    for part in log_probs:
        numbers = part.astype(np.float64)
        is_known = ~np.isnan(numbers)
        total -= float(numbers[is_known].sum())
        n_chars += int(is_known.sum())
    return total / n_chars if n_chars else math.nan
