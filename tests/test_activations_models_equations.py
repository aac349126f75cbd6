"""The equations against others' arithmetic, and every fast form of a step against the equations."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import Command
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from planting import random_model
from profiles import n_examples
from references import KINDS, Kind, ids_of, name_of, next_by_equations, read_by_equations, recorded, unusual_model

from activations.errors import ActivationError
from activations.models.cells.kinds import CELLS
from activations.models.cells.stepwise import StepwiseRNN
from activations.models.char_rnn import ModelConfig
from activations.models.checkpoints import load_model, model_sha256, save_model
from activations.models.evaluation import losses
from activations.models.sampling import write
from activations.models.training.config import TrainingConfig
from activations.models.training.training import train
from activations.texts.corpus import Corpus
from activations.units import Site
from probe.demo import bundled_model

TEXT = "The quick brown fox jumps over the lazy dog.\n" * 8
every_kind = pytest.mark.parametrize("kind", KINDS, ids=name_of)


def normalised(a: NDArray[np.float64], gain: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(gain * (a - a.mean()) / np.sqrt(a.var() + 1e-5))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind["cell"] == "lstm"], ids=name_of)
def test_the_equations_of_an_lstm_agree_with_numpy(kind: Kind) -> None:
    """The options as the papers have them, one gate after another."""
    model = unusual_model(TEXT, kind, n_layers=1, n_units=7)
    signals, _ = read_by_equations(model, ids_of(model, TEXT[:50]))
    w = {name.removesuffix("_l0"): weight.detach().double().numpy() for name, weight in model.rnn.named_parameters()}
    functions: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
        "sigmoid": lambda a: 1 / (1 + np.exp(-a)),
        "hard_sigmoid_keras": lambda a: np.clip(0.2 * a + 0.5, 0, 1),
        "hard_sigmoid_torch": lambda a: np.clip(a + 3, 0, 6) / 6,
    }
    gate = functions[model.config.gates]
    h, c = np.zeros(model.config.n_hidden), np.zeros(7)
    p = w.get("peepholes", np.zeros((3, 7)))
    for t, id_ in enumerate(ids_of(model, TEXT[:50])[:, 0].tolist()):
        from_x, from_h = w["weight_ih"][:, id_], w["weight_hh"] @ h
        if "gain_ih" in w:
            from_x, from_h = normalised(from_x, w["gain_ih"]), normalised(from_h, w["gain_hh"])
        i, f, g, o = (from_x + w["bias_ih"] + from_h + w["bias_hh"]).reshape(4, 7)
        i, f, g = gate(i + p[0] * c), gate(f + p[1] * c), np.tanh(g)
        c = f * c + i * g
        o = gate(o + p[2] * c)
        seen = normalised(c, w["norm_cell"][0]) + w["norm_cell"][1] if "norm_cell" in w else c
        h = o * np.tanh(seen)
        h = w["weight_hr"] @ h if "weight_hr" in w else h
        expected = {"input_gate": i, "forget_gate": f, "candidate": g, "output_gate": o, "cell": c, "hidden": h}
        for signal, values in expected.items():
            np.testing.assert_allclose(signals[Site.of(0, signal)][t, 0], values, atol=1e-12)


@pytest.mark.parametrize("gates", ["sigmoid", "hard_sigmoid_keras"])
def test_a_gru_with_its_reset_gate_before_the_matrix_is_that_of_keras(gates: str) -> None:
    """As `GRUCell.call` of Keras 2 has it for `reset_after=False`, but for the order of the gates (z, r, h there)."""
    n, model = 6, unusual_model(TEXT, {"cell": "gru_reset_before", "gates": gates}, n_layers=1, n_units=6)
    signals, _ = read_by_equations(model, ids_of(model, TEXT[:50]))
    w = {name.removesuffix("_l0"): weight.detach().double().numpy() for name, weight in model.rnn.named_parameters()}
    r_, z_, h_ = slice(n), slice(n, 2 * n), slice(2 * n, 3 * n)
    kernel, recurrent, bias = w["weight_ih"].T, w["weight_hh"].T, w["bias_ih"] + w["bias_hh"]
    h = np.zeros(n)
    for t, id_ in enumerate(ids_of(model, TEXT[:50])[:, 0].tolist()):
        x_z, x_r, x_h = (kernel[id_][part] + bias[part] for part in (z_, r_, h_))
        z, r = x_z + h @ recurrent[:, z_], x_r + h @ recurrent[:, r_]
        z, r = ((1 / (1 + np.exp(-a)) if gates == "sigmoid" else np.clip(0.2 * a + 0.5, 0, 1)) for a in (z, r))
        candidate = np.tanh(x_h + (r * h) @ recurrent[:, h_])
        h = z * h + (1 - z) * candidate
        for signal, values in {"hidden": h, "reset_gate": r, "update_gate": z, "candidate": candidate}.items():
            np.testing.assert_allclose(signals[Site.of(0, signal)][t, 0], values, atol=1e-12)


def test_the_gates_of_keras_and_torch_differ_and_close() -> None:
    model = random_model("ab", cell="lstm", n_layers=1, n_units=1, gates="hard_sigmoid_keras")
    a = torch.tensor([-9.0, -2.75, 0.0, 1.0, 2.75, 9.0])
    torch.testing.assert_close(model.layer(0).gate(a), torch.tensor([0, 0, 0.5, 0.7, 1, 1]))
    in_torch = random_model("ab", cell="lstm", n_layers=1, n_units=1, gates="hard_sigmoid_torch")
    torch.testing.assert_close(in_torch.layer(0).gate(a), torch.nn.functional.hardsigmoid(a))


@every_kind
@given(data=st.data())
@settings(max_examples=n_examples(8))
def test_every_step_of_lanes_is_that_of_the_equations(kind: Kind, data: st.DataObject) -> None:
    shape = {"n_layers": data.draw(st.integers(1, 3)), "n_embedding": data.draw(st.sampled_from([0, 4]))}
    model = unusual_model(TEXT, kind, data.draw(st.integers(0, 99)), n_units=data.draw(st.integers(4, 20)), **shape)
    n_lanes = data.draw(st.sampled_from([1, 2, 17]))
    texts = [TEXT[n : n + 40] for n in range(n_lanes)]
    values = recorded(model, texts)
    read = {site: torch.from_numpy(values[site]) for site in model.sites}
    for site, expected in next_by_equations(model, ids_of(model, *texts), read).items():
        span = max(1.0, float(np.ptp(expected.numpy())))
        np.testing.assert_allclose(values[site], expected, rtol=0, atol=1e-5 * span)
    dtype = data.draw(st.sampled_from(["float16", "auto"]))
    narrow = recorded(model, texts, dtype=dtype)
    for site in model.sites:
        np.testing.assert_array_equal(narrow[site], values[site].astype(narrow[site].dtype))


@every_kind
def test_forward_evaluation_and_writing_agree_with_the_equations(kind: Kind) -> None:
    model = unusual_model(TEXT, kind, n_layers=2)
    ids = ids_of(model, TEXT[:40])
    _, logits = read_by_equations(model, ids)
    with torch.no_grad():
        torch.testing.assert_close(model(ids)[0].double(), logits, rtol=1e-5, atol=1e-5)
    nats = torch.nn.functional.cross_entropy(logits[:-1, 0], ids[1:, 0], reduction="none")
    np.testing.assert_allclose(losses(model, Corpus.from_texts([TEXT[:40]])).nats, nats, rtol=1e-5)
    steps = list(islice(write(model, 3, prompt="The ", seed=2), 30))
    written = torch.cat([ids_of(model, *["The "] * 3), torch.stack([step.ids for step in steps])])
    _, logits = read_by_equations(model, written)
    torch.testing.assert_close(
        torch.stack([step.logits for step in steps]).double(), logits[3:-1], rtol=1e-5, atol=1e-5
    )


@every_kind
def test_what_pytorch_has_fused_is_fused_and_begins_as_the_equations_end(kind: Kind) -> None:
    """The state after one call is what the next one starts from."""
    model = unusual_model(TEXT, kind, n_layers=2)
    assert isinstance(model.rnn, StepwiseRNN) != model.config.is_fused
    ids = ids_of(model, TEXT[:40], TEXT[1:41])
    with torch.no_grad():
        whole, state = model(ids)
        _, between = model(ids[:13])
        rest, after = model(ids[13:], between)
    torch.testing.assert_close(rest, whole[13:], rtol=0, atol=1e-6)
    torch.testing.assert_close(after, state, rtol=0, atol=1e-6)


@every_kind
def test_every_kind_can_be_trained_saved_and_opened(kind: Kind, tmp_path: Path) -> None:
    corpus = Corpus.from_texts([TEXT * 4])
    shape = ModelConfig(n_layers=2, n_units=12, **kind)
    config = TrainingConfig(epochs=6, n_lanes=8, n_steps=16, learning_rate=0.04, norm_stabiliser=1e-3)
    training = train(corpus, Corpus.from_texts([TEXT]), shape, config)
    assert training.losses[-1] < training.losses[0] - 0.25
    save_model(training.model, tmp_path / "a.pt")
    model = load_model(tmp_path / "a.pt")
    assert model.config == shape
    assert model_sha256(model) == model_sha256(training.model)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if ModelConfig(**kind).is_fused], ids=name_of)
def test_gradients_through_the_equations_are_those_of_fused_layers(kind: Kind) -> None:
    config = ModelConfig(n_units=8, **kind)
    fused = config.layers(5, 2)
    stepwise = StepwiseRNN(CELLS[config.cell], 5, 8, 2, proj_size=config.n_projected)
    stepwise.load_state_dict(fused.state_dict())
    x = torch.randn(20, 3, 5)
    for layers in (fused, stepwise):
        layers(x)[0].square().sum().backward()
    expected = dict(fused.named_parameters())
    for name, weight in stepwise.named_parameters():
        torch.testing.assert_close(weight.grad, expected[name].grad, rtol=1e-4, atol=1e-5)


def test_models_without_options_are_described_as_before_there_were_any() -> None:
    config = ModelConfig(cell="gru", n_units=5)
    assert repr(config) == "ModelConfig(cell='gru', n_layers=2, n_units=5, n_embedding=0)"
    assert config.as_dict() == {"cell": "gru", "n_layers": 2, "n_units": 5, "n_embedding": 0}
    assert ModelConfig(peepholes=True).as_dict()["peepholes"] is True
    assert "peepholes=True" in repr(ModelConfig(peepholes=True))


def test_a_checkpoint_from_before_opens_as_the_same_model() -> None:
    assert model_sha256(bundled_model()) == "638adecf77cb0b498232882261f864e936c00b8baaa669b42ad6b350bad9d3ec"


def test_a_checkpoint_of_a_plain_cell_names_no_options(tmp_path: Path) -> None:
    save_model(random_model("ab"), tmp_path / "a.pt")
    config = torch.load(tmp_path / "a.pt", weights_only=True)["config"]
    assert config == {"cell": "lstm", "n_layers": 2, "n_units": 8, "n_embedding": 0}


def test_probe_train_takes_the_options_of_cells(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text(TEXT * 8)
    quick = ("train", "a.txt", "--epochs", "1", "--units", "8", "--layers", "1")
    options = ("--gates", "hard_sigmoid_torch", "--peepholes", "--projected", "4", "--layer-norm")
    assert run(*quick, *options)[0] == 0
    config = load_model("model.pt").config
    assert config.as_dict() == {
        "cell": "lstm", "n_layers": 1, "n_units": 8, "n_embedding": 0,
        "gates": "hard_sigmoid_torch", "peepholes": True, "n_projected": 4, "layer_norm": True,
    }  # fmt: skip
    for command in (("evaluate", "model.pt", "a.txt"), ("sample", "model.pt", "--length", "5", "--device", "cpu")):
        assert run(*command)[0] == 0
    status, _, err = run(*quick, "--cell", "gru", "--peepholes")
    assert status == 1 and "peepholes is for the cell lstm, and the cell is gru" in err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"cell": "gru", "peepholes": True}, "peepholes is for the cell lstm, and the cell is gru"),
        ({"cell": "rnn", "n_projected": 2}, "n_projected is for the cell lstm"),
        ({"cell": "gru_reset_before", "layer_norm": True}, "layer_norm is for the cell lstm"),
        ({"cell": "rnn_relu", "gates": "hard_sigmoid_keras"}, "rnn_relu has no gates"),
        ({"gates": "hard_sigmoid"}, "no gate function 'hard_sigmoid'; choose one of sigmoid, hard_sigmoid_keras"),
        ({"n_projected": 128}, "n_projected is 128; it must be smaller than the number of units, 128"),
        ({"n_projected": -1}, "n_projected is -1; it must be a whole number from 0 up"),
        ({"peepholes": 1}, "peepholes is 1; it must be True or False"),
        ({"gates": None}, "no gate function None"),
        ({"cell": ["lstm"]}, r"no cell named \['lstm'\]"),
        ({"n_units": True}, "n_units is True; it must be a whole number from 1 up"),
        ({"n_projected": True}, "n_projected is True; it must be a whole number from 0 up"),
    ],
)
def test_shapes_that_cannot_be_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ActivationError, match=complaint):
        ModelConfig(**options)


def test_a_projected_layer_has_sites_of_two_sizes_and_its_hidden_states_may_grow() -> None:
    model = random_model("ab", cell="lstm", n_layers=1, n_units=8, n_projected=3)
    assert model.sites == {Site.of(0, s): 3 if s == "hidden" else 8 for s in model.cell.signals}
    assert model.unbounded == {Site.of(0, "hidden"), Site.of(0, "cell")}
