"""Saying of a file that is no checkpoint of ours what it is."""

from dataclasses import replace
from pathlib import Path

from activations.errors import ActivationError
from activations.importers.files import read_contents
from activations.models.checking import ModelCheck, check_model
from activations.models.checkpoints import FORMAT
from activations.models.training.state import FORMAT as STATE_FORMAT

_N_NAMED = 3


def check_any_model(path: Path | str) -> ModelCheck:
    """Check a checkpoint, and say of another program's file what it is and how to import it; no code in it is run.

    Args:
        path: A file that may hold a model.
    """
    result = check_model(path)
    return result if result.is_checkpoint else replace(result, complaints=(_complaint(result.path),))


def _complaint(path: Path) -> str:
    """Say what a file is that is not a checkpoint of ours."""
    try:
        contents = read_contents(path)
    except ActivationError as error:
        reason = str(error).removeprefix(f"cannot read {path}: ")
        return (
            f"{path} is not a checkpoint of `probe train`, or it is truncated or damaged, and `probe import` cannot "
            f"read it: {reason}"
        )
    formats = set(contents.facts.values())
    if FORMAT in formats:
        return f"{path} is a damaged checkpoint; make it again with `probe train`"
    if STATE_FORMAT in formats:
        return f"{path} is not a model: it is what the same `probe train` command with --resume continues from"
    names = [name for name, role in contents.roles.items() if role.kind != "aside"]
    if not names:
        return (
            f"{path} is not a checkpoint of `probe train`, but a file of another kind ({contents.kind}) without arrays "
            "that may be weights"
        )
    n_more = len(names) - _N_NAMED
    listed = ", ".join(names[:_N_NAMED]) + (f" and {n_more:,} more" if n_more > 0 else "")
    return (
        f"{path} is not a checkpoint of `probe train`, but a file of another kind ({contents.kind}) with {listed}; if "
        f"that is another program's model, `probe import {path}` makes a checkpoint from it"
    )
