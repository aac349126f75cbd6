"""Searching for the interpretation of a model's parts under which it predicts a text best."""

from dataclasses import dataclass

import numpy as np

from activations.errors import ActivationError
from activations.importers.assembly import assemble
from activations.importers.interpretation import Interpretation, neighbours
from activations.importers.layers.parts import Parts
from activations.importers.readings import SampledLoss, Samples
from activations.progress import Progress, no_progress
from activations.texts.codes import codes_to_text
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule
from activations.texts.tokenising import tokenise
from activations.texts.vocab import Vocabulary

_CLEAR_IMPROVEMENT = 0.05  # nats per character
_SLIGHT_IMPROVEMENT = 0.005  # enough where the file leaves a choice, and none of its sides is more likely


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Result of a local search around an interpretation.

    Attributes:
        nats_per_char: Loss of the interpretation that the search started from.
        best: The interpretation that it reached, by changing one thing after another while that clearly lowered the
            loss.
        best_nats_per_char: Loss of the best interpretation.
        changes: What the best one changes in the first one, with the options that request it.
        rival_nats_per_char: Loss of the best of all interpretations that differ from the best one in one respect,
            without readings that drop more of the text, which are nearly as good where what they drop is rare.
        rival_changes: What that one changes in the best one.
    """

    nats_per_char: float
    best: Interpretation
    best_nats_per_char: float
    changes: dict[str, str]
    rival_nats_per_char: float
    rival_changes: dict[str, str]


def search(
    parts: Parts,
    interpretation: Interpretation,
    vocabulary: Vocabulary,
    text: Corpus,
    progress: Progress = no_progress,
    *,
    max_changes: int,
    undecided: frozenset[str] = frozenset(),
) -> Search:
    """Search for the interpretation with the lowest loss on a text, starting from one.

    Args:
        parts: The parts of the model.
        interpretation: The interpretation to start from.
        vocabulary: The vocabulary of the model; see `assemble`.
        text: A text that the model predicts well if its parts are interpreted as they are meant.
        progress: Called with the number of interpretations tried and in all; starts again after each change.
        max_changes: Maximum number of changes.
        undecided: Fields of `Interpretation` that the file leaves open, of which also a slightly lower loss decides.

    Raises:
        ActivationError: If the text has fewer than two characters.
    """
    if len(text) < 2:
        raise ActivationError("the text to check the model by has fewer than two characters")
    samples = Samples(text, vocabulary)
    first_seen, readings = _first_seen(text, interpretation.rule, vocabulary), samples.readings(interpretation.reading)

    def loss_of(tried: Interpretation) -> SampledLoss:
        return samples.loss(assemble(parts, tried, vocabulary), tried.reading)

    first_loss = loss = loss_of(interpretation)
    best = interpretation
    for n_changes in range(max_changes + 1):
        candidates = [near for near in dict.fromkeys(neighbours(best, parts, first_seen, readings)) if near != best]
        losses = []
        for n, candidate in enumerate(candidates):
            losses.append(loss_of(candidate))
            progress(n + 1, len(candidates))
        # another reading may be the same as other arrays, as where matrices that are transposed reverse a cycle
        handicaps = [_CLEAR_IMPROVEMENT * (candidate.reading != best.reading) for candidate in candidates]
        is_decided = [not set(best.changes(candidate)) <= undecided for candidate in candidates]
        needed = np.where(is_decided, _CLEAR_IMPROVEMENT, _SLIGHT_IMPROVEMENT)
        costs = np.array([candidate_loss.comparable for candidate_loss in losses]) + handicaps
        nearest = int((costs + needed).argmin())
        if losses[nearest].comparable + needed[nearest] > loss.comparable or n_changes == max_changes:
            break
        best, loss = candidates[nearest], losses[nearest]
    loses_more = [candidate_loss.lost > loss.lost for candidate_loss in losses]
    rival = int(np.where(loses_more, np.inf, costs).argmin())
    return Search(
        nats_per_char=first_loss.nats_per_char,
        best=best,
        best_nats_per_char=loss.nats_per_char,
        changes=interpretation.changes(best),
        rival_nats_per_char=losses[rival].nats_per_char,
        rival_changes=best.changes(candidates[rival]),
    )


def _first_seen(text: Corpus, rule: ReadingRule, vocabulary: Vocabulary) -> str:
    """Return the tokens that are read of a text in the order of their first occurrence; empty if the rule fails."""
    try:
        tokens = tokenise(text, rule, vocabulary).tokens
    except ActivationError:
        return ""
    codes, positions = np.unique(tokens, return_index=True)
    return codes_to_text(codes[np.argsort(positions)])


def best_reading(
    parts: Parts, interpretation: Interpretation, vocabulary: Vocabulary, text: Corpus
) -> tuple[Interpretation, float] | None:
    """Find how a model reads a text of which it does not know all characters as the text is read now.

    Returns:
        The interpretation with the reading under which the model predicts the text best among those in which it knows
        all characters, and its loss in nats per character on a sample; None if there is none.
    """
    samples = Samples(text, vocabulary)
    tried = [interpretation.with_reading(reading) for reading in samples.readings(interpretation.reading)]
    losses = [samples.loss(assemble(parts, candidate, vocabulary), candidate.reading) for candidate in tried]
    if not losses:
        return None
    best = int(np.argmin([loss.comparable for loss in losses]))
    return tried[best], losses[best].nats_per_char


def frequency_losses(text: Corpus, n_characters: int) -> tuple[float, float]:
    """Compute the losses of two models without a network: the frequencies of characters, and those of pairs.

    Each character is predicted from the frequencies in the rest of the text, with 1 added to each count.

    Returns:
        Nats per character of single characters, and of characters given the one before.
    """
    _, ids = np.unique(text.codes, return_inverse=True)
    counts = np.bincount(ids)
    singles = -np.log(counts[ids] / (len(ids) - 1 + n_characters)).mean()
    pairs = ids[:-1].astype(np.int64) * len(counts) + ids[1:]
    distinct_pairs, pair_counts = np.unique(pairs, return_counts=True)
    first_counts = np.bincount(ids[:-1], minlength=len(counts))[distinct_pairs // len(counts)]
    total = -(pair_counts * np.log(pair_counts / (first_counts - 1 + n_characters))).sum()
    return float(singles), float(total / len(pairs))
