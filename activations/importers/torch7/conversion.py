"""Making dictionaries, lists and arrays of Lua's tables and Torch's objects.

Modules become what PyTorch's are in a pickle: an `UnbuiltObject` with parameters, modules and settings.
"""

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from activations.errors import ActivationError
from activations.importers.formats.pickled_values import UnbuiltObject
from activations.importers.torch7.graphs import GRAPH, read_graph
from activations.importers.torch7.values import (
    Function,
    Storage,
    Table,
    Tensor,
    TorchObject,
    items_of_list,
)

_MODULE = re.compile(r"(nn|cudnn|nngraph|rnn)\.\w+|OneHot|Embedding|LinearNB")
_NOT_OF_MODELS = re.compile(r"(graph|nngraph)\..*|nn\.\w*Criterion")
_NETWORKS = (GRAPH, "nn.Sequential")
_NOT_LEARNED = re.compile(
    r"_.*|grad.*|output|input|\w*buffer\w*|noise|cell|gates|[hc]0|mask|indices|inputs", re.IGNORECASE
)
_CONTAINERS = ("net", "modules")  # whose names are preferred, if a module is in several tables
_OF_GRAPHS = ("bg", "fg", "innode", "outnode", "forwardnodes", "backwardnodes", "modules")
_BYTE_NAME = re.compile(r"\[(12[89]|1[3-9]\d|2[0-4]\d|25[0-5])\]")
_MAX_DEPTH = 60
_MAX_SHORT = 8


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """A value that is to be converted, and where it goes.

    Attributes:
        value: The value.
        into: The dictionary or list that it goes into.
        key: Its key in there.
        name: Its name, which includes those of all containers.
        depth: Number of containers.
        in_network: True if a network holds it.
    """

    value: Any
    into: Any
    key: Any
    name: str = ""
    depth: int = 0
    in_network: bool = False

    def part(self, value: Any, into: Any, key: Any) -> "_Part":
        """Return a part of this one."""
        name = f"{self.name}.{key}" if self.name else str(key)
        return _Part(value, into, key, name, self.depth + 1, self.in_network)


class Conversion:
    """A conversion, which converts everything once.

    Attributes:
        networks: Modules that may be recurrent networks, each with its name.
        n_kept: Number of tensors that have numbers and are learned, or are in no module.
        n_repeated: Number of tensors that are views of the weights of modules.
    """

    def __init__(self) -> None:
        self.networks: list[tuple[str, TorchObject]] = []
        self.n_kept = self.n_repeated = 0
        self._arrays: dict[tuple[Any, ...], Any] = {}
        self._converted: dict[int, Any] = {}
        self._storages: set[int] = set()
        self._outside: list[_Part] = []
        self._waiting: deque[_Part] = deque()

    def of(self, root: Any) -> Any:
        """Convert the value that a file holds."""
        converted: dict[str, Any] = {}
        self._waiting.append(_Part(root, converted, "root"))
        while self._waiting:
            part = self._waiting.popleft()
            if part.depth > _MAX_DEPTH:
                raise ActivationError("its parts are nested deeper than any model's")
            self._convert(part)
        for part in self._outside:  # last, since they may be views of weights
            is_view = part.value.storage is not None and id(part.value.storage) in self._storages
            self.n_repeated += is_view
            self.n_kept += not is_view and part.value.array.size > 0
            part.into[part.key] = None if is_view else self.array(part.value)
        return converted["root"]

    def array(self, tensor: Tensor) -> Any:
        """Return the array of a tensor, the same one for all tensors that are the same view of the same storage."""
        array = tensor.array
        key = (id(tensor.storage), array.__array_interface__["data"][0], array.shape, array.strides)
        return array if tensor.storage is None else self._arrays.setdefault(key, array)

    def _convert(self, part: _Part) -> None:
        value = part.value
        if isinstance(value, Tensor):
            part.into[part.key] = None
            self._outside.append(part)
        elif isinstance(value, Table | TorchObject):
            if id(value) not in self._converted:
                self._converted[id(value)] = self._container(value, part)
            part.into[part.key] = self._converted[id(value)]
        elif isinstance(value, Storage):
            is_setting = value.numbers.dtype.kind in "iu" and len(value.numbers) <= _MAX_SHORT
            part.into[part.key] = tuple(value.numbers.tolist()) if is_setting else value.numbers
        elif isinstance(value, list):  # a file that was written to several times
            part.into[part.key] = self._filled([None] * len(value), enumerate(value), part)
        else:
            part.into[part.key] = UnbuiltObject("function", ()) if isinstance(value, Function) else value

    def _filled(self, into: Any, items: Iterable[tuple[Any, Any]], part: _Part) -> Any:
        """Return a container whose places are filled in later."""
        for key, value in items:
            into[key] = None  # keeps the order of the file
            self._waiting.append(part.part(value, into, key))
        return into

    def _container(self, value: Table | TorchObject, part: _Part) -> Any:
        """Return what an object or a table becomes."""
        if isinstance(value, Table):
            items = items_of_list(value)
            if (tokens := _tokens(value, items)) is not None:
                return tokens
            if items is not None:
                return self._filled([None] * len(items), enumerate(items), part)
            return self._filled({}, value.entries.items(), part)
        if _NOT_OF_MODELS.fullmatch(value.class_name):
            return UnbuiltObject(value.class_name, ())
        if _MODULE.fullmatch(value.class_name) or "gradInput" in value.attributes:
            return self._module(value, part)
        return UnbuiltObject(value.class_name, (), self._filled({}, value.attributes.items(), part))

    def _module(self, module: TorchObject, part: _Part) -> UnbuiltObject:
        if module.class_name in _NETWORKS and not part.in_network:
            self.networks.append((part.name, module))
            part = _Part(part.value, part.into, part.key, part.name, part.depth, in_network=True)
        parameters: dict[Any, Any] = {}
        modules: dict[Any, Any] = {}
        state: dict[Any, Any] = {"_parameters": parameters, "_modules": modules}
        is_graph = module.class_name == GRAPH
        inner = _modules_of_graph(module) if is_graph else _modules_of(module)
        self._filled(modules, inner.items(), part)
        held = {id(value) for value in inner.values()}
        for key, value in module.attributes.items():
            if isinstance(value, Tensor):
                self._add_tensor(parameters, key, value)
            elif _NOT_LEARNED.fullmatch(str(key)) or (is_graph and key in _OF_GRAPHS):
                continue
            elif not held & {id(value), *map(id, _values(value))}:
                self._filled(state, [(key, value)], part)
        return UnbuiltObject(module.class_name, (), state)

    def _add_tensor(self, parameters: dict[Any, Any], key: Any, tensor: Tensor) -> None:
        """Add a tensor of a module to its parameters, unless it is not learned or known under another name."""
        if _NOT_LEARNED.fullmatch(str(key)) or not tensor.array.size:
            return
        self._storages.add(id(tensor.storage))
        n_known = len(self._arrays)
        array = self.array(tensor)
        if len(self._arrays) > n_known:
            parameters[key] = array
            self.n_kept += 1
        else:
            self.n_repeated += 1


def _modules_of_graph(module: TorchObject) -> dict[str, TorchObject]:
    try:
        nodes = read_graph(module).nodes
    except ActivationError:  # reported when its network is read
        nodes = ()
    return {node.name: node.module for node in nodes if node.module is not None}


def _modules_of(module: TorchObject) -> dict[str, TorchObject]:
    """Return the modules that are attributes of a module, or in tables that are."""
    attributes = module.attributes
    keys = [key for key in _CONTAINERS if key in attributes] + [key for key in attributes if key not in _CONTAINERS]
    modules: dict[str, TorchObject] = {}
    for key in keys:
        value = attributes[key]
        if isinstance(value, TorchObject) and not _NOT_OF_MODELS.fullmatch(value.class_name):
            modules[str(key)] = value
        elif isinstance(value, Table):
            stem = "" if key == "modules" else f"{key}."
            for inner_key, inner in value.entries.items():
                if isinstance(inner, TorchObject):
                    modules[f"{stem}{inner_key}"] = inner
    return modules


def _values(value: Any) -> list[Any]:
    return list(value.entries.values()) if isinstance(value, Table) else []


def _tokens(table: Table, items: list[Any] | None) -> Any:
    """Return a vocabulary with ids from 0, where Lua counts from 1; None for any other table.

    torch-rnn names bytes above 127, such as `[195]`; they become the bytes.
    """
    keys = list(table.entries) if items is None else items
    if len(keys) < 2 or not all(isinstance(key, str | bytes) for key in keys):
        return None
    has_bytes = all(len(key) == 1 or _BYTE_NAME.fullmatch(str(key)) for key in keys)
    tokens = [bytes([int(key[1:-1])]) if has_bytes and len(key) > 1 else key for key in keys]
    if items is not None:
        return tokens
    ids = list(table.entries.values())
    is_numbering = all(type(id_) is int for id_ in ids) and sorted(ids) == list(range(1, len(ids) + 1))
    if not is_numbering or not any(len(token) == 1 for token in tokens):
        return None
    return {token: id_ - 1 for token, id_ in zip(tokens, ids, strict=True)}
