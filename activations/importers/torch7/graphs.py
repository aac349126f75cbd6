"""The graphs of nngraph: which module takes its input from which others.

The nodes of a graph share a table `data` with all copies of the graph (forwards, backwards, sorted). In it, `mapindex`
holds the `data` of the nodes that a node takes its inputs from, by number; `selectindex` is the output of another node
that this one stands for.

Source:
    github.com/torch/nngraph: `node.lua`, `gmodule.lua`. In its first versions, the node of all inputs distributes them
    by its own `mapindex`; later, nodes with a `selectindex` stand between.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from activations.errors import ActivationError
from activations.importers.torch7.values import Table, TorchObject, ordered_values

_MAX_NODES = 10_000
GRAPH = "nn.gModule"


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A node of a graph.

    Attributes:
        module: What it computes; None if it passes on what it takes.
        inputs: Numbers of the nodes that it takes its inputs from.
        selected: The one of several outputs of its input that it passes on, counted from 0; None for all.
        source: Number of the graph's input that it is, counted from 0; -1 for all of them; None if it is none.
        name: Its name in the annotations, or one made of the class of its module.
    """

    module: TorchObject | None
    inputs: tuple[int, ...]
    selected: int | None
    source: int | None
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """The nodes of a `nn.gModule`, in the order in which they compute.

    Attributes:
        nodes: The nodes, each after those that it takes its inputs from; the last one collects the outputs.
        has_several_inputs: False if its input is not a table.
    """

    nodes: tuple[Node, ...]
    has_several_inputs: bool


def read_graph(graph: TorchObject) -> Graph:
    """Read the graph of a `nn.gModule`.

    Raises:
        ActivationError: If it has no nodes, or a cycle.
    """
    first, last = _data(graph.attributes.get("innode")), _data(graph.attributes.get("outnode"))
    if first is None or last is None:
        raise ActivationError("a nn.gModule has no nodes; it is not whole")
    distributed = {id(data): n for n, data in enumerate(ordered_values(first.entries.get("mapindex")))}
    in_order = _in_order(first, last, distributed)
    numbers = {id(data): n for n, data in enumerate(in_order)}
    names = _Names()
    nodes = tuple(
        Node(
            module=module if isinstance(module := data.entries.get("module"), TorchObject) else None,
            inputs=tuple(numbers[id(given)] for given in _inputs(data, first, distributed)),
            selected=_selected(data),
            source=_source(data, first, distributed),
            name=names.of(data),
        )
        for data in in_order
    )
    is_split = any(given is first for data in in_order if "nSplitOutputs" in data.entries for given in _given(data))
    return Graph(nodes, has_several_inputs=is_split or len(distributed) > 1)


def _data(node: object) -> Table | None:
    data = node.attributes.get("data") if isinstance(node, TorchObject) else None
    return data if isinstance(data, Table) else None


def _inputs(data: Table, first: Table, distributed: dict[int, int]) -> Iterator[Table]:
    """Yield the data of the nodes from which a node takes its inputs, if it is not itself an input of the graph."""
    if data is not first and id(data) not in distributed:
        yield from _given(data)


def _given(data: Table) -> Iterator[Table]:
    yield from (given for given in ordered_values(data.entries.get("mapindex")) if isinstance(given, Table))


def _source(data: Table, first: Table, distributed: dict[int, int]) -> int | None:
    return -1 if data is first else distributed.get(id(data))


def _selected(data: Table) -> int | None:
    index = data.entries.get("selectindex")
    return index - 1 if isinstance(index, int) else None


def _in_order(first: Table, last: Table, distributed: dict[int, int]) -> list[Table]:
    """Return all data that the last one depends on, each after what it depends on itself."""
    in_order: list[Table] = []
    state: dict[int, bool] = {}  # by id: True once it is in order
    waiting = [last]
    while waiting:
        data = waiting[-1]
        if id(data) not in state:
            state[id(data)] = False
            inputs = [given for given in _inputs(data, first, distributed) if not state.get(id(given), False)]
            if any(id(given) in state for given in inputs):
                raise ActivationError("the graph of a nn.gModule has a cycle")
            waiting += inputs
            if len(waiting) > _MAX_NODES:
                raise ActivationError(f"a nn.gModule has more than {_MAX_NODES:,} nodes; no model needs that many")
            continue
        waiting.pop()
        if not state[id(data)]:
            state[id(data)] = True
            in_order.append(data)
    return in_order


class _Names:
    """Names for nodes that have none, by the class of their module and a number."""

    def __init__(self) -> None:
        self._n_by_stem: dict[str, int] = {}

    def of(self, data: Table) -> str:
        annotations, module = data.entries.get("annotations"), data.entries.get("module")
        name = annotations.entries.get("name") if isinstance(annotations, Table) else None
        if isinstance(name, str) and name:
            n = self._n_by_stem[name] = self._n_by_stem.get(name, 0) + 1
            return name if n == 1 else f"{name} ({n})"
        stem = module.class_name.rpartition(".")[2] if isinstance(module, TorchObject) else "node"
        n = self._n_by_stem[stem] = self._n_by_stem.get(stem, 0) + 1
        return f"{stem}_{n}"
