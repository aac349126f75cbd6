"""Devices that a model can be computed on: the processor, or a GPU."""

import torch

from activations.errors import ActivationError

DEVICES = ("cpu", "cuda", "auto")


def torch_device(device: str) -> torch.device:
    """Return the device of a name; `auto` is cuda where there is one.

    Raises:
        ActivationError: If there is no such device here.
    """
    if device not in DEVICES:
        raise ActivationError(f"device is {device!r}; choose one of {', '.join(DEVICES)}")
    has_cuda = torch.cuda.is_available()
    if device == "cuda" and not has_cuda:
        raise ActivationError("there is no CUDA device here, or this torch cannot use it; use --device cpu")
    return torch.device("cuda" if device != "cpu" and has_cuda else "cpu")
