"""The number of threads of PyTorch, which a thread that sets its own changes for all that start after it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def same_number_of_threads() -> Iterator[int]:
    """Give the number of threads of PyTorch, and restore it when the `with` block ends."""
    n_threads = torch.get_num_threads()
    try:
        yield n_threads
    finally:
        torch.set_num_threads(n_threads)
