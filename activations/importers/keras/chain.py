"""The parts of a Keras model in the order in which its configuration has them, or a reason why it cannot be read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from activations.errors import ActivationError
from activations.importers.keras.configuration import KerasLayer, layers_of

_N_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1, "CuDNNLSTM": 4, "CuDNNGRU": 3}
_HARMLESS = [
    "InputLayer",
    "Dropout",
    "SpatialDropout1D",
    "GaussianDropout",
    "GaussianNoise",
    "AlphaDropout",
    "ActivityRegularization",
    "Masking",
    "Identity",
]
_ONE_HOT = ("OneHot", "CategoryEncoding", "TFOpLambda")
_REASONS = {
    "Bidirectional": "reads in both directions, and so knows what is to come",
    "BatchNormalization": "normalises what the layers after it get",
    "LayerNormalization": "normalises what the layers after it get",
}
_GATES_BY_VERSION = {"2": "hard_sigmoid_keras", "3": "hard_sigmoid_torch"}
_WAY_OUT = "--model-factory runs your own code to build such a model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The layers of a character model that Keras describes.

    Attributes:
        recurrent: The recurrent layers from the input upwards.
        readout: The dense layer behind them.
        embedding: The embedding before them, or a dense layer that serves as one; None for one-hot vectors.
        activation: The activation function of the candidates, or of simple layers: `tanh` or `relu`.
        gate_function: The activation function of the gates, one of `equations.GATE_FUNCTIONS`.
        doubts: Sentences about what the model does besides.
    """

    recurrent: Sequence[KerasLayer]
    readout: KerasLayer
    embedding: KerasLayer | None
    activation: str
    gate_function: str
    doubts: tuple[str, ...]


def n_gates_of(layer: KerasLayer) -> int:
    """Return the number of gates of a recurrent layer."""
    return _N_GATES[layer.class_name]


def chain_of(config: str, version: str) -> Chain | None:
    """Return the layers of a character model; None for a class that is not Keras's own, which describes no layers.

    Args:
        config: The model's configuration, as JSON.
        version: The version of Keras that wrote it; empty if that is not known.

    Raises:
        ActivationError: If a layer is of a kind that is not read, or stands where it cannot be read.
    """
    layers = layers_of(config)
    if layers is None:
        return None
    places = [n for n, layer in enumerate(layers) if layer.class_name in _N_GATES]
    if not places:
        _refuse_all(layers)
    before, after = layers[: places[0]], layers[places[-1] + 1 :]
    recurrent = [layers[n] for n in places]
    for between in layers[places[0] : places[-1]]:
        if between not in recurrent and between.class_name not in _HARMLESS:
            _refuse(between)
    embedding, doubts = _embedding(before)
    readout, more_doubts = _readout(after)
    window = _window(layers)
    for layer in recurrent:
        _check_recurrent(layer, is_last=layer is recurrent[-1])
    if not recurrent[-1].setting("return_sequences", False):
        doubts.append(
            f"{recurrent[-1].name} gives only its last state: the model was trained to predict what follows "
            f"{f'windows of {window} characters' if window else 'single windows of the text'}, each read from the "
            "zero state, and here reads on from one to the next, which it has not learned"
        )
    functions = {layer.setting("activation", "tanh") for layer in recurrent}
    gates = {_gate_function(layer, version) for layer in recurrent}
    if len(functions) > 1 or len(gates) > 1:
        raise ActivationError(
            "the layers have different activation functions; only models whose layers are alike are read"
        )
    return Chain(
        recurrent=recurrent,
        readout=readout,
        embedding=embedding,
        activation=functions.pop(),
        gate_function=gates.pop(),
        doubts=(*doubts, *more_doubts),
    )


def _embedding(layers: Sequence[KerasLayer]) -> tuple[KerasLayer | None, list[str]]:
    """Return what stands before the recurrent layers and has weights, and sentences about what else is there."""
    embedding, doubts = None, list[str]()
    for layer in layers:
        if layer.class_name == "Lambda":
            doubts.append(f"{layer} before the first layer is code, and left out")
        elif layer.class_name in ("Embedding", "Dense") and embedding is None:
            if layer.class_name == "Dense":
                _check_function(layer, "activation", ("linear", None))
            embedding = layer
        elif layer.class_name not in (*_HARMLESS, *_ONE_HOT) or (layer.class_name in _ONE_HOT and embedding):
            _refuse(layer)
        elif layer.class_name == "CategoryEncoding":
            _check_function(layer, "output_mode", ("one_hot",))
        elif layer.class_name == "TFOpLambda":
            _check_function(layer, "function", ("one_hot",))
    return embedding, doubts


def _readout(layers: Sequence[KerasLayer]) -> tuple[KerasLayer, list[str]]:
    """Return the dense layer behind the recurrent ones, and sentences about what else is there."""
    dense = [layer for layer in layers if layer.class_name == "Dense"]
    doubts = []
    if not dense:
        raise ActivationError(f"no dense layer follows the recurrent ones as their read-out; {_WAY_OUT}")
    if len(dense) > 1:
        names = " and ".join(layer.name for layer in dense)
        raise ActivationError(f"models with one dense layer as their read-out are read, and not {names}; {_WAY_OUT}")
    _check_function(dense[0], "activation", ("softmax", "linear", None))
    for layer in layers:
        is_behind = layers.index(layer) > layers.index(dense[0])
        if layer.class_name == "Activation" and is_behind:
            _check_function(layer, "activation", ("softmax", "linear"))
        elif layer.class_name == "Lambda" and is_behind:
            doubts.append(f"{layer} behind the read-out is code, and left out")
        elif layer.class_name not in (*_HARMLESS, "Dense") and not (layer.class_name == "Softmax" and is_behind):
            _refuse(layer)
    return dense[0], doubts


def _check_recurrent(layer: KerasLayer, *, is_last: bool) -> None:
    """Check that a recurrent layer does what ours do."""
    _check_function(layer, "activation", ("tanh", "relu") if layer.class_name == "SimpleRNN" else ("tanh",))
    if layer.setting("go_backwards", False):
        raise ActivationError(f"{layer} reads backwards (go_backwards), which is not read; {_WAY_OUT}")
    if not is_last and not layer.setting("return_sequences", False):
        raise ActivationError(f"{layer} gives only its last state to the layer after it, which is not read; {_WAY_OUT}")


def _check_function(layer: KerasLayer, name: str, known: tuple[str | None, ...]) -> None:
    value = layer.setting(name, known[0])
    if value not in known:
        names = " or ".join(str(option) for option in known if option)
        raise ActivationError(f"{layer} has {name}={str(value)[:100]!r}, and is read only with {names}; {_WAY_OUT}")


def _gate_function(layer: KerasLayer, version: str) -> str:
    """Return the activation function of a layer's gates; Keras 3 has another hard sigmoid than Keras 1 and 2."""
    if layer.class_name == "SimpleRNN":
        return "sigmoid"
    name = "inner_activation" if "inner_activation" in layer.settings else "recurrent_activation"
    _check_function(layer, name, ("sigmoid", "hard_sigmoid"))
    if layer.setting(name, "sigmoid") == "sigmoid":
        return "sigmoid"
    return _GATES_BY_VERSION["3" if version.startswith("3") else "2"]


def _window(layers: Sequence[KerasLayer]) -> int:
    """Return the number of characters that the model is given at a time; 0 if there is no such number."""
    for layer in layers:
        for name in ("batch_shape", "batch_input_shape"):
            shape = layer.settings.get(name)
            if isinstance(shape, list) and len(shape) > 1 and isinstance(shape[1], int):
                return shape[1]
        length = layer.settings.get("input_length")
        if isinstance(length, int):
            return length
    return 0


def _refuse(layer: KerasLayer) -> NoReturn:
    reason = _REASONS.get(layer.class_name, "is not one of the layers that are read, or not where they are read")
    raise ActivationError(f"{layer} {reason}; {_WAY_OUT}")


def _refuse_all(layers: Sequence[KerasLayer]) -> NoReturn:
    for layer in layers:
        if layer.class_name in _REASONS:
            _refuse(layer)
    names = ", ".join(map(str, layers[:8])) or "none"
    raise ActivationError(f"the model has no recurrent layers among its layers: {names}; {_WAY_OUT}")
