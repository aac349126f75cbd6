"""How many processor cores are computed with: those that this process is really given, or fewer if it is told so.

Numerical libraries start a thread for each core that the machine has, and those threads wait by spinning. Where other
programs use the same cores, that makes all of them slower, so they are told otherwise, before they are loaded.
"""

import os
import sys
from functools import lru_cache
from math import ceil
from pathlib import Path

from activations.control_groups import folders_of_groups
from activations.errors import ActivationError

THREADS = "PROBE_THREADS"
_OPENMP, _NUMBA = "OMP_NUM_THREADS", "NUMBA_NUM_THREADS"
_OTHERS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")  # which follow OMP_NUM_THREADS unless they are set
_WAITING = {"OMP_WAIT_POLICY": "passive", "OPENBLAS_THREAD_TIMEOUT": "4"}  # sleep; 2⁴ cycles in place of 2²⁶
_MOST, _MOST_DIGITS = 1024, 9
_chosen: int | None = None


def n_cores() -> int:
    """Return how many threads compute at the same time, at least 1.

    It is what `use_threads` or the environment variable `PROBE_THREADS` said; otherwise the number of cores that the
    scheduler's affinity and the quotas of control groups allow, and at most `OMP_NUM_THREADS`, if that is set.

    Raises:
        ActivationError: If `PROBE_THREADS` is no whole number from 1 to 1,024, or numba would not take
            `NUMBA_NUM_THREADS`.
    """
    if _chosen is not None:
        return _chosen
    if asked := os.environ.get(THREADS):
        return _checked(asked, f"the environment variable {THREADS}")
    _check_threads_of_numba()
    limit = _whole_number(os.environ.get(_OPENMP, "").split(",")[0].strip())
    return min(given_cores(), limit or _MOST)


def given_cores() -> int:
    """Return how many cores the scheduler and the control groups of the system give to this process, at least 1."""
    quota = _quota_of_this_process()
    return max(1, min(_allowed_cores(), ceil(quota) if quota is not None else _MOST))


def use_threads(n_threads: int) -> None:
    """Compute with this many threads from now on, in this process and in those that it starts.

    Analyses give the same results; a model reads a text in another number of lanes by default. Libraries that are
    loaded already are told, too.

    Args:
        n_threads: From 1 to 1,024. More than there are cores is slower.

    Raises:
        ActivationError: If it is outside this range, or numba, which cannot start threads later, has fewer.
    """
    global _chosen
    number = _checked(n_threads, "the number of threads")
    if (numba := sys.modules.get("numba")) and number > numba.config.NUMBA_NUM_THREADS:
        most = numba.config.NUMBA_NUM_THREADS
        is_told = os.environ.get(_NUMBA) == str(most)
        raise ActivationError(
            f"{number} threads cannot be used any more: numba was loaded with {most}"
            + (f", which the environment variable {_NUMBA} says" if is_told else "")
            + f"; set the environment variable {THREADS} before Python starts"
        )
    _chosen = number
    for name in (_OPENMP, _NUMBA, *(name for name in _OTHERS if name in os.environ)):
        os.environ[name] = str(number)
    if numba:  # which complains if the variable changes
        os.environ[_NUMBA] = str(numba.config.NUMBA_NUM_THREADS)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(number)


def prepare_libraries() -> None:
    """Tell numerical libraries that are loaded later to let waiting threads sleep, and how many cores there are.

    Environment variables that are set already are left as they are. How many cores there are is only told where the
    libraries would not find out: for a quota, which they do not know of, and `PROBE_THREADS`. What is wrong with that
    variable is an error of `n_cores`, not of importing this package.
    """
    for name, value in _WAITING.items():
        os.environ.setdefault(name, value)
    try:
        number = str(n_cores())
    except ActivationError:
        return
    is_asked = bool(os.environ.get(THREADS))
    if is_asked or int(number) < _allowed_cores():
        for name in (_OPENMP,) if "numba" in sys.modules else (_OPENMP, _NUMBA):
            os.environ[name] = number if is_asked else os.environ.get(name, number)


def cpu_quota(processes: Path = Path("/proc/self")) -> float | None:
    """Return how many cores' time the control groups of a process may use; None if there is no limit.

    Args:
        processes: The folder that has the files `cgroup` and `mountinfo` of the process.
    """
    limits = map(_limit, folders_of_groups("cpu", processes))
    return min((limit for limit in limits if limit is not None), default=None)


@lru_cache(maxsize=1)
def _quota_of_this_process() -> float | None:
    return cpu_quota()


def _allowed_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _check_threads_of_numba() -> None:
    """Say what is wrong with numba's variable before numba is loaded, which ends in a traceback."""
    asked = os.environ.get(_NUMBA, "1").strip()
    if not _whole_number(asked.removeprefix("+")):
        raise ActivationError(
            f"the environment variable {_NUMBA} is {asked[:20]!r}; give a whole number of 1 or more, or unset it"
        )


def _checked(number: int | str, what: str) -> int:
    checked = _whole_number(str(number))
    if not 1 <= checked <= _MOST:
        raise ActivationError(f"{what} is {str(number)[:20]!r}; give a whole number from 1 to {_MOST:,}")
    return checked


def _whole_number(text: str) -> int:
    """Return a number that is written in a few digits; 0 if something else is."""
    return int(text) if text.isdecimal() and len(text) <= _MOST_DIGITS else 0


def _limit(folder: Path) -> float | None:
    """Return the limit that a folder of a control group sets, in cores; None if it sets none."""
    try:
        if (file := folder / "cpu.max").exists():
            quota, period = file.read_text().split()
        else:
            quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        limit = float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):  # such as `max`, or a folder that is not mounted
        return None
    return limit if limit > 0 else None  # version 1 says −1 where there is none
