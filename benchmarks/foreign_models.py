"""Whether models that Keras saved predict here what they predict there: the largest difference of a probability.

Small models of every kind of layer and form that is read, with random weights, are made and saved by Keras 3 (`keras`)
and Keras 2 (`tf_keras`), wherever these are installed; then each file is imported, and reads the same characters.

python benchmarks/foreign_models.py write specimens --library keras
python benchmarks/foreign_models.py write specimens --library tf_keras
python benchmarks/foreign_models.py check specimens
python benchmarks/foreign_models.py pack specimens tests/kept/keras_models.tar.xz
"""

import argparse
import importlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

N_CHARACTERS, N_UNITS, N_WINDOW = 11, 6, 12
CHARACTERS = "abcdefghijk"
_TOLERANCE = 2e-6
_WEIGHTS_ONLY = (".weights.h5", ".legacy.h5", ".names.npz", ".listed.npz", ".listed.json")
_KEPT = (
    "lstm_two_layers.keras",
    "lstm_hard.h5",
    "lstm_states.keras",
    "lstm_nested.h5",
    "lstm_cells.weights.h5",
    "lstm_window.h5",
    "gru_before.keras",
    "gru_after.weights.h5",
    "gru_subclassed.weights.h5",
    "rnn_relu.keras",
)

Keras = Any


def _sequential(
    keras: Keras, *layers: Any, embedding: int = 0, length: int | None = None, stateful: bool = False
) -> Any:
    batch = {"batch_size": 1} if stateful else {}
    if embedding:
        first = [keras.layers.Input((length,), **batch), keras.layers.Embedding(N_CHARACTERS, embedding)]
    else:
        first = [keras.layers.Input((length, N_CHARACTERS), **batch)]
    return keras.Sequential([*first, *layers])


def _readout(keras: Keras, **settings: Any) -> Any:
    return keras.layers.Dense(N_CHARACTERS, **{"activation": "softmax", **settings})


def _layer(keras: Keras, kind: str, **settings: Any) -> Any:
    return getattr(keras.layers, kind)(N_UNITS, **{"return_sequences": True, **settings})


def _with_states(keras: Keras) -> Any:
    """Make a graph that takes and gives the states, as models that sample do."""
    layers = keras.layers
    characters, h, c = layers.Input((None,)), layers.Input((N_UNITS,)), layers.Input((N_UNITS,))
    embedded = layers.Embedding(N_CHARACTERS, 4)(characters)
    lstm = layers.LSTM(N_UNITS, return_sequences=True, return_state=True)
    values, new_h, new_c = lstm(embedded, initial_state=[h, c])
    return keras.Model([characters, h, c], [_readout(keras)(layers.Dropout(0.2)(values)), new_h, new_c])


def _nested(keras: Keras) -> Any:
    layers = keras.layers
    characters = layers.Input((None, N_CHARACTERS))
    inner = keras.Sequential(
        [layers.Input((None, N_CHARACTERS)), _layer(keras, "LSTM"), _layer(keras, "LSTM")], name="body"
    )
    return keras.Model(characters, layers.TimeDistributed(_readout(keras))(inner(characters)))


def _subclassed(keras: Keras) -> Any:
    layers = keras.layers

    class Writer(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.embedding = layers.Embedding(N_CHARACTERS, 4)
            self.gru = layers.GRU(N_UNITS, return_sequences=True, return_state=True)
            self.dense = layers.Dense(N_CHARACTERS)

        def call(self, inputs: Any) -> Any:
            values, _ = self.gru(self.embedding(inputs))
            return self.dense(values)

    return Writer()


def _cells(keras: Keras, n_cells: int) -> Any:
    cells = [keras.layers.LSTMCell(N_UNITS) for _ in range(n_cells)]
    return _sequential(
        keras, keras.layers.RNN(cells if n_cells > 1 else cells[0], return_sequences=True), _readout(keras)
    )


SPECIMENS: dict[str, Callable[[Keras], Any]] = {
    "lstm": lambda k: _sequential(k, _layer(k, "LSTM"), _readout(k)),
    "lstm_two_layers": lambda k: _sequential(
        k, _layer(k, "LSTM", name="upper"), k.layers.Dropout(0.3), _layer(k, "LSTM", name="a"), _readout(k)
    ),
    "lstm_twelve_layers": lambda k: _sequential(k, *[_layer(k, "LSTM") for _ in range(12)], _readout(k)),
    "lstm_distributed": lambda k: _sequential(
        k,
        _layer(k, "LSTM", dropout=0.1, recurrent_dropout=0.1),
        k.layers.TimeDistributed(_readout(k, activation=None)),
        k.layers.Activation("softmax"),
    ),
    "lstm_embedding": lambda k: _sequential(k, _layer(k, "LSTM"), _readout(k), embedding=4),
    "lstm_square_embedding": lambda k: _sequential(k, _layer(k, "LSTM"), _readout(k), embedding=N_CHARACTERS),
    "lstm_dense_input": lambda k: _sequential(k, k.layers.Dense(5), _layer(k, "LSTM"), _readout(k)),
    "lstm_hard": lambda k: _sequential(k, _layer(k, "LSTM", recurrent_activation="hard_sigmoid"), _readout(k)),
    "lstm_without_biases": lambda k: _sequential(
        k, _layer(k, "LSTM", use_bias=False), _layer(k, "LSTM", use_bias=False), _readout(k, use_bias=False)
    ),
    "lstm_window": lambda k: _sequential(
        k, _layer(k, "LSTM"), _layer(k, "LSTM", return_sequences=False), _readout(k), length=N_WINDOW
    ),
    "lstm_cell": lambda k: _cells(k, 1),
    "lstm_cells": lambda k: _cells(k, 2),
    "lstm_states": _with_states,
    "lstm_nested": _nested,
    "gru_after": lambda k: _sequential(k, _layer(k, "GRU"), _layer(k, "GRU"), _readout(k)),
    "gru_before": lambda k: _sequential(k, _layer(k, "GRU", reset_after=False), _readout(k)),
    "gru_before_hard": lambda k: _sequential(
        k, _layer(k, "GRU", reset_after=False, recurrent_activation="hard_sigmoid"), _readout(k), embedding=4
    ),
    "gru_stateful": lambda k: _sequential(
        k, _layer(k, "GRU", stateful=True), _readout(k, activation=None), embedding=4, stateful=True
    ),
    "gru_subclassed": _subclassed,
    "rnn": lambda k: _sequential(k, _layer(k, "SimpleRNN"), _readout(k)),
    "rnn_relu": lambda k: _sequential(
        k,
        _layer(k, "SimpleRNN", activation="relu"),
        _layer(k, "SimpleRNN", activation="relu"),
        _readout(k),
        embedding=4,
    ),
}


def write(folder: Path, library: str) -> None:
    """Make every model, and save it with what it predicts."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = importlib.import_module(library)
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    ids = rng.integers(N_CHARACTERS, size=(1, N_WINDOW))
    for title, make in SPECIMENS.items():
        keras.backend.clear_session()
        model = make(keras)
        first = ids if "embedding" in title or title in _OF_IDS else np.eye(N_CHARACTERS, dtype=np.float32)[ids]
        states = [np.zeros((1, N_UNITS), np.float32)] * 2 if title == "lstm_states" else []
        inputs = [first, *states] if states else first
        model(inputs)  # builds it
        sixteenths = [rng.normal(0, 11, weight.shape).round() for weight in model.get_weights()]  # these pack well
        model.set_weights([(weight / 16).astype(np.float32) for weight in sixteenths])
        if title == "gru_stateful":
            for layer in model.layers:
                if hasattr(layer, "reset_states"):
                    layer.reset_states()
        predicted = model.predict(inputs, verbose=0)
        values = np.asarray(predicted[0] if states else predicted)[0].astype(np.float64)
        if title in ("gru_subclassed", "gru_stateful"):  # these give logits
            values = np.exp(values) / np.exp(values).sum(-1, keepdims=True)
        if library == "tf_keras":
            model.compile(loss="categorical_crossentropy", optimizer="adam")
        _save(model, folder, f"{library}.{title}", library)
        np.savez(folder / f"{library}.{title}.values.npz", ids=ids[0], probabilities=values.astype(np.float32))
    if library == "tf_keras":
        _write_cudnn(keras, folder, ids)


def pack(folder: Path, archive: Path) -> None:
    """Pack some of the files, which the tests read, into one small archive."""
    titles = [f"keras.{title}" for title in (*_KEPT, "lstm_twelve_layers.keras")]
    titles += [f"tf_keras.{title}" for title in (*_KEPT, "gru_before_hard.legacy.h5", "lstm_cudnn.h5", "gru_cudnn.h5")]
    names = {name for title in titles for name in (title, f"{'.'.join(title.split('.')[:2])}.values.npz")}
    with tarfile.open(archive, "w:xz", preset=9) as tar:
        for name in sorted(names):
            content = (folder / name).read_bytes()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


_OF_IDS = ("gru_before_hard", "gru_stateful", "gru_subclassed", "rnn_relu", "lstm_states")


def _write_cudnn(keras: Keras, folder: Path, ids: Any) -> None:
    """Write what layers on cuDNN saved, by way of a model that Keras 2 itself makes of such a file."""
    import h5py

    for title, kind, n_gates in (("lstm_cudnn", "LSTM", 4), ("gru_cudnn", "GRU", 3)):
        model = _sequential(keras, _layer(keras, kind, name="rnn"), _readout(keras))
        path = folder / f"tf_keras.{title}.h5"
        model.save(path)
        rng = np.random.default_rng(n_gates)
        with h5py.File(path, "a") as file:
            file.attrs["model_config"] = file.attrs["model_config"].replace(f'"{kind}"', f'"CuDNN{kind}"')
            group = file[f"model_weights/rnn/rnn/{kind.lower()}_cell"]
            shapes = {"kernel:0": group["kernel:0"].shape, "recurrent_kernel:0": group["recurrent_kernel:0"].shape}
            for name, shape in {**shapes, "bias:0": (2 * n_gates * N_UNITS,)}.items():
                del group[name]
                group[name] = (rng.normal(0, 11, shape).round() / 16).astype(np.float32)
        model.load_weights(path)
        values = np.asarray(model.predict(np.eye(N_CHARACTERS, dtype=np.float32)[ids], verbose=0))[0]
        np.savez(folder / f"tf_keras.{title}.values.npz", ids=ids[0], probabilities=values)


def _save(model: Any, folder: Path, title: str, library: str) -> None:
    weights = model.get_weights()
    names = [getattr(weight, "path", weight.name) for weight in model.weights]
    model.save_weights(folder / f"{title}.weights.h5")
    if library == "tf_keras":
        model.save_weights(folder / f"{title}.plain.h5")
        shutil.move(folder / f"{title}.plain.h5", folder / f"{title}.legacy.h5")
    model.save(folder / f"{title}.keras")
    if not title.endswith("subclassed"):
        model.save(folder / f"{title}.h5")
    if len(set(names)) == len(names):
        np.savez(folder / f"{title}.names.npz", **dict(zip(names, weights, strict=True)))
    np.savez(folder / f"{title}.listed.npz", *weights)
    (folder / f"{title}.listed.json").write_text(json.dumps([weight.tolist() for weight in weights]))


def check(folder: Path) -> bool:
    """Import every file, and print the largest difference of a probability from what it should be."""
    all_are_equal = True
    for values_file in sorted(folder.glob("*.values.npz")):
        with np.load(values_file) as values:
            ids, probabilities = values["ids"], values["probabilities"]
        title = values_file.name.removesuffix(".values.npz")
        for path in sorted(folder.glob(f"{title}.*")):
            if path == values_file:
                continue
            ending = path.name.removeprefix(title)
            try:
                difference = float(
                    np.abs(_predicted(path, title, ending, ids, probabilities.ndim) - probabilities).max()
                )
            except ValueError as error:
                print(f"{title:32}{ending:14}{error}")
                all_are_equal = False
                continue
            all_are_equal &= difference < _TOLERANCE
            print(f"{title:32}{ending:14}{difference:.1e}")
    return all_are_equal


def _predicted(path: Path, title: str, ending: str, ids: Any, n_axes: int) -> Any:
    """Import a file, and return the probabilities after every character, or after the last one."""
    import torch

    from activations.importers.importing import import_model
    from activations.texts.vocab import Vocabulary

    options: dict[str, Any] = {}
    if ending in _WEIGHTS_ONLY:  # these do not say everything
        if "hard" in title:
            options["gate_function"] = "hard_sigmoid_torch" if title.startswith("keras") else "hard_sigmoid_keras"
        if "relu" in title:
            options["cell"] = "rnn_relu"
    imported = import_model(path, Vocabulary(CHARACTERS), **options)
    with torch.inference_mode():
        logits, _ = imported.model(torch.from_numpy(ids)[:, None])
        probabilities = logits[:, 0].double().softmax(-1).numpy()
    return probabilities if n_axes == 2 else probabilities[-1]


def main() -> None:
    """Write, check or pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("write", "check", "pack"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("archive", type=Path, nargs="?", default=Path("keras_models.tar.xz"))
    parser.add_argument("--library", choices=("keras", "tf_keras"), default="keras")
    arguments = parser.parse_args()
    if arguments.what == "write":
        write(arguments.folder, arguments.library)
    elif arguments.what == "pack":
        pack(arguments.folder, arguments.archive)
    elif not check(arguments.folder):
        raise SystemExit("some models predict something else here")


if __name__ == "__main__":
    main()
