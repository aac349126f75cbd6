"""`probe evaluate`."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from probe.cli.options import (
    BackwardsOption,
    EncodingOption,
    EosOption,
    JsonOption,
    NewlinesOption,
    ReadAsOption,
    ReplaceOption,
    ReplaceWithOption,
    SosOption,
    TextsArgument,
    changed,
    unescaped,
)
from probe.cli.show import Cell, progress, show_rows, warn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from activations.read_text import ReadText
    from hypotheses.ngrams import NgramModels

_PARTS = ("training", "validation", "test")
_ORDERS = "1,2,3,5,10"


def evaluate(
    model: Annotated[
        Path, Argument(help="A checkpoint that `probe train` or `probe import` wrote.", show_default=False)
    ],
    corpus: TextsArgument,
    split: Annotated[
        str | None,
        Option(
            help="Judge parts of the text, one behind the other: percentages of training, validation and, after "
            "another comma, test, such as 90,5,5.",
            show_default=False,
        ),
    ] = None,
    orders: Annotated[
        str | None, Option(help=f"Of the n-gram models, from 1 to 30 (default: {_ORDERS})", show_default=False)
    ] = None,
    training_text: Annotated[
        list[Path] | None,
        Option(help="What the n-gram models learn from, without --split; may be repeated.", show_default=False),
    ] = None,
    encoding: EncodingOption = "utf-8",
    newlines: NewlinesOption = "keep",
    replace_unknown: ReplaceOption = False,
    replace_unknown_with: ReplaceWithOption = None,
    read_as: ReadAsOption = None,
    backwards: BackwardsOption = False,
    sos: SosOption = False,
    eos: EosOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how well a model predicts a text, beside models that only count.

    nats and bits per char are the mean loss, perplexity is e to the nats, and low and high are the ends of the 95 %
    interval of the nats, for neighbouring characters that depend on each other. The first character of a document or
    part is read, and not predicted. The loss of a character is the sum over all that the model reads of it.

    Beside the model stand all characters alike (uniform), their frequencies (unigram) and interpolated Kneser-Ney
    n-gram models, of what the model reads. These learn from the first part of --split, and are judged on the others,
    or from --training-text.

    Example:
        probe evaluate model.pt corpus.txt --split 90,5,5
    """
    from activations.corpus import Corpus
    from activations.models.checkpoints import load_model
    from activations.models.evaluation import losses
    from activations.read_text import check_text, read_text
    from hypotheses.ngrams import fit_ngrams
    from probe.recipes import shares_of

    shares = None if split is None else shares_of(split)
    if shares and training_text:
        raise BadParameter("with --split, n-gram models learn from the first part; leave out --training-text")
    if orders is not None and not (shares or training_text):
        raise BadParameter("n-gram models need a text to learn from: --split or --training-text")
    asked = _orders(_ORDERS if orders is None else orders)

    net = load_model(model)
    net.reading_rule = changed(net.reading_rule, read_as=read_as, backwards=backwards, sos=sos, eos=eos)
    if replace_unknown_with is not None:
        net.vocabulary, replace_unknown = net.vocabulary.replacing_by(unescaped(replace_unknown_with)), True
    text = Corpus.read(*corpus, encoding=encoding, newlines=newlines)
    if n_replaced := check_text(text, net.reading_rule, net.vocabulary, replace_unknown=replace_unknown):
        warn(f"{n_replaced:,} characters are read as {net.vocabulary.shown(net.vocabulary.replacement or '')!r}")
    parts = dict(zip(_PARTS, text.cut(shares), strict=False)) if shares else {"whole": text}
    learned = parts["training"] if shares else None
    if training_text:
        learned = Corpus.read(*training_text, encoding=encoding, newlines=newlines)

    rows: list[dict[str, Cell]] = []
    ngrams: NgramModels | None = None
    if learned is not None:
        with progress("counting n-grams"):
            check_text(learned, net.reading_rule, net.vocabulary, replace_unknown=replace_unknown)
            documents = list(_documents(read_text(learned, net.reading_rule, net.vocabulary)))
            ngrams = fit_ngrams(documents, asked[-1], n_characters=len(net.vocabulary))
            del documents
    for name, part in parts.items():
        with progress(f"reading {name}") as report:
            of_model = losses(net, part, replace_unknown=replace_unknown, progress=report)
        rows.append(_row(model.name, name, *of_model))
        as_read = read_text(part, net.reading_rule, net.vocabulary)
        rows.append(_uniform(name, as_read))
        if ngrams is not None and part is not learned:
            of_orders = _ngram_losses(ngrams, as_read, asked)
            names = ["unigram" if order == 1 else f"{order}-gram" for order in asked]
            rows += [_row(each, name, *of_order) for each, of_order in zip(names, of_orders, strict=True)]
    show_rows(rows, as_json=as_json)


def _orders(orders: str) -> list[int]:
    from hypotheses.ngrams import HIGHEST_ORDER

    named = [each.strip() for each in orders.split(",")]
    if not all(each.isdecimal() and 1 <= int(each) <= HIGHEST_ORDER for each in named):
        raise BadParameter(f"{orders!r} are no orders; write numbers from 1 to {HIGHEST_ORDER}, such as {_ORDERS}")
    return sorted({int(each) for each in named})


def _documents(text: "ReadText") -> "Iterator[NDArray[np.int64]]":
    """The ids of what is read of each document, so that n-gram models predict just what the model does."""
    spans = map(text.document_span, text.corpus.documents)
    return (text.ids(span.start, span.stop) for span in spans)


def _ngram_losses(
    ngrams: "NgramModels", text: "ReadText", orders: list[int]
) -> "Iterator[tuple[NDArray[np.floating], NDArray[np.bool_]]]":
    """Nats of each character but the first of each document, and whether it was predicted right, by order."""
    import numpy as np

    n_predicted = len(text.corpus) - len(text.corpus.documents)
    nats, right = np.empty((len(orders), n_predicted), np.float32), np.empty((len(orders), n_predicted), bool)
    for number, (document, ids) in enumerate(zip(text.corpus.documents, _documents(text), strict=True)):
        found = ngrams.losses(ids)
        own = text.predicted(number)
        for row, order in enumerate(orders):
            of_tokens = found.nats[1:, order - 1], found.right[1:, order - 1]
            nats[row, own], right[row, own] = text.of_characters(document, *of_tokens)
    return zip(nats, right, strict=True)


def _uniform(part: str, text: "ReadText") -> dict[str, Cell]:
    """What a model does for which all that it can read is alike."""
    import numpy as np

    n_tokens, n_predicted = len(text.vocabulary), len(text.corpus) - len(text.corpus.documents)
    nats: NDArray[np.float64] = np.broadcast_to(np.float64(math.log(n_tokens)), n_predicted)
    accuracy = 1 / n_tokens
    if text.rows is not None:
        nats = np.empty(n_predicted)
        for number, document in enumerate(text.corpus.documents):
            span = text.document_span(document)
            each = np.full(span.stop - span.start - 1, math.log(n_tokens))
            nats[text.predicted(number)] = text.of_characters(document, each, np.zeros(len(each), bool))[0]
        accuracy = float(np.exp(-nats).mean())
    return _row("uniform", part, nats, np.broadcast_to(np.False_, n_predicted)) | {"accuracy": accuracy}


def _row(model: str, part: str, nats: "NDArray[np.floating]", right: "NDArray[np.bool_]") -> dict[str, Cell]:
    from analyses.estimates import mean_interval

    low, high = mean_interval(nats)
    mean = float(nats.mean(dtype="f8"))
    return {
        "model": model,
        "part": part,
        "nats_per_char": mean,
        "bits_per_char": mean / math.log(2),
        "perplexity": math.exp(mean) if mean < 700 else math.inf,
        "accuracy": float(right.mean()),
        "low": low,
        "high": high,
        "n_chars": len(nats),
    }
