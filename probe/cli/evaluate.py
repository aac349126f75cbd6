"""The command `probe evaluate`, which measures how well a model predicts a text."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Option

from probe.cli.option_groups import with_options
from probe.cli.options import (
    DeviceOption,
    FactoryOption,
    ModelArgument,
    ReplaceOption,
    ReplaceWithOption,
    TextsArgument,
    unescaped,
)
from probe.cli.provenance import provenance
from probe.cli.reading import RuledTextOptions, load_or_build, set_attribute, warn_of_replaced
from probe.cli.showing import progress
from probe.cli.table_options import TableOptions

if TYPE_CHECKING:
    from activations.models.char_model import CharModel
    from activations.models.char_rnn import CharRNN

_PARTS = ("training", "validation", "test")
_ORDERS = "1,2,3,5,10"


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluateOptions:
    """Options of which parts of the text are judged, and by which n-gram models."""

    split: Annotated[
        str | None,
        Option(
            help="Judge consecutive parts of the text: percentages of training, validation and, optionally, test "
            "text, such as 90,5,5.",
            show_default=False,
        ),
    ] = None
    orders: Annotated[
        str | None, Option(help=f"Orders of the n-gram models, from 1 to 30 (default: {_ORDERS})", show_default=False)
    ] = None
    training_text: Annotated[
        list[Path] | None,
        Option(help="What the n-gram models learn from, without --split; may be repeated.", show_default=False),
    ] = None

    def parsed_orders(self) -> list[int]:
        """Return the orders of the n-gram models.

        Raises:
            BadParameter: If they are not numbers from 1 to 30, or there is nothing to learn from.
        """
        from activations.models.ngrams import HIGHEST_ORDER

        if self.split and self.training_text:
            raise BadParameter("with --split, n-gram models learn from the first part; leave out --training-text")
        if self.orders is not None and not (self.split or self.training_text):
            raise BadParameter("n-gram models need a text to learn from: --split or --training-text")
        orders = [order.strip() for order in (_ORDERS if self.orders is None else self.orders).split(",")]
        if not all(order.isdecimal() and 1 <= int(order) <= HIGHEST_ORDER for order in orders):
            raise BadParameter(
                f"{self.orders!r} are no orders; write numbers from 1 to {HIGHEST_ORDER}, such as {_ORDERS}"
            )
        return [int(order) for order in orders]


@with_options
def evaluate(
    model: ModelArgument,
    corpus: TextsArgument,
    *,
    options: EvaluateOptions,
    text_options: RuledTextOptions,
    replace_unknown: ReplaceOption = False,
    replace_unknown_with: ReplaceWithOption = None,
    device: DeviceOption = "cpu",
    model_factory: FactoryOption = None,
    tables: TableOptions,
) -> None:
    """Measure how well a model predicts a text, compared with n-gram models.

    nats and bits per char are the mean loss, perplexity is e to the nats, and low and high are the ends of the 95 %
    interval of the nats, for neighbouring characters that depend on each other. The first character of a document or
    part is read, and not predicted. The loss of a character is the sum over the tokens that the model reads for it.

    Beside the model there are a model that gives all characters the same probability (uniform), their frequencies
    (unigram), and interpolated Kneser-Ney n-gram models of what the model reads. These learn from the first part of
    --split and are judged on the others, or learn from --training-text.

    What the loss becomes without a unit, where a hypothesis holds and elsewhere: `probe ablate`.

    Example:
        probe evaluate model.pt corpus.txt --split 90,5,5
    """
    from activations.models.identity import sha256
    from activations.texts.reading_rule import rule_of
    from activations.texts.tokenising import check_text
    from probe.evaluation import evaluate_beside_ngrams
    from probe.training.recipes import shares_of

    orders = options.parsed_orders()
    shares = None if options.split is None else shares_of(options.split)
    tables.check(model, *corpus, *(options.training_text or []))
    net = text_options.with_rule(load_or_build(model, model_factory))
    if replace_unknown_with is not None:
        _replace_unknown_with(net, replace_unknown_with)
        replace_unknown = True
    text = text_options.read(corpus)
    if n_replaced := check_text(text, rule_of(net), net.vocabulary, replace_unknown=replace_unknown):
        warn_of_replaced(n_replaced, net.vocabulary)
    parts = dict(zip(_PARTS, text.cut(shares), strict=False)) if shares else {"whole": text}
    training_text = parts["training"] if shares else None
    if options.training_text:
        training_text = text_options.read(options.training_text)
    with progress("evaluating") as report:
        results = evaluate_beside_ngrams(
            net,
            parts,
            training_text,
            name=model.name,
            orders=orders,
            replace_unknown=replace_unknown,
            device=device,
            progress=report,
        )
    made = provenance(model_sha256=sha256(net), text_sha256=text.sha256)
    rows = [result.row() for result in results]
    tables.show([row | made for row in rows], rows)
    tables.write([row | made for row in rows])


def _replace_unknown_with(model: "CharRNN | CharModel", character: str) -> None:
    """Let a model read the characters that it does not know as another one."""
    set_attribute(model, "vocabulary", model.vocabulary.replacing_by(unescaped(character)))
