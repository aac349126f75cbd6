"""Models of Keras: files that Keras itself wrote give the probabilities that it gave; others are refused by name.

`kept/keras_models.tar.xz` has models of 11 characters with random weights, and what they predict, as Keras 3 (`keras`)
and Keras 2 (`tf_keras`) saved and computed them; `benchmarks/foreign_models.py` makes it, and more of them.
"""

import io
import json
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from foreign import ends, layers, reordered
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.importers.imported_model import ImportedModel
from activations.importers.importing import import_model
from activations.models.char_rnn import CharRNN
from activations.models.evaluation import evaluate
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary
from probe.demo import bundled_model, bundled_text

ARCHIVE = Path(__file__).parent / "kept" / "keras_models.tar.xz"
CHARACTERS = Vocabulary("abcdefghijk")
TOLERANCE = 1e-6
WHOLE = "keras.lstm_two_layers.keras"
OLD = "tf_keras.lstm_hard.h5"

Arrays = dict[str, NDArray[np.float32]]


def kept() -> dict[str, bytes]:
    with tarfile.open(ARCHIVE) as archive:
        return {member.name: file.read() for member in archive if (file := archive.extractfile(member)) is not None}


KEPT = kept()
MODELS = [name for name in KEPT if not name.endswith(".values.npz")]


def expected(name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the ids that Keras read, and its probabilities: (n, 11), or (11,) after the last."""
    with np.load(io.BytesIO(KEPT[".".join(name.split(".")[:2]) + ".values.npz"])) as values:
        return values["ids"], values["probabilities"]


def predicted(imported: ImportedModel, ids: NDArray[Any]) -> NDArray[Any]:
    with torch.inference_mode():
        logits, _ = imported.model(torch.from_numpy(ids)[:, None])
    probabilities: NDArray[Any] = logits[:, 0].double().softmax(-1).numpy()
    return probabilities


def assert_same(imported: ImportedModel, name: str) -> None:
    ids, probabilities = expected(name)
    computed = predicted(imported, ids)
    difference = np.abs((computed if probabilities.ndim == 2 else computed[-1]) - probabilities).max()
    assert difference < TOLERANCE
    assert imported.parts.unused == ()


def written(content: bytes, folder: Path, name: str = "model") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", MODELS)
def test_a_file_that_keras_wrote_gives_its_probabilities(name: str, tmp_path: Path) -> None:
    gate_function = "hard_sigmoid_keras" if name == "tf_keras.gru_before_hard.legacy.h5" else None
    imported = import_model(written(KEPT[name], tmp_path), CHARACTERS, gate_function=gate_function)
    assert_same(imported, name)
    assert "Keras" in imported.kind


def test_the_kept_models_are_of_many_kinds() -> None:
    assert len(MODELS) == 24
    for kind in ("lstm", "gru_before", "gru_after", "rnn_relu", "states", "nested", "cells", "subclassed", "cudnn"):
        assert any(kind in name for name in MODELS), kind


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_the_hard_sigmoid_is_that_of_the_version(library: str, tmp_path: Path) -> None:
    imported = import_model(written(KEPT[f"{library}.lstm_hard.h5"], tmp_path), CHARACTERS)
    name = {"keras": "hard_sigmoid_torch", "tf_keras": "hard_sigmoid_keras"}[library]
    assert imported.interpretation.gate_function == name
    assert "gate_function" not in imported.undecided


def drawn(model: CharRNN, n_chars: int, rng: np.random.Generator) -> str:
    """Draw a text from a model, which predicts it best of all."""
    ids, state = [0], None
    with torch.inference_mode():
        for _ in range(n_chars - 1):
            logits, state = model(torch.tensor([[ids[-1]]]), state)
            probabilities = logits[0, 0].double().softmax(-1).numpy()
            ids.append(int(rng.choice(len(probabilities), p=probabilities / probabilities.sum())))
    return "".join(model.vocabulary.characters[n] for n in ids)


def test_the_text_finds_the_gates_function_that_weights_alone_do_not_tell(
    rng: np.random.Generator, tmp_path: Path
) -> None:
    """The sigmoid and the two hard ones are alike, so that small differences of the loss decide."""
    name = "tf_keras.gru_before_hard.legacy.h5"
    path = written(KEPT[name], tmp_path)
    with h5py.File(path, "a") as file:
        file["dense/dense/kernel:0"][...] = 4 * file["dense/dense/kernel:0"][()]  # it is surer of what comes
    original = import_model(path, CHARACTERS, gate_function="hard_sigmoid_keras")
    text = Corpus.from_texts([drawn(original.model, 4_000, rng)])
    imported = import_model(path, CHARACTERS, text=text)
    assert imported.interpretation.gate_function == "hard_sigmoid_keras"
    assert imported.search is not None
    assert 0.005 < imported.search.nats_per_char - imported.search.best_nats_per_char < 0.05


def test_a_model_of_windows_says_how_long_they_are(tmp_path: Path) -> None:
    for library in ("keras", "tf_keras"):
        imported = import_model(written(KEPT[f"{library}.lstm_window.h5"], tmp_path), CHARACTERS)
        assert imported.warning is not None
        assert "windows of 12 characters" in imported.warning
    imported = import_model(written(KEPT[WHOLE], tmp_path), CHARACTERS)
    assert "windows" not in str(imported.warning)


def test_the_optimiser_is_left_aside_as_one(tmp_path: Path) -> None:
    imported = import_model(written(KEPT["tf_keras.lstm_nested.h5"], tmp_path), CHARACTERS)
    assert imported.parts.aside == ("optimizer_weights",)


def weights_of(name: str, folder: Path) -> Arrays:
    """Return the weights of a `.keras` file in the order of its layers, as `get_weights()` has them, by their paths."""
    with zipfile.ZipFile(written(KEPT[name], folder, "whole")) as archive:
        content = archive.read("model.weights.h5")
    arrays: Arrays = {}
    with h5py.File(io.BytesIO(content)) as file:
        for layer in ("lstm/cell", "lstm_1/cell", "dense"):
            group = file[f"layers/{layer}/vars"]
            arrays |= {f"{layer}/{n}": group[str(n)][()] for n in range(len(group))}
    return arrays


def npz(arrays: list[NDArray[Any]], path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, *arrays, allow_pickle=False)


def npy_of_objects(arrays: list[NDArray[Any]], path: Path) -> None:
    objects = np.empty(len(arrays), object)
    objects[:] = arrays
    with path.open("wb") as file:
        np.save(file, objects, allow_pickle=True)


def layer_lists(arrays: list[NDArray[Any]]) -> list[list[Any]]:
    """Return a list for each layer, of its arrays as lists: `[layer.get_weights() for layer in model.layers]`."""
    return [[weight.tolist() for weight in layer] for layer in (arrays[:3], [], arrays[3:6], arrays[6:])]


LIST_FORMATS: dict[str, Callable[[list[NDArray[Any]], Path], Any]] = {
    "np.savez": npz,
    "np.save": npy_of_objects,
    "a pickle": lambda arrays, path: path.write_bytes(pickle.dumps(arrays)),
    "a pickled dictionary": lambda arrays, path: path.write_bytes(pickle.dumps({"weights": arrays, "epoch": 3})),
    "JSON": lambda arrays, path: path.write_text(json.dumps([weight.tolist() for weight in arrays])),
    "JSON of layers": lambda arrays, path: path.write_text(json.dumps(layer_lists(arrays))),
    "torch.save": lambda arrays, path: torch.save([torch.from_numpy(weight) for weight in arrays], path),
}


@pytest.mark.parametrize("form", LIST_FORMATS)
def test_a_list_of_weights_is_read_by_its_shapes(form: str, tmp_path: Path) -> None:
    path = tmp_path / "weights"
    LIST_FORMATS[form](list(weights_of(WHOLE, tmp_path).values()), path)
    imported = import_model(path, CHARACTERS)
    assert_same(imported, WHOLE)
    assert imported.undecided == {"gates", "gate_function"}


def keras_names(arrays: Arrays, pattern: str) -> Arrays:
    roles = {"0": "kernel", "1": "recurrent_kernel", "2": "bias"}
    named = {}
    for name, array in arrays.items():
        layer, _, number = name.rpartition("/")
        role = roles["2" if layer == "dense" and number == "1" else number]
        named[pattern.format(layer=layer.removesuffix("/cell"), role=role)] = array
    return named


@pytest.mark.parametrize(
    "pattern", ["{layer}/{role}", "{layer}/{role}:0", "model.{layer}.{role}", "{layer}.cell.{role}"]
)
def test_arrays_with_the_names_of_keras_are_read(pattern: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, allow_pickle=False, **keras_names(weights_of(WHOLE, tmp_path), pattern))
    assert_same(import_model(path, CHARACTERS), WHOLE)


def test_arrays_of_keras_in_an_hdf5_file_of_ones_own_are_read(tmp_path: Path) -> None:
    path = tmp_path / "own.h5"
    with h5py.File(path, "w") as file:
        for name, array in keras_names(weights_of(WHOLE, tmp_path), "net/{layer}/{role}").items():
            file.create_dataset(name, data=array, compression="gzip")
        file.attrs["chars"] = CHARACTERS.characters
    assert_same(import_model(path), WHOLE)  # with the vocabulary of the attribute


Config = dict[str, Any]


def layer_named(config: Config, name: str) -> Config:
    found: Config = next(layer for layer in config["config"]["layers"] if layer["config"]["name"] == name)
    return found


def edited_keras(name: str, edit: Callable[[Config], None], folder: Path) -> Path:
    """Write a `.keras` file with a changed configuration."""
    path = folder / "edited.keras"
    with zipfile.ZipFile(io.BytesIO(KEPT[name])) as archive, zipfile.ZipFile(path, "w") as changed:
        for member in archive.namelist():
            content = archive.read(member)
            if member == "config.json":
                config = json.loads(content)
                edit(config)
                content = json.dumps(config).encode()
            changed.writestr(member, content)
    return path


def edited_h5(name: str, edit: Callable[[Config], None], folder: Path) -> Path:
    """Write a `.h5` file with a changed configuration."""
    path = written(KEPT[name], folder, "edited.h5")
    with h5py.File(path, "a") as file:
        config = json.loads(file.attrs["model_config"])
        edit(config)
        file.attrs["model_config"] = json.dumps(config)
    return path


def setting(name: str, **settings: Any) -> Callable[[Config], None]:
    return lambda config: layer_named(config, name)["config"].update(settings)


def of_class(name: str, class_name: str) -> Callable[[Config], None]:
    return lambda config: layer_named(config, name).update(class_name=class_name)


def inserted(place: int, class_name: str, **settings: Any) -> Callable[[Config], None]:
    entry = {"class_name": class_name, "config": {"name": "extra", **settings}}
    return lambda config: config["config"]["layers"].insert(place, entry)


REFUSED = {  # the layers are input, upper, dropout, a, dense
    "another activation": (setting("upper", activation="relu"), "upper (LSTM) has activation='relu'"),
    "other gates": (setting("a", recurrent_activation="softsign"), "a (LSTM) has recurrent_activation='softsign'"),
    "a registered activation": (
        setting("a", activation={"class_name": "function", "config": "swish"}),
        "a (LSTM) has activation='swish'",
    ),
    "different gates": (setting("a", recurrent_activation="hard_sigmoid"), "different activation functions"),
    "backwards": (setting("upper", go_backwards=True), "upper (LSTM) reads backwards"),
    "the last state alone": (setting("upper", return_sequences=False), "upper (LSTM) gives only its last state"),
    "a sigmoid": (setting("dense", activation="sigmoid"), "dense (Dense) has activation='sigmoid'"),
    "both directions": (of_class("a", "Bidirectional"), "a (Bidirectional) reads in both directions"),
    "attention": (inserted(4, "Attention"), "extra (Attention) is not one of the layers that are read"),
    "normalisation": (inserted(2, "BatchNormalization"), "extra (BatchNormalization) normalises"),
    "convolution": (inserted(1, "Conv1D", activation="relu"), "extra (Conv1D) is not one of the layers"),
    "two dense layers": (inserted(4, "Dense", units=6, activation="relu"), "and not extra and dense"),
    "a dense layer between": (inserted(2, "Dense", units=6), "extra (Dense)"),
    "a class of one's own": (of_class("a", "my_package>MyLSTM"), "a (MyLSTM) is not one of the layers"),
    "no recurrent layers": (
        lambda config: config["config"].update(layers=config["config"]["layers"][-1:]),
        "no recurrent layers among its layers: dense (Dense)",
    ),
    "a layer without arrays": (inserted(4, "LSTM", return_sequences=True), "extra (LSTM) has no arrays in the file"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_read_is_named(what: str, tmp_path: Path) -> None:
    edit, sentence = REFUSED[what]
    with pytest.raises(ActivationError) as caught:
        import_model(edited_keras(WHOLE, edit, tmp_path), CHARACTERS)
    assert sentence in str(caught.value)


def test_a_layer_of_code_is_left_out_with_a_warning(tmp_path: Path) -> None:
    edit = inserted(1, "Lambda", function=["4wEAAAA=", None, None])
    imported = import_model(edited_keras(WHOLE, edit, tmp_path), CHARACTERS)
    assert_same(imported, WHOLE)
    assert "extra (Lambda) before the first layer is code, and left out" in str(imported.warning)


def test_layers_that_change_nothing_are_read_over(tmp_path: Path) -> None:
    for class_name in ("Dropout", "GaussianNoise", "Masking", "SpatialDropout1D", "ActivityRegularization"):
        path = edited_keras(WHOLE, inserted(1, class_name), tmp_path)
        assert_same(import_model(path, CHARACTERS), WHOLE)
    path = edited_keras(WHOLE, inserted(5, "Activation", activation="softmax"), tmp_path)
    assert_same(import_model(path, CHARACTERS), WHOLE)


def test_a_configuration_that_disagrees_with_the_arrays_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ActivationError, match="has matrices of 4 gates; the file is damaged"):
        import_model(edited_h5(OLD, of_class("lstm", "GRU"), tmp_path), CHARACTERS)


def test_a_sequential_model_of_old_is_a_list_of_layers(tmp_path: Path) -> None:
    """Keras before 2.2.3 saved the layers of a sequential model without a name."""

    def edit(config: Config) -> None:
        config["config"] = config["config"]["layers"]

    assert_same(import_model(edited_h5(OLD, edit, tmp_path), CHARACTERS), OLD)


def moved(name: str, folder: Path, change: Callable[[str], str]) -> Path:
    """Write a file of weights whose arrays have other paths."""
    path = folder / "moved.h5"
    with h5py.File(io.BytesIO(KEPT[name])) as file, h5py.File(path, "w") as changed:

        def copy(old: str, thing: Any) -> None:
            if isinstance(thing, h5py.Dataset):
                changed[change(old)] = thing[()]

        file.visititems(copy)
    return path


def test_the_paths_of_older_versions_are_known(tmp_path: Path) -> None:
    """TensorFlow 2.11 and 2.12 had another name for the group of layers."""
    name = "keras.lstm_cells.weights.h5"
    path = moved(name, tmp_path, lambda old: old.replace("layers/", "_layer_checkpoint_dependencies/", 1))
    assert_same(import_model(path, CHARACTERS), name)


def test_layers_of_a_class_of_ones_own_are_taken_in_the_order_of_their_names_with_a_warning(tmp_path: Path) -> None:
    """Such a model names its layers by its attributes, and HDF5 sorts them."""
    name = "keras.gru_after.weights.h5"
    words = {"layers/gru/": "below/", "layers/gru_1/": "top/", "layers/dense/": "fc/"}

    def change(old: str, words: dict[str, str] = words) -> str:
        start = next(start for start in words if old.startswith(start))
        return words[start] + old.removeprefix(start)

    imported = import_model(moved(name, tmp_path, change), CHARACTERS)
    assert_same(imported, name)
    assert "below/cell and top/cell are taken as layers on one another, in this order" in str(imported.warning)


@pytest.mark.parametrize("name", ["saved_model.pb", "weights.ckpt.index", "cp.ckpt.data-00000-of-00001"])
def test_what_tensorflow_saves_for_itself_is_named(name: str, tmp_path: Path) -> None:
    path = written(b"\x08\x01saved", tmp_path, name)
    for place in {path, tmp_path} if name == "saved_model.pb" else {path}:
        with pytest.raises(ActivationError, match=r"SavedModel or a checkpoint.*model\.save\('model\.keras'\)"):
            import_model(place, CHARACTERS)


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ActivationError, match="it is a folder; name the file in it"):
        import_model(tmp_path, CHARACTERS)
    written(KEPT["keras.lstm_cells.weights.h5"], tmp_path, "model.weights.h5")
    with pytest.raises(ActivationError, match="without zipped=False"):
        import_model(tmp_path, CHARACTERS)


@pytest.mark.parametrize("n_numbers", [1, 5])
def test_a_bias_of_another_length_is_refused(n_numbers: int, tmp_path: Path) -> None:
    path = written(KEPT[OLD], tmp_path)
    with h5py.File(path, "a") as file:
        del file["model_weights/dense/dense/bias:0"]
        file["model_weights/dense/dense/bias:0"] = np.ones(n_numbers, np.float32)
    with pytest.raises(ActivationError, match=f"dense/bias:0 has {n_numbers} numbers, and model_weights/.* gives 11"):
        import_model(path, CHARACTERS)


def test_an_array_that_no_layer_names_is_refused(tmp_path: Path) -> None:
    path = written(KEPT[OLD], tmp_path)
    with h5py.File(path, "a") as file:
        file["model_weights/lstm/lstm/lstm_cell/gain:0"] = np.ones(6, np.float32)
    with pytest.raises(ActivationError, match=r"lstm_cell/gain:0 has no place in the model"):
        import_model(path, CHARACTERS)
    assert_same_but_unused(import_model(path, CHARACTERS, force=True), OLD)


def assert_same_but_unused(imported: ImportedModel, name: str) -> None:
    ids, probabilities = expected(name)
    assert np.abs(predicted(imported, ids) - probabilities).max() < TOLERANCE
    assert len(imported.parts.unused) == 1


def hard(a: NDArray[Any]) -> NDArray[Any]:
    return np.clip(0.2 * a + 0.5, 0, 1)


def keras_1(kind: str, w: dict[str, NDArray[Any]], ids: NDArray[Any]) -> NDArray[Any]:
    """An LSTM or GRU of Keras 1 and its dense layer, with a matrix for each gate and hard sigmoids; (n, 11) logits."""
    h = c = np.zeros(6)
    logits = []
    for n in ids:
        x = {gate: w[f"W_{gate}"][n] + w[f"b_{gate}"] for gate in ("ifco" if kind == "LSTM" else "zrh")}
        if kind == "LSTM":
            i, f, o = (hard(x[gate] + h @ w[f"U_{gate}"]) for gate in "ifo")
            c = f * c + i * np.tanh(x["c"] + h @ w["U_c"])
            h = o * np.tanh(c)
        else:
            z, r = (hard(x[gate] + h @ w[f"U_{gate}"]) for gate in "zr")
            h = z * h + (1 - z) * np.tanh(x["h"] + (r * h) @ w["U_h"])
        logits.append(h @ w["W"] + w["b"])
    return np.array(logits)


@pytest.mark.parametrize(("kind", "gates"), [("LSTM", "icfo"), ("GRU", "zrh")])
@pytest.mark.parametrize("suffix", ["", ":0"])
@pytest.mark.parametrize("has_config", [True, False])
def test_layers_of_keras_1_have_a_matrix_for_each_gate(
    kind: str, gates: str, suffix: str, has_config: bool, rng: np.random.Generator, tmp_path: Path
) -> None:
    shapes = {"W": (11, 6), "U": (6, 6), "b": (6,)}
    w = {f"{part}_{gate}": rng.normal(0, 0.7, shape) for gate in gates for part, shape in shapes.items()}
    w |= {"W": rng.normal(0, 0.7, (6, 11)), "b": rng.normal(0, 0.7, 11)}
    path, layer = tmp_path / "model.h5", f"{kind.lower()}_1"
    with h5py.File(path, "w") as file:
        root = file.create_group("model_weights") if has_config else file
        file.attrs["keras_version"] = b"1.2.2"
        root.attrs["layer_names"] = [layer.encode(), b"dense_1"]
        for owner, own in ((layer, [name for name in w if "_" in name]), ("dense_1", ["W", "b"])):
            names = [f"{owner}_{name}{suffix}" for name in own]
            group = root.create_group(owner)
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, full_name in zip(own, names, strict=True):
                group[full_name] = w[name].astype(np.float32)
        if has_config:
            settings = {"name": layer, "output_dim": 6, "activation": "tanh", "inner_activation": "hard_sigmoid"}
            dense = {"class_name": "Dense", "config": {"name": "dense_1", "output_dim": 11, "activation": "softmax"}}
            recurrent = {"class_name": kind, "config": settings | {"return_sequences": True}}
            config = {"class_name": "Sequential", "config": [recurrent, dense]}
            file.attrs["model_config"] = json.dumps(config).encode()
    gate_function = None if has_config else "hard_sigmoid_keras"
    imported = import_model(path, CHARACTERS, gate_function=gate_function)
    assert imported.parts.unused == ()
    assert imported.interpretation.cell == {"LSTM": "lstm", "GRU": "gru_reset_before"}[kind]
    ids = rng.integers(11, size=12)
    exponentials = np.exp(keras_1(kind, w, ids))
    assert np.abs(predicted(imported, ids) - exponentials / exponentials.sum(1, keepdims=True)).max() < 5e-6


def sigmoid(a: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(1 / (1 + np.exp(-a)))


def normalised(a: NDArray[Any], gain: NDArray[Any], bias: NDArray[Any] | float = 0.0) -> NDArray[Any]:
    return np.asarray((a - a.mean()) / np.sqrt(a.var() + 1e-5) * gain + bias)


def haste_lstm(w: Arrays, ids: NDArray[Any]) -> NDArray[Any]:
    """Haste's LSTM and LayerNormLSTM, its gates in the order i, g, f, o; (n, 11) logits."""
    h = c = np.zeros(6)
    logits = []
    for n in ids:
        x, u = w["kernel"][n].astype(float), h @ w["recurrent_kernel"]
        if "gamma" in w:
            x, u = normalised(x, w["gamma"][0]), normalised(u, w["gamma"][1])
        i, g, f, o = np.split(x + u + w["bias"], 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(normalised(c, w["gamma_h"], w["beta_h"]) if "gamma" in w else c)
        logits.append(h @ w["out"].T)
    return np.array(logits)


def haste_gru(w: Arrays, ids: NDArray[Any]) -> NDArray[Any]:
    """Haste's GRU, its gates in the order z, r, g, and the reset gate after the recurrent matrix; (n, 11) logits."""
    h = np.zeros(6)
    logits = []
    for n in ids:
        x, u = w["kernel"][n] + w["bias"], h @ w["recurrent_kernel"] + w["recurrent_bias"]
        (x_z, x_r, x_g), (u_z, u_r, u_g) = np.split(x, 3), np.split(u, 3)
        z, g = sigmoid(x_z + u_z), np.tanh(x_g + sigmoid(x_r + u_r) * u_g)
        h = z * h + (1 - z) * g
        logits.append(h @ w["out"].T)
    return np.array(logits)


HASTE = {
    "LSTM": (haste_lstm, {"kernel": (11, 24), "recurrent_kernel": (6, 24), "bias": (24,)}),
    "GRU": (haste_gru, {"kernel": (11, 18), "recurrent_kernel": (6, 18), "bias": (18,), "recurrent_bias": (18,)}),
    "LayerNormLSTM": (
        haste_lstm,
        {
            "kernel": (11, 24),
            "recurrent_kernel": (6, 24),
            "bias": (24,),
            "gamma": (2, 24),
            "gamma_h": (6,),
            "beta_h": (6,),
        },
    ),
}


@pytest.mark.parametrize("layer", HASTE)
def test_hastes_layers_are_read(layer: str, rng: np.random.Generator, tmp_path: Path) -> None:
    compute, shapes = HASTE[layer]
    arrays = {name: rng.normal(0, 0.7, shape).astype(np.float32) for name, shape in (shapes | {"out": (11, 6)}).items()}
    state = {f"rnn.{name}" if name != "out" else "fc.weight": torch.from_numpy(w) for name, w in arrays.items()}
    torch.save(state, tmp_path / "haste.pth")
    imported = import_model(tmp_path / "haste.pth", CHARACTERS)
    ids = rng.integers(11, size=12)
    exponentials = np.exp(compute(arrays, ids))
    assert np.abs(predicted(imported, ids) - exponentials / exponentials.sum(1, keepdims=True)).max() < 5e-6
    assert imported.parts.unused == ()


def for_rows(model: CharRNN, order: str) -> list[NDArray[np.float32]]:
    """Return the weights of a model of one-hot characters as `get_weights()` has them, with another order of gates."""
    readout, readout_bias = ends(model)
    arrays = []
    for layer in layers(model):
        bias = layer["bias_ih"] + layer["bias_hh"]
        arrays += [reordered(layer[half], order, "ifgo").T for half in ("weight_ih", "weight_hh")]
        arrays.append(reordered(bias, order, "ifgo"))
    return [*arrays, readout.T, readout_bias]


@pytest.mark.parametrize("order", ["ifgo", "igfo", "ofig"])
def test_the_text_finds_the_order_of_gates_that_a_list_does_not_tell(order: str, tmp_path: Path) -> None:
    model, text = bundled_model(), Corpus.from_texts([bundled_text().text(0, 1_500)])
    path = tmp_path / "weights.npz"
    with path.open("wb") as file:
        np.savez(file, *for_rows(model, order), allow_pickle=False)
    vocabulary = Vocabulary(model.vocabulary.characters, model.vocabulary.replacement)
    imported = import_model(path, vocabulary, text=text)
    assert imported.interpretation.gates == order
    assert imported.interpretation.gate_function == "sigmoid"
    assert imported.evaluation is not None
    truth = evaluate(model, text, replace_unknown=True).nats_per_char
    assert imported.evaluation.nats_per_char == pytest.approx(truth, abs=1e-5)


@pytest.mark.parametrize("file", ["keras.h5", "keras.npz", "getw.npz", "haste.pth"])
def test_one_lstm_in_four_files_has_its_loss(file: str, shared: Path) -> None:
    """1.919 nats by equations of numpy with sigmoids; 1.924 with Keras 2's hard ones, which the `.h5` asks for."""
    folder = shared.parent / "cases" / "09_keras"
    result = import_model(folder / file, f"json:{folder / 'chars.json'}", text=Corpus.read(folder / "corpus.txt"))
    assert result.evaluation is not None
    assert result.evaluation.nats_per_char == pytest.approx(1.924 if file == "keras.h5" else 1.919, abs=0.001)
