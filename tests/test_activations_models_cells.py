"""Every signal equals a reference: PyTorch's own layers, and the equations in float64."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from planting import random_model

from activations.models.cells.kinds import CELLS
from activations.models.cells.single_lane import SingleLaneLayer, to_sigmoids, to_tanhs
from activations.models.cells.steps import RecurrentWeights
from activations.models.char_rnn import CharRNN
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.units import Site

Array = NDArray[np.float64]
TEXT = "The quick brown fox jumps over the lazy dog.\n" * 120  # more than two turns of a single lane

one_lane_or_more = pytest.mark.parametrize("n_lanes", [1, 3])
every_cell = pytest.mark.parametrize("cell", list(CELLS))


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def lstm_by_equations(x: Array, w: dict[str, Array]) -> dict[str, Array]:
    n = w["hh"].shape[1]
    h, c = np.zeros(n), np.zeros(n)
    rows = []
    for x_t in x:
        a = w["ih"] @ x_t + w["bih"] + w["hh"] @ h + w["bhh"]
        i, f, g, o = sigmoid(a[:n]), sigmoid(a[n : 2 * n]), np.tanh(a[2 * n : 3 * n]), sigmoid(a[3 * n :])
        c = f * c + i * g
        h = o * np.tanh(c)
        rows.append((h, c, i, f, g, o))
    names = ("hidden", "cell", "input_gate", "forget_gate", "candidate", "output_gate")
    return {name: np.array([row[k] for row in rows]) for k, name in enumerate(names)}


def gru_by_equations(x: Array, w: dict[str, Array]) -> dict[str, Array]:
    n = w["hh"].shape[1]
    h = np.zeros(n)
    rows = []
    for x_t in x:
        a, b = w["ih"] @ x_t + w["bih"], w["hh"] @ h + w["bhh"]
        r, z = sigmoid(a[:n] + b[:n]), sigmoid(a[n : 2 * n] + b[n : 2 * n])
        g = np.tanh(a[2 * n :] + r * b[2 * n :])
        h = (1 - z) * g + z * h
        rows.append((h, r, z, g))
    names = ("hidden", "reset_gate", "update_gate", "candidate")
    return {name: np.array([row[k] for row in rows]) for k, name in enumerate(names)}


def gru_reset_before_by_equations(x: Array, w: dict[str, Array]) -> dict[str, Array]:
    n = w["hh"].shape[1]
    h = np.zeros(n)
    rows = []
    for x_t in x:
        a, b = w["ih"] @ x_t + w["bih"] + w["bhh"], w["hh"] @ h
        r, z = sigmoid(a[:n] + b[:n]), sigmoid(a[n : 2 * n] + b[n : 2 * n])
        g = np.tanh(a[2 * n :] + w["hh"][2 * n :] @ (r * h))
        h = (1 - z) * g + z * h
        rows.append((h, r, z, g))
    names = ("hidden", "reset_gate", "update_gate", "candidate")
    return {name: np.array([row[k] for row in rows]) for k, name in enumerate(names)}


def rnn_by_equations(activate: Callable[[Array], Array]) -> Callable[[Array, dict[str, Array]], dict[str, Array]]:
    def run(x: Array, w: dict[str, Array]) -> dict[str, Array]:
        h = np.zeros(w["hh"].shape[1])
        rows = []
        for x_t in x:
            h = activate(w["ih"] @ x_t + w["bih"] + w["hh"] @ h + w["bhh"])
            rows.append(h)
        return {"hidden": np.array(rows)}

    return run


EQUATIONS = {
    "lstm": lstm_by_equations,
    "gru": gru_by_equations,
    "gru_reset_before": gru_reset_before_by_equations,
    "rnn": rnn_by_equations(np.tanh),
    "rnn_relu": rnn_by_equations(lambda a: np.maximum(a, 0)),
}


def recorded(model: CharRNN, n_lanes: int) -> dict[Site, NDArray[np.float32]]:
    """All signals of a text in float32; with more lanes than one, of the last of as many copies side by side."""
    corpus = Corpus.from_texts([TEXT] * n_lanes)
    live = LiveActivations(model, corpus, n_lanes=n_lanes, compute=ComputeOptions(dtype="float32"))
    blocks = sorted(live.blocks(), key=lambda block: block.start)
    last = [block for block in blocks if block.start >= corpus.documents[-1].start]
    return {site: np.concatenate([block.values[site] for block in last]) for site in live.sites}


def inputs(model: CharRNN) -> torch.Tensor:
    ids = torch.from_numpy(model.vocabulary.encode(Corpus.from_texts([TEXT])))
    if model.embedding is None:
        return torch.nn.functional.one_hot(ids, len(model.vocabulary)).float()
    return torch.as_tensor(model.embedding(ids)).detach()


@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if cell.fused])
@one_lane_or_more
@pytest.mark.parametrize("n_layers", [1, 2, 3])
@pytest.mark.parametrize("n_embedding", [0, 5])
def test_hidden_states_equal_those_of_torch(cell: str, n_layers: int, n_embedding: int, n_lanes: int) -> None:
    model = random_model(TEXT, cell=cell, n_layers=n_layers, n_units=7, n_embedding=n_embedding)
    values = recorded(model, n_lanes)
    x = inputs(model)
    for layer in range(n_layers):
        alone = model.config.layers(x.shape[1], 1)
        with torch.no_grad():
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(alone, f"{name}_l0").copy_(getattr(model.rnn, f"{name}_l{layer}"))
            x, _ = alone(x)
        np.testing.assert_allclose(values[Site.of(layer, "hidden")], x, atol=1e-5, rtol=0)


@every_cell
@one_lane_or_more
@pytest.mark.parametrize(("n_embedding", "n_units"), [(0, 7), (5, 7), (0, 70)])
def test_every_signal_equals_the_equations_in_float64(cell: str, n_embedding: int, n_units: int, n_lanes: int) -> None:
    model = random_model(TEXT, cell=cell, n_layers=2, n_units=n_units, n_embedding=n_embedding)
    values = recorded(model, n_lanes)
    x = inputs(model).double().numpy()
    for layer in range(2):
        pairs = {"ih": "weight_ih", "hh": "weight_hh", "bih": "bias_ih", "bhh": "bias_hh"}
        weights = {k: getattr(model.rnn, f"{name}_l{layer}").detach().double().numpy() for k, name in pairs.items()}
        reference = EQUATIONS[cell](x, weights)
        assert set(reference) == set(CELLS[cell].signals)
        for signal, expected in reference.items():
            np.testing.assert_allclose(values[Site.of(layer, signal)], expected, rtol=1e-5, atol=1e-6)
        x = reference["hidden"]


def test_sigmoids_and_tanhs_are_right_to_the_last_digits_of_float32() -> None:
    x = np.concatenate([np.linspace(-100, 100, 400_001), np.geomspace(1e-30, 1e30, 10_000)]).astype(np.float32)
    x = np.concatenate([x, -x])
    sigmoids, tanhs = x.copy(), np.empty_like(x)
    room = np.empty(2 * len(x), np.float32)
    to_sigmoids(sigmoids, room)
    to_tanhs(x, tanhs, room)
    np.testing.assert_allclose(sigmoids, sigmoid(np.maximum(x, -700).astype(np.float64)), rtol=3e-7, atol=1e-37)
    np.testing.assert_allclose(tanhs, np.tanh(x.astype(np.float64)), rtol=3e-7)


def test_what_is_no_number_stays_so_and_infinite_gates_are_open_or_closed() -> None:
    x = np.array([np.nan, np.inf, -np.inf], np.float32)
    sigmoids, tanhs, room = x.copy(), np.empty(3, np.float32), np.empty(6, np.float32)
    to_sigmoids(sigmoids, room)
    to_tanhs(x, tanhs, room)
    np.testing.assert_allclose(sigmoids, [np.nan, 1, 0], atol=1e-37)
    np.testing.assert_array_equal(tanhs, np.array([np.nan, 1, -1], np.float32))


@every_cell
def test_each_document_of_a_single_lane_begins_anew_however_long_it_is(cell: str) -> None:
    texts = [(TEXT * 2)[:n] for n in (2, 127, 128, 129, 3000, 3)]
    model = random_model(TEXT, cell=cell, n_layers=3, n_units=7)
    compute = ComputeOptions(dtype="float32")
    live = LiveActivations(model, Corpus.from_texts(texts), n_lanes=1, compute=compute)
    blocks = sorted(live.blocks(), key=lambda block: block.start)
    for document, text in zip(live.corpus.documents, texts, strict=True):
        alone = LiveActivations(model, Corpus.from_texts([text]), n_lanes=1, compute=compute)
        for site in live.sites:
            rows = np.concatenate([block.values[site] for block in blocks])[document.start : document.stop]
            expected = np.concatenate([block.values[site] for block in alone.blocks([site])])
            np.testing.assert_allclose(rows, expected, atol=1e-6)


def test_a_gate_that_keeps_all_keeps_it_to_the_last_digit(rng: np.random.Generator) -> None:
    n = 40
    recurrent = RecurrentWeights(torch.zeros(n, 3 * n), None, torch.zeros(n), None, None, None, None, 0.0)
    gates = np.repeat(np.repeat(np.array([0, 200, 0.5], np.float32), n)[None], 500, axis=0)  # update gates of 1
    hidden = rng.uniform(-1, 1, n).astype(np.float32)
    before, hiddens = hidden.copy(), np.empty((500, n), np.float32)
    SingleLaneLayer(CELLS["gru"], recurrent).read(
        torch.from_numpy(gates), {"hidden": torch.from_numpy(hidden)}, {"hidden": torch.from_numpy(hiddens)}, None
    )
    np.testing.assert_array_equal(hiddens, np.repeat(before[None], 500, axis=0))
