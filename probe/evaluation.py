"""Measure how well a model predicts the parts of a text, beside models that only count characters."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.models.evaluation import losses
from activations.models.ngrams import NgramModels, fit_ngrams
from activations.progress import NotedProgress, no_progress
from activations.results import Result
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import rule_of
from activations.texts.tokenising import TokenisedText, check_text, tokenise
from analyses.intervals.estimates import mean_interval

ORDERS = (1, 2, 3, 5, 10)
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
        ngrams = _ngrams_of(training_text, model, orders[-1])
    results = []
    for part, text in parts.items():

        def report(done: int, total: int, note: str = f"reading {part}") -> None:
            progress(done, total, note)

        of_model = losses(model, text, replace_unknown=replace_unknown, device=device, progress=report)
        results.append(_evaluation(name, part, *of_model))
        as_read = tokenise(text, rule_of(model), model.vocabulary)
        results.append(_uniform(part, as_read))
        if ngrams is not None and text is not training_text:
            names = ["unigram" if order == 1 else f"{order}-gram" for order in orders]
            by_order = _ngram_losses(ngrams, as_read, orders)
            results += [
                _evaluation(name_of_order, part, *of_order)
                for name_of_order, of_order in zip(names, by_order, strict=True)
            ]
    return results


def _ngrams_of(text: Corpus, model: CharRNN | CharModel, order: int) -> NgramModels:
    """Fit n-gram models to the tokens that a model reads of a text, document by document."""
    read = tokenise(text, rule_of(model), model.vocabulary).token_corpus
    documents = np.split(model.vocabulary.look_up(read.codes), read.starts[1:])
    return fit_ngrams(documents, order, n_characters=len(model.vocabulary))


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
