"""How much memory there is."""

import os
import sys
from contextlib import suppress
from pathlib import Path

from activations.control_groups import folders_of_groups

_LIMITS = ("memory.max", "memory.limit_in_bytes")  # of control groups in version 2, and in version 1


def memory_bytes(processes: Path = Path("/proc/self")) -> int:
    """Return the memory of this machine, or of the container or job if that has less; a very large number if unknown.

    Args:
        processes: The folder that has the files `cgroup` and `mountinfo` of the process.
    """
    limits = [sys.maxsize]
    with suppress(ValueError, OSError, AttributeError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for folder in folders_of_groups("memory", processes):
        for name in _LIMITS:
            with suppress(ValueError, OSError):  # there is none, or it is "max"
                limits.append(int((folder / name).read_text(encoding="ascii")))
    return min(limits)
