"""What is needed to go on with a training that was interrupted, on the disk."""

import io
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from activations.errors import ActivationError
from activations.files import replacing

_FORMAT = "char-probe training"
_VERSION = 1


def save_state(path: Path, key: Mapping[str, object], state: Mapping[str, object]) -> None:
    """Write a state, whole or not at all.

    Args:
        path: Where to; replaced when the new file is complete.
        key: What the training is of: its texts and settings.
        state: What it is at.

    Raises:
        ActivationError: If it cannot be written.
    """
    buffer = io.BytesIO()
    torch.save({"format": _FORMAT, "format_version": _VERSION, "key": dict(key), "state": dict(state)}, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def load_state(path: Path, key: Mapping[str, object]) -> dict[str, Any]:
    """Read a state of the same training.

    Raises:
        ActivationError: If it is of another one, damaged, or of another version.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        is_ours = (content["format"], content["format_version"]) == (_FORMAT, _VERSION)
        found, state = (dict(content["key"]), dict(content["state"])) if is_ours else ({}, {})
    except OSError as error:
        raise ActivationError(f"cannot read {path}: {error.strerror or error}") from error
    except (RuntimeError, EOFError, LookupError, TypeError, ValueError, AttributeError, UnpicklingError) as error:
        raise ActivationError(f"{path} is damaged; delete it to begin anew") from error
    if not is_ours:
        raise ActivationError(f"{path} is not what an interrupted `probe train` left; delete it to begin anew")
    changed = [name for name, value in key.items() if found.get(name) != value]
    if changed:
        names = ", ".join(name.replace("_", " ") for name in changed)
        raise ActivationError(
            f"{path} is of another training (other: {names}); go on with the same settings, or delete it to begin anew"
        )
    return state
