"""How well a model predicts a text."""

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
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.models.lane_states import LaneStates, read_lanes
from activations.progress import Progress, no_progress
from activations.results import Result
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import rule_of
from activations.texts.tokenising import check_text, tokenise

_STRETCH = 4096
_Read = Callable[[Tensor, Any], tuple[Tensor, Any]]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Evaluation(Result):
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
    model: CharRNN | CharModel,
    corpus: Corpus,
    *,
    replace_unknown: bool = False,
    device: str | None = None,
    progress: Progress = no_progress,
) -> Losses:
    """How well a model predicts each character of a text.

    Args:
        model: In the mode it is in; `eval()` switches dropout off. One of another kind computes where it is written.
        corpus: What to predict, each document from a zero state.
        replace_unknown: See `Vocabulary.encode`.
        device: Where to compute it, one of `devices.DEVICES`; None is where the model is, which is not moved.
        progress: Called with the characters done and their number.

    Returns:
        The documents one after another, each without the first character that is read: backwards, its last one.

    Raises:
        ActivationError: If the text has characters that the model does not know, or there is no such device.
    """
    rule = rule_of(model)
    check_text(corpus, rule, model.vocabulary, replace_unknown=replace_unknown)
    text = tokenise(corpus, rule, model.vocabulary)
    return Losses(*text.losses_of_characters(*_losses(model, text.token_corpus, device, progress)))


def _losses(model: CharRNN | CharModel, corpus: Corpus, device: str | None, progress: Progress) -> Losses:
    """The same of a text that is read as it stands."""
    read, place = _reader(model, device)
    n_predicted = len(corpus) - len(corpus.documents)
    nats, right = np.empty(n_predicted, np.float32), np.empty(n_predicted, bool)
    n_done = 0
    for numbers in _of_one_length(corpus):
        starts, n_chars = corpus.starts[numbers], corpus.documents[numbers[0]].n_chars
        state = None
        for start in range(0, n_chars - 1, _STRETCH):
            steps = np.arange(start, min(start + _STRETCH, n_chars - 1))[:, None]
            places = starts + np.append(steps, steps[-1:] + 1, axis=0)  # (n_steps + 1, n_documents)
            ids = torch.from_numpy(model.vocabulary.look_up(corpus.codes[places.ravel()])).view(places.shape).to(place)
            logits, state = read(ids[:-1], state)
            target = ids[1:]
            loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1).float(), target.flatten(), reduction="none")
            own = starts - numbers + steps
            nats[own] = loss.view(target.shape).cpu().numpy()
            right[own] = (logits.argmax(-1) == target).cpu().numpy()
            progress(n_done + (int(steps[-1, 0]) + 2) * len(numbers), len(corpus))
        n_done += n_chars * len(numbers)
    return Losses(nats, right)


def _reader(model: CharRNN | CharModel, device: str | None) -> tuple[_Read, torch.device]:
    """What reads on from a state, and where."""
    if isinstance(model, CharRNN):
        own_place = model.readout.weight.device
        place = own_place if device is None else torch_device(device)
        return (model if place.type == own_place.type else deepcopy(model).to(place)), place
    if device not in (None, "cpu", "auto"):
        raise ActivationError("a model of your own computes where it is written; leave --device out")

    def read(ids: Tensor, states: LaneStates | None) -> tuple[Tensor, LaneStates]:
        states = states or LaneStates(model.start, ids.shape[1])
        logits, _ = read_lanes(model, ids, states)
        return logits.cpu(), states

    return read, torch.device("cpu")


def _of_one_length(corpus: Corpus) -> Iterator[NDArray[np.int64]]:
    """The numbers of documents that are read side by side, without padding: short ones that are equally long."""
    lengths = corpus.stops - corpus.starts
    order = np.argsort(lengths, kind="stable")
    for same in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
        n_each = max(1, _STRETCH // int(lengths[same[0]]))
        yield from (same[first : first + n_each] for first in range(0, len(same), n_each))


def evaluate(
    model: CharRNN | CharModel,
    corpus: Corpus,
    *,
    replace_unknown: bool = False,
    device: str | None = None,
    progress: Progress = no_progress,
) -> Evaluation:
    """Loss and accuracy of a model on a text.

    Args:
        model: See `losses`, as for all that follows.
        corpus: What to predict.
        replace_unknown: Whether unknown characters may be replaced.
        device: Where to compute it.
        progress: Called with the characters done and their number.

    Raises:
        ActivationError: If the text has characters that the model does not know.
    """
    nats, right = losses(model, corpus, replace_unknown=replace_unknown, device=device, progress=progress)
    return Evaluation(nats_per_char=float(nats.mean(dtype=np.float64)), accuracy=float(right.mean()), n_chars=len(nats))
