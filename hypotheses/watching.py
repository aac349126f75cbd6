"""Which files a user's functions open: labels that depend on them cannot be kept by the code alone.

Python tells of what is opened by audit events. From the moment that this module is loaded, each is put down to the
functions that are running in its thread, up to an import: what a module reads while it is imported is in its variables.
"""

import importlib
import os
import sys
import sysconfig
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

_FILES = frozenset({"open", "os.listdir", "os.scandir", "sqlite3.connect"})
_PROCESSES = frozenset({"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec", "os.system"})
_CONNECTIONS = frozenset({"socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind"})
_COMPILED = os.sep + "__pycache__"

Place = tuple[str, str, int]
"""Where a function is written: its file, its name, and its first line."""

_opened: defaultdict[Place, set[str]] = defaultdict(set)
_watched: set[str] = set()  # files of hypotheses, which may be in packages


def watch(file: str) -> None:
    """Watch the functions of a file also if it is an installed package's."""
    _watched.add(file)


def place_of(code: CodeType) -> Place:
    """Where a function's code is written."""
    return code.co_filename, code.co_qualname, code.co_firstlineno


def opened_by(places: Iterable[Place]) -> set[str]:
    """What some functions have opened to read: absolute paths, `<a process>` or `<a connection>`."""
    return set().union(*(_opened.get(place, set()) for place in places))


def is_library(file: str) -> bool:
    """Whether a file is Python's own or an installed package's, so that a version says what is in it."""
    return file.startswith(_LIBRARIES)


def _library_folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    folders = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders += [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    folders += [str(Path(os.__file__).parent)]  # which is elsewhere if this is a virtual environment
    return tuple({path + os.sep for path in folders} | {os.path.realpath(path) + os.sep for path in folders})


_LIBRARIES = _library_folders()
_IMPORTLIB = str(Path(importlib.__file__).parent) + os.sep


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _FILES or event in _PROCESSES or event in _CONNECTIONS:
        try:
            read = _read(event, arguments)
        except (OSError, ValueError, TypeError):  # no path, or the folder is gone: opening it will say so
            return
        for place in _running(sys._getframe(1)) if read else ():
            _opened[place].add(read)


def _read(event: str, arguments: tuple[Any, ...]) -> str:
    """What is opened to read; empty if no label can depend on it."""
    if event not in _FILES:
        return "<a process>" if event in _PROCESSES else "<a connection>"
    path = "." if arguments[0] is None else arguments[0]
    only_written = event == "open" and arguments[2] & os.O_ACCMODE == os.O_WRONLY
    if only_written or isinstance(path, int) or path == ":memory:":
        return ""
    absolute = os.path.realpath(os.fsdecode(path))
    return "" if is_library(absolute) or _COMPILED in absolute else absolute


def _running(frame: FrameType | None) -> list[Place]:
    """The functions at work, from the innermost to an import, but for those of libraries."""
    places: list[Place] = []
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(("<frozen importlib", _IMPORTLIB)):
            break  # it looks for modules and for what is installed
        if file.endswith("linecache.py") and not places:
            break  # the lines of a warning or an error
        if frame.f_code.co_name != "<module>" and (file in _watched or not is_library(file)):
            places.append(place_of(frame.f_code))
        frame = frame.f_back
    return places


sys.addaudithook(_note)
