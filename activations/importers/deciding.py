"""What a text says of the ways in which a model's parts can be read."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from activations.errors import ActivationError
from activations.importers.assembly import Reading, assemble, others
from activations.importers.parts import Parts
from activations.models.char_rnn import CharRNN
from activations.progress import Progress, no_progress
from activations.texts.codes import codes_to_text
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule
from activations.texts.tokenising import tokenise
from activations.texts.vocab import Vocabulary

_CLEARLY = 0.05  # nats per character
_N_LANES = 32
_LANE_CHARS = 256
_MOST_CHANGES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How a reading and those near it do on a sample of a text.

    Attributes:
        nats_per_char: Loss of the reading.
        best: The reading that was come to by changing one thing after another while that did clearly better.
        best_nats_per_char: Its loss.
        changes: In what it differs from the reading, with the options that ask for that.
        rival_nats_per_char: Loss of the best reading that differs from the best one in one thing.
        rival_changes: In what that differs.
    """

    nats_per_char: float
    best: Reading
    best_nats_per_char: float
    changes: dict[str, str]
    rival_nats_per_char: float
    rival_changes: dict[str, str]


def search(
    parts: Parts,
    reading: Reading,
    vocabulary: Vocabulary,
    text: Corpus,
    progress: Progress = no_progress,
) -> Search:
    """Try the readings near one.

    Args:
        parts: What is read.
        reading: Where to begin.
        vocabulary: Of the model; see `assemble`.
        text: What a good reading predicts well.
        progress: Called with the readings tried and their number, anew after each change.
    """
    if len(text) < 2:
        raise ActivationError("the text to check the model by has fewer than two characters")
    first_seen = _first_seen(text, reading.rule, vocabulary)
    as_bytes = _first_seen(text, replace(reading.rule, read_as="bytes"), vocabulary)
    as_bytes = "" if as_bytes == first_seen else as_bytes
    first_loss = loss = sampled_loss(assemble(parts, reading, vocabulary), text)
    best = reading
    for n_changes in range(_MOST_CHANGES + 1):
        near = [other for other in dict.fromkeys(others(best, parts, first_seen, as_bytes)) if other != best]
        losses = []
        for n, other in enumerate(near):
            losses.append(sampled_loss(assemble(parts, other, vocabulary), text))
            progress(n + 1, len(near))
        rival = int(np.argmin(losses))
        if losses[rival] > loss - _CLEARLY or n_changes == _MOST_CHANGES:
            break
        best, loss = near[rival], losses[rival]
    return Search(
        nats_per_char=first_loss,
        best=best,
        best_nats_per_char=loss,
        changes=reading.changes(best),
        rival_nats_per_char=losses[rival],
        rival_changes=best.changes(near[rival]),
    )


def _first_seen(text: Corpus, rule: ReadingRule, vocabulary: Vocabulary) -> str:
    """What is read of a text, each token once; nothing, if the model cannot follow the rule."""
    try:
        tokens = tokenise(text, rule, vocabulary).tokens
    except ActivationError:
        return ""
    codes, places = np.unique(tokens, return_index=True)
    return codes_to_text(codes[np.argsort(places)])


@torch.inference_mode()
def sampled_loss(model: CharRNN, text: Corpus) -> float:
    """Nats per character on pieces from all over a text, each read from the zero state."""
    tokens = tokenise(text, model.reading_rule, model.vocabulary).tokens
    if len(tokens) < 2:
        raise ActivationError("the text to check the model by has fewer than two characters that it reads")
    n_steps = min(_LANE_CHARS, len(tokens) - 1)
    n_lanes = min(_N_LANES, len(tokens) // n_steps)
    starts = np.unique(np.linspace(0, len(tokens) - n_steps - 1, n_lanes).astype(int))
    places = starts + np.arange(n_steps + 1)[:, None]  # (n_steps + 1, n_lanes)
    ids = torch.from_numpy(model.vocabulary.look_up(tokens[places.ravel()]).reshape(places.shape))
    logits, _ = model(ids[:-1])
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[1:].flatten())
    return float(loss) * len(tokens) / len(text) if torch.isfinite(loss) else float("inf")


def frequencies_loss(text: Corpus, n_characters: int) -> tuple[float, float]:
    """What is to be had without a model: the loss of the characters' frequencies, and of those of their pairs.

    Each character is predicted from the frequencies in the rest of the text, with one added to each.

    Returns:
        Nats per character of single characters, and of characters after the one before.
    """
    _, ids = np.unique(text.codes, return_inverse=True)
    counts = np.bincount(ids)
    singles = -np.log(counts[ids] / (len(ids) - 1 + n_characters)).mean()
    pairs = ids[:-1].astype(np.int64) * len(counts) + ids[1:]
    kinds, pair_counts = np.unique(pairs, return_counts=True)
    before = np.bincount(ids[:-1], minlength=len(counts))[kinds // len(counts)]
    total = -(pair_counts * np.log(pair_counts / (before - 1 + n_characters))).sum()
    return float(singles), float(total / len(pairs))
