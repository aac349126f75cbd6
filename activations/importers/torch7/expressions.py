"""Expressions in the inputs and weights of a model, for what its modules compute.

Equal expressions are the same object, so that `is` compares them. A part of an expression's rows is pushed to the
linear layers below, so that it does not matter whether a program has one matrix for all gates or one for each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from activations.errors import ActivationError
from activations.importers.torch7.graphs import GRAPH, read_graph
from activations.importers.torch7.values import Storage, Table, Tensor, TorchObject, ordered_values

_MAX_EXPRESSIONS = 100_000
_MAX_DEPTH = 50
_MAX_NESTED = 5
_PASSING = {"Identity", "Copy", "Contiguous"}
_DROPOUT = {"Dropout", "LowMemDropout"}
_FUNCTIONS = {"Sigmoid": "sigmoid", "Tanh": "tanh", "ReLU": "relu"}
_LINEAR = {"Linear", "LinearNB", "LinearNoBias"}
_EMBEDDING = {"LookupTable", "Embedding"}
_OF_SEQUENCES = {"LSTM", "SequenceLSTM", "SeqLSTM", "GRU", "SeqGRU", "VanillaRNN", "SequenceRNN"}
_ROWS_AXES = (2, -2)  # of (n_lanes, n_parts, n_rows)


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """Something that a model computes from its inputs and weights.

    Attributes:
        kind: `input`, `inputs`, `one_hot`, `embedding`, `linear`, `diagonal`, `layer`, `sum`, `product`, `sigmoid`,
            `tanh`, `relu`, `negative`, `complement` (1 minus it), `scaled`, `softmax`, `parts` (a table) or `stacked`
            (rows, n at a time).
        arguments: What it is a function of.
        module: The module that has its weights, of an embedding, a linear layer or a recurrent layer.
        numbers: Number of an input; first and last row of a linear layer; n.
        cell: Class of a recurrent layer.
        factor: What the argument of a linear or recurrent layer, or something that is scaled, is multiplied by.
    """

    kind: str
    arguments: tuple["Expression", ...] = ()
    module: TorchObject | None = None
    numbers: tuple[int, ...] = ()
    cell: str = ""
    factor: float = 1.0


class Algebra:
    """Makes expressions, and only one object of those that are equal."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], Expression] = {}
        self._rows: dict[tuple[int, int, int], Expression] = {}

    def make(
        self,
        kind: str,
        *arguments: Expression,
        module: TorchObject | None = None,
        numbers: tuple[int, ...] = (),
        cell: str = "",
        factor: float = 1.0,
    ) -> Expression:
        """Return an expression; sums and products of one thing are that thing, and layers take over factors."""
        if kind in ("sum", "product") and len(arguments) == 1:
            return arguments[0]
        if kind in ("linear", "layer") and arguments[0].kind == "scaled":
            factor *= arguments[0].factor
            arguments = arguments[0].arguments
        key = (kind, *map(id, arguments), id(module), numbers, cell, factor)
        if key not in self._known:
            if len(self._known) > _MAX_EXPRESSIONS:
                raise ActivationError("its modules compute more than any model needs")
            self._known[key] = Expression(kind, arguments, module, numbers, cell, factor)
        return self._known[key]

    def rows(self, value: Expression, start: int, stop: int, depth: int = 0) -> Expression:
        """Return some rows of an expression, counted from 0."""
        key = (id(value), start, stop)
        if key not in self._rows:
            self._rows[key] = self._new_rows(value, start, stop, depth)
        return self._rows[key]

    def _new_rows(self, value: Expression, start: int, stop: int, depth: int) -> Expression:
        if value.kind == "linear":
            first, last = value.numbers
            if not 0 <= start < stop <= last - first:
                raise ActivationError(f"rows {start} to {stop} are taken of a linear layer that has {last - first}")
            rows = (first + start, first + stop)
            return self.make("linear", *value.arguments, module=value.module, numbers=rows, factor=value.factor)
        if value.kind not in ("sum", "product", "sigmoid", "tanh", "relu", "negative", "complement"):
            raise ActivationError(f"some rows are taken of a {value.kind}, which is not read")
        if depth > _MAX_DEPTH:
            raise ActivationError("its modules compute more than any model needs")
        return self.make(value.kind, *(self.rows(part, start, stop, depth + 1) for part in value.arguments))


class Evaluator:
    """Computes what modules make of their inputs, as expressions."""

    def __init__(self) -> None:
        self.algebra = Algebra()

    def outputs(self, graph: TorchObject, inputs: Expression | None = None, depth: int = 0) -> Expression:
        """Return what a `nn.gModule` computes: the only output, or `parts`.

        Args:
            graph: The module.
            inputs: What it takes, if that is not the input of the model.
            depth: Number of modules that it is inside.

        Raises:
            ActivationError: If it has a module that is not read.
        """
        read = read_graph(graph)
        values: list[Expression] = []
        for node in read.nodes:
            if node.source is not None:
                value = self._input(node.source, inputs, several=read.has_several_inputs)
            else:
                given = [values[n] for n in node.inputs]
                value = given[0] if len(given) == 1 else self.algebra.make("parts", *given)
            if node.selected is not None:
                value = self._part(value, node.selected)
            values.append(value if node.module is None else self.apply(node.module, value, node.name, depth))
        return values[-1]

    def _input(self, n: int, inputs: Expression | None, *, several: bool) -> Expression:
        """Return an input of a graph by its number, or all of them for -1."""
        if inputs is not None:
            return inputs if n < 0 else self._part(inputs, n)
        return self.algebra.make("inputs") if n < 0 and several else self.algebra.make("input", numbers=(max(n, 0),))

    def apply(self, module: TorchObject, value: Expression, name: str, depth: int = 0) -> Expression:
        """Return what a module makes of a value.

        Raises:
            ActivationError: If it is of a kind that is not read.
        """
        kind = module.class_name.rpartition(".")[2]
        make = self.algebra.make
        if depth > _MAX_NESTED:
            raise ActivationError("its modules are nested deeper than any model's")
        if kind in _PASSING:
            return value
        if kind in _DROPOUT:
            return self._dropout(module, value)
        if kind in ("LogSoftMax", "SoftMax"):
            return make("softmax", value)
        if kind in _FUNCTIONS:
            return make(_FUNCTIONS[kind], value)
        if kind in ("CAddTable", "CMulTable"):
            terms = value.arguments if value.kind == "parts" and not value.numbers else (value,)
            return make("sum" if kind == "CAddTable" else "product", *terms)
        if kind in _LINEAR and (weight := _weight(module)) is not None:
            return make("linear", value, module=module, numbers=(0, weight[0]))
        if kind in _EMBEDDING and _weight(module) is not None and not module.attributes.get("maxNorm"):
            return make("embedding", value, module=module)
        if kind == "CMul" and isinstance(module.attributes.get("weight"), Tensor):
            return make("diagonal", value, module=module)
        if kind == "OneHot":
            return make("one_hot", value)
        if kind in _OF_SEQUENCES and _weight(module) is not None:
            return make("layer", value, module=module, cell=kind)
        if kind == "Sequential":
            for n, inner in enumerate(ordered_values(module.attributes.get("modules")), 1):
                if isinstance(inner, TorchObject):
                    value = self.apply(inner, value, f"{name}.{n}", depth + 1)
            return value
        if kind == "TemporalAdapter" and isinstance(net := module.attributes.get("net"), TorchObject):
            return self.apply(net, value, f"{name}.net", depth + 1)
        if module.class_name == GRAPH:
            return self.outputs(module, value, depth + 1)
        if (apply := self._shaping(kind, module)) is not None:
            return apply(value)
        raise ActivationError(
            f"{name} is a {module.class_name or 'module without a class'}, which is not read in a recurrent network"
        )

    def _dropout(self, module: TorchObject, value: Expression) -> Expression:
        """Return what dropout does after training: nothing, or, in its first version, scaling."""
        share = module.attributes.get("p")
        if module.attributes.get("v2") is True or not isinstance(share, int | float):
            return value
        return self.algebra.make("scaled", value, factor=1 - share) if 0 < share < 1 else value

    def _shaping(self, kind: str, module: TorchObject) -> Callable[[Expression], Expression] | None:
        """Return what a module does that selects, splits or moves rows, or adds a constant; None for any other one."""
        attributes, make = module.attributes, self.algebra.make
        constant, axis = attributes.get("constant_scalar"), attributes.get("dimension")
        if kind in ("Reshape", "View"):
            sizes = [int(size) for size in _sizes(attributes.get("size"))]
            is_stacking = len(sizes) > 1 and min(sizes[-2:]) > 0 and max(map(abs, sizes[:-2]), default=1) == 1
            return partial(make, "stacked", numbers=(sizes[-1],)) if is_stacking else _unchanged
        if kind == "SplitTable" and (axis in _ROWS_AXES or (axis == 1 and attributes.get("nInputDims") == 2)):
            return self._split
        if kind == "Narrow" and axis in (2, -1):
            start, length = attributes.get("index"), attributes.get("length")
            if isinstance(start, int) and isinstance(length, int):
                return partial(self.algebra.rows, start=start - 1, stop=start - 1 + length)
        if kind == "SelectTable" and isinstance(index := attributes.get("index"), int):
            return partial(self._part, n=index - 1)
        if kind == "MulConstant" and constant == -1:
            return partial(make, "negative")
        if kind == "AddConstant" and constant == 1:
            return self._plus_one
        return None

    def _plus_one(self, value: Expression) -> Expression:
        if value.kind != "negative":
            raise ActivationError("a 1 is added to something, which is not read in a recurrent network")
        return self.algebra.make("complement", *value.arguments)

    def _split(self, value: Expression) -> Expression:
        if value.kind != "stacked":
            raise ActivationError("a nn.SplitTable does not split gates, which is not read in a recurrent network")
        n_rows = value.numbers[0]
        return self.algebra.make("parts", *value.arguments, numbers=(n_rows,))

    def _part(self, value: Expression, n: int) -> Expression:
        if value.kind == "inputs":
            return self.algebra.make("input", numbers=(n,))
        if value.kind == "parts" and value.numbers:  # rows of one expression
            n_rows = value.numbers[0]
            return self.algebra.rows(value.arguments[0], n * n_rows, (n + 1) * n_rows)
        if value.kind == "parts" and 0 <= n < len(value.arguments):
            return value.arguments[n]
        raise ActivationError(f"part {n + 1} of a {value.kind} is taken, which is not read in a recurrent network")


def _unchanged(value: Expression) -> Expression:
    return value


def _weight(module: TorchObject) -> tuple[int, int] | None:
    """Return the shape of the weight matrix of a module; None if it has none."""
    weight = module.attributes.get("weight")
    return weight.array.shape if isinstance(weight, Tensor) and weight.array.ndim == 2 else None


def _sizes(value: object) -> Sequence[float]:
    if isinstance(value, Storage | Tensor):
        numbers = value.numbers if isinstance(value, Storage) else value.array
        return [float(number) for number in numbers.ravel()[:8]]
    return [size for size in ordered_values(value) if isinstance(size, int)] if isinstance(value, Table) else []
