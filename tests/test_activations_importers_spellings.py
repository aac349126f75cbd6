"""Names as people spell them: prefixes and separators, words for gates, pairs of gates, several read-outs."""

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from activations.errors import ActivationError
from activations.importers.importing import import_model
from activations.models.char_rnn import CharRNN
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary

Arrays = dict[str, NDArray[np.float32]]
N, E, H = 7, 5, 6
CHARS = "abcdefg"
IDS = np.random.default_rng(1).integers(0, N, 40)


def random_arrays(**shapes: tuple[int, ...]) -> Arrays:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def logits(model: CharRNN) -> NDArray[np.float32]:
    with torch.inference_mode():
        values: NDArray[np.float32] = model(torch.from_numpy(IDS)[:, None])[0][:, 0].numpy()
    return values


def sigmoid(a: NDArray[np.float32]) -> NDArray[np.float32]:
    return (1 / (1 + np.exp(-a))).astype(np.float32)


def gru(
    x: NDArray[np.float32], z: Arrays, *, reset_before: bool = True, swapped: bool = False
) -> list[NDArray[np.float32]]:
    """Compute the hidden states of a GRU from matrices `x{gate}`, `h{gate}` and biases `b{gate}` of r, z, n."""
    h, states = np.zeros(H, np.float32), []
    for x_now in x:
        reset, update = (sigmoid(z[f"x{g}"] @ x_now + z[f"h{g}"] @ h + z[f"b{g}"]) for g in "rz")
        of_state = z["hn"] @ (reset * h) if reset_before else reset * (z["hn"] @ h)
        candidate = np.tanh(z["xn"] @ x_now + of_state + z["bn"])
        h = (1 - update) * h + update * candidate if swapped else update * h + (1 - update) * candidate
        states.append(h)
    return states


@pytest.fixture
def weights() -> Arrays:
    """The weights of a GRU for `gru`, its embedding and its read-out."""
    of_gates = {f"{half}{gate}": shape for gate in "rzn" for half, shape in (("x", (H, E)), ("h", (H, H)), ("b", (H,)))}
    return random_arrays(**of_gates, table=(N, E), out=(N, H), bias=(N,))


def expected(weights: Arrays, **options: bool) -> NDArray[np.float32]:
    return np.stack(gru(weights["table"][IDS], weights, **options)) @ weights["out"].T + weights["bias"]


def ends(weights: Arrays) -> Arrays:
    return {"emb.weight": weights["table"], "out.weight": weights["out"], "out.bias": weights["bias"]}


def joined(weights: Arrays, gate: str) -> NDArray[np.float32]:
    return np.hstack([weights[f"x{gate}"], weights[f"h{gate}"]])


@pytest.mark.parametrize(
    "tags",
    [
        *(("xh_to_z", "xh_to_r", word) for word in ("xh_to_hbar", "xh_to_h_bar", "xh_to_htilde", "xh_to_c_hat")),
        *(("W_z", "W_r", word) for word in ("W_hhat", "W_cand", "W_prop", "W_new_memory", "W_tilde_h")),
        ("update", "reset_gate", "candidate"),
        ("upd_gate", "rst_gate", "new_gate"),
    ],
)
def test_words_for_the_gates_of_a_gru_are_taken_at_their_word(weights: Arrays, tags: tuple[str, ...]) -> None:
    """As in makemore.py: one linear layer for each gate, on [x; h], of which z comes first."""
    arrays = ends(weights)
    for gate, tag in zip("zrn", tags, strict=True):
        arrays |= {f"cell.{tag}.weight": joined(weights, gate), f"cell.{tag}.bias": weights[f"b{gate}"]}
    result = import_model(arrays, f"chars:{CHARS}", update_swapped=True)
    assert "gates" not in result.undecided
    assert np.abs(logits(result.model) - expected(weights, swapped=True)).max() < 1e-4


def as_npz(arrays: Arrays, folder: Path) -> Path:
    path = folder / "net.npz"
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    return path


def as_hdf5(arrays: Arrays, folder: Path) -> Path:
    path = folder / "net.h5"
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path


def as_nested(arrays: Arrays, folder: Path) -> Path:
    nested: dict[str, object] = {}
    for name, array in arrays.items():
        group, _, last = name.rpartition("/")
        inner = nested.setdefault(group, {}) if group else nested
        assert isinstance(inner, dict)
        inner[last] = torch.from_numpy(array)
    torch.save(nested, folder / "net.pt")
    return folder / "net.pt"


@pytest.mark.parametrize("write", [as_npz, as_hdf5, as_nested])
@pytest.mark.parametrize("has_biases", [True, False])
@pytest.mark.parametrize("prefix", ["", "params/", "model.", "net:", "rnn_"])
@pytest.mark.parametrize("spelling", ["Wxh Whh bh Why by", "W_xh W_hh b_h W_hy b_y"])
def test_names_are_understood_under_any_prefix(
    write: Callable[[Arrays, Path], Path], has_biases: bool, prefix: str, spelling: str, tmp_path: Path
) -> None:
    names = spelling.split()
    shapes = ((H, N), (H, H), (H, 1), (N, H), (N, 1))
    bare = random_arrays(**dict(zip(names, shapes, strict=True)))
    if not has_biases:
        bare = {name: array if array.shape[1] > 1 else np.zeros_like(array) for name, array in bare.items()}
    kept = {name: array for name, array in bare.items() if has_biases or array.shape[1] > 1}
    path = write({f"{prefix}{name}": kept[name] for name in sorted(kept)}, tmp_path)
    of_input, of_state, bias, out, out_bias = (bare[name] for name in names)
    h, rows = np.zeros((H, 1), np.float32), []
    for n in IDS:
        h = np.tanh(of_input[:, [n]] + of_state @ h + bias)
        rows.append((out @ h + out_bias)[:, 0])
    asked = prefix if write is not as_nested else ""
    for given in dict.fromkeys(("", asked)):
        result = import_model(path, f"chars:{CHARS}", prefix=given)
        assert np.abs(logits(result.model) - np.stack(rows)).max() < 1e-4


Pairs = Callable[[Arrays, str], Arrays]


def joined_linears(weights: Arrays, order: str) -> Arrays:
    pair = np.vstack([joined(weights, gate) for gate in order])
    biases = np.concatenate([weights[f"b{gate}"] for gate in order])
    return {
        **ends(weights),
        "cell.gate.weight": pair,
        "cell.gate.bias": biases,
        "cell.cand.weight": joined(weights, "n"),
        "cell.cand.bias": weights["bn"],
    }


def tensorflow(weights: Arrays, order: str) -> Arrays:
    arrays, cell = joined_linears(weights, order), "rnn/multi_rnn_cell/cell_0/gru_cell"
    return {
        "embedding": weights["table"],
        f"{cell}/gates/kernel": arrays["cell.gate.weight"].T,
        f"{cell}/gates/bias": arrays["cell.gate.bias"],
        f"{cell}/candidate/kernel": arrays["cell.cand.weight"].T,
        f"{cell}/candidate/bias": arrays["cell.cand.bias"],
        "softmax_w": weights["out"].T,
        "softmax_b": weights["bias"],
    }


def separate_linears(weights: Arrays, order: str) -> Arrays:
    arrays = ends(weights)
    for half, name in (("x", "i2"), ("h", "h2")):
        arrays[f"cell.{name}gates.weight"] = np.vstack([weights[f"{half}{gate}"] for gate in order])
        arrays[f"cell.{name}cand.weight"] = weights[f"{half}n"]
    arrays["cell.i2gates.bias"] = np.concatenate([weights[f"b{gate}"] for gate in order])
    return arrays | {"cell.i2cand.bias": weights["bn"]}


def bare_rows(weights: Arrays, order: str) -> Arrays:
    both = {half: np.vstack([weights[f"{half}{gate}"] for gate in order]).T for half in "xh"}
    return {
        "Wx_gates": both["x"],
        "Wh_gates": both["h"],
        "Wx_cand": weights["xn"].T,
        "Wh_cand": weights["hn"].T,
        "b_gates": np.concatenate([weights[f"b{gate}"] for gate in order]),
        "b_cand": weights["bn"],
        "emb": weights["table"],
        "Wout": weights["out"].T,
        "bout": weights["bias"],
    }


@pytest.mark.parametrize("order", ["rz", "zr"])
@pytest.mark.parametrize("write", [joined_linears, tensorflow, separate_linears, bare_rows])
@pytest.mark.parametrize("swapped", [True, False])
def test_grus_of_a_matrix_for_two_gates_and_one_for_the_candidate(
    weights: Arrays, write: Pairs, order: str, swapped: bool
) -> None:
    arrays = write(weights, order)
    result = import_model(arrays, f"chars:{CHARS}", gates=f"{order}n", update_swapped=swapped)
    assert result.model.config.cell == "gru_reset_before"
    assert np.abs(logits(result.model) - expected(weights, swapped=swapped)).max() < 1e-4
    undecided = import_model(arrays, f"chars:{CHARS}").undecided
    assert undecided == {"gates", "update_swapped", "hidden_first" if write in (joined_linears, tensorflow) else "cell"}


def test_the_text_tells_the_order_of_two_gates_in_a_matrix(weights: Arrays) -> None:
    """The text is drawn from the model itself, which thus predicts it as well as any model does."""
    model = import_model(joined_linears(weights, "rz"), f"chars:{CHARS}").model
    text = Corpus.from_texts([drawn(model, 3_000)])
    for order in ("rz", "zr"):
        result = import_model(joined_linears(weights, order), f"chars:{CHARS}", text=text)
        assert (result.interpretation.gates, result.interpretation.update_swapped) == (f"{order}n", False)
        assert np.abs(logits(result.model) - logits(model)).max() < 1e-4


def drawn(model: CharRNN, n: int) -> str:
    torch.manual_seed(0)
    ids, state = [0], None
    with torch.inference_mode():
        for _ in range(n):
            row, state = model(torch.tensor([[ids[-1]]]), state)
            ids.append(int(torch.multinomial(row[0, 0].softmax(0), 1)))
    return "".join(CHARS[n] for n in ids)


def test_a_feed_forward_network_of_such_shapes_is_no_gru() -> None:
    arrays = random_arrays(**{"emb.weight": (N, H), "a.weight": (2 * H, 2 * H), "b.weight": (H, 2 * H)})
    arrays |= random_arrays(**{"a.bias": (2 * H,), "b.bias": (H,), "out.weight": (N, H), "out.bias": (N,)})
    with pytest.raises(ActivationError, match="no recurrent layers are found"):
        import_model(arrays, f"chars:{CHARS}")


def of_strings(file: h5py.File) -> None:
    file["chars"] = list(CHARS)


def of_bytes(file: h5py.File) -> None:
    file["chars"] = np.array(list(CHARS), "S1")


def of_one_string(file: h5py.File) -> None:
    file["chars"] = CHARS


def of_code_points(file: h5py.File) -> None:
    file["chars"] = np.array(list(map(ord, CHARS)), np.int64)


def of_attribute(file: h5py.File) -> None:
    file.attrs["chars"] = CHARS


@pytest.mark.parametrize("write", [of_strings, of_bytes, of_one_string, of_code_points, of_attribute])
@pytest.mark.parametrize("spelling", [None, "file:chars"])
def test_vocabularies_in_hdf5(write: Callable[[h5py.File], None], spelling: str | None, tmp_path: Path) -> None:
    path = as_hdf5(random_arrays(Wxh=(H, N), Whh=(H, H), bh=(H, 1), Why=(N, H), by=(N, 1)), tmp_path)
    with h5py.File(path, "a") as file:
        write(file)
    result = import_model(path, spelling)
    assert result.model.vocabulary.characters == CHARS
    assert result.vocabulary_source == "chars in the file itself"
    assert result.parts.aside == ()


@pytest.mark.parametrize("given", [None, f"chars:{CHARS}", Vocabulary(CHARS)])
@pytest.mark.parametrize("n_classes", [2, H])
def test_the_read_out_has_as_many_rows_as_the_vocabulary(
    given: str | Vocabulary | None, n_classes: int, tmp_path: Path
) -> None:
    modules = {"emb": nn.Embedding(N, E), "gru": nn.GRU(E, H)}
    modules |= {"cls_head": nn.Linear(H, n_classes), "lm_head": nn.Linear(H, N, bias=n_classes == 2)}
    content = {"model": nn.ModuleDict(modules).state_dict()}
    torch.save(content | ({} if given else {"stoi": {char: n for n, char in enumerate(CHARS)}}), tmp_path / "two.pt")
    with pytest.raises(ActivationError, match=r"model.cls_head.weight, model.cls_head.bias have no place"):
        import_model(tmp_path / "two.pt", given)
    result = import_model(tmp_path / "two.pt", given, force=True)
    with torch.inference_mode():
        values = modules["lm_head"](modules["gru"](modules["emb"](torch.from_numpy(IDS)[:, None]))[0])[:, 0].numpy()
    assert np.abs(logits(result.model) - values).max() < 1e-5


def stacked(below: int) -> tuple[nn.ModuleDict, Arrays]:
    """Two LSTMs on one another under names of their own, and their arrays as safetensors sorts them."""
    torch.manual_seed(3)
    ends = {"emb": nn.Embedding(N, below), "out": nn.Linear(H, N)}
    modules = nn.ModuleDict({**ends, "in_lstm": nn.LSTM(below, H), "hidden_lstm": nn.LSTM(H, H)})
    with torch.no_grad():
        for weight in modules.parameters():
            weight.mul_(6)
    state = {name: weight.detach().numpy() for name, weight in modules.state_dict().items()}
    return modules, {name: state[name] for name in sorted(state)}


def logits_of(modules: nn.ModuleDict, *lstms: str) -> NDArray[np.float32]:
    with torch.inference_mode():
        x = modules["emb"](torch.from_numpy(IDS)[:, None])
        for name in lstms:
            x = modules[name](x)[0]
        values: NDArray[np.float32] = modules["out"](x)[:, 0].numpy()
    return values


def test_layers_are_in_the_only_order_that_fits() -> None:
    modules, arrays = stacked(E)
    result = import_model(arrays, f"chars:{CHARS}")
    assert np.abs(logits(result.model) - logits_of(modules, "in_lstm", "hidden_lstm")).max() < 1e-4
    assert "in_lstm. and hidden_lstm. are taken as layers on one another, in this order" in str(result.warning)
    assert "layer_order" not in result.undecided


def test_the_text_or_an_option_tells_the_order_of_layers_of_the_same_size() -> None:
    modules, arrays = stacked(H)
    result = import_model(arrays, f"chars:{CHARS}")
    assert "layer order had to be guessed" in str(result.warning)
    meant = logits_of(modules, "in_lstm", "hidden_lstm")
    asked = import_model(arrays, f"chars:{CHARS}", layer_order="2,1")
    assert np.abs(logits(asked.model) - meant).max() < 1e-4
    assert np.abs(logits(result.model) - logits_of(modules, "hidden_lstm", "in_lstm")).max() < 1e-4
    text = Corpus.from_texts([drawn(asked.model, 3_000)])
    told = import_model(arrays, f"chars:{CHARS}", text=text)
    assert told.interpretation.layer_order == (2, 1)
    assert "--layer-order 2,1" in str(told)
    assert np.abs(logits(told.model) - meant).max() < 1e-4
    with pytest.raises(ActivationError, match="--layer-order 2,1"):
        import_model(arrays, f"chars:{CHARS}", text=text, layer_order="1,2")


@pytest.mark.parametrize("order", ["1", "2,2", "3,1", "x", ""])
def test_orders_that_are_none_of_the_layers_are_refused(order: str) -> None:
    with pytest.raises(ActivationError, match="the order of the layers is given as"):
        import_model(stacked(H)[1], f"chars:{CHARS}", layer_order=order)
