"""The file from which an interrupted training is resumed."""

import io
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from activations.errors import ActivationError
from activations.files import check_is_file, replacing
from activations.system_errors import reason

FORMAT = "char-probe training"
_VERSION = 1


def save_state(path: Path, key: Mapping[str, object], state: Mapping[str, object]) -> None:
    """Write the state of a training, whole or not at all.

    Args:
        path: The file; replaced once the new one is complete.
        key: The texts and settings that identify the training.
        state: Everything that changes while it runs.

    Raises:
        ActivationError: If it cannot be written.
    """
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, "format_version": _VERSION, "key": dict(key), "state": dict(state)}, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def load_state(path: Path, key: Mapping[str, object]) -> dict[str, Any]:
    """Load the state of a training, checking that it is of the same texts and settings.

    Raises:
        ActivationError: If the state is of another training, is damaged, or has another version.
    """
    check_is_file(path, "state of a training")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        is_ours = (content["format"], content["format_version"]) == (FORMAT, _VERSION)
        saved_key, state = (dict(content["key"]), dict(content["state"])) if is_ours else ({}, {})
    except OSError as error:
        raise ActivationError(f"cannot read {path}: {reason(error)}") from error
    except (RuntimeError, EOFError, LookupError, TypeError, ValueError, AttributeError, UnpicklingError) as error:
        raise ActivationError(f"{path} is damaged; delete it to start again") from error
    if not is_ours:
        raise ActivationError(f"{path} is not the state of an interrupted `probe train`; delete it to start again")
    changed = [name for name, value in key.items() if saved_key.get(name) != value]
    if changed:
        names = ", ".join(name.replace("_", " ") for name in changed)
        raise ActivationError(
            f"{path} is of another training (other: {names}); resume with the same settings, or delete it to start "
            "again"
        )
    return state
