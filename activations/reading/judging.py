"""Does the model fit the text at all? A wrong vocabulary shows in the loss before anything else."""

import math
from collections import Counter
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block
from activations.errors import ActivationError
from activations.recordings import layout
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import PLAIN, ReadingRule
from activations.texts.vocab import Vocabulary

CHECKED_CHARS = 20_000
_LEAST_CHARS = 200
_CHUNK = 1 << 20


class Judge:
    """Compares a model's loss on the first characters that are read with that of the characters' frequencies.

    The frequencies are those of the whole text, with one added to each for the model's vocabulary and the character
    in question left out, so that on a short text, too, they know nothing beforehand.
    """

    def __init__(self, corpus: Corpus, vocabulary: Vocabulary, rule: ReadingRule = PLAIN) -> None:
        """Count what is read.

        Args:
            corpus: The text.
            vocabulary: Of the model.
            rule: What it reads in place of the text; the frequencies are those of what it reads.
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
            self._log_probs = _of_spellings(counts, vocabulary, rule)
        self._model = self._frequencies = 0.0
        self._n_chars = 0
        self._decided = False

    @property
    def heard(self) -> NDArray[np.float64]:
        """What is known so far, to go on with later."""
        return np.array([self._model, self._frequencies, self._n_chars, self._decided], np.float64)

    def recall(self, heard: NDArray[np.float64]) -> None:
        """Go on from what was known."""
        self._model, self._frequencies = float(heard[0]), float(heard[1])
        self._n_chars, self._decided = int(heard[2]), bool(heard[3])

    def hear(self, block: Block) -> None:
        """Take a block's predictions into account.

        Raises:
            ActivationError: When enough is heard, and the model has done worse.
        """
        if self._decided:
            return
        log_probs = block.predictions[layout.LOG_PROB].astype(np.float64)
        places = np.arange(block.start, block.stop, block.every) + self._step
        told = ~np.isnan(log_probs) & (places >= 0) & (places < len(self._codes))
        self._model -= float(log_probs[told].sum())
        self._frequencies -= float(self._log_probs[self._codes[places[told]]].sum())
        self._n_chars += int(told.sum())
        if self._n_chars >= CHECKED_CHARS:
            self.decide()

    def decide(self) -> None:
        """Judge by what was heard.

        Raises:
            ActivationError: If the model has done worse.
        """
        if self._decided or self._n_chars < _LEAST_CHARS:
            return
        self._decided = True
        model, frequencies = self._model / self._n_chars, self._frequencies / self._n_chars
        if model > frequencies:
            raise ActivationError(
                f"the model predicts this text worse ({model:.2f} nats per character on the first {self._n_chars:,} "
                f"read) than the frequencies of its characters alone would ({frequencies:.2f}); as a rule, that is a "
                "vocabulary in another order than the one it was trained with, a text of another kind, or a model that "
                "has hardly learned; mend the vocabulary, choose another text, or record it all the same with --force"
            )


def _of_spellings(counts: NDArray[np.int64], vocabulary: Vocabulary, rule: ReadingRule) -> NDArray[np.float64]:
    """Log probabilities of characters by the frequencies of the tokens of which each is made.

    Args:
        counts: (n,) how often each character stands in the text, by code point.
        vocabulary: Of the model.
        rule: How characters are spelled.
    """
    spelled = {code: rule.spelled(chr(code), vocabulary) for code in np.flatnonzero(counts).tolist()}
    token_counts: Counter[str] = Counter()
    for code, tokens in spelled.items():
        for token in tokens:
            token_counts[token] += int(counts[code])
    n_tokens = token_counts.total() - 1 + len(vocabulary)
    log_probs = np.zeros(len(counts))
    for code, tokens in spelled.items():
        log_probs[code] = sum(math.log(token_counts[token] / n_tokens) for token in tokens)
    return log_probs


def mean_loss(log_probs: Iterable[NDArray[np.float32]]) -> float:
    """Mean negative log probability in nats of the true next characters, where one is known.

    Args:
        log_probs: (n_chars,) each, one part of the text after another.
    """
    total, n_chars = 0.0, 0
    for each in log_probs:
        part = each.astype(np.float64)
        told = ~np.isnan(part)
        total -= float(part[told].sum())
        n_chars += int(told.sum())
    return total / n_chars if n_chars else math.nan
