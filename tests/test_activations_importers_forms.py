"""Forms of cells that names and shapes do not tell: GRUs of separate matrices, swapped update gates, hard sigmoids."""

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign import Arrays, ends, layers, renamed, reordered
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.importers.importing import import_model
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.training.config import TrainingConfig
from activations.models.training.training import train
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary

Gates = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def text() -> Corpus:
    """Words in any order, of which a network soon knows more than which letter follows which."""
    words = [
        *("stream", "network", "memory", "learns", "meaning", "answer"),
        *("remnant", "martyr", "eastern", "almost", "lantern", "marsh"),
    ]
    return Corpus.from_texts([" ".join(np.random.default_rng(0).choice(words, 600))])


@pytest.fixture(scope="module", params=["gru", "gru_reset_before"])
def trained(request: pytest.FixtureRequest, text: Corpus) -> CharRNN:
    config = TrainingConfig(epochs=10, n_lanes=8, n_steps=32, learning_rate=2e-2, weight_decay=0.0)
    shape = ModelConfig(cell=request.param, n_layers=1, n_units=24)
    torch.set_num_threads(1)
    return train(text, Corpus.from_texts([text.text(0, 1_000)]), shape, config).model


def separate(model: CharRNN) -> Arrays:
    """One matrix for each gate, on x and on h."""
    [layer] = layers(model)
    arrays = dict(zip(("out.weight", "out.bias"), ends(model), strict=True))
    for letter, (name, end) in product("rzn", (("i", "ih"), ("h", "hh"))):
        arrays[f"W_{name}{letter}.weight"] = reordered(layer[f"weight_{end}"], letter, "rzn")
        arrays[f"W_{name}{letter}.bias"] = reordered(layer[f"bias_{end}"], letter, "rzn")
    return arrays


def joined(model: CharRNN, *, columns: bool = False) -> Arrays:
    """One matrix for each gate, on [h; x], as in textbooks of numpy."""
    [layer] = layers(model)
    both, bias = np.hstack([layer["weight_hh"], layer["weight_ih"]]), layer["bias_ih"] + layer["bias_hh"]
    arrays = dict(zip(("Wy", "by"), ends(model), strict=True))
    for letter, name in zip("rzn", ("r", "u", "c"), strict=True):
        matrix = reordered(both, letter, "rzn")
        arrays |= {f"W{name}": matrix.T.copy() if columns else matrix, f"b{name}": reordered(bias, letter, "rzn")}
    return arrays


def swapped(arrays: Arrays) -> Arrays:
    """The same GRU with 1 - z in place of z."""
    return {
        name: -array if any(part in name for part in ("_iz", "_hz", "Wu", "bu")) else array
        for name, array in arrays.items()
    }


def logits(model: CharRNN, text: Corpus) -> NDArray[np.float32]:
    ids = torch.from_numpy(model.vocabulary.look_up(text.codes[:200]))[:, None]
    with torch.inference_mode():
        values: NDArray[np.float32] = model(ids)[0].numpy()
    return values


@pytest.mark.parametrize("change", [dict, swapped])
def test_the_text_tells_the_form_of_a_gru_of_separate_matrices(
    trained: CharRNN, text: Corpus, change: Callable[[Arrays], Arrays]
) -> None:
    result = import_model(change(separate(trained)), trained.vocabulary, text=text)
    assert result.model.config.cell == trained.config.cell
    assert result.interpretation.update_swapped == (change is swapped)
    assert np.abs(logits(result.model, text) - logits(trained, text)).max() < 1e-4


@pytest.mark.parametrize("change", [dict, swapped])
def test_the_candidate_of_a_gru_of_joined_matrices_sees_what_the_reset_gate_leaves(
    trained: CharRNN, text: Corpus, change: Callable[[Arrays], Arrays]
) -> None:
    if trained.config.cell == "gru":
        pytest.skip("a reset gate behind the matrix needs a matrix of its own")
    result = import_model(change(joined(trained)), trained.vocabulary, text=text)
    assert result.interpretation.hidden_first
    assert np.abs(logits(result.model, text) - logits(trained, text)).max() < 1e-4


def test_options_decide_the_form_and_a_wrong_one_is_refused(trained: CharRNN, text: Corpus) -> None:
    cell = trained.config.cell
    with pytest.raises(ActivationError, match="without --update-swapped"):
        import_model(separate(trained), trained.vocabulary, text=text, update_swapped=True)
    wrong = "gru" if cell == "gru_reset_before" else "gru_reset_before"
    with pytest.raises(ActivationError, match=f"--cell {cell}"):
        import_model(separate(trained), trained.vocabulary, text=text, cell=wrong)
    assert import_model(separate(trained), trained.vocabulary, cell=cell).model.config.cell == cell


def test_without_a_text_it_is_said_that_the_form_had_to_be_guessed(trained: CharRNN) -> None:
    warning = str(import_model(separate(trained), trained.vocabulary).warning)
    assert "cell, update swapped had to be guessed" in warning


def test_only_an_update_gate_can_be_swapped() -> None:
    model = CharRNN(ModelConfig(n_layers=1, n_units=3), Vocabulary("abc"))
    with pytest.raises(ActivationError, match="in a GRU only; remove --update-swapped"):
        import_model(renamed(model), Vocabulary("abcd"[:3]), update_swapped=True)


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("order", ["rzn", "zrn"])
def test_the_text_tells_the_order_of_gates_that_share_a_matrix(
    trained: CharRNN, text: Corpus, columns: bool, order: str
) -> None:
    [layer] = layers(trained)
    stacked = {name: reordered(rows, order, "rzn") for name, rows in layer.items()}
    arrays = dict(zip(("out.weight", "out.bias"), ends(trained), strict=True))
    arrays |= {"Wx": stacked["weight_ih"], "Wh": stacked["weight_hh"]}
    arrays |= {"bx": stacked["bias_ih"], "bh": stacked["bias_hh"]}
    result = import_model(
        {name: array.T.copy() if columns and name != "out.weight" else array for name, array in arrays.items()},
        trained.vocabulary,
        text=text,
    )
    assert (result.model.config.cell, result.interpretation.gates) == (trained.config.cell, order)
    assert np.abs(logits(result.model, text) - logits(trained, text)).max() < 1e-4


@pytest.fixture(scope="module")
def trained_lstm(text: Corpus) -> CharRNN:
    config = TrainingConfig(epochs=10, n_lanes=8, n_steps=32, learning_rate=2e-2, weight_decay=0.0)
    return train(text, Corpus.from_texts([text.text(0, 1_000)]), ModelConfig(n_layers=1, n_units=24), config).model


@pytest.mark.parametrize("added", [0.0, 1.0])
def test_the_text_tells_whether_the_program_adds_to_the_forget_gate(
    trained_lstm: CharRNN, text: Corpus, added: float
) -> None:
    [layer] = layers(trained_lstm)
    bias = layer["bias_ih"] + layer["bias_hh"] - added * np.repeat([0, 1, 0, 0], 24).astype(np.float32)
    arrays = dict(zip(("out.weight", "out.bias"), ends(trained_lstm), strict=True))
    arrays |= {"gates.weight": np.hstack([layer["weight_ih"], layer["weight_hh"]]), "gates.bias": bias}
    result = import_model(arrays, trained_lstm.vocabulary, text=text)
    assert result.interpretation.forget_bias == added
    assert ("1 is added to the forget gate" in str(result)) == bool(added)
    assert np.abs(logits(result.model, text) - logits(trained_lstm, text)).max() < 1e-4
    asked_for = import_model(arrays, trained_lstm.vocabulary, gates="i,f,g,o", forget_bias=added)
    assert np.abs(logits(asked_for.model, text) - logits(trained_lstm, text)).max() < 1e-4
    with pytest.raises(ActivationError, match="the forget bias is nan"):
        import_model(arrays, trained_lstm.vocabulary, forget_bias=float("nan"))
    gru = CharRNN(ModelConfig(cell="gru", n_layers=1, n_units=3), Vocabulary("abc"))
    with pytest.raises(ActivationError, match="of an LSTM only; remove --forget-bias"):
        import_model(renamed(gru), Vocabulary("abc"), forget_bias=1.0)


def test_a_transformer_is_not_taken_for_recurrent_layers() -> None:
    rng = np.random.default_rng(0)
    shapes = {"attn.c_attn": (24, 8), "attn.c_proj": (8, 8), "mlp.c_fc": (32, 8), "mlp.c_proj": (8, 32)}
    weights = {f"h.{n}.{name}.weight": shape for n in range(2) for name, shape in shapes.items()}
    arrays = {name: rng.random(shape, np.float32) for name, shape in (weights | {"wte.weight": (6, 8)}).items()}
    with pytest.raises(ActivationError, match="no recurrent layers are found"):
        import_model(arrays, Vocabulary("abcdef"))


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("n_embedding", [0, 6])
def test_projected_hidden_states_come_out_as_they_went_in(n_embedding: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    lstm = torch.nn.LSTM(n_embedding or 7, 9, 2, proj_size=4)
    modules = {"rnn": lstm, "fc": torch.nn.Linear(4, 7)}
    if n_embedding:
        modules["emb"] = torch.nn.Embedding(7, n_embedding)
    torch.save(torch.nn.ModuleDict(modules).state_dict(), tmp_path / "projected.pt")
    result = import_model(tmp_path / "projected.pt", Vocabulary("abcdefg"))
    assert "projected to 4" in str(result)
    ids = torch.arange(7).repeat(3)[:, None]
    with torch.inference_mode():
        inputs = modules["emb"](ids) if n_embedding else torch.nn.functional.one_hot(ids, 7).float()
        expected = modules["fc"](lstm(inputs)[0])
        assert (result.model(ids)[0] - expected).abs().max() < 1e-6
    with pytest.raises(ActivationError, match="no matrix of layers with projected hidden states is square"):
        import_model(tmp_path / "projected.pt", Vocabulary("abcdefg"), transposed="recurrent")
