"""Evaluating how well a model predicts a text: the loss of every character, and their mean."""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations.devices import torch_device
from activations.errors import ActivationError
from activations.interventions import LanePositions
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.models.lane_states import LaneStates, read_predicting_lanes
from activations.progress import Progress, no_progress
from activations.results import Result
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import rule_of
from activations.texts.tokenising import TokenisedText, check_text, tokenise

_CHUNK_CHARS = 4096
_Reader = Callable[[Tensor, Any, LanePositions | None], tuple[Tensor, Any]]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Evaluation(Result):
    """The mean loss and the accuracy of a model on a text, each document of which it reads from a zero state.

    Attributes:
        nats_per_char: Mean negative log probability of the true next character.
        accuracy: Share of characters that the model found most probable before it read them, in [0, 1].
        n_chars: Number of predicted characters: all but the first that is read of each document.
    """

    nats_per_char: float
    accuracy: float
    n_chars: int

    def __str__(self) -> str:
        return f"{self.nats_per_char:.3f} nats per character, {self.accuracy:.1%} of {self.n_chars:,} predicted right"


class Losses(NamedTuple):
    """The loss of a model on each character, except the first that it reads of each document.

    Attributes:
        nats: (n_predicted,) float32, the negative log probability of the true character.
        right: (n_predicted,) bool, whether the true character was the most probable one.
    """

    nats: NDArray[np.float32]
    right: NDArray[np.bool_]


@torch.inference_mode()
def losses(
    model: CharRNN | CharModel,
    corpus: Corpus,
    *,
    replace_unknown: bool = False,
    device: str | None = None,
    progress: Progress = no_progress,
) -> Losses:
    """Compute how well a model predicts each character of a text.

    Args:
        model: The model, in its current mode; `eval()` switches dropout off. A protocol model computes where it is
            written to.
        corpus: The text to predict; each document is read from a zero state.
        replace_unknown: See `Vocabulary.encode`.
        device: Where to compute, one of `devices.DEVICES`; None is where the model is. The model is not moved.
        progress: Called with the number of characters done and in all.

    Returns:
        The losses of all documents, one document after another, without the first character that is read of each
        (the last one if the model reads backwards).

    Raises:
        ActivationError: If the text has characters that the model does not know, or there is no such device.
    """
    rule = rule_of(model)
    check_text(corpus, rule, model.vocabulary, replace_unknown=replace_unknown)
    text = tokenise(corpus, rule, model.vocabulary)
    return Losses(*text.losses_of_characters(*_token_losses(model, text, device, progress)))


def _token_losses(model: CharRNN | CharModel, text: TokenisedText, device: str | None, progress: Progress) -> Losses:
    """Compute how well a model predicts each token of a text to which the reading rule has been applied."""
    corpus = text.token_corpus
    read, ids_device = _reader(model, device)
    is_changed = isinstance(model, CharRNN) and bool(model.interventions)
    n_predicted = len(corpus) - len(corpus.documents)
    nats, right = np.empty(n_predicted, np.float32), np.empty(n_predicted, bool)
    n_done = 0
    for numbers in _equally_long_documents(corpus):
        starts, n_chars = corpus.starts[numbers], corpus.documents[numbers[0]].n_chars
        state = None
        for start in range(0, n_chars - 1, _CHUNK_CHARS):
            steps = np.arange(start, min(start + _CHUNK_CHARS, n_chars - 1))[:, None]
            positions = starts + np.append(steps, steps[-1:] + 1, axis=0)  # (n_steps + 1, n_documents)
            ids = torch.from_numpy(model.vocabulary.look_up(corpus.codes[positions.ravel()]))
            ids = ids.view(positions.shape).to(ids_device)
            logits, state = read(ids[:-1], state, _where(text, positions[:-1], ids_device) if is_changed else None)
            targets = ids[1:]
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), targets.flatten(), reduction="none")
            rows = starts - numbers + steps  # each earlier document has one prediction less than characters
            nats[rows] = loss.view(targets.shape).cpu().numpy()
            right[rows] = (logits.argmax(-1) == targets).cpu().numpy()
            progress(n_done + (int(steps[-1, 0]) + 2) * len(numbers), len(corpus))
        n_done += n_chars * len(numbers)
    return Losses(nats, right)


def _reader(model: CharRNN | CharModel, device: str | None) -> tuple[_Reader, torch.device]:
    """Return a function from characters and a state to logits and the next state, and the device of the characters."""
    if isinstance(model, CharRNN):
        model_device = model.readout.weight.device
        read_device = model_device if device is None else torch_device(device)
        if read_device.type == model_device.type:
            return model, read_device
        there = deepcopy(model).to(read_device)
        there.active = model.active
        return there, read_device
    if device not in (None, "cpu", "auto"):
        raise ActivationError("a protocol model computes on the device that its own code chooses; remove --device")

    def read(ids: Tensor, states: LaneStates | None, where: LanePositions | None) -> tuple[Tensor, LaneStates]:
        states = states or LaneStates(model.start, ids.shape[1])
        return read_predicting_lanes(model, ids, states).cpu(), states

    return read, torch.device("cpu")


def _where(text: TokenisedText, tokens: NDArray[np.int64], device: torch.device) -> LanePositions:
    """(n_steps, n_documents) what is read, given the positions of tokens."""
    positions = text.positions_of(tokens)
    documents = np.searchsorted(text.starts, positions, side="right") - 1
    return LanePositions(torch.from_numpy(documents).to(device), torch.from_numpy(positions).to(device))


def _equally_long_documents(corpus: Corpus) -> Iterator[NDArray[np.int64]]:
    """Yield the numbers of documents to read side by side without padding: equally long, and fewer if they are long."""
    lengths = corpus.stops - corpus.starts
    order = np.argsort(lengths, kind="stable")
    for equally_long in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        n_documents = max(1, _CHUNK_CHARS // int(lengths[equally_long[0]]))
        yield from (equally_long[first : first + n_documents] for first in range(0, len(equally_long), n_documents))


def evaluate(
    model: CharRNN | CharModel,
    corpus: Corpus,
    *,
    replace_unknown: bool = False,
    device: str | None = None,
    progress: Progress = no_progress,
) -> Evaluation:
    """Compute the mean loss and the accuracy of a model on a text.

    Args:
        model: See `losses`, also for the other arguments.
        corpus: The text to predict.
        replace_unknown: Whether unknown characters may be replaced.
        device: Where to compute.
        progress: Called with the number of characters done and in all.

    Raises:
        ActivationError: If the text has characters that the model does not know.
    """
    nats, right = losses(model, corpus, replace_unknown=replace_unknown, device=device, progress=progress)
    return Evaluation(nats_per_char=float(nats.mean(dtype=np.float64)), accuracy=float(right.mean()), n_chars=len(nats))
