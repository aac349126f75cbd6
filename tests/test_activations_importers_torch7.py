"""Models of Lua Torch come out as they went in: char-rnn's, torch-rnn's, and those of programs that go back to them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign import torch7_weights
from torch7_programs import (
    Node,
    Weights,
    char_rnn_checkpoint,
    flatten_parameters,
    gmodule,
    gru_graph,
    gru_step,
    linear,
    logits,
    lstm_graph,
    lstm_step,
    module,
    modules_of,
    node,
    one_hot,
    random_weights,
    rnn_graph,
    rnn_step,
    sequence_layer,
    sigmoid,
    tensor,
    torch_rnn_checkpoint,
)
from torch7_writer import Lua, LuaFunction, LuaTensor, Object, array_of, save, table

from activations.errors import ActivationError
from activations.importers.files import read_contents
from activations.importers.imported_model import ImportedModel
from activations.importers.importing import import_model
from activations.models.char_rnn import CharRNN
from activations.models.evaluation import evaluate
from activations.texts.corpus import Corpus
from probe.demo import bundled_model, bundled_text

CHARACTERS = "fbadceg"
IDS = [0, 3, 3, 6, 1, 5, 2, 2, 4, 0, 6, 1]
N_UNITS = 5
N_EMBEDDING = 3
STEPS = {"ifgo": lstm_step, "rzn": gru_step, "h": rnn_step}


def drawn(letters: str, *, n_embedding: int = 0, n_layers: int = 2) -> Weights:
    return random_weights(letters, len(CHARACTERS), N_UNITS, n_layers, n_embedding=n_embedding)


def assert_computes(model: CharRNN, weights: Weights, step: Callable[..., Any]) -> None:
    with torch.inference_mode():
        computed = model(torch.tensor(IDS)[:, None])[0][:, 0].numpy()
    np.testing.assert_allclose(computed, logits(weights, step, IDS), atol=1e-5)


def imported(path: Path, value: Any, *more: Any, **options: Any) -> ImportedModel:
    return import_model(save(path / "model.t7", value, *more), **options)


CHAR_RNN: dict[str, tuple[str, Callable[[Weights], Object]]] = {
    "lstm": ("ifgo", lstm_graph),
    "lstm with dropout": ("ifgo", lambda weights: lstm_graph(weights, dropout=True)),
    "lstm of its first versions": ("ifgo", lambda weights: lstm_graph(weights, narrow=True, old=True)),
    "lstm with narrowed gates": ("ifgo", lambda weights: lstm_graph(weights, narrow=True)),
    "gru": ("rzn", gru_graph),
    "gru of an old nngraph": ("rzn", lambda weights: gru_graph(weights, old=True)),
    "rnn": ("h", rnn_graph),
    "rnn of an old nngraph": ("h", lambda weights: rnn_graph(weights, old=True)),
}


@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize("program", CHAR_RNN)
def test_a_model_of_char_rnn_computes_what_it_did(program: str, n_layers: int, tmp_path: Path) -> None:
    letters, build = CHAR_RNN[program]
    weights = drawn(letters, n_layers=n_layers)
    result = imported(tmp_path, char_rnn_checkpoint(build(weights), CHARACTERS))
    assert_computes(result.model, weights, STEPS[letters])
    assert result.model.vocabulary.characters == CHARACTERS
    assert result.model.config.n_layers == n_layers and result.model.config.n_embedding == 0
    assert not result.parts.unused


@pytest.mark.parametrize("adapter", [False, True])
@pytest.mark.parametrize("letters", STEPS)
def test_a_model_of_torch_rnn_computes_what_it_did(letters: str, adapter: bool, tmp_path: Path) -> None:
    weights = drawn(letters, n_embedding=N_EMBEDDING)
    result = imported(tmp_path, torch_rnn_checkpoint(weights, CHARACTERS, adapter=adapter))
    assert_computes(result.model, weights, STEPS[letters])
    assert result.model.vocabulary.characters == CHARACTERS
    assert result.model.config.n_embedding == N_EMBEDDING
    assert not result.parts.unused


@pytest.mark.parametrize("embeds", [False, True])
@pytest.mark.parametrize("letters", STEPS)
def test_nothing_is_guessed_by_shapes(letters: str, embeds: bool, tmp_path: Path) -> None:
    """As many characters as units and inputs, so that all matrices are square."""
    n = len(CHARACTERS)
    weights = random_weights(letters, n, n, 2, n_embedding=n if embeds else 0)
    build = {"ifgo": lstm_graph, "rzn": gru_graph, "h": rnn_graph}[letters]
    embedded, one_hots = torch_rnn_checkpoint, char_rnn_checkpoint
    value = embedded(weights, CHARACTERS) if embeds else one_hots(build(weights), CHARACTERS)
    assert_computes(imported(tmp_path, value).model, weights, STEPS[letters])


@pytest.mark.parametrize(
    "options", [{"ascii": True}, {"long_bytes": 4}, {"versions": False}], ids=["ascii", "32 bits", "without versions"]
)
@pytest.mark.parametrize("kind", ["Double", "Float", "Cuda", "Cl"])
def test_every_form_of_the_format_is_read(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    weights = drawn("ifgo")
    path = save(tmp_path / "model.t7", char_rnn_checkpoint(lstm_graph(weights), CHARACTERS, kind=kind), **options)
    assert_computes(import_model(path).model, weights, lstm_step)


def test_what_is_reported_of_char_rnn(tmp_path: Path) -> None:
    report = str(imported(tmp_path, char_rnn_checkpoint(lstm_graph(drawn("ifgo")), CHARACTERS)))
    assert report.startswith("2 layers of 5 LSTM units, from a file of Lua Torch (.t7): recurrent layers of Lua Torch")
    assert "protos.rnn.i2h_1.weight (20, 7), protos.rnn.h2h_1.weight (20, 5)" in report
    assert "read-out   protos.rnn.decoder.weight (7, 5)" in report
    assert "gates      in the order i, f, o, g" in report
    assert "7 characters: vocab in the file itself" in report
    assert "train_losses" in report and "tensors of modules that are not learned (gradients" in report


def test_what_is_reported_of_torch_rnn(tmp_path: Path) -> None:
    report = str(imported(tmp_path, torch_rnn_checkpoint(drawn("rzn", n_embedding=3), CHARACTERS)))
    assert report.startswith("2 layers of 5 GRU (reset gate before the matrix) units")
    assert "model.net.2.weight (8, 15) on [x; h]; model.net.4.weight (10, 15) on [x; h]" in report
    assert "input      model.net.1.weight (7, 3), an embedding" in report
    assert "the update gate is the share of the candidate" in report


@pytest.mark.parametrize("program", ["char-rnn", "torch-rnn"])
def test_a_trained_model_has_the_loss_that_it_had(program: str, tmp_path: Path) -> None:
    model, text = bundled_model(), bundled_text().text(0, 2000)
    part = Corpus.from_texts([text])
    weights = torch7_weights(model)
    if weights.embedding is None and program == "torch-rnn":
        weights.embedding = np.eye(len(model.vocabulary))
    if weights.embedding is not None and program == "char-rnn":
        for letter, (w, u, b, b2) in weights.layers[0].items():
            weights.layers[0][letter] = (w @ weights.embedding.T, u, b, b2)
        weights.embedding = None
    value = (
        char_rnn_checkpoint(lstm_graph(weights), model.vocabulary.characters, kind="Float")
        if program == "char-rnn"
        else torch_rnn_checkpoint(weights, model.vocabulary.characters)
    )
    result = imported(tmp_path, value, text=part)
    expected = evaluate(model, part, replace_unknown=True).nats_per_char
    assert result.evaluation is not None
    assert result.evaluation.nats_per_char == pytest.approx(expected, abs=1e-4)
    assert result.interpretation == result.requested


def lua_bytes(characters: str) -> list[str | bytes]:
    """Return characters of latin-1 as Lua has the bytes of these codes."""
    return [char if char < "\x80" else char.encode("latin-1") for char in characters]


def test_bytes_of_char_rnn(tmp_path: Path) -> None:
    """Its vocabulary are the bytes of the text, whatever its encoding."""
    weights = random_weights("ifgo", 6, N_UNITS, 1)
    path = save(tmp_path / "m.t7", char_rnn_checkpoint(lstm_graph(weights), lua_bytes("ab \xa9\xc3\n")))
    result = import_model(path)
    assert result.model.vocabulary.characters == "ab \xa9\xc3\n"
    assert result.model.reading_rule.read_as == "bytes"


def test_bytes_of_torch_rnn(tmp_path: Path) -> None:
    """With `--encoding bytes`, scripts/preprocess.py names bytes above 127 by their number."""
    weights = random_weights("ifgo", 6, N_UNITS, 1, n_embedding=2)
    path = save(tmp_path / "m.t7", torch_rnn_checkpoint(weights, ["a", "[195]", "b", " ", "[169]", "\n"]))
    result = import_model(path)
    assert result.model.vocabulary.characters == "a\xc3b \xa9\n"
    assert result.model.reading_rule.read_as == "bytes"


def test_characters_of_torch_rnn_are_code_points(tmp_path: Path) -> None:
    weights = random_weights("ifgo", 6, N_UNITS, 1, n_embedding=2)
    path = save(tmp_path / "m.t7", torch_rnn_checkpoint(weights, "aé€b\n "))
    result = import_model(path)
    assert result.model.vocabulary.characters == "aé€b\n "
    assert result.model.reading_rule.is_plain


# ------------------------------------------------------------------------------------------- programs derived from them


def test_gates_of_separate_modules_and_networks_in_other_tables(tmp_path: Path) -> None:
    """The ancestor of char-rnn (practical6) has an embedding, a step and a read-out of their own."""
    weights = drawn("ifgo", n_embedding=N_EMBEDDING, n_layers=1)
    x, prev_c, prev_h = inputs = [node(module("nn.Identity")) for _ in range(3)]

    def gate(letter: str, function: str) -> Node:
        w, u, b, b2 = weights.layers[0][letter]
        sums = node(module("nn.CAddTable"), node(linear(w, b), x), node(linear(u, b2), prev_h))
        return node(module(function), sums)

    gates = {letter: gate(letter, "nn.Tanh" if letter == "g" else "nn.Sigmoid") for letter in "fiog"}
    kept = node(module("nn.CMulTable"), gates["f"], prev_c)
    next_c = node(module("nn.CAddTable"), kept, node(module("nn.CMulTable"), gates["i"], gates["g"]))
    next_h = node(module("nn.CMulTable"), gates["o"], node(module("nn.Tanh"), next_c))
    softmax = [linear(weights.readout, weights.readout_bias), module("nn.LogSoftMax")]
    checkpoint = table(
        embed=module("Embedding", weight=weights.embedding),
        lstm=gmodule(inputs, [next_c, next_h], old=True),
        softmax=module("nn.Sequential", modules=array_of(softmax)),
        vocab=Lua([(char, n + 1) for n, char in enumerate(CHARACTERS)]),
    )
    result = imported(tmp_path, checkpoint)
    assert_computes(result.model, weights, lstm_step)
    assert sorted(result.interpretation.gates) == sorted("ifgo")


def test_states_may_stand_in_another_order(tmp_path: Path) -> None:
    """The hidden state before the cell, and the character last."""
    weights = drawn("ifgo", n_layers=1)
    prev_h, prev_c, given = inputs = [node(module("nn.Identity")) for _ in range(3)]
    x = node(one_hot(len(CHARACTERS)), given)
    sums = [
        node(module("nn.CAddTable"), node(linear(u, b2), prev_h), node(linear(w, b), x))
        for w, u, b, b2 in (weights.layers[0][letter] for letter in "ofig")
    ]
    o, f, i = (node(module("nn.Sigmoid"), total) for total in sums[:3])
    added = node(module("nn.CMulTable"), node(module("nn.Tanh"), sums[3]), i)
    next_c = node(module("nn.CAddTable"), added, node(module("nn.CMulTable"), prev_c, f))
    next_h = node(module("nn.CMulTable"), node(module("nn.Tanh"), next_c), o)
    step = gmodule(inputs, [next_h, next_c])
    readout = module("nn.Sequential", modules=array_of([linear(weights.readout, weights.readout_bias)]))
    saved = table(step=step, readout=readout, vocab=array_of(list(CHARACTERS)))
    assert_computes(imported(tmp_path, saved).model, weights, lstm_step)


def lstm_with_peepholes(weights: Weights, peepholes: Any, *, output_on_old_cell: bool = False) -> Object:
    """Build a step of an LSTM whose gates also depend on the cell: i and f on the old one, o on the new one."""
    inputs = [node(module("nn.Identity")) for _ in range(3)]
    x, prev_c, prev_h = node(one_hot(len(CHARACTERS)), inputs[0]), *inputs[1:]

    def gate(letter: str, cell: Node | None) -> Node:
        w, u, b, b2 = weights.layers[0][letter]
        terms = [node(linear(w, b), x), node(linear(u, b2), prev_h)]
        if cell is not None:
            terms.append(node(module("nn.CMul", weight=peepholes[letter][None]), cell))
        return node(module("nn.Sigmoid" if letter in "ifo" else "nn.Tanh"), node(module("nn.CAddTable"), *terms))

    added = node(module("nn.CMulTable"), gate("i", prev_c), gate("g", None))
    next_c = node(module("nn.CAddTable"), node(module("nn.CMulTable"), gate("f", prev_c), prev_c), added)
    out = gate("o", prev_c if output_on_old_cell else next_c)
    next_h = node(module("nn.CMulTable"), out, node(module("nn.Tanh"), next_c))
    return gmodule(inputs, [next_c, next_h, node(linear(weights.readout, weights.readout_bias), next_h)])


def test_peepholes_are_read(tmp_path: Path) -> None:
    weights, rng = drawn("ifgo", n_layers=1), np.random.default_rng(3)
    peepholes = {letter: rng.normal(0, 1, N_UNITS) for letter in "ifo"}

    def step(layer: Any, x: Any, state: Any) -> Any:
        h, c = state
        a = {letter: w @ x + b + u @ h + b2 for letter, (w, u, b, b2) in layer.items()}
        i, f = (sigmoid(a[letter] + peepholes[letter] * c) for letter in "if")
        c = f * c + i * np.tanh(a["g"])
        return sigmoid(a["o"] + peepholes["o"] * c) * np.tanh(c), c

    graph = lstm_with_peepholes(weights, peepholes)
    result = imported(tmp_path, table(rnn=graph, vocab=array_of(list(CHARACTERS))))
    assert_computes(result.model, weights, step)
    graph = lstm_with_peepholes(weights, peepholes, output_on_old_cell=True)
    with pytest.raises(ActivationError, match="has other peepholes than one to each of the gates"):
        imported(tmp_path, table(rnn=graph, vocab=array_of(list(CHARACTERS))))


@pytest.mark.parametrize("old", [False, True])
def test_inputs_of_a_graph_may_be_layers_themselves(old: bool, tmp_path: Path) -> None:
    """The state is then told from the character by the shape of its matrix."""
    weights = drawn("h", n_layers=1)
    w, u, b, b2 = weights.layers[0]["h"]
    inputs = [node(linear(u, b2)), node(linear(w, b))]
    step = gmodule(inputs, [node(module("nn.Tanh"), node(module("nn.CAddTable"), *inputs))], old=old)
    saved = table(h=step, g=module("nn.Sequential", modules=array_of([linear(weights.readout, weights.readout_bias)])))
    path = save(tmp_path / "m.t7", saved)
    assert_computes(import_model(path, f"chars:{CHARACTERS}").model, weights, rnn_step)


def gru_of_another_program(weights: Weights, *, reset_after: bool, swapped: bool) -> Object:
    """Build a step of one GRU: h' = z h + (1 - z) n, or swapped; r after the matrix or before it."""
    inputs = [node(module("nn.Identity")) for _ in range(2)]
    x, h = node(one_hot(len(CHARACTERS)), inputs[0]), inputs[1]

    def sums(letter: str) -> Node:
        w, u, b, b2 = weights.layers[0][letter]
        return node(module("nn.CAddTable"), node(linear(u, b2), h), node(linear(w, b), x))

    z, r = node(module("nn.Sigmoid"), sums("z")), node(module("nn.Sigmoid"), sums("r"))
    w, u, b, b2 = weights.layers[0]["n"]
    if reset_after:
        inner = node(module("nn.CMulTable"), r, node(linear(u, b2), h))
    else:
        inner = node(linear(u, b2), node(module("nn.CMulTable"), h, r))
    n = node(module("nn.Tanh"), node(module("nn.CAddTable"), node(linear(w, b), x), inner))
    negative = node(module("nn.MulConstant", constant_scalar=-1), z)
    complement = node(module("nn.AddConstant", constant_scalar=1), negative)
    first, second = (n, h) if swapped else (h, n)
    terms = [node(module("nn.CMulTable"), first, z), node(module("nn.CMulTable"), second, complement)]
    next_h = node(module("nn.CAddTable"), *terms)
    return gmodule(inputs, [next_h, node(linear(weights.readout, weights.readout_bias), next_h)])


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("reset_after", [False, True])
def test_the_graph_says_which_gru_it_is(reset_after: bool, swapped: bool, tmp_path: Path) -> None:
    weights = drawn("rzn", n_layers=1)

    def step(layer: Any, x: Any, state: Any) -> Any:
        (h,) = state
        z, r = (sigmoid(w @ x + b + u @ h + b2) for w, u, b, b2 in (layer["z"], layer["r"]))
        w, u, b, b2 = layer["n"]
        n = np.tanh(w @ x + b + (r * (u @ h + b2) if reset_after else u @ (r * h) + b2))
        share = z if swapped else 1 - z
        return (share * n + (1 - share) * h,)

    graph = gru_of_another_program(weights, reset_after=reset_after, swapped=swapped)
    result = imported(tmp_path, table(net=graph, chars=array_of(list(CHARACTERS))))
    assert result.interpretation.cell == ("gru" if reset_after else "gru_reset_before")
    assert_computes(result.model, weights, step)


def test_other_tables_hold_the_same_modules(tmp_path: Path) -> None:
    """Clones for every step and the flat vectors of parameters are views of the same numbers."""
    weights = drawn("ifgo")
    graph, clone = lstm_graph(weights), lstm_graph(weights)
    parameters, gradients = flatten_parameters(*modules_of(graph))
    shared = dict(zip(modules_of(clone), modules_of(graph), strict=True))
    for ours, theirs in shared.items():
        tensors = dict(theirs.fields.pairs)
        ours.fields.pairs = [
            (key, tensors[key] if key in ("weight", "bias") else value) for key, value in ours.fields.pairs
        ]
    saved = table(
        clones=array_of([clone]),
        model=table(core=graph, params=parameters, grad_params=gradients),
        optim_state=table(learningRate=2e-3, m=tensor(np.ones(parameters.shape[0]))),
        vocab=Lua([(char, n + 1) for n, char in enumerate(CHARACTERS)]),
    )
    result = imported(tmp_path, saved)
    assert_computes(result.model, weights, lstm_step)
    assert not result.parts.unused
    assert any("views of the weights" in name for name in result.parts.aside)
    assert "optim_state.m" in result.parts.aside


@pytest.mark.parametrize("is_old", [False, True])
def test_dropout_of_the_first_version_scales_after_training(is_old: bool, tmp_path: Path) -> None:
    """Without `v2`, nn.Dropout multiplies by 1 - p when the model is used, and by nothing while it learns."""
    weights, scaled = drawn("h", n_embedding=N_EMBEDDING), drawn("h", n_embedding=N_EMBEDDING)
    dropout = module("nn.Dropout", p=0.25) if is_old else module("nn.Dropout", p=0.25, v2=True)
    made = [module("nn.LookupTable", weight=weights.embedding)]
    for layer in weights.layers:
        made += [sequence_layer(layer), dropout]
    made += [linear(weights.readout, weights.readout_bias), module("nn.LogSoftMax")]
    path = save(tmp_path / "net.t7", module("nn.Sequential", modules=array_of(made)))
    if is_old:
        w, *rest = scaled.layers[1]["h"]
        scaled.layers[1]["h"] = (0.75 * w, *rest)
        scaled.readout = 0.75 * scaled.readout
    assert_computes(import_model(path, f"chars:{CHARACTERS}").model, scaled, rnn_step)


def test_a_module_alone_needs_a_vocabulary(tmp_path: Path) -> None:
    weights = drawn("h", n_embedding=N_EMBEDDING, n_layers=1)
    made = [module("nn.LookupTable", weight=weights.embedding), sequence_layer(weights.layers[0])]
    made.append(linear(weights.readout, weights.readout_bias))
    path = save(tmp_path / "net.t7", module("nn.Sequential", modules=array_of(made)))
    assert_computes(import_model(path, f"chars:{CHARACTERS}").model, weights, rnn_step)
    with pytest.raises(ActivationError, match="the vocabulary of the model's 7 characters must be given"):
        import_model(path)


def test_the_vocabulary_that_char_rnn_keeps_beside_a_text(tmp_path: Path) -> None:
    weights = drawn("ifgo")
    path = save(tmp_path / "net.t7", lstm_graph(weights))
    vocabulary = save(tmp_path / "vocab.t7", Lua([(char, n + 1) for n, char in enumerate(CHARACTERS)]))
    result = import_model(path, f"pickle:{vocabulary}")
    assert_computes(result.model, weights, lstm_step)
    assert result.model.vocabulary.characters == CHARACTERS


@pytest.mark.parametrize(("name", "letters"), [("nn.SeqLSTM", "ifgo"), ("nn.SeqGRU", "rzn")])
def test_layers_that_go_back_to_torch_rnn(name: str, letters: str, tmp_path: Path) -> None:
    """Of Element-Research's rnn, whose GRU has another order, and the update gate as the share of the old state."""
    weights = drawn(letters, n_embedding=N_EMBEDDING, n_layers=1)

    def gru(layer: Any, x: Any, state: Any) -> Any:
        (h,) = state
        z, r = (sigmoid(w @ x + b + u @ h + b2) for w, u, b, b2 in (layer["z"], layer["r"]))
        w, u, b, b2 = layer["n"]
        return ((1 - z) * np.tanh(w @ x + b + u @ (r * h) + b2) + z * h,)

    made = [module("nn.LookupTable", weight=weights.embedding), sequence_layer(weights.layers[0], name)]
    made.append(linear(weights.readout, weights.readout_bias))
    path = save(tmp_path / "net.t7", module("nn.Sequential", modules=array_of(made)))
    model = import_model(path, f"chars:{CHARACTERS}").model
    assert_computes(model, weights, gru if letters == "rzn" else lstm_step)


def test_functions_in_a_file_are_skipped(tmp_path: Path) -> None:
    weights = drawn("ifgo")
    value = char_rnn_checkpoint(lstm_graph(weights), CHARACTERS)
    upvalues = Lua()
    function = LuaFunction(b"\x1bLua os.execute('touch here')", upvalues)
    upvalues.set(1, table(name="f", value=function))
    value.set("hook", function).set("older", LuaFunction(b"code", Lua(), kind=7))
    assert_computes(imported(tmp_path, value).model, weights, lstm_step)


def test_of_several_networks_one_is_chosen(tmp_path: Path) -> None:
    first, second = random_weights("ifgo", 7, 5, 1, seed=1), random_weights("ifgo", 7, 5, 1, seed=2)
    value = table(a=lstm_graph(first), b=lstm_graph(second), vocab=array_of(list(CHARACTERS)))
    path = save(tmp_path / "m.t7", value)
    with pytest.raises(ActivationError, match=r"several networks, a and b; choose one with --prefix"):
        import_model(path)
    assert_computes(import_model(path, prefix="b.").model, second, lstm_step)


# ------------------------------------------------------------------------------------------- what is not read


def unread_networks() -> dict[str, tuple[Any, str]]:
    weights = drawn("ifgo")
    w = weights.layers[0]

    def rnn(h: Callable[[Node], Node], top: Callable[[Node, Node], Node]) -> Any:
        inputs = [node(module("nn.Identity")) for _ in range(2)]
        x = node(one_hot(7), inputs[0])
        i2h, h2h = node(linear(w["i"][0]), x), node(linear(w["i"][1]), inputs[1])
        new = h(node(module("nn.CAddTable"), i2h, h2h))
        readout = node(linear(weights.readout, weights.readout_bias), top(new, x))
        return table(rnn=gmodule(inputs, [new, readout]), vocab=array_of(list(CHARACTERS)))

    def tanh(given: Node) -> Node:
        return node(module("nn.Tanh"), given)

    def normalised(given: Node) -> Node:
        return tanh(node(module("nn.BatchNormalization", weight=np.ones(5), bias=np.zeros(5), eps=1e-5), given))

    return {
        "batch normalisation in char-rnn": (
            rnn(normalised, lambda new, x: new),
            "rnn is not read: BatchNormalization_1 is a nn.BatchNormalization, which is not read",
        ),
        "batch normalisation in torch-rnn": (
            torch_rnn_checkpoint(drawn("h", n_embedding=3), CHARACTERS, batchnorm=True),
            "model.net is not read: model.net.4 is a nn.BatchNormalization",
        ),
        "a residual connection": (
            rnn(tanh, lambda new, x: node(module("nn.CAddTable"), new, node(linear(np.ones((5, 7))), x))),
            "rnn is not read: what it computes is no GRU that is known",
        ),
        "another activation function": (
            rnn(lambda given: node(module("nn.SoftPlus"), given), lambda new, x: new),
            "SoftPlus_1 is a nn.SoftPlus, which is not read",
        ),
        "a softmax that is no prediction": (
            rnn(lambda given: node(module("nn.SoftMax"), given), lambda new, x: new),
            "rnn is not read: a softmax is where a recurrent layer is expected",
        ),
        "another scale of what is read out": (
            rnn(tanh, lambda new, x: node(module("nn.MulConstant", constant_scalar=3), new)),
            "rnn is not read: MulConstant_1 is a nn.MulConstant, which is not read",
        ),
        "an embedding whose rows are shortened": (
            torch_rnn_checkpoint(drawn("h", n_embedding=3), CHARACTERS, embedding_options={"maxNorm": 1}),
            "model.net is not read: model.net.1 is a nn.LookupTable, which is not read",
        ),
        "a layer that goes on from another state": (
            table(rnn=_crossed(weights), vocab=array_of(list(CHARACTERS))),
            "a layer does not go on from the state that it returned",
        ),
        "layers of another library": (
            table(model=module("nn.Sequential", modules=array_of([_fast_lstm(), linear(weights.readout)]))),
            "model is not read: model.1 is a nn.FastLSTM, which is not read",
        ),
    }


def _fast_lstm() -> Object:
    return module("nn.FastLSTM", i2g=linear(np.ones((20, 7))), o2g=linear(np.ones((20, 5))), outputSize=5)


def _crossed(weights: Weights) -> Object:
    """Build two simple layers, each of which goes on from the state of the other one."""
    inputs = [node(module("nn.Identity")) for _ in range(3)]
    x, outputs = node(one_hot(7), inputs[0]), []
    for n, state in enumerate((inputs[2], inputs[1])):
        w, u, b, b2 = weights.layers[n]["i"]
        sums = node(module("nn.CAddTable"), node(linear(w, b), x), node(linear(u, b2), state))
        x = node(module("nn.Tanh"), sums)
        outputs.append(x)
    return gmodule(inputs, [*outputs, node(linear(weights.readout), x)])


@pytest.mark.parametrize("case", unread_networks())
def test_what_is_not_read_is_named(case: str, tmp_path: Path) -> None:
    value, message = unread_networks()[case]
    with pytest.raises(ActivationError) as caught:
        imported(tmp_path, value)
    assert message in str(caught.value)
    assert "--model-factory" in str(caught.value)


def test_weights_that_have_no_place_are_refused(tmp_path: Path) -> None:
    """Such as those of a second head in the same graph."""
    weights = drawn("h", n_embedding=N_EMBEDDING)
    value = torch_rnn_checkpoint(weights, CHARACTERS)
    model = dict(value.pairs)["model"]
    model.fields.set("critic", linear(np.ones((1, 5)), np.ones(1)))
    with pytest.raises(ActivationError, match=r"model\.critic\.weight, model\.critic\.bias have no place in the model"):
        imported(tmp_path, value)
    assert_computes(imported(tmp_path, value, force=True).model, weights, rnn_step)


def test_a_file_without_a_model_says_what_it_is(tmp_path: Path) -> None:
    value = table(opt=table(rnn_size=128), vocab=Lua([("a", 1)]))
    with pytest.raises(ActivationError, match=r"no recurrent layers are found in a file of Lua Torch \(\.t7\)"):
        imported(tmp_path, value)


def test_losses_of_a_long_training_are_read_at_once(tmp_path: Path) -> None:
    value = table(losses=array_of(np.linspace(5, 1, 20_000).tolist()), sizes=LuaTensor(None))
    contents = read_contents(save(tmp_path / "m.t7", value))
    assert contents.arrays["losses"].shape == (20_000,)
