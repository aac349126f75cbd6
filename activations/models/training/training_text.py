"""The training text as batches: token ids of all documents, cut into lanes that are read side by side."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations.errors import ActivationError
from activations.models.training.config import TrainingConfig
from activations.texts.codes import text_to_codes
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import EOS, ReadingRule
from activations.texts.tokenising import TokenisedText, check_text, tokenise
from activations.texts.vocab import Vocabulary

_CHUNK_TOKENS = 1 << 20  # converted to ids at a time, which bounds the memory needed


class TrainingText:
    """All documents of a training text one after another, in an order drawn from the seed.

    Attributes:
        n_tokens: Number of tokens; usually as many as there are characters.
        tokens_per_char: Number of tokens per character of the text.
        n_batches: Number of batches of an epoch.
    """

    def __init__(self, corpus: Corpus, rule: ReadingRule, vocabulary: Vocabulary, config: TrainingConfig) -> None:
        """Convert a text to token ids.

        Raises:
            ActivationError: If the text has characters that the model cannot read, or is too short for the lanes.
        """
        check_text(corpus, rule, vocabulary, replace_unknown=True)
        order = np.random.default_rng(config.seed).permutation(len(corpus.documents))
        self._ids = _joined_ids(tokenise(corpus, rule, vocabulary), rule, order)
        self._config = config
        self.n_tokens = len(self._ids)
        self.tokens_per_char = self.n_tokens / len(corpus)
        self._lane_length = self.n_tokens // config.n_lanes
        if self._lane_length < 2:
            raise ActivationError(
                f"the training text has {self.n_tokens:,} characters, too few for {config.n_lanes} lanes; "
                "use a longer text or fewer lanes"
            )
        self.n_batches = -(-(self._lane_length - 1) // config.n_steps)

    def batch(self, epoch: int, number: int) -> Tensor:
        """Return one batch of an epoch, (n_steps + 1, n_lanes); in each epoch, lanes start elsewhere in the text."""
        config = self._config
        offset = int(np.random.default_rng([config.seed, epoch]).integers(self.n_tokens))
        start = number * config.n_steps
        steps = np.arange(start, min(start + config.n_steps + 1, self._lane_length))
        positions = offset + steps[:, None] + self._lane_length * np.arange(config.n_lanes)
        return torch.from_numpy(self._ids[positions % self.n_tokens].astype(np.int64)).to(config.device)


def _joined_ids(text: TokenisedText, rule: ReadingRule, order: NDArray[np.int64]) -> NDArray[np.unsignedinteger]:
    """Return (n_tokens,) ids of all documents in the given order, in the smallest dtype that holds the vocabulary."""
    tokens = text.token_corpus
    ids = np.empty(len(tokens), np.min_scalar_type(len(text.vocabulary) - 1))
    for start in range(0, len(tokens), _CHUNK_TOKENS):
        chunk = slice(start, start + _CHUNK_TOKENS)
        ids[chunk] = text.vocabulary.look_up(tokens.codes[chunk])
    if len(order) == 1 and rule.ends != "documents":
        return ids
    documents = [ids[start:stop] for start, stop in zip(tokens.starts[order], tokens.stops[order], strict=True)]
    if rule.ends == "documents":
        end = text.vocabulary.look_up(text_to_codes(text.vocabulary.character_of(EOS))).astype(ids.dtype)
        documents = [part for document in documents for part in (document, end)]
    return np.concatenate(documents)
