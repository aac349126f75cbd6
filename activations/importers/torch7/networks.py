"""Recognising recurrent layers in what the modules of a model compute.

Two kinds of programs are known. In char-rnn, a graph computes one step: it takes a character and the states of all
layers, and returns the new states and the prediction. The equations of the graph say which matrix belongs to which
gate. In torch-rnn, every layer is a module that reads a whole sequence.

Source:
    github.com/karpathy/char-rnn: `model/LSTM.lua`, `model/GRU.lua`, `model/RNN.lua`.
    github.com/jcjohnson/torch-rnn: `LSTM.lua`, `VanillaRNN.lua`, `LanguageModel.lua`; `GRU.lua` of its forks.
    github.com/Element-Research/rnn: `SeqLSTM.lua`, `SeqGRU.lua`, which go back to torch-rnn.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from activations.errors import ActivationError
from activations.importers.torch7.expressions import Evaluator, Expression
from activations.importers.torch7.graphs import GRAPH
from activations.importers.torch7.values import Tensor, TorchObject

_LETTERS_OF_SEQUENCES = {
    "LSTM": "ifog",
    "SequenceLSTM": "ifog",
    "SeqLSTM": "ifog",
    "GRU": "zrn",
    "SeqGRU": "rzn",
    "VanillaRNN": "h",
    "SequenceRNN": "h",
}
_MAX_LAYERS = 100
_MAX_TERMS = 20
_MAX_OUTPUTS = 250

NameOf = Callable[[Tensor], str | None]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a weight matrix, with their biases.

    Attributes:
        weight: Name of the matrix.
        bias: Name of the vector of biases; None if there is none.
        rows: First row and the one behind the last.
        columns: The same for the columns; None for all.
        transposed: True if the file has the matrix transposed, for products with row vectors.
        factor: What the matrix is to be multiplied by.
    """

    weight: str
    bias: str | None
    rows: tuple[int, int]
    columns: tuple[int, int] | None = None
    transposed: bool = False
    factor: float = 1.0


class Gate(NamedTuple):
    """One gate of a layer.

    Attributes:
        letter: i, f, g or o of an LSTM; r, z or n of a GRU; h of a simple layer.
        on_input: Its rows on the inputs.
        on_hidden: Its rows on the hidden states.
    """

    letter: str
    on_input: Rows
    on_hidden: Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerPlan:
    """A recurrent layer, by the names of its arrays.

    Attributes:
        gates: Its gates.
        relu: True for rectified units.
        reset_before: True if the reset gate of a GRU acts before the recurrent matrix.
        update_swapped: True if the update gate of a GRU is the share of the candidate.
        peepholes: Names of the peepholes to the gates i, f and o of an LSTM; empty if it has none.
    """

    gates: tuple[Gate, ...]
    peepholes: tuple[str, ...] = ()
    relu: bool = False
    reset_before: bool = False
    update_swapped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A recurrent network, by the names of its arrays.

    Attributes:
        name: Name of its module.
        layers: Its layers from the input upwards.
        embedding: Name of the matrix that has a row for each character; None if there is none.
        readout: Its read-out; None if it is in another module.
    """

    name: str
    layers: tuple[LayerPlan, ...]
    embedding: str | None
    readout: Rows | None


@dataclass(frozen=True, slots=True)
class UnreadNetwork:
    """A network that is not read.

    Attributes:
        name: Name of its module.
        reason: Why it is not read.
    """

    name: str
    reason: str


def read_network(module: TorchObject, name: str, name_of: NameOf) -> Network | UnreadNetwork | None:
    """Recognise the recurrent network that a module is; None if it has no recurrent layers.

    Args:
        module: A `nn.gModule` or `nn.Sequential`.
        name: Its name.
        name_of: Returns the name of a tensor, or None if it is not one of the arrays.
    """
    evaluator = Evaluator()
    try:
        if module.class_name == GRAPH:
            final = evaluator.outputs(module)
        else:
            final = evaluator.apply(module, evaluator.algebra.make("input", numbers=(0,)), name)
        return _Recogniser(name, name_of).network(final)
    except ActivationError as error:
        return UnreadNetwork(name, str(error))


class _Recogniser:
    """Recognises the layers of one network, from the read-out downwards."""

    def __init__(self, name: str, name_of: NameOf) -> None:
        self._name, self._name_of = name, name_of
        self._states: dict[Expression, Expression] = {}  # each new state, and the input that is the old one

    def network(self, final: Expression) -> Network | None:
        outputs = [
            output.arguments[0] if output.kind == "softmax" else output
            for output in (final.arguments if final.kind == "parts" and not final.numbers else (final,))
        ]
        if len(outputs) > _MAX_OUTPUTS:
            raise ActivationError(f"it has more than {_MAX_OUTPUTS} outputs; no model needs that many")
        predictions = [output for output in outputs if output.kind == "linear"]
        if len(predictions) > 1:
            raise ActivationError("it has several read-outs, of which only one is read")
        if predictions:
            layers, bottom = self._layers(predictions[0].arguments[0])
        else:  # the read-out is another module, and the last state may be the cell
            layers, bottom = self._first_of(outputs)
        if bottom.arguments and bottom.arguments[0].kind != "input":
            raise ActivationError("it computes something of the character before it looks it up")
        self._check_states(outputs, bottom)
        if not layers:
            return None
        return Network(
            name=self._name,
            layers=tuple(reversed(layers)),
            embedding=self._weight(bottom.module) if bottom.module is not None else None,
            readout=self._rows(predictions[0]) if predictions else None,
        )

    def _first_of(self, outputs: Sequence[Expression]) -> tuple[list[LayerPlan], Expression]:
        """Return the layers below the last output that is a hidden state."""
        errors = []
        for output in reversed(outputs):
            try:
                return self._layers(output)
            except ActivationError as error:
                self._states.clear()
                errors.append(error)
        raise errors[0]

    def _layers(self, top: Expression) -> tuple[list[LayerPlan], Expression]:
        """Return the layers from a hidden state downwards, and what the lowest one takes."""
        layers: list[LayerPlan] = []
        while top.kind not in ("embedding", "one_hot", "input"):
            if len(layers) == _MAX_LAYERS:
                raise ActivationError(f"it has more than {_MAX_LAYERS} layers; no model needs that many")
            if top.kind == "layer":
                layers.append(self._layer_of_sequences(top))
                top = top.arguments[0]
            else:
                plan, top = self._layer_of_steps(top)
                layers.append(plan)
        return layers, top

    def _check_states(self, outputs: Sequence[Expression], bottom: Expression) -> None:
        """Check that each state goes where it came from: states are the inputs besides the character, in order."""
        n_before = (bottom.arguments[0] if bottom.arguments else bottom).numbers[0]
        for new, old in self._states.items():
            n = outputs.index(new) if new in outputs else -1
            if n < 0 or old.numbers != (n if n < n_before else n + 1,):
                raise ActivationError("a layer does not go on from the state that it returned")

    def _layer_of_sequences(self, value: Expression) -> LayerPlan:
        """Return a layer of torch-rnn: one matrix on [x; h], for row vectors."""
        letters, module = _LETTERS_OF_SEQUENCES[value.cell], value.module
        tensor = module.attributes["weight"] if module is not None else None
        n_rows, n_columns = tensor.array.shape if isinstance(tensor, Tensor) else (0, 0)
        n_units = n_columns // len(letters)
        if not 0 < n_units < n_rows or n_columns % len(letters):
            raise ActivationError(f"a layer has a matrix of shape {(n_rows, n_columns)}, which is none of torch-rnn's")
        weight, bias, n_inputs = self._weight(module), self._bias(module), n_rows - n_units
        spans = [(n * n_units, (n + 1) * n_units) for n in range(len(letters))]
        gates = tuple(
            Gate(
                letter,
                Rows(weight, bias, span, (0, n_inputs), transposed=True, factor=value.factor),
                Rows(weight, None, span, (n_inputs, n_rows), transposed=True),
            )
            for letter, span in zip(letters, spans, strict=True)
        )
        return LayerPlan(gates=gates, reset_before="GRU" in value.cell, update_swapped=value.cell == "GRU")

    def _layer_of_steps(self, hidden: Expression) -> tuple[LayerPlan, Expression]:
        """Return the layer that computes a hidden state, and the expression that is its input."""
        if hidden.kind == "product":
            return self._lstm(hidden)
        if hidden.kind == "sum":
            return self._gru(hidden)
        if hidden.kind not in ("tanh", "relu"):
            raise ActivationError(f"a {hidden.kind} is where a recurrent layer is expected")
        x, h = self._two_sources(_terms(hidden.arguments[0]))
        self._states[hidden] = h.arguments[0]
        gate = Gate("h", self._rows(x), self._rows(h))
        return LayerPlan(gates=(gate,), relu=hidden.kind == "relu"), x.arguments[0]

    def _lstm(self, hidden: Expression) -> tuple[LayerPlan, Expression]:
        """Match o tanh(c'), c' = f c + i g."""
        out, squashed = _factors(hidden, "sigmoid", "tanh")
        cell = squashed.arguments[0]
        if cell.kind != "sum" or len(cell.arguments) != 2:
            _raise_no("LSTM")
        kept = next((term for term in cell.arguments if _has(term, "input")), None)
        added = next((term for term in cell.arguments if _has(term, "tanh")), None)
        if kept is None or added is None:
            _raise_no("LSTM")
        forget, old_cell = _factors(kept, "sigmoid", "input")
        into, candidate = _factors(added, "sigmoid", "tanh")
        by_letter = {"i": into, "f": forget, "g": candidate, "o": out}
        sums = {letter: _terms(gate.arguments[0]) for letter, gate in by_letter.items()}
        sources = {
            letter: self._two_sources([term for term in terms if term.kind != "diagonal"])
            for letter, terms in sums.items()
        }
        x, h = self._common(sources)
        gates = tuple(Gate(letter, self._rows(on_x), self._rows(on_h)) for letter, (on_x, on_h) in sources.items())
        self._states |= {hidden: h, cell: old_cell}
        return LayerPlan(gates=gates, peepholes=self._peepholes(sums, {"i": old_cell, "f": old_cell, "o": cell})), x

    def _peepholes(self, sums: Mapping[str, list[Expression]], cells: Mapping[str, Expression]) -> tuple[str, ...]:
        """Return the names of the peepholes: those of i and f are on the old cell, that of o on the new one."""
        diagonals = [(letter, term) for letter, terms in sums.items() for term in terms if term.kind == "diagonal"]
        if not diagonals:
            return ()
        by_letter = dict(diagonals)
        is_known = len(diagonals) == len(cells) and by_letter.keys() == cells.keys()
        if not is_known or any(by_letter[letter].arguments[0] is not cell for letter, cell in cells.items()):
            raise ActivationError("it has other peepholes than one to each of the gates i, f and o")
        return tuple(self._weight(by_letter[letter].module) for letter in cells)

    def _gru(self, hidden: Expression) -> tuple[LayerPlan, Expression]:
        """Match z n + (1 - z) h, or z h + (1 - z) n; n = tanh(W x + U (r h)), or tanh(W x + r (U h))."""
        if len(hidden.arguments) != 2 or any(term.kind != "product" for term in hidden.arguments):
            _raise_no("GRU")
        with_complement = [term for term in hidden.arguments if _has(term, "complement")]
        if len(with_complement) != 1:
            _raise_no("GRU")
        without_complement = next(term for term in hidden.arguments if term is not with_complement[0])
        complement, rest = _split(with_complement[0], "complement")
        update, share = _split(without_complement, "sigmoid")
        if complement.arguments[0] is not update or {rest.kind, share.kind} != {"input", "tanh"}:
            _raise_no("GRU")
        candidate, old = (share, rest) if share.kind == "tanh" else (rest, share)
        terms = _terms(candidate.arguments[0])
        gated = [term for term in terms if term.kind == "product" or term.arguments[0].kind == "product"]
        on_x = [term for term in terms if term not in gated]
        if len(gated) != 1 or len(on_x) != 1 or on_x[0].kind != "linear":
            _raise_no("GRU")
        reset_before = gated[0].kind == "linear"
        product = gated[0].arguments[0] if reset_before else gated[0]
        reset, on_hidden = _split(product, "sigmoid")
        on_h = gated[0] if reset_before else on_hidden
        if on_h.kind != "linear" or (on_hidden if reset_before else on_h.arguments[0]) is not old:
            _raise_no("GRU")
        sources = {
            letter: self._two_sources(_terms(gate.arguments[0])) for letter, gate in (("z", update), ("r", reset))
        }
        x, h = self._common(sources)
        if h is not old or on_x[0].arguments[0] is not x:
            _raise_no("GRU")
        gates = [Gate(letter, self._rows(a), self._rows(b)) for letter, (a, b) in sources.items()]
        gates.append(Gate("n", self._rows(on_x[0]), self._rows(on_h)))
        self._states[hidden] = old
        return LayerPlan(gates=tuple(gates), reset_before=reset_before, update_swapped=candidate is share), x

    def _two_sources(self, terms: Sequence[Expression]) -> tuple[Expression, Expression]:
        """Return the linear layers on the input and on the hidden state, of which a pre-activation is the sum."""
        if len(terms) != 2 or any(term.kind != "linear" for term in terms):
            raise ActivationError("a gate is not the sum of two linear layers, one on the input and one on the state")
        states = [term for term in terms if term.arguments[0].kind == "input"]
        if len(states) == 2:  # the character is an input itself, usually the first one
            square = [term for term in states if self._is_square(term)]
            states = square if len(square) == 1 else sorted(states, key=lambda term: term.arguments[0].numbers)[1:]
        if len(states) != 1:
            raise ActivationError("a gate does not depend on one input and one state")
        return next(term for term in terms if term is not states[0]), states[0]

    def _is_square(self, linear: Expression) -> bool:
        """Are there as many inputs as rows, as in a recurrent matrix?"""
        weight = linear.module.attributes.get("weight") if linear.module is not None else None
        return isinstance(weight, Tensor) and weight.array.shape[1] == linear.numbers[1] - linear.numbers[0]

    def _common(self, sources: dict[str, tuple[Expression, Expression]]) -> tuple[Expression, Expression]:
        """Return the input and the state that all gates have in common."""
        pairs = {(x.arguments[0], h.arguments[0]) for x, h in sources.values()}
        if len(pairs) != 1:
            raise ActivationError("the gates of a layer depend on different inputs or states")
        return pairs.pop()

    def _rows(self, linear: Expression) -> Rows:
        start, stop = linear.numbers
        return Rows(self._weight(linear.module), self._bias(linear.module), (start, stop), factor=linear.factor)

    def _weight(self, module: TorchObject | None) -> str:
        tensor = module.attributes.get("weight") if module is not None else None
        name = self._name_of(tensor) if isinstance(tensor, Tensor) else None
        if name is None:
            raise ActivationError("a module has no weights")
        return name

    def _bias(self, module: TorchObject | None) -> str | None:
        tensor = module.attributes.get("bias") if module is not None else None
        return self._name_of(tensor) if isinstance(tensor, Tensor) and tensor.array.size else None


def _terms(value: Expression) -> list[Expression]:
    """Return the terms of a sum of sums."""
    terms, waiting = [], [value]
    while waiting:
        term = waiting.pop()
        if term.kind == "sum":
            waiting += reversed(term.arguments)
        else:
            terms.append(term)
        if len(waiting) + len(terms) > _MAX_TERMS:
            raise ActivationError(f"a gate is a sum of more than {_MAX_TERMS} terms, which is not read")
    return terms


def _has(product: Expression, kind: str) -> bool:
    return product.kind == "product" and any(factor.kind == kind for factor in product.arguments)


def _split(product: Expression, kind: str) -> tuple[Expression, Expression]:
    """Return the factor of a kind, and the other one."""
    of_kind = [factor for factor in product.arguments if factor.kind == kind]
    if product.kind != "product" or len(product.arguments) != 2 or len(of_kind) != 1:
        raise ActivationError(f"a product is not that of a {kind} and something else, which is not read")
    return of_kind[0], next(factor for factor in product.arguments if factor is not of_kind[0])


def _factors(product: Expression, first: str, second: str) -> tuple[Expression, Expression]:
    factor, rest = _split(product, first)
    if rest.kind != second:
        raise ActivationError(f"a product is not that of a {first} and a {second}, which is not read")
    return factor, rest


def _raise_no(cell: str) -> NoReturn:
    raise ActivationError(f"what it computes is no {cell} that is known")
