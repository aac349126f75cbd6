"""Measure how well a model predicts the parts of a text, beside models that only count characters."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.models.evaluation import losses
from activations.models.ngrams import NgramModels, fit_ngrams
from activations.predictions import LOG_PROB
from activations.progress import NotedProgress, no_progress
from activations.results import Result, TableCell
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule, rule_of
from activations.texts.tokenising import TokenisedText, check_text, tokenise
from activations.texts.vocab import Vocabulary
from analyses.errors import AnalysisError
from analyses.intervals.estimates import mean_interval

ORDERS = (1, 2, 3, 5, 10)
RECORDED_ORDERS = (1, 2, 3, 5)
FEWEST_JUDGED = 100
"""Characters of the part on which n-gram models are judged."""
_LEARNED, _JUDGED = 0.8, "last fifth"
_MOST_LEARNED, _MOST_JUDGED = 2_000_000, 400_000  # characters
_CHARS_AT_ONCE = 1 << 20
_LARGEST_EXPONENT = 700  # above which exp overflows


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PartEvaluation(Result):
    """The losses of one model on one part of a text.

    Attributes:
        model: The name of the model: its file, `uniform`, `unigram`, or `5-gram`.
        part: The name of the part.
        nats_per_char: Mean negative log probability of the true next character.
        accuracy: Share of characters whose most probable successor was the true one, in [0, 1].
        low: The lower end of the 95 % interval of `nats_per_char`, for neighbouring characters that depend on each
            other; NaN for fewer than 100 characters.
        high: Its upper end.
        n_chars: How many characters were predicted: all but the first that is read of each document.
    """

    model: str
    part: str
    nats_per_char: float
    accuracy: float
    low: float
    high: float
    n_chars: int

    @property
    def bits_per_char(self) -> float:
        """The same loss in bits."""
        return self.nats_per_char / math.log(2)

    @property
    def perplexity(self) -> float:
        """The number of equally probable characters with the same loss, e to the nats."""
        return math.exp(self.nats_per_char) if self.nats_per_char < _LARGEST_EXPONENT else math.inf

    def row(self) -> dict[str, str | float | int | None]:
        """Return the row that `probe evaluate --json` prints."""
        return {
            "model": self.model,
            "part": self.part,
            "nats_per_char": self.nats_per_char,
            "bits_per_char": self.bits_per_char,
            "perplexity": self.perplexity,
            "accuracy": self.accuracy,
            "low": self.low,
            "high": self.high,
            "n_chars": self.n_chars,
        }

    def __str__(self) -> str:
        return f"{self.model} on {self.part}: {self.nats_per_char:.3f} nats per character, {self.accuracy:.1%} right"


def evaluate_beside_ngrams(
    model: CharRNN | CharModel,
    parts: Mapping[str, Corpus],
    training_text: Corpus | None = None,
    *,
    name: str = "model",
    orders: Sequence[int] = ORDERS,
    replace_unknown: bool = False,
    device: str | None = None,
    progress: NotedProgress = no_progress,
) -> list[PartEvaluation]:
    """Measure how well a model predicts parts of a text, beside uniform and n-gram models of what it reads.

    Args:
        model: A model, in evaluation mode.
        parts: Texts by their names.
        training_text: What interpolated Kneser-Ney models learn from; None is no n-gram models. If it is one of the
            parts, they are not judged on that one.
        name: What to call the model in the results.
        orders: Orders of the n-gram models, from 1 to 30.
        replace_unknown: Whether characters that the model does not know are read as its replacement.
        device: Where the model computes; None is where it is.
        progress: Called with what is done, how much there is to do, and what it is.

    Returns:
        For each part the model, `uniform`, and the n-gram models by rising order.

    Raises:
        ActivationError: If a text has characters that the model does not know, an order is out of range, or there is
            nothing to learn from.
    """
    orders = sorted(set(orders))
    ngrams = None
    if training_text is not None:
        progress(0, 1, "counting n-grams")
        check_text(training_text, rule_of(model), model.vocabulary, replace_unknown=replace_unknown)
        ngrams = _ngrams_of(training_text, rule_of(model), model.vocabulary, orders[-1])
    results = []
    for part, text in parts.items():

        def report(done: int, total: int, note: str = f"reading {part}") -> None:
            progress(done, total, note)

        of_model = losses(model, text, replace_unknown=replace_unknown, device=device, progress=report)
        results.append(_evaluation(name, part, *of_model))
        as_read = tokenise(text, rule_of(model), model.vocabulary)
        results.append(_uniform(part, as_read))
        if ngrams is not None and text is not training_text:
            by_order = _ngram_losses(ngrams, as_read, orders)
            results += [
                _evaluation(_name_of(order), part, *of_order) for order, of_order in zip(orders, by_order, strict=True)
            ]
    return results


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class LossesBesideNgrams(Result):
    """The loss of a model beside those of n-gram models, on the same characters.

    Attributes:
        evaluations: The model, `uniform`, and the n-gram models by rising order.
        best_ngram: The n-gram model with the least loss.
        difference: Its loss less that of the model, in nats per character: above 0 if the model is better.
        low: The lower end of the 95 % interval of the difference, character by character.
        high: Its upper end.
    """

    evaluations: Sequence[PartEvaluation]
    best_ngram: str
    difference: float
    low: float
    high: float

    def rows(self) -> list[Mapping[str, TableCell]]:
        """Return one row for each model."""
        return [evaluation.row() for evaluation in self.evaluations]

    def __str__(self) -> str:
        return (
            f"the model's loss is {self.difference:.3f} nats per character less than that of the {self.best_ngram} "
            f"model ({self.low:.3f} to {self.high:.3f})"
        )


def evaluate_recorded(source: Source, *, orders: Sequence[int] = RECORDED_ORDERS) -> LossesBesideNgrams:
    """Compare the losses that a model had on a text with those of n-gram models that learn from the rest of it.

    N-gram models learn from the first four fifths of the text, at most two million characters of them, and all are
    judged on the last fifth, at most 400,000 characters. So n-gram models have seen text like this, and the model has
    seen what it was trained on.

    Args:
        source: A recording or live activations, with predictions, of a whole text or a part of it.
        orders: Orders of the n-gram models, in ascending order.

    Returns:
        The losses. The accuracy of the model is NaN.

    Raises:
        AnalysisError: If the source has no predictions, or not of all characters, or reads backwards, or if the text is
            too short to be divided.
    """
    used, rule, vocabulary = source.selection, source.reading_rule, source.vocabulary
    if used.every > 1 or rule.backwards:
        why = "reads backwards" if rule.backwards else f"has only one in {used.every} characters"
        raise AnalysisError(f"the source {why}, and n-gram models predict each from those before it")
    border = used.start + round(_LEARNED * (used.stop - used.start))
    learned = _between(source.corpus, used.start, min(border, used.start + _MOST_LEARNED))
    judged = _between(source.corpus, border, min(used.stop, border + _MOST_JUDGED))
    if len(judged) - len(judged.documents) < FEWEST_JUDGED:
        raise AnalysisError(
            f"the text has {used.n_chars:,} characters, too few to learn n-grams from some and judge them on others"
        )
    log_probs = source.read_predictions([LOG_PROB], border, border + len(judged)).get(LOG_PROB)
    if log_probs is None:
        raise AnalysisError(
            "the losses of the model are not known: it was recorded without predictions, or is one that predicts no "
            "characters"
        )
    nats = -log_probs[~judged.is_last(slice(0, len(judged), 1))]
    ngrams = _ngrams_of(learned, rule, vocabulary, orders[-1])
    as_read = tokenise(judged, rule, vocabulary)
    unknown = np.zeros(len(nats), bool)
    evaluations = [_evaluation("model", _JUDGED, nats, unknown, math.nan), _uniform(_JUDGED, as_read)]
    by_order = dict(zip(map(_name_of, orders), _ngram_losses(ngrams, as_read, orders), strict=True))
    evaluations += [_evaluation(name, _JUDGED, *of_order) for name, of_order in by_order.items()]
    best = min(by_order, key=lambda name: float(by_order[name][0].mean(dtype="f8")))
    differences = by_order[best][0] - nats
    low, high = mean_interval(differences)
    return LossesBesideNgrams(
        evaluations=evaluations,
        best_ngram=best,
        difference=float(differences.mean(dtype="f8")),
        low=low,
        high=high,
    )


def _between(corpus: Corpus, start: int, stop: int) -> Corpus:
    """Return the part of a text between two positions, with the borders of its documents."""
    starts, stops = np.maximum(corpus.starts, start), np.minimum(corpus.stops, stop)
    is_inside = starts < stops
    return corpus.parts(starts[is_inside].tolist(), stops[is_inside].tolist())


def _name_of(order: int) -> str:
    return "unigram" if order == 1 else f"{order}-gram"


def _ngrams_of(text: Corpus, rule: ReadingRule, vocabulary: Vocabulary, order: int) -> NgramModels:
    """Fit n-gram models to the tokens that a model reads of a text, document by document."""
    read = tokenise(text, rule, vocabulary).token_corpus
    documents = np.split(vocabulary.look_up(read.codes), read.starts[1:])
    return fit_ngrams(documents, order, n_characters=len(vocabulary))


def _ngram_losses(
    ngrams: NgramModels, text: TokenisedText, orders: Sequence[int]
) -> Iterator[tuple[NDArray[np.floating], NDArray[np.bool_]]]:
    """Yield, for each order, the nats of all predicted characters, and whether each was predicted right."""
    corpus = text.token_corpus
    n_predicted = len(corpus) - len(corpus.documents)
    nats, right = np.empty((len(orders), n_predicted), np.float32), np.empty((len(orders), n_predicted), bool)
    columns = [order - 1 for order in orders]
    n_done = 0
    for documents in corpus.runs(_CHARS_AT_ONCE):
        start, stop = int(corpus.starts[documents.start]), int(corpus.stops[documents][-1])
        firsts = corpus.starts[documents] - start
        of_run = ngrams.losses(text.ids(start, stop), firsts)
        is_predicted = np.ones(stop - start, bool)  # exactly the characters that the model predicts
        is_predicted[firsts] = False
        rows = slice(n_done, n_done + stop - start - len(firsts))
        nats[:, rows], right[:, rows] = (
            of_run.nats[is_predicted][:, columns].T,
            of_run.right[is_predicted][:, columns].T,
        )
        n_done = rows.stop
    return (text.losses_of_characters(*of_order) for of_order in zip(nats, right, strict=True))


def _uniform(part: str, text: TokenisedText) -> PartEvaluation:
    """Evaluate a model that gives all tokens the same probability."""
    n_tokens, n_predicted = len(text.vocabulary), len(text.token_corpus) - len(text.token_corpus.documents)
    same_nats = np.broadcast_to(np.float64(math.log(n_tokens)), n_predicted)
    nats, right = text.losses_of_characters(same_nats, np.broadcast_to(np.False_, n_predicted))
    accuracy = 1 / n_tokens if text.last_tokens is None else float(np.exp(-nats).mean())
    return _evaluation("uniform", part, nats, right, accuracy)


def _evaluation(
    model: str,
    part: str,
    nats: NDArray[np.floating],
    right: NDArray[np.bool_],
    accuracy: float | None = None,
) -> PartEvaluation:
    low, high = mean_interval(nats)
    return PartEvaluation(
        model=model,
        part=part,
        nats_per_char=float(nats.mean(dtype="f8")),
        accuracy=float(right.mean()) if accuracy is None else accuracy,
        low=low,
        high=high,
        n_chars=len(nats),
    )
