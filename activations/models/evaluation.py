"""How well a model predicts a text."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from activations.corpus import Corpus, Document
from activations.models.char_rnn import CharRNN
from activations.read_text import ReadText, check_text, read_text

_STRETCH = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a model makes of a text, read without a break from a zero state at each document.

    Attributes:
        nats_per_char: Mean negative log probability of the true next character.
        accuracy: Share of characters whose most probable successor was the true one, in [0, 1].
        n_chars: How many were predicted: all but the first that is read of each document.
    """

    nats_per_char: float
    accuracy: float
    n_chars: int

    def __str__(self) -> str:
        return f"{self.nats_per_char:.3f} nats per character, {self.accuracy:.1%} of {self.n_chars:,} predicted right"


class Losses(NamedTuple):
    """What a model makes of each character but the first that it reads of each document.

    Attributes:
        nats: (n_predicted,) float32, the negative log probability of the true character.
        right: (n_predicted,) bool, whether the true character was the most probable one.
    """

    nats: NDArray[np.float32]
    right: NDArray[np.bool_]


@torch.inference_mode()
def losses(
    model: CharRNN,
    corpus: Corpus,
    *,
    replace_unknown: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Losses:
    """How well a model predicts each character of a text.

    Args:
        model: In the mode it is in; `eval()` switches dropout off.
        corpus: What to predict, each document from a zero state.
        replace_unknown: See `Vocabulary.encode`.
        progress: Called with the characters done and their number.

    Returns:
        The documents one after another, each without the first character that is read: backwards, its last one.

    Raises:
        ActivationError: If the text has characters that the model does not know.
    """
    check_text(corpus, model.reading_rule, model.vocabulary, replace_unknown=replace_unknown)
    text = read_text(corpus, model.reading_rule, model.vocabulary)
    n_predicted = len(corpus) - len(corpus.documents)
    nats, right = np.empty(n_predicted, np.float32), np.empty(n_predicted, bool)
    for number, document in enumerate(text.corpus.documents):
        found = _losses_of_tokens(model, text, document, lambda n: progress(n, len(corpus)))
        own = text.predicted(number)
        nats[own], right[own] = text.of_characters(document, *found)
    return Losses(nats, right)


def _losses_of_tokens(
    model: CharRNN, text: ReadText, document: Document, progress: Callable[[int], None]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(n_tokens - 1,) the loss of each token of a document but the first, and whether it was the most probable one."""
    device = model.readout.weight.device
    tokens = text.document_span(document)
    nats, right = np.empty(tokens.stop - tokens.start - 1, np.float32), np.empty(tokens.stop - tokens.start - 1, bool)
    state = None
    for start in range(tokens.start, tokens.stop - 1, _STRETCH):
        stop = min(start + _STRETCH, tokens.stop - 1)
        ids = torch.from_numpy(text.ids(start, stop + 1)).to(device)
        logits, state = model(ids[:-1, None], state)
        target = ids[1:]
        loss = torch.nn.functional.cross_entropy(logits[:, 0].float(), target, reduction="none")
        own = slice(start - tokens.start, stop - tokens.start)
        nats[own] = loss.cpu().numpy()
        right[own] = (logits[:, 0].argmax(-1) == target).cpu().numpy()
        progress(text.character(stop) + 1)
    return nats, right


def evaluate(
    model: CharRNN,
    corpus: Corpus,
    *,
    replace_unknown: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Loss and accuracy of a model on a text.

    Args:
        model: See `losses`, as for all that follows.
        corpus: What to predict.
        replace_unknown: Whether unknown characters may be replaced.
        progress: Called with the characters done and their number.

    Raises:
        ActivationError: If the text has characters that the model does not know.
    """
    nats, right = losses(model, corpus, replace_unknown=replace_unknown, progress=progress)
    return Evaluation(nats_per_char=float(nats.mean(dtype=np.float64)), accuracy=float(right.mean()), n_chars=len(nats))
