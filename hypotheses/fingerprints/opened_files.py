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

from hypotheses.fingerprints.reproducible import is_known_library

_FILES = frozenset(
    {"open", "os.listdir", "os.scandir", "os.walk", "sqlite3.connect"}
    | {"pathlib.Path.glob", "pathlib.Path.rglob", "pathlib.Path.walk"}  # which first ask whether a folder is there
)
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


def note(what: str) -> None:
    """Put something down to the functions that are running in this thread, as if they had opened it."""
    for place in _running(sys._getframe(1)):
        _opened[place].add(what)


def opened_by(places: Iterable[Place]) -> set[str]:
    """What some functions have opened to read: absolute paths, `<a process>`, `<a connection>`, or what was noted."""
    return set().union(*(_opened.get(place, set()) for place in places))


def is_library(file: str) -> bool:
    """Whether a file is Python's own or an installed package's."""
    return file.startswith((*_PACKAGES, *_PYTHON))


def _is_of_a_version(file: str) -> bool:
    """Whether a file is Python's own or a package's of which the version is in the hash of what uses it."""
    for folder in _PACKAGES:
        if file.startswith(folder):
            package = file[len(folder) :].partition(os.sep)[0]
            return is_known_library(package.partition(".")[0])
    return file.startswith(_PYTHON)


def _with_links(folders: list[str]) -> tuple[str, ...]:
    return tuple({path + os.sep for path in folders} | {os.path.realpath(path) + os.sep for path in folders})


_FOLDERS = sysconfig.get_paths()
_PACKAGES = _with_links(
    [_FOLDERS["purelib"], _FOLDERS["platlib"]]
    + [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
)
_PYTHON = _with_links(  # the last is elsewhere if this is a virtual environment
    [_FOLDERS["stdlib"], _FOLDERS["platstdlib"], str(Path(os.__file__).parent)]
)
_IMPORTLIB = str(Path(importlib.__file__).parent) + os.sep


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _FILES or event in _PROCESSES or event in _CONNECTIONS:
        try:
            read = _read(event, arguments)
            places = _running(sys._getframe(1)) if read else []
        except (OSError, ValueError, TypeError):  # no path, the folder is gone, or no Python is running in the thread
            return
        for place in places:
            _opened[place].add(read)


def _read(event: str, arguments: tuple[Any, ...]) -> str:
    """What is opened to read; empty if no label can depend on it."""
    if event in _PROCESSES or event in _CONNECTIONS:
        return "<a process>" if event in _PROCESSES else "<a connection>"
    path = "." if arguments[0] is None else arguments[0]
    only_written = event == "open" and arguments[2] & os.O_ACCMODE == os.O_WRONLY
    if only_written or path == ":memory:":
        return ""
    if isinstance(path, int):
        return f"<the open file {path}>"
    absolute = os.path.realpath(os.fsdecode(path))
    return "" if _is_of_a_version(absolute) or _COMPILED in absolute else absolute


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
