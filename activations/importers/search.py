"""Searching for the interpretation of a model's parts under which it predicts a text best."""

from collections.abc import Mapping
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
        first: The interpretation that the search started from.
        best: The interpretation that it reached, by changing one thing after another while that clearly lowered the
            loss.
        n_chars: Number of characters of the text.
        tried: The losses of all interpretations that were tried, among them these two.
    """

    first: Interpretation
    best: Interpretation
    n_chars: int
    tried: Mapping[Interpretation, SampledLoss]

    @property
    def nats_per_char(self) -> float:
        """Loss of the interpretation that the search started from."""
        return self.tried[self.first].nats_per_char

    @property
    def best_nats_per_char(self) -> float:
        """Loss of the interpretation that the search reached."""
        return self.tried[self.best].nats_per_char

    @property
    def changes(self) -> dict[str, str]:
        """The fields that the best interpretation changes in the first one, with the options that request it."""
        return self.first.changes(self.best)

    def rival_of(self, interpretation: Interpretation) -> Interpretation:
        """Return the best of all interpretations that were tried, except one of them.

        Readings that drop more of the text than that one do not count: they are nearly as good where what they drop is
        rare.
        """
        lost = self.tried[interpretation].lost
        rivals = [tried for tried, loss in self.tried.items() if tried != interpretation and loss.lost <= lost]
        return min(rivals, key=lambda rival: self.tried[rival].comparable)


def search(
    parts: Parts,
    interpretation: Interpretation,
    vocabulary: Vocabulary,
    text: Corpus,
    progress: Progress = no_progress,
    *,
    max_changes: int,
    undecided: frozenset[str] = frozenset(),
    keeps_decided: bool = False,
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
        keeps_decided: True to change only these; others are tried as well, as rivals.

    Raises:
        ActivationError: If the text has fewer than two characters.
    """
    if len(text) < 2:
        raise ActivationError("the text to check the model by has fewer than two characters")
    samples = Samples(text, vocabulary)
    first_seen, readings = _first_seen(text, interpretation.rule, vocabulary), samples.readings(interpretation.reading)

    tried: dict[Interpretation, SampledLoss] = {}

    def loss_of(candidate: Interpretation) -> SampledLoss:
        if candidate not in tried:
            tried[candidate] = samples.loss(assemble(parts, candidate, vocabulary), candidate.reading)
        return tried[candidate]

    best, loss = interpretation, loss_of(interpretation)
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
        costs[np.array(is_decided) & keeps_decided] = np.inf
        nearest = int((costs + needed).argmin())
        is_clear = np.isfinite(costs[nearest]) and losses[nearest].comparable + needed[nearest] <= loss.comparable
        if not is_clear or n_changes == max_changes:
            break
        best, loss = candidates[nearest], losses[nearest]
    return Search(first=interpretation, best=best, n_chars=len(text), tried=tried)


def _first_seen(text: Corpus, rule: ReadingRule, vocabulary: Vocabulary) -> str:
    """Return the tokens that are read of a text in the order of their first occurrence; empty if the rule fails."""
    try:
        tokens = tokenise(text, rule, vocabulary).tokens
    except ActivationError:
        return ""
    codes, positions = np.unique(tokens, return_index=True)
    return codes_to_text(codes[np.argsort(positions)])


def best_reading(
    parts: Parts,
    interpretation: Interpretation,
    vocabulary: Vocabulary,
    text: Corpus,
    *,
    max_changes: int,
    undecided: frozenset[str] = frozenset(),
) -> tuple[Interpretation, float] | None:
    """Find how a model reads a text of which it does not know all characters as the text is read now.

    Args:
        parts: The parts of the model.
        interpretation: The interpretation to start from.
        vocabulary: The vocabulary of the model.
        text: The text.
        max_changes: Maximum number of changes to the interpretation, beside the first choice of the reading.
        undecided: Fields of `Interpretation` that the file leaves open, and that are settled together with the reading.

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
    if not undecided:
        return tried[best], losses[best].nats_per_char
    settled = undecided | {"rule"}
    searched = search(
        parts, tried[best], vocabulary, text, max_changes=max_changes, undecided=settled, keeps_decided=True
    )
    return searched.best, searched.best_nats_per_char


def losses_of_frequencies(text: Corpus, rule: ReadingRule, vocabulary: Vocabulary) -> tuple[float, float]:
    """Compute the losses of the frequencies of what is read, alone and in pairs, in nats per character of the text."""
    tokens = tokenise(text, rule, vocabulary).tokens
    singles, pairs = frequency_losses(Corpus(tokens, ()), len(vocabulary))
    return singles * len(tokens) / len(text), pairs * len(tokens) / len(text)


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
