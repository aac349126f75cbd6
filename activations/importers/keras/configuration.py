"""The configuration that Keras saves beside the weights: which layers a model has, from its input to its output."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from activations.errors import ActivationError

_MAX_LAYERS = 1_000
_MAX_NESTED = 10
_SEQUENTIAL, _FUNCTIONAL = "Sequential", ("Functional", "Model")


@dataclass(frozen=True, slots=True, kw_only=True)
class KerasLayer:
    """A layer as the configuration describes it.

    Attributes:
        name: Its name, such as `lstm_1`.
        class_name: Its class, such as `LSTM`; of a `TimeDistributed` layer, the class of what it wraps.
        settings: Its settings, such as `units` and `activation`.
        outer_name: The name of the outermost layer that holds it, by which Keras 1 and 2 group the weights.
        path: Where Keras 3 keeps its weights, such as `layers/lstm_1`, numbered by class and not by name.
    """

    name: str
    class_name: str
    settings: Mapping[str, Any]
    outer_name: str
    path: str

    def setting(self, name: str, default: Any = None) -> Any:
        """Return a setting; a function that is described by a dictionary counts as its name."""
        value = self.settings.get(name, default)
        if isinstance(value, Mapping):
            value = value.get("config") if isinstance(value.get("config"), str) else value.get("class_name")
        return value

    def __str__(self) -> str:
        return f"{self.name} ({self.class_name})"


def layers_of(config: str) -> list[KerasLayer] | None:
    """Return the layers of a model from its input to its output; None for a class that is not Keras's own.

    Args:
        config: The configuration, as JSON.

    Raises:
        ActivationError: If the layers do not follow one another, or what is there is no configuration.
    """
    model = json.loads(config)
    if not isinstance(model, Mapping):
        raise ActivationError("the model's configuration is none that Keras writes")
    if model.get("class_name") not in (_SEQUENTIAL, *_FUNCTIONAL) or _layer_list(model) is None:
        return None
    return list(_layers(model, outer_name="", path="", depth=0))


def _layers(model: Mapping[str, Any], *, outer_name: str, path: str, depth: int) -> Iterator[KerasLayer]:
    """Yield the layers of a model, also of models inside it."""
    entries = _layer_list(model) or []
    if len(entries) > _MAX_LAYERS or depth > _MAX_NESTED:
        raise ActivationError("the configuration has more layers than any model")
    layers = [_layer(entry) for entry in entries]
    counts = Counter[str]()
    paths = {}
    for layer in layers:
        word = _snake_case(layer.class_name)
        paths[layer.name] = f"{path}layers/{word}" + (f"_{counts[word]}" if counts[word] else "")
        counts[word] += 1
    chain = layers if model.get("class_name") == _SEQUENTIAL else _chain(model, entries, layers)
    for layer in chain:
        placed = replace(layer, outer_name=outer_name or layer.name, path=paths[layer.name])
        if layer.class_name in (_SEQUENTIAL, *_FUNCTIONAL):
            inner = {"class_name": layer.class_name, "config": layer.settings}
            yield from _layers(inner, outer_name=placed.outer_name, path=f"{placed.path}/", depth=depth + 1)
        else:
            yield from _unwrapped(placed)


def _layer_list(model: Mapping[str, Any]) -> list[Any] | None:
    """Return the descriptions of a model's layers; in Keras before 2.2.3, a sequential model is only this list."""
    config = model.get("config")
    entries = config.get("layers") if isinstance(config, Mapping) else config
    return entries if isinstance(entries, list) else None


def _layer(entry: Any) -> KerasLayer:
    settings = entry.get("config") if isinstance(entry, Mapping) else None
    if isinstance(settings, list):  # a sequential model inside another, before 2.2.3
        settings = {"layers": settings}
    if not isinstance(settings, Mapping) or not isinstance(entry.get("class_name"), str):
        raise ActivationError("the model's configuration describes a layer in a way that is not known")
    class_name = str(entry["class_name"]).rpartition(">")[2]
    name = str(settings.get("name", entry.get("name", class_name)))
    return KerasLayer(
        name=_printable(name), class_name=_printable(class_name), settings=settings, outer_name="", path=""
    )


def _unwrapped(layer: KerasLayer) -> Iterator[KerasLayer]:
    """Yield what a wrapper holds: the layer that is applied at every time, or the cells of an `RNN`."""
    if layer.class_name == "TimeDistributed":
        inner = _layer(layer.settings.get("layer"))
        yield replace(inner, name=layer.name, outer_name=layer.outer_name, path=f"{layer.path}/layer")
        return
    if layer.class_name != "RNN":
        yield layer
        return
    cell = _layer(layer.settings.get("cell"))
    cells = [cell]
    if cell.class_name == "StackedRNNCells":
        described = cell.settings.get("cells")
        cells = [_layer(entry) for entry in described] if isinstance(described, list) else []
    counts = Counter[str]()
    for n, inner in enumerate(cells):
        word = _snake_case(inner.class_name)
        number = f"_{counts[word]}" if counts[word] else ""
        counts[word] += 1
        is_last = n == len(cells) - 1
        yield KerasLayer(
            name=layer.name if len(cells) == 1 else inner.name,
            class_name=inner.class_name.removesuffix("Cell"),
            settings={**layer.settings, **inner.settings, "return_sequences": True}
            if not is_last
            else {**layer.settings, **inner.settings},
            outer_name=layer.outer_name,
            path=layer.path if len(cells) == 1 else f"{layer.path}/cell/cells/{word}{number}",
        )


def _chain(model: Mapping[str, Any], entries: Sequence[Any], layers: Sequence[KerasLayer]) -> list[KerasLayer]:
    """Return the layers of a graph from its input to its first output, if they follow one another."""
    by_name = {layer.name: layer for layer in layers}
    inputs_by_name = {}
    for entry, layer in zip(entries, layers, strict=True):
        nodes = entry.get("inbound_nodes") or []
        if not isinstance(nodes, list) or len(nodes) > 1:
            raise ActivationError(f"{layer} is applied several times; only layers in a row are read")
        inputs_by_name[layer.name] = _names_in(nodes, by_name)
    config = model["config"]
    outputs = _names_in([config.get("output_layers")] if isinstance(config, Mapping) else [], by_name)
    if not outputs:
        raise ActivationError("the model's configuration does not say which layer is its output")
    chain = [by_name[outputs[0]]]
    while inputs := inputs_by_name[chain[-1].name]:
        states = [name for name in inputs[1:] if by_name[name].class_name != "InputLayer"]
        if states or (len(inputs) > 1 and chain[-1].class_name in ("Concatenate", "Add", "Multiply")):
            raise ActivationError(f"{chain[-1]} takes {' and '.join(inputs)}; only layers in a row are read")
        if len(chain) > len(layers):
            raise ActivationError("the layers of the configuration form a circle")
        chain.append(by_name[inputs[0]])
    return chain[::-1]


def _names_in(nest: Any, layers: Mapping[str, KerasLayer]) -> list[str]:
    """Return the layers to which a nest of lists and dictionaries refers, `[name, number, number]`, each once."""
    names, waiting = dict[str, None](), [nest]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += reversed(list(value.values()))
        elif isinstance(value, list) and len(value) > 1 and isinstance(value[0], str) and isinstance(value[1], int):
            if value[0] in layers:
                names[value[0]] = None
            waiting += value[2:]
        elif isinstance(value, list):
            waiting += reversed(value)
    return list(names)


def _snake_case(class_name: str) -> str:
    """Return the name that Keras 3 makes of a class: `LSTM` becomes `lstm`, `SimpleRNN` `simple_rnn`."""
    word = re.sub(r"\W+", "", class_name)
    word = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", word)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", word).lower()


def _printable(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name[:200])
