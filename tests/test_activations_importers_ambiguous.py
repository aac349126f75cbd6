"""Files whose shapes allow several models: names decide, and what is neither of them is refused."""

import re
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from activations.errors import ActivationError
from activations.importers.contents import Contents
from activations.importers.finding import find_parts
from activations.importers.importing import import_model
from activations.importers.layers.parts import Parts
from activations.texts.vocab import Vocabulary

H = 4
MANY = 4 * H  # as many characters as an LSTM has rows of gates
Shapes = Mapping[str, tuple[int, ...]]
Arrays = dict[str, NDArray[np.float32]]


def arrays_of(shapes: Shapes) -> Arrays:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def parts_of(arrays: Arrays) -> Parts:
    parts = find_parts(Contents.of_arrays("arrays", arrays))
    assert not parts.unused
    return parts


LINEAR = {"cell.x2h.weight": (MANY, 3), "cell.h2h.weight": (MANY, H)}
READOUT = {"top.weight": (MANY, H), "top.bias": (MANY,)}


@pytest.mark.parametrize("shapes", [{**LINEAR, **READOUT}, {**READOUT, **LINEAR}])
def test_a_layer_without_biases_leaves_the_read_out_its_bias(shapes: Shapes) -> None:
    arrays = arrays_of({"table.weight": (MANY, 3), **shapes})
    parts = parts_of(arrays)
    assert np.array_equal(parts.stack.layers[0].recurrent, arrays["cell.h2h.weight"])
    assert parts.stack.without_biases
    assert np.array_equal(parts.readout, arrays["top.weight"])
    assert np.array_equal(parts.readout_bias, arrays["top.bias"])


@pytest.mark.parametrize("names", [("b", "bo"), ("bo", "b")])
def test_bare_matrices_for_as_many_characters_as_rows_of_gates(names: tuple[str, str]) -> None:
    shapes: Shapes = {"Wx": (MANY, MANY), "Wh": (H, MANY), "Wo": (H, MANY), **dict.fromkeys(names, (MANY,))}
    arrays = arrays_of(shapes)
    parts = parts_of(arrays)
    assert np.array_equal(parts.stack.layers[0].recurrent, arrays["Wh"].T)
    assert np.array_equal(parts.stack.layers[0].input_bias, arrays["b"])
    assert not parts.stack.layers[0].recurrent_bias.any()
    assert np.array_equal(parts.readout, arrays["Wo"].T)
    assert np.array_equal(parts.readout_bias, arrays["bo"])


class Square(nn.Module):
    """As many characters as units; the matrix of the read-out may be the embedding, too."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder = nn.Linear(H, H)
        self.encoder = nn.Embedding(H, H)
        self.encoder.weight = self.decoder.weight
        self.rnn = nn.LSTM(H, H)


@pytest.mark.parametrize("left_out", ["", "decoder.weight"])
def test_a_square_matrix_with_the_name_of_an_embedding_is_one(left_out: str) -> None:
    torch.manual_seed(0)
    model = Square()
    weights = {name: weight for name, weight in model.state_dict().items() if name != left_out}
    imported = import_model(weights, Vocabulary("abcd")).model
    assert imported.embedding is not None
    ids = torch.tensor([[0], [1], [3], [2]])
    with torch.inference_mode():
        assert (imported(ids)[0] - model.decoder(model.rnn(model.encoder(ids))[0])).abs().max() < 1e-6


def test_a_square_read_out_without_such_a_name_reads_one_hot_vectors() -> None:
    weights = {name: weight for name, weight in Square().state_dict().items() if name != "encoder.weight"}
    assert import_model(weights, Vocabulary("abcd")).model.embedding is None


def test_the_weights_of_a_loss_are_no_bias() -> None:
    weights = {**nn.LSTM(3, H).state_dict(), "encoder.weight": torch.ones(7, 3), "decoder.weight": torch.ones(7, H)}
    with pytest.raises(ActivationError, match=r"criterion.weight has no place"):
        import_model({**weights, "criterion.weight": torch.ones(7)}, Vocabulary("abcdefg"))


@pytest.mark.parametrize("gates", ["foc", "iog", "ofc"])
@pytest.mark.parametrize("joined", [False, True])
def test_three_gates_of_an_lstm_are_no_gru(gates: str, joined: bool) -> None:
    shapes: dict[str, tuple[int, ...]] = {"encoder.weight": (7, 3), "decoder.weight": (7, H)}
    for gate in gates:
        shapes |= {f"W_{gate}.weight": (H, 3 + H)} if joined else {f"x{gate}.weight": (H, 3), f"h{gate}.weight": (H, H)}
    with pytest.raises(ActivationError, match="are three gates of an LSTM.*--model-factory"):
        import_model(arrays_of(shapes), Vocabulary("abcdefg"))


@pytest.mark.parametrize(("is_forward", "is_backwards"), [(True, False), (False, True)])
def test_flair_says_in_which_direction_a_model_reads(is_forward: bool, is_backwards: bool) -> None:
    arrays = arrays_of({f"rnn.{name}": tuple(weight.shape) for name, weight in nn.LSTM(3, H).state_dict().items()})
    arrays |= arrays_of({"encoder.weight": (7, 3), "decoder.weight": (7, H), "decoder.bias": (7,)})
    contents = Contents.of_arrays("a state_dict", arrays, facts={"is_forward_lm": is_forward})
    result = import_model(contents, Vocabulary("abcdefg"))
    assert result.model.reading_rule.backwards == is_backwards
    assert ("the text is read backwards" in str(result)) == is_backwards


def stacked(**options: int | bool) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    rnn = nn.LSTM(H, H, 3, **options)
    ends = {"encoder.weight": torch.randn(7, H), "decoder.weight": torch.randn(7, H), "decoder.bias": torch.randn(7)}
    return {f"rnn.{name}": weight for name, weight in rnn.state_dict().items()} | ends


@pytest.mark.parametrize("missing", [0, 1])
def test_a_stack_that_lacks_a_layer_is_refused(missing: int) -> None:
    weights = {name: weight for name, weight in stacked(bias=False).items() if f"_l{missing}" not in name}
    with pytest.raises(ActivationError, match=f"there is no rnn.weight_ih_l{missing}, but layers after it"):
        import_model(weights, Vocabulary("abcdefg"))


@pytest.mark.parametrize("missing", ["rnn.bias_ih_l1", "rnn.bias_hh_l0"])
def test_a_layer_that_lacks_a_bias_of_the_others_is_refused(missing: str) -> None:
    weights = {name: weight for name, weight in stacked().items() if name != missing}
    with pytest.raises(ActivationError, match="do not have the same biases"):
        import_model(weights, Vocabulary("abcdefg"))


@pytest.mark.parametrize("bias", [False, True])
def test_a_square_linear_layer_before_the_layers_has_characters_as_columns(bias: bool) -> None:
    torch.manual_seed(0)
    first, rnn, last = nn.Linear(7, 7, bias=bias), nn.LSTM(7, H), nn.Linear(H, 7)
    parts = {"fc_in": first, "rnn": rnn, "fc": last}
    imported = import_model(nn.ModuleDict(parts).state_dict(), Vocabulary("abcdefg")).model
    ids = torch.arange(7)[:, None]
    with torch.inference_mode():
        expected = last(rnn(first(nn.functional.one_hot(ids, 7).float()))[0])
        assert (imported(ids)[0] - expected).abs().max() < 1e-6


def test_whole_numbers_are_read_with_a_warning() -> None:
    weights = {name: (100 * weight).to(torch.int8) for name, weight in stacked().items()}
    warning = str(import_model(weights, Vocabulary("abcdefg")).warning)
    assert "decoder.weight has whole numbers; if they are quantised weights, their scales are missing" in warning
    assert "whole numbers" not in str(import_model(stacked(), Vocabulary("abcdefg")).warning)


def test_a_layer_without_biases_among_others_is_warned_of() -> None:
    shapes: dict[str, tuple[int, ...]] = {"encoder.weight": (7, H), "decoder.weight": (7, H), "decoder.bias": (7,)}
    for n in range(2):
        shapes |= {f"cells.{n}.x2h.weight": (4 * H, H), f"cells.{n}.h2h.weight": (4 * H, H)}
    arrays = arrays_of(shapes | {"cells.0.h2h.bias": (4 * H,)})
    warning = str(import_model(arrays, Vocabulary("abcdefg")).warning)
    assert re.search(r"cells\.1\..* has no biases, unlike other layers", warning)


def test_layers_with_names_of_keras_are_in_the_order_of_their_numbers() -> None:
    shapes: dict[str, tuple[int, ...]] = {}
    for name in ("lstm", "lstm_10", "lstm_9"):
        shapes |= {f"{name}/kernel": (H, 4 * H), f"{name}/recurrent_kernel": (H, 4 * H), f"{name}/bias": (4 * H,)}
    arrays = arrays_of(shapes | {"dense/kernel": (H, H), "dense/bias": (H,)})
    layers = parts_of(arrays).stack.layers
    for layer, name in zip(layers, ("lstm", "lstm_9", "lstm_10"), strict=True):
        assert np.array_equal(layer.recurrent, arrays[f"{name}/recurrent_kernel"].T)


def test_as_many_characters_as_rows_of_a_gru_do_not_make_a_layer_of_the_embedding() -> None:
    shapes: Shapes = {"x2h.weight": (3 * H, 5), "h2h.weight": (3 * H, H), "emb.weight": (3 * H, 5)}
    arrays = arrays_of({**shapes, "fc.weight": (3 * H, H), "fc.bias": (3 * H,)})
    parts = parts_of(arrays)
    assert np.array_equal(parts.stack.layers[0].input, arrays["x2h.weight"])
    assert parts.embedding is not None
    assert np.array_equal(parts.embedding, arrays["emb.weight"])


def test_an_embedding_behind_a_square_read_out_is_found_by_its_name() -> None:
    shapes: dict[str, tuple[int, ...]] = {f"W{gate}": (H, 2 * H) for gate in "fico"}
    arrays = arrays_of({**shapes, "Wy": (H, H), "emb": (H, H)})
    parts = parts_of(arrays)
    assert np.array_equal(parts.readout, arrays["Wy"])
