"""Run `probe`, and count what Python tells its audit hooks, or send this process a signal at one of these moments.

    python benchmarks/stopping_moments.py count counts.json rank in_quotes activations.h5
    python benchmarks/stopping_moments.py KILL file 3 rank in_quotes activations.h5  # before the third change of files

Moments of "import" are those at which a module begins to load; those of "file" come right before a file is opened for
writing, renamed or removed, or a folder is made or removed. Code in C, such as that of HDF5, tells nothing.
"""

import atexit
import json
import os
import runpy
import signal
import sys
from pathlib import Path
from typing import Any

KINDS = ("import", "file")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link", "os.symlink")


def kind_of(event: str, arguments: tuple[Any, ...]) -> str:
    """Return what kind of moment an event is; empty for others."""
    if event == "import":
        return "import"
    is_written = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING
    return "file" if is_written or event in _CHANGES else ""


def main() -> None:
    """Count the moments of a command, or send the signal at one of them."""
    counts = dict.fromkeys(KINDS, 0)
    if sys.argv[1] == "count":
        kind_asked, number_asked, word = "", 0, ""
        counts_path, command = Path(sys.argv[2]).absolute(), sys.argv[3:]
        atexit.register(lambda: counts_path.write_text(json.dumps(counts), encoding="utf-8"))
    else:
        word, kind_asked, number_asked, command = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:]

    def on_event(event: str, arguments: tuple[Any, ...]) -> None:
        if kind := kind_of(event, arguments):
            counts[kind] += 1
            if kind == kind_asked and counts[kind] == number_asked:
                os.kill(os.getpid(), getattr(signal, f"SIG{word}"))

    sys.path.pop(0)  # this folder, whose programs are named as modules of others are
    sys.argv[1:] = command
    sys.addaudithook(on_event)
    runpy.run_module("probe", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
