"""Interpretations of the arrays of a model, and their single-change neighbours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

from activations.importers.layers.parts import Parts, fitting_orders
from activations.importers.readings import Reading
from activations.models.cells.equations import GATE_FUNCTIONS
from activations.texts.reading_rule import PLAIN, ReadingRule

TRANSPOSED = ("no", "recurrent", "all")
_USUAL_FORGET_BIASES = (0.0, 1.0)
_SIMPLE = ("rnn", "rnn_relu")
_CELLS_OF_SAME_ARRAYS = (_SIMPLE, ("gru", "gru_reset_before"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpretation:
    """One way to interpret the parts of a model.

    Attributes:
        cell: One of `CELLS`.
        gates: Order of the gates in the rows, one letter each.
        transposed: Which square matrices the file has transposed: `no`, `recurrent` or `all`.
        hidden_first: True if matrices on both inputs and hidden states have the hidden states first, [h; x].
        gate_function: Activation function of the gates, one of `equations.GATE_FUNCTIONS`.
        update_swapped: True if the update gate of a GRU is the share of the candidate in the new state, as in
            char-rnn, and not that of the old state.
        forget_bias: Number that the program adds to the pre-activation of an LSTM's forget gate, besides its bias; 1 in
            TensorFlow's BasicLSTMCell and in many programs written by hand.
        layer_order: The layers as they are found, counted from 1, from the input upwards; empty if they are in order.
        characters: The vocabulary in the order of the ids.
        rule: What the model reads in place of the text as it stands.
        documents: `lines` if each line of the text is a document of its own; empty for documents as the text has them.
    """

    cell: str
    gates: str
    characters: str
    transposed: str = "no"
    hidden_first: bool = False
    gate_function: str = "sigmoid"
    update_swapped: bool = False
    forget_bias: float = 0.0
    layer_order: tuple[int, ...] = ()
    rule: ReadingRule = PLAIN
    documents: str = ""

    @property
    def reading(self) -> Reading:
        """The way in which the text is read."""
        return Reading(self.rule, self.documents)

    def with_reading(self, reading: Reading) -> "Interpretation":
        """Return the same interpretation of the arrays, with the text read in another way."""
        return replace(self, rule=reading.rule, documents=reading.documents)

    def changes(self, changed: "Interpretation") -> dict[str, str]:
        """Return the fields that differ in another interpretation, each with the option that requests its value."""
        options = {}
        if changed.gates != self.gates:
            options["gates"] = f"--gates {','.join(changed.gates)}"
        if changed.cell != self.cell:
            options["cell"] = f"--cell {changed.cell}"
        if changed.transposed != self.transposed:
            options["transposed"] = f"--transposed {changed.transposed}"
        if changed.hidden_first != self.hidden_first:
            options["hidden_first"] = "--hidden-first" if changed.hidden_first else "without --hidden-first"
        if changed.gate_function != self.gate_function:
            options["gate_function"] = f"--gate-function {changed.gate_function}"
        if changed.update_swapped != self.update_swapped:
            options["update_swapped"] = "--update-swapped" if changed.update_swapped else "without --update-swapped"
        if changed.forget_bias != self.forget_bias:
            options["forget_bias"] = f"--forget-bias {changed.forget_bias:g}"
        if changed.layer_order != self.layer_order:
            spelled_order = ",".join(map(str, changed.layer_order))
            options["layer_order"] = f"--layer-order {spelled_order}" if spelled_order else "without --layer-order"
        if changed.characters != self.characters:
            options["vocabulary"] = _describe_order(self.characters, changed.characters)
        if spelled := self.reading.options(changed.reading):
            options["rule"] = spelled
        return options


def _describe_order(characters: str, reordered: str) -> str:
    if reordered == "".join(sorted(characters)):
        return "the vocabulary in the order of the code points (--vocab sorted:FILE)"
    if reordered in (characters[1:] + characters[:1], characters[-1:] + characters[:-1]):
        return "the vocabulary moved by one place (was there a token before or behind the characters?)"
    return "the vocabulary in the order in which the characters first occur in the text"


def neighbours(
    interpretation: Interpretation, parts: Parts, first_seen: str, readings: Sequence[Reading] = ()
) -> Iterator[Interpretation]:
    """Yield all interpretations that differ from one in a single respect, how the text is read being one.

    Args:
        interpretation: The interpretation to start from.
        parts: The parts of the model.
        first_seen: The tokens that are read of a text, each once, in the order in which they first occur.
        readings: The ways in which the model may read the text.
    """
    for order in permutations(sorted(interpretation.gates)):
        yield replace(interpretation, gates="".join(order))
    for family in _CELLS_OF_SAME_ARRAYS:
        if interpretation.cell in family and ("cell" in parts.stack.undecided or interpretation.cell in _SIMPLE):
            yield from (replace(interpretation, cell=cell) for cell in family)
    if "forget_bias" in parts.stack.undecided:
        yield from (replace(interpretation, forget_bias=added) for added in _USUAL_FORGET_BIASES)
    if "update_swapped" in parts.stack.undecided:
        yield replace(interpretation, update_swapped=not interpretation.update_swapped)
    if "gate_function" in parts.stack.undecided:
        yield from (replace(interpretation, gate_function=function) for function in GATE_FUNCTIONS)
    if parts.stack.n_hidden == parts.stack.n_units:
        yield from (replace(interpretation, transposed=transposed) for transposed in TRANSPOSED)
    if parts.stack.joined or "hidden_first" in parts.stack.undecided:
        yield replace(interpretation, hidden_first=not interpretation.hidden_first)
    if "layer_order" in parts.stack.undecided:
        for positions in fitting_orders(parts.stack.layers):
            numbers = tuple(n + 1 for n in positions)
            yield replace(interpretation, layer_order=() if list(numbers) == sorted(numbers) else numbers)
    characters = interpretation.characters
    orders = ["".join(sorted(characters)), characters[1:] + characters[:1], characters[-1:] + characters[:-1]]
    if set(first_seen) == set(characters):
        orders.append(first_seen)
    yield from (replace(interpretation, characters=order) for order in orders)
    yield from map(interpretation.with_reading, readings)
