"""Options of a computation: on which device, at which precision, and in which dtype activations are kept."""

from dataclasses import dataclass

import torch

from activations.devices import torch_device
from activations.errors import ActivationError
from activations.reading.lanes.memory_pool import Bytes, MemoryPool, pages
from activations.recordings.format.codings import CODINGS, Coding

PRECISIONS = ("float32", "bf16")
DTYPES = ("auto", "float16", "float32", "near_one")
_GPU_AS_CORES = 16  # a GPU computes as many lanes at a time as this number of cores


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeOptions:
    """On which device and at which precision a model is computed, and in which dtype its activations are kept.

    Attributes:
        device: `cpu`, `cuda`, or `auto`, which is `cuda` where there is one.
        precision: Precision of the matrix products: `float32`, or `bf16`, which is faster on processors that have
            units for it, and rounds weights and hidden states to 8 significant bits.
        dtype: How activations are kept. `auto` is float16 for signals within [-1, 1], and float32 for unbounded
            signals and for those whose order float16 would lose (see `saturation`). `float16` and `float32` are for
            all signals. `near_one` is for signals within [-1, 1]; the others are then in float32 (see `codings`).
    """

    device: str = "cpu"
    precision: str = "float32"
    dtype: str = "auto"

    def __post_init__(self) -> None:
        torch_device(self.device)
        for name, allowed in (("precision", PRECISIONS), ("dtype", DTYPES)):
            if getattr(self, name) not in allowed:
                raise ActivationError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(allowed)}")

    @property
    def torch_device(self) -> torch.device:
        """The device, as PyTorch has it."""
        return torch_device(self.device)

    @property
    def on_cpu(self) -> bool:
        """Is the model computed by the processor, and not by a GPU?"""
        return self.torch_device.type == "cpu"

    @property
    def n_cores(self) -> int:
        """Number of processor cores that compute, or to how many of them a GPU compares."""
        return torch.get_num_threads() if self.on_cpu else _GPU_AS_CORES

    def memory_pool(self) -> MemoryPool:
        """Make a pool of memory for blocks that this device writes to at full speed."""
        return MemoryPool(pages if self.on_cpu else _pinned)

    def coding(self, *, is_bounded: bool, is_saturated: bool) -> Coding:
        """Choose how the values of a signal are kept."""
        if self.dtype == "auto":
            return CODINGS["float16" if is_bounded and not is_saturated else "float32"]
        return CODINGS["float32" if self.dtype == "near_one" and not is_bounded else self.dtype]


def _pinned(n_bytes: int) -> Bytes:
    """Page-locked memory, which a GPU copies to directly."""
    return torch.empty(n_bytes, dtype=torch.uint8, pin_memory=True).numpy()
