"""Compiled loops that share their work among the processor's cores."""

from collections.abc import Callable
from functools import wraps
from threading import Lock
from typing import Any, TypeVar, cast

from activations.cores import n_cores
from hypotheses.kernels import compiled

_LAUNCHING = Lock()
Loop = TypeVar("Loop", bound=Callable[..., Any])


def in_parallel(loop: Loop) -> Loop:
    """Compile a function with `prange` loops, and let only one thread at a time call any such function.

    Each of them takes all cores, so that two at once would not be faster. And numba's `workqueue` threading layer,
    which is used where neither OpenMP nor TBB is installed, ends the process if two threads call parallel loops at
    once.
    """
    compiled_loop = compiled(parallel=True)(loop)

    @wraps(loop)
    def call(*arguments: Any) -> Any:
        from numba import config, set_num_threads

        with _LAUNCHING:
            set_num_threads(min(n_cores(), vars(config)["NUMBA_NUM_THREADS"]))  # which numba keeps for each thread
            return compiled_loop(*arguments)

    return cast(Loop, call)
