"""How much memory there is."""

import os
import sys
from contextlib import suppress
from pathlib import Path

_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_bytes() -> int:
    """Return the memory of this machine, or of the container if that has less; a very large number if unknown."""
    limits = [sys.maxsize]
    with suppress(ValueError, OSError, AttributeError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for path in _CGROUP_LIMITS:
        with suppress(ValueError, OSError):  # there is none, or it is "max"
            limits.append(int(Path(path).read_text(encoding="ascii")))
    return min(limits)
