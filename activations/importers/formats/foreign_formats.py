"""Formats of other programs that are recognised, and not read: each is named, with the way to a file that is read."""

import re
from collections.abc import Iterable
from pathlib import Path

from activations.errors import ActivationError

_ONNX_FIRST_FIELDS = (0x12, 0x1A, 0x22, 0x3A, 0x42)  # the tags that may follow the version in ONNX's ModelProto
_ONNX_VERSIONS = range(3, 20)
_EXPORTED = (
    "it is a program that torch.export wrote, whose weights have lost their places in the layers; save the weights of "
    "the model itself: torch.save(model.state_dict(), ...)"
)
_ONNX = (
    "it is a graph of ONNX, which says what is computed and not which layers there were; save the weights in the "
    "program that has the model (torch.save(model.state_dict(), ...) or safetensors)"
)
_GGUF = "it is a GGUF file, as llama.cpp reads them; those are transformers, and no recurrent models"
_FLATBUFFER = (
    "it is a model of TensorFlow Lite, whose weights have lost their names; save the Keras model that it was made from"
)
_TENSORFLOW = (
    "it is what TensorFlow saves for itself (a SavedModel or a checkpoint), which says what is computed and not which "
    "layers there were; save the model by Keras: model.save('model.keras') or model.save_weights('model.weights.h5')"
)
_FOLDER_OF_KERAS = "it is a folder; save the model in one file: model.save('model.keras'), without zipped=False"
_PART_OF_CHECKPOINT = re.compile(r".*\.(index|data-\d{5}-of-\d{5})")


def refuse_known_path(path: Path) -> None:
    """Refuse folders, and files of TensorFlow that only their names tell.

    Raises:
        ActivationError: If the path is one; the message says what to save instead.
    """
    if (path / "saved_model.pb").exists() or path.name == "saved_model.pb" or _PART_OF_CHECKPOINT.fullmatch(path.name):
        raise ActivationError(_TENSORFLOW)
    if (path / "model.weights.h5").exists():
        raise ActivationError(_FOLDER_OF_KERAS)
    if path.is_dir():
        raise ActivationError("it is a folder; name the file in it that has the model")


def refuse_known_format(start: bytes) -> None:
    """Refuse a file that begins like one in a known format that is not read.

    Args:
        start: Its first bytes, 12 or more if it has as many.

    Raises:
        ActivationError: If it does; the message names the format and what to save instead.
    """
    is_onnx = start[:1] == b"\x08" and len(start) > 2 and start[1] in _ONNX_VERSIONS and start[2] in _ONNX_FIRST_FIELDS
    for is_it, sentence in (
        (is_onnx, _ONNX),
        (start.startswith(b"GGUF"), _GGUF),
        (start[4:8] == b"TFL3", _FLATBUFFER),
    ):
        if is_it:
            raise ActivationError(sentence)


def refuse_known_zip(members: Iterable[str]) -> None:
    """Refuse a zip file of a known kind that is not read.

    Args:
        members: The names of its members.

    Raises:
        ActivationError: If its members are those of such a file.
    """
    names = {name.rpartition("/")[2] for name in members}
    if names & {"archive_format", "serialized_exported_program.json", "model_weights_config.json"}:
        raise ActivationError(_EXPORTED)
