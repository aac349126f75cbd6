"""The checkpoints of char-rnn and torch-rnn, as these programs of Lua Torch build them.

They are written down here once more from their sources: nngraph's nodes with their shared tables, and parameters
flattened into one storage by `getParameters`. Networks are described by weights in the notation of the equations, and
computed by plain numpy (`lstm_step` and so on).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch7_writer import Array, Lua, LuaStorage, LuaTensor, Object, array_of, both_ways, table

# ------------------------------------------------------------------------------------------------- modules of nn


def tensor(array: Any, kind: str = "Double") -> LuaTensor:
    """Return a tensor with a storage of its own."""
    numbers = np.asarray(array, float)
    return LuaTensor(LuaStorage(kind, numbers.ravel()), numbers.shape, kind=kind)


def module(name: str, **fields: Any) -> Object:
    """Return a module as `nn.Module` makes it, with gradients of its weights and room for outputs."""
    state: dict[str, Any] = {"output": LuaTensor(None), "gradInput": LuaTensor(None), "train": False}
    for key in ("weight", "bias"):
        if key in fields and fields[key] is not None:
            weight = np.asarray(fields[key], float)
            state[key], state[f"grad{key.title()}"] = tensor(weight), tensor(np.full_like(weight, 0.25))
            del fields[key]
    fields = {key: value for key, value in fields.items() if value is not None}
    return Object(name, table(**(state | fields)))


def linear(weight: Array, bias: Array | None = None) -> Object:
    return module("nn.Linear", weight=weight, bias=bias, addBuffer=tensor(np.ones(3)))


def one_hot(n: int) -> Object:
    return module("OneHot", outputSize=n, _eye=tensor(np.eye(n)))


def flatten_parameters(*modules: Object, kind: str = "Double") -> tuple[LuaTensor, LuaTensor]:
    """Move all weights into one storage and all gradients into another, as `getParameters` does."""
    flat = []
    for names in (("weight", "bias"), ("gradWeight", "gradBias")):
        tensors = [value for owner in modules for key, value in owner.fields.pairs if key in names]
        storage = LuaStorage(kind, np.concatenate([weight.array().ravel() for weight in tensors]))
        start = 0
        for weight in tensors:
            weight.storage, weight.start, weight.kind = storage, start, kind
            start += int(np.prod(weight.shape))
        flat.append(LuaTensor(storage, (start,), kind=kind))
    return flat[0], flat[1]


# ------------------------------------------------------------------------------------------------- nngraph


@dataclass(eq=False)
class Node:
    """A node of a graph, whose table `data` all copies of the graph share."""

    data: Lua
    inputs: list["Node"]
    index: Lua


def node(made: Object | None, *inputs: Node, name: str | None = None, **data: Any) -> Node:
    annotations = table(_debugLabel="[model/LSTM.lua]:42-0")
    if name:
        annotations.set("name", name)
    index = Lua([(n + 1, given.data) for n, given in enumerate(inputs)])
    for n, given in enumerate(inputs):
        index.set(given.data, n + 1)
    entries = table(annotations=annotations, mapindex=index, **data)
    if made is not None:
        entries.set("module", made)
    return Node(entries, list(inputs), index)


def split(given: Node, n: int) -> list[Node]:
    middle = node(None, given, nSplitOutputs=n)
    return [node(None, middle, selectindex=i + 1, input=Lua()) for i in range(n)]


def in_order(last: Node) -> list[Node]:
    """Return all nodes that the last place depends on, the first place first."""
    ordered: list[Node] = []

    def visit(place: Node) -> None:
        if place not in ordered:
            for given in place.inputs:
                visit(given)
            ordered.append(place)

    visit(last)
    return ordered


def gmodule(inputs: Sequence[Node], outputs: Sequence[Node], *, old: bool = False) -> Object:
    """Return a graph as `nn.gModule` makes it, or as its first versions did."""
    last = node(None, *outputs, input=Lua())
    first = node(None, input=Lua())
    if old:
        for n, given in enumerate(inputs):
            given.inputs.append(first)
            given.index.set(1, first.data).set(first.data, 1)
            first.index.set(n + 1, given.data)
        for n, given in enumerate(inputs):
            first.index.set(given.data, n + 1)
        first.data.set("gradOutput", Lua())
    else:
        selects = split(first, len(inputs)) if len(inputs) > 1 else [first]
        for given, select in zip(inputs, selects, strict=True):
            given.inputs.append(select)
            given.index.set(1, select.data).set(select.data, 1)
    nodes = in_order(last)
    return Object("nn.gModule", _fields_of_graph(nodes, first, last, len(inputs), old))


def _fields_of_graph(nodes: list[Node], first: Node, last: Node, n_inputs: int, old: bool) -> Lua:
    backward = {
        id(place): Object("nngraph.Node", table(data=place.data, visited=False, id=n)) for n, place in enumerate(nodes)
    }
    forward = {
        id(place): Object("nngraph.Node", table(data=place.data, visited=False, id=n)) for n, place in enumerate(nodes)
    }
    children: dict[int, list[Object]] = {id(place): [] for place in nodes}
    for place in nodes:
        backward[id(place)].fields.set("children", both_ways([backward[id(given)] for given in place.inputs]))
        for given in place.inputs:
            children[id(given)].append(forward[id(place)])
    for place in nodes:
        forward[id(place)].fields.set("children", both_ways(children[id(place)]))
    graphs = {}
    for name, copies in (("fg", forward), ("bg", backward)):
        edges = [
            Object("graph.Edge", table(**{"from": copies[id(given)], "to": copies[id(place)]}))
            for place in nodes
            for given in place.inputs
        ]
        graphs[name] = Object("graph.Graph", table(nodes=array_of(list(copies.values())), edges=array_of(edges)))
    modules = [
        dict(place.data.pairs)["module"] for place in nodes if any(key == "module" for key, _ in place.data.pairs)
    ]
    fields = table(
        **graphs,
        innode=forward[id(first)],
        outnode=backward[id(last)],
        forwardnodes=array_of([forward[id(place)] for place in nodes]),
        backwardnodes=array_of([backward[id(place)] for place in reversed(nodes)]),
        verbose=False,
        output=Lua(),
        gradInput=Lua(),
    )
    return fields if old else fields.set("nInputs", n_inputs).set("modules", array_of(modules))


def modules_of(graph: Object) -> list[Object]:
    """Return the modules of a graph that have weights."""
    forward = dict(graph.fields.pairs)["forwardnodes"]
    data = [dict(one.fields.pairs)["data"] for _, one in forward.pairs]
    modules = [dict(entries.pairs).get("module") for entries in data]
    return [made for made in modules if made is not None and any(key == "weight" for key, _ in made.fields.pairs)]


# ------------------------------------------------------------------------------------------------- networks


@dataclass
class Weights:
    """The weights of a network: of every layer one (W, U, b, b') per gate, by its letter.

    Attributes:
        layers: By letter W (n_units, n_inputs), U (n_units, n_units), b and b' (n_units,).
        readout: (n_characters, n_units)
        readout_bias: (n_characters,)
        embedding: (n_characters, n_inputs), or None for one-hot vectors.
    """

    layers: list[dict[str, tuple[Array, ...]]]
    readout: Array
    readout_bias: Array
    embedding: Array | None = None


def random_weights(
    letters: str, n_characters: int, n_units: int, n_layers: int, *, n_embedding: int = 0, seed: int = 0
) -> Weights:
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> Array:
        return rng.normal(0, 0.7, shape)

    layers: list[dict[str, tuple[Array, ...]]] = []
    for n in range(n_layers):
        n_inputs = n_units if n else n_embedding or n_characters
        layers.append(
            {
                letter: (draw(n_units, n_inputs), draw(n_units, n_units), draw(n_units), draw(n_units))
                for letter in letters
            }
        )
    embedding = draw(n_characters, n_embedding) if n_embedding else None
    return Weights(layers, draw(n_characters, n_units), draw(n_characters), embedding)


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def lstm_step(layer: Any, x: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
    h, c = state
    a = {letter: w @ x + b + u @ h + b2 for letter, (w, u, b, b2) in layer.items()}
    c = sigmoid(a["f"]) * c + sigmoid(a["i"]) * np.tanh(a["g"])
    return sigmoid(a["o"]) * np.tanh(c), c


def gru_step(layer: Any, x: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
    """Compute model/GRU.lua: the reset gate before the matrix, and z the share of the candidate."""
    (h,) = state
    z, r = (sigmoid(w @ x + b + u @ h + b2) for w, u, b, b2 in (layer["z"], layer["r"]))
    w, u, b, b2 = layer["n"]
    return (z * np.tanh(w @ x + b + u @ (r * h) + b2) + (1 - z) * h,)


def rnn_step(layer: Any, x: Array, state: tuple[Array, ...]) -> tuple[Array, ...]:
    w, u, b, b2 = layer["h"]
    return (np.tanh(w @ x + b + u @ state[0] + b2),)


def logits(weights: Weights, step: Callable[..., tuple[Array, ...]], ids: Sequence[int]) -> Array:
    """Compute the logits after every character, (n_chars, n_characters), from the zero state."""
    n_units = weights.readout.shape[1]
    states = [(np.zeros(n_units),) * (2 if "f" in weights.layers[0] else 1) for _ in weights.layers]
    outputs = []
    for id_ in ids:
        x = np.eye(len(weights.readout))[id_] if weights.embedding is None else weights.embedding[id_]
        for n, layer in enumerate(weights.layers):
            states[n] = step(layer, x, states[n])
            x = states[n][0]
        outputs.append(weights.readout @ x + weights.readout_bias)
    return np.array(outputs)


# ------------------------------------------------------------------------------------------------- char-rnn


def stacked(layer: Any, order: str, part: int) -> Array:
    return np.concatenate([layer[letter][part] for letter in order])


def lstm_graph(weights: Weights, *, narrow: bool = False, dropout: bool = False, old: bool = False) -> Object:
    """Build model/LSTM.lua: gates i, f, o, g in one matrix; `narrow` as it was in its first versions."""
    inputs = [node(module("nn.Identity")) for _ in range(2 * len(weights.layers) + 1)]
    outputs: list[Node] = []
    n_units = weights.readout.shape[1]
    for n, layer in enumerate(weights.layers):
        prev_c, prev_h = inputs[2 * n + 1], inputs[2 * n + 2]
        x = node(one_hot(len(weights.readout)), inputs[0]) if n == 0 else outputs[2 * n - 1]
        if n and dropout:
            x = node(module("nn.Dropout", p=0.5, v2=True, noise=tensor(np.ones(4))), x)
        names = (None, None) if narrow else (f"i2h_{n + 1}", f"h2h_{n + 1}")
        i2h = node(linear(stacked(layer, "ifog", 0), stacked(layer, "ifog", 2)), x, name=names[0])
        h2h = node(linear(stacked(layer, "ifog", 1), stacked(layer, "ifog", 3)), prev_h, name=names[1])
        sums = node(module("nn.CAddTable"), i2h, h2h)
        gates = _narrowed(sums, n_units) if narrow else _reshaped(sums, n_units)
        kept = node(module("nn.CMulTable"), gates[1], prev_c)
        next_c = node(module("nn.CAddTable"), kept, node(module("nn.CMulTable"), gates[0], gates[3]))
        outputs += [next_c, node(module("nn.CMulTable"), gates[2], node(module("nn.Tanh"), next_c))]
    return gmodule(inputs, [*outputs, _decoder(weights, outputs[-1], dropout)], old=old)


def _reshaped(sums: Node, n_units: int) -> list[Node]:
    sizes = LuaTensor(LuaStorage("Long", np.array([4, n_units])), (2,), kind="Long").storage
    reshaped = node(module("nn.Reshape", size=sizes, nelement=4 * n_units), sums)
    parts = split(node(module("nn.SplitTable", dimension=2), reshaped), 4)
    return [node(module("nn.Sigmoid" if n < 3 else "nn.Tanh"), part) for n, part in enumerate(parts)]


def _narrowed(sums: Node, n_units: int) -> list[Node]:
    def narrow(given: Node, start: int, n: int) -> Node:
        return node(module("nn.Narrow", dimension=2, index=start + 1, length=n), given)

    chunk = node(module("nn.Sigmoid"), narrow(sums, 0, 3 * n_units))
    candidate = node(module("nn.Tanh"), narrow(sums, 3 * n_units, n_units))
    return [*(narrow(chunk, n * n_units, n_units) for n in range(3)), candidate]


def _decoder(weights: Weights, top: Node, dropout: bool) -> Node:
    if dropout:
        top = node(module("nn.Dropout", p=0.5, v2=True), top)
    projection = node(linear(weights.readout, weights.readout_bias), top, name="decoder")
    return node(module("nn.LogSoftMax"), projection)


def gru_graph(weights: Weights, *, old: bool = False) -> Object:
    """Build model/GRU.lua: six linear layers a layer, without annotations."""
    inputs = [node(module("nn.Identity")) for _ in range(len(weights.layers) + 1)]
    outputs: list[Node] = []
    for n, layer in enumerate(weights.layers):
        prev_h = inputs[n + 1]
        x = node(one_hot(len(weights.readout)), inputs[0]) if n == 0 else outputs[-1]

        def sums(letter: str, x: Node, h: Node, layer: Any = layer) -> Node:
            w, u, b, b2 = layer[letter]
            return node(module("nn.CAddTable"), node(linear(w, b), x), node(linear(u, b2), h))

        update = node(module("nn.Sigmoid"), sums("z", x, prev_h))
        reset = node(module("nn.Sigmoid"), sums("r", x, prev_h))
        w, u, b, b2 = layer["n"]
        p2 = node(linear(u, b2), node(module("nn.CMulTable"), reset, prev_h))
        p1 = node(linear(w, b), x)
        candidate = node(module("nn.Tanh"), node(module("nn.CAddTable"), p1, p2))
        zh = node(module("nn.CMulTable"), update, candidate)
        negative = node(module("nn.MulConstant", constant_scalar=-1, inplace=False), update)
        complement = node(module("nn.AddConstant", constant_scalar=1, inplace=False), negative)
        zhm1 = node(module("nn.CMulTable"), complement, prev_h)
        outputs.append(node(module("nn.CAddTable"), zh, zhm1))
    return gmodule(inputs, [*outputs, _decoder(weights, outputs[-1], False)], old=old)


def rnn_graph(weights: Weights, *, old: bool = False) -> Object:
    """Build model/RNN.lua."""
    inputs = [node(module("nn.Identity")) for _ in range(len(weights.layers) + 1)]
    outputs: list[Node] = []
    for n, layer in enumerate(weights.layers):
        x = node(one_hot(len(weights.readout)), inputs[0]) if n == 0 else outputs[-1]
        w, u, b, b2 = layer["h"]
        sums = node(module("nn.CAddTable"), node(linear(w, b), x), node(linear(u, b2), inputs[n + 1]))
        outputs.append(node(module("nn.Tanh"), sums))
    return gmodule(inputs, [*outputs, _decoder(weights, outputs[-1], False)], old=old)


def char_rnn_checkpoint(graph: Object, vocabulary: Sequence[str | bytes], *, kind: str = "Double") -> Lua:
    """Return what train.lua saves, after the parameters were flattened into one storage."""
    flatten_parameters(*modules_of(graph), kind=kind)
    losses = np.linspace(4, 2, 30).tolist()
    criterion = module("nn.ClassNLLCriterion", sizeAverage=True, total_weight_tensor=tensor([1.0]))
    return table(
        protos=table(rnn=graph, criterion=criterion),
        opt=table(rnn_size=5, num_layers=2, model="lstm", data_dir="data/tinyshakespeare", dropout=0, gpuid=-1),
        train_losses=array_of(losses),
        val_loss=1.5,
        val_losses=Lua([(1000, 1.75), (2000, 1.5)]),
        i=2000,
        epoch=1.5,
        vocab=Lua([(char, n + 1) for n, char in sorted(enumerate(vocabulary), key=lambda pair: hash(pair[1]))]),
    )


# ------------------------------------------------------------------------------------------------- torch-rnn


def sequence_layer(layer: Any, name: str = "") -> Object:
    """Build LSTM.lua, VanillaRNN.lua, or GRU.lua of the forks: a matrix on [x; h] for row vectors, and one bias."""
    name = name or {4: "nn.LSTM", 3: "nn.GRU", 1: "nn.VanillaRNN"}[len(layer)]
    order = "rzn" if name == "nn.SeqGRU" else {4: "ifog", 3: "zrn", 1: "h"}[len(layer)]
    both = np.concatenate([stacked(layer, order, 0).T, stacked(layer, order, 1).T])
    bias = stacked(layer, order, 2) + stacked(layer, order, 3)
    empty = dict.fromkeys(("cell", "gates", "buffer1", "grad_x", "h0", "c0"), LuaTensor(None))
    sizes = {"input_dim": layer[order[0]][0].shape[1], "hidden_dim": len(bias) // len(order)}
    return module(name, weight=both, bias=bias, remember_states=True, **sizes, **empty)


def torch_rnn_checkpoint(
    weights: Weights,
    vocabulary: Sequence[str],
    *,
    adapter: bool = False,
    batchnorm: bool = False,
    kind: str = "Float",
    embedding_options: Mapping[str, Any] | None = None,
) -> Lua:
    """Return what train.lua of torch-rnn saves; `adapter` as in its forks."""
    rnns = [sequence_layer(layer) for layer in weights.layers]
    made = [module("nn.LookupTable", weight=weights.embedding, **(embedding_options or {}))]
    for rnn in rnns:
        made += [rnn, module("nn.Dropout", p=0.3, v2=True)]
        if batchnorm:
            n = weights.readout.shape[1]
            made.append(
                module("nn.BatchNormalization", weight=np.ones(n), bias=np.zeros(n), running_mean=tensor(np.ones(n)))
            )
    readout = linear(weights.readout, weights.readout_bias)
    flatten_parameters(*(one for one in [*made, readout] if any(k == "weight" for k, _ in one.fields.pairs)), kind=kind)
    views = [module("nn.View", size=LuaStorage("Long", np.array([2500, -1]))) for _ in range(2)]
    if adapter:
        inner = module("nn.Sequential", modules=array_of([views[0], readout, views[1]]))
        made.append(module("nn.TemporalAdapter", net=inner, view_in=views[0], view_out=views[1]))
    else:
        made += [views[0], readout, views[1]]
    model = module(
        "nn.LanguageModel",
        rnns=array_of(rnns),
        idx_to_token=array_of(vocabulary),
        token_to_idx=Lua([(token, n + 1) for n, token in enumerate(vocabulary)]),
        net=module("nn.Sequential", modules=array_of(made)),
        view1=views[0],
        view2=views[1],
        vocab_size=len(vocabulary),
        model_type="lstm",
        dropout=0.3,
    )
    return table(
        opt=table(rnn_size=5, model_type="lstm", input_h5="data/tiny-shakespeare.h5"),
        train_loss_history=array_of(np.linspace(4, 2, 30).tolist()),
        val_loss_history=array_of([2.0, 1.5]),
        val_loss_history_it=array_of([1000, 2000]),
        forward_backward_times=Lua(),
        memory_usage=Lua(),
        model=model,
    )
