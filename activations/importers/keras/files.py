"""The files of Keras: HDF5 of Keras 1 to 3, and the zip files `.keras`, which hold a configuration and HDF5."""

import json
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from activations.errors import ActivationError
from activations.importers.contents import ArrayRole, Contents, may_be_learned, may_be_weights
from activations.recordings.foreign_hdf5 import Attribute, ForeignHDF5, read_foreign_hdf5
from activations.system_errors import json_reason

CONFIG = "keras.config"
VERSION = "keras.version"
_WEIGHTS = "model.weights.h5"
_OF_TRAINING = re.compile(r"_?(optimizer(_weights)?|metrics|loss_tracker|compile_metrics|seed_generator)")
_MAX_CONFIG = 5_000_000
_NUMBERS = re.compile(r"(\d+)")

Member = Callable[[zipfile.ZipInfo], bytes]


def is_keras_zip(names: set[str]) -> bool:
    """Are the members of a zip file those of a `.keras` file?"""
    return "config.json" in names and any(name.startswith("model.weights") for name in names)


def read_keras_zip(archive: zipfile.ZipFile, read_member: Member) -> Contents:
    """Read a `.keras` file, which Keras 3 and the last versions of Keras 2 write.

    Args:
        archive: The zip file.
        read_member: Reads a member of it.

    Raises:
        ActivationError: If it is damaged, or has its weights in several files.
    """
    members = {member.filename: member for member in archive.infolist()}
    if _WEIGHTS not in members:
        weights = next(name for name in members if name.startswith("model.weights"))
        raise ActivationError(f"it has its weights in {weights[:100]}; save it in one file, without max_shard_size")
    version = ""
    if "metadata.json" in members:
        metadata = _parsed(_decoded(read_member(members["metadata.json"])), "metadata.json")
        version = str(metadata.get("keras_version", ""))[:20] if isinstance(metadata, dict) else ""
    config = _decoded(read_member(members["config.json"]))
    with tempfile.TemporaryDirectory() as folder:
        weights_file = Path(folder) / _WEIGHTS
        weights_file.write_bytes(read_member(members[_WEIGHTS]))
        try:
            hdf5 = read_foreign_hdf5(weights_file)
        except ActivationError as error:
            raise ActivationError(f"{_WEIGHTS} in it: {error}") from error
    return _contents(hdf5, config, version)


def read_hdf5(path: Path) -> Contents:
    """Read an HDF5 file: a model or the weights of a model that Keras saved, or any arrays by name.

    Raises:
        ActivationError: If it is damaged, hostile, or one of our own recordings.
    """
    hdf5 = read_foreign_hdf5(path)
    of_file, of_weights = (hdf5.attributes.get(name, {}) for name in ("", "model_weights"))
    if of_file.get("format") == "character activations":
        raise ActivationError("it is a recording of activations, not a model")
    version = of_file.get("keras_version") or of_weights.get("keras_version") or ""
    config = of_file.get("model_config", "")
    return _contents(hdf5, config if isinstance(config, str) else "", str(version)[:20])


def _contents(hdf5: ForeignHDF5, config: str, version: str) -> Contents:
    """Make contents of the arrays and attributes of a file, and of the model's configuration if there is one."""
    is_keras = bool(version or config) or any(re.search(r"(^|/)vars/\d+$", name) for name in hdf5.arrays)
    facts: dict[str, str | int | float] = {}
    if config:
        _parsed(config, "the model's configuration")
        facts[CONFIG] = config
    if is_keras:
        facts[VERSION] = version
    facts |= {
        f"{path}/{name}" if path else name: value
        for path, attributes in hdf5.attributes.items()
        for name, value in attributes.items()
        if not isinstance(value, list) and name not in ("model_config", "training_config")
    }
    kind = "HDF5"
    if is_keras:
        kind = f"Keras{' ' if version else ''}{version}, {'a whole model' if config else 'the weights of a model'}"
    contents = Contents(kind, facts=facts)
    for name in sorted(hdf5.arrays, key=_place_in(hdf5)):
        array = hdf5.arrays[name]
        if group := _group_of_training(name):  # named once, and not for each of its many arrays
            contents.roles[group] = ArrayRole("aside", _path(group))
            continue
        contents.roles[name] = ArrayRole("learned" if may_be_learned(array) else "aside", _path(name))
        if may_be_weights(array):
            contents.arrays[name] = array
        if array.ndim == 1 and array.dtype.kind in "iu":  # code points, perhaps
            contents.plain_values[name] = array.tolist()
    for name, strings in hdf5.strings.items():
        contents.roles[name] = ArrayRole("aside", _path(name))
        contents.plain_values[name] = strings
    for name, type_name in hdf5.unread.items():
        contents.roles[name] = ArrayRole("aside" if type_name == "strings" else "learned", _path(name))
        contents.unread.append(name)
    contents.plain_values.update(_lists(hdf5))
    return contents


def _lists(hdf5: ForeignHDF5) -> Iterator[tuple[str, list[str] | str]]:
    """Yield attributes that somebody may have stored beside the weights, such as a vocabulary."""
    for path, attributes in hdf5.attributes.items():
        for name, value in attributes.items():
            if isinstance(value, str | list) and not re.search(r"_names\d*$|_config$|^name$|^backend$|_version$", name):
                yield (f"{path}/{name}" if path else name), value


def _path(name: str) -> tuple[str, ...]:
    """Return the groups that hold an array; those inside the weights of a model are one."""
    outermost, _, rest = name.partition("/")
    return ("", outermost) if rest and outermost == "model_weights" else ("",)


def _group_of_training(name: str) -> str:
    """Return the outermost group that holds an array and belongs to the training, such as the optimiser's; or empty."""
    parts = name.split("/")
    n = next((n for n, part in enumerate(parts) if _OF_TRAINING.fullmatch(part)), None)
    return "" if n is None else "/".join(parts[: n + 1])


def _place_in(hdf5: ForeignHDF5) -> Callable[[str], tuple[Any, ...]]:
    """Return a key that sorts arrays in the order of the layers: HDF5 sorts by name, Keras 1 and 2 list the order."""
    places: dict[str, tuple[int, int]] = {}
    for root, attributes in hdf5.attributes.items():
        for n_layer, layer in enumerate(_listed(attributes, "layer_names")):
            layer_path = f"{root}/{layer}" if root else layer
            names = _listed(hdf5.attributes.get(layer_path, {}), "weight_names")
            places |= {f"{layer_path}/{name}": (n_layer, n_weight) for n_weight, name in enumerate(names)}

    def place(name: str) -> tuple[Any, ...]:
        digits = [(int(part) if part.isdigit() else -1, part) for part in _NUMBERS.split(name[:500])]
        return places.get(name, (len(hdf5.arrays), 0)), digits

    return place


def _listed(attributes: dict[str, Attribute], name: str) -> list[str]:
    """Return a list of names, which Keras divides into several attributes if it is long: `layer_names0` and so on."""
    numbered = takewhile(attributes.__contains__, (f"{name}{n}" for n in count()))
    parts = [attributes[part] for part in (name, *numbered) if part in attributes]
    return [item for part in parts if isinstance(part, list) for item in part]


def _parsed(text: str, name: str) -> Any:
    if len(text) > _MAX_CONFIG:
        raise ActivationError(f"{name} is longer than any model's")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ActivationError(f"{name} is no JSON ({json_reason(error)})") from error


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ActivationError("its configuration is not in UTF-8") from error
