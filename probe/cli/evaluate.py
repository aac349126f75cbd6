"""`probe evaluate`."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from probe.cli.options import (
    DeviceOption,
    FactoryOption,
    JsonOption,
    ReplaceOption,
    ReplaceWithOption,
    TextsArgument,
    unescaped,
)
from probe.cli.reading import RuledTextOptions, give, load_or_build, with_options
from probe.cli.show import Cell, progress, show_rows, warn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from activations.models.ngrams import NgramModels
    from activations.texts.tokenising import TokenisedText

_PARTS = ("training", "validation", "test")
_ORDERS = "1,2,3,5,10"
_CHARS_AT_ONCE = 1 << 20


@with_options
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
    *,
    how_read: RuledTextOptions,
    replace_unknown: ReplaceOption = False,
    replace_unknown_with: ReplaceWithOption = None,
    device: DeviceOption = "cpu",
    model_factory: FactoryOption = None,
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
    import numpy as np

    from activations.models.evaluation import losses
    from activations.models.ngrams import fit_ngrams
    from activations.texts.reading_rule import rule_of
    from activations.texts.tokenising import check_text, tokenise
    from probe.training.recipes import shares_of

    shares = None if split is None else shares_of(split)
    if shares and training_text:
        raise BadParameter("with --split, n-gram models learn from the first part; leave out --training-text")
    if orders is not None and not (shares or training_text):
        raise BadParameter("n-gram models need a text to learn from: --split or --training-text")
    asked = _orders(_ORDERS if orders is None else orders)

    net = how_read.ruled(load_or_build(model, model_factory))
    rule = rule_of(net)
    if replace_unknown_with is not None:
        give(net, "vocabulary", net.vocabulary.replacing_by(unescaped(replace_unknown_with)))
        replace_unknown = True
    text = how_read.read(corpus)
    if n_replaced := check_text(text, rule, net.vocabulary, replace_unknown=replace_unknown):
        warn(f"{n_replaced:,} characters are read as {net.vocabulary.shown(net.vocabulary.replacement or '')!r}")
    parts = dict(zip(_PARTS, text.cut(shares), strict=False)) if shares else {"whole": text}
    learned = parts["training"] if shares else None
    if training_text:
        learned = how_read.read(training_text)

    rows: list[dict[str, Cell]] = []
    ngrams: NgramModels | None = None
    if learned is not None:
        with progress("counting n-grams"):
            check_text(learned, rule, net.vocabulary, replace_unknown=replace_unknown)
            read = tokenise(learned, rule, net.vocabulary).token_corpus
            ids = net.vocabulary.look_up(read.codes)
            documents = np.split(ids, read.starts[1:])
            ngrams = fit_ngrams(documents, asked[-1], n_characters=len(net.vocabulary))
            del read, ids, documents
    for name, part in parts.items():
        with progress(f"reading {name}") as report:
            of_model = losses(net, part, replace_unknown=replace_unknown, device=device, progress=report)
        rows.append(_row(model.name, name, *of_model))
        as_read = tokenise(part, rule, net.vocabulary)
        rows.append(_uniform(name, as_read))
        if ngrams is not None and part is not learned:
            of_orders = _ngram_losses(ngrams, as_read, asked)
            names = ["unigram" if order == 1 else f"{order}-gram" for order in asked]
            rows += [_row(each, name, *of_order) for each, of_order in zip(names, of_orders, strict=True)]
    show_rows(rows, as_json=as_json)


def _orders(orders: str) -> list[int]:
    from activations.models.ngrams import HIGHEST_ORDER

    named = [each.strip() for each in orders.split(",")]
    if not all(each.isdecimal() and 1 <= int(each) <= HIGHEST_ORDER for each in named):
        raise BadParameter(f"{orders!r} are no orders; write numbers from 1 to {HIGHEST_ORDER}, such as {_ORDERS}")
    return sorted({int(each) for each in named})


def _ngram_losses(
    ngrams: "NgramModels", text: "TokenisedText", orders: list[int]
) -> "Iterator[tuple[NDArray[np.floating], NDArray[np.bool_]]]":
    """Nats of each character but the first of each document, and whether it was predicted right, by order."""
    import numpy as np

    corpus = text.token_corpus
    n_predicted = len(corpus) - len(corpus.documents)
    nats, right = np.empty((len(orders), n_predicted), np.float32), np.empty((len(orders), n_predicted), bool)
    columns = [order - 1 for order in orders]
    n_done = 0
    for documents in corpus.runs(_CHARS_AT_ONCE):
        start, stop = int(corpus.starts[documents.start]), int(corpus.stops[documents][-1])
        begins = corpus.starts[documents] - start
        found = ngrams.losses(text.ids(start, stop), begins)  # of just what the model predicts
        is_predicted = np.ones(stop - start, bool)
        is_predicted[begins] = False
        own = slice(n_done, n_done + stop - start - len(begins))
        nats[:, own], right[:, own] = found.nats[is_predicted][:, columns].T, found.right[is_predicted][:, columns].T
        n_done = own.stop
    return (text.losses_of_characters(*of_order) for of_order in zip(nats, right, strict=True))


def _uniform(part: str, text: "TokenisedText") -> dict[str, Cell]:
    """What a model does for which all that it can read is alike."""
    import numpy as np

    n_tokens, n_predicted = len(text.vocabulary), len(text.token_corpus) - len(text.token_corpus.documents)
    alike = np.broadcast_to(np.float64(math.log(n_tokens)), n_predicted)
    nats, right = text.losses_of_characters(alike, np.broadcast_to(np.False_, n_predicted))
    accuracy = 1 / n_tokens if text.last_tokens is None else float(np.exp(-nats).mean())
    return _row("uniform", part, nats, right) | {"accuracy": accuracy}


def _row(model: str, part: str, nats: "NDArray[np.floating]", right: "NDArray[np.bool_]") -> dict[str, Cell]:
    from analyses.intervals.estimates import mean_interval

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
