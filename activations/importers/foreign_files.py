"""Saying of a file that is no checkpoint of ours what it is, if another program's model can be read from it."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from activations.errors import ActivationError
from activations.importers.files import read_contents
from activations.models.checking import ModelCheck, check_model
from activations.models.checkpoints import FORMAT

_N_NAMED = 3


def check_any_model(path: Path | str) -> ModelCheck:
    """Check a checkpoint, and say of another program's file what it is and how to import it; no code in it is run.

    Args:
        path: A file that may hold a model.
    """
    result = check_model(path)
    if result.model is None and (description := _foreign(result.path)):
        complaint = (
            f"{result.path} is not a checkpoint of `probe train`, but a file of another program: {description}; "
            f"`probe import {result.path}` makes a checkpoint from it if it holds a model"
        )
        return replace(result, complaints=(complaint,))
    return result


def _foreign(path: Path) -> str:
    """Describe another program's file with arrays in it in a few words; empty if it is none."""
    with suppress(ActivationError):
        contents = read_contents(path)
        names = [name for name, role in contents.roles.items() if role.kind != "aside"]
        if names and FORMAT not in contents.facts.values():  # else it is a damaged checkpoint of ours
            n_more = len(names) - _N_NAMED
            listed = ", ".join(names[:_N_NAMED]) + (f" and {n_more:,} more" if n_more > 0 else "")
            return f"{contents.kind}, with the arrays {listed}"
    return ""
