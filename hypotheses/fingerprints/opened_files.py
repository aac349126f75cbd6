"""Which files a user's functions open: labels that depend on such files cannot be cached by the code alone.

Python reports what is opened by audit events. From the moment that this module is loaded, each event is recorded for
the functions that are running in its thread, up to the innermost import: what a module reads while it is imported is
in its variables, which are hashed.
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

_FILE_EVENTS = frozenset(
    {"open", "os.listdir", "os.scandir", "os.walk", "sqlite3.connect"}
    | {"pathlib.Path.glob", "pathlib.Path.rglob", "pathlib.Path.walk"}  # which first ask whether a folder exists
)
_PROCESS_EVENTS = frozenset({"subprocess.Popen", "os.posix_spawn", "os.fork", "os.forkpty", "os.exec", "os.system"})
_CONNECTION_EVENTS = frozenset({"socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind"})
_EVENTS = _FILE_EVENTS | _PROCESS_EVENTS | _CONNECTION_EVENTS
_COMPILED = os.sep + "__pycache__"

CodeLocation = tuple[str, str, int]
"""The file, the name and the first line of a function's code."""

_opened: defaultdict[CodeLocation, set[str]] = defaultdict(set)
_watched: set[str] = set()  # files of hypotheses, which may be in installed packages


def watch(file: str) -> None:
    """Record what the functions of a file open, even if the file belongs to an installed package."""
    _watched.add(file)


def location_of(code: CodeType) -> CodeLocation:
    """Return where the code of a function is written."""
    return code.co_filename, code.co_qualname, code.co_firstlineno


def record(name: str) -> None:
    """Record a name for the functions that are running in this thread, as if they had opened it."""
    for location in _running_functions(sys._getframe(1)):
        _opened[location].add(name)


def opened_by(locations: Iterable[CodeLocation]) -> set[str]:
    """Return what functions have opened to read: absolute paths, `<a process>`, `<a connection>`, recorded names."""
    return set().union(*(_opened.get(location, set()) for location in locations))


def is_library(file: str) -> bool:
    """Tell whether a file belongs to Python itself or to an installed package."""
    return file.startswith((*_PACKAGES, *_PYTHON))


def _has_hashed_version(file: str) -> bool:
    """Tell whether a file belongs to Python or to a library whose version is part of the hash."""
    for folder in _PACKAGES:
        if file.startswith(folder):
            package = file[len(folder) :].partition(os.sep)[0]
            return is_known_library(package.partition(".")[0])
    return file.startswith(_PYTHON)


def _with_real_paths(folders: list[str]) -> tuple[str, ...]:
    return tuple({path + os.sep for path in folders} | {os.path.realpath(path) + os.sep for path in folders})


_FOLDERS = sysconfig.get_paths()
_PACKAGES = _with_real_paths(
    [_FOLDERS["purelib"], _FOLDERS["platlib"]]
    + [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
)
_PYTHON = _with_real_paths(  # the last is another folder in a virtual environment
    [_FOLDERS["stdlib"], _FOLDERS["platstdlib"], str(Path(os.__file__).parent)]
)
_COMPILERS = tuple(folder + name + os.sep for folder in _PACKAGES for name in ("numba", "llvmlite"))
_COMPILERS += (str(Path(__file__).parents[1] / "kept_loops.py"),)
_IMPORTLIB = str(Path(importlib.__file__).parent) + os.sep


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _EVENTS:
        try:
            opened = _opened_to_read(event, arguments)
            locations = _running_functions(sys._getframe(1)) if opened else []
        except (OSError, ValueError, TypeError):  # no path, the folder is gone, or no Python is running in the thread
            return
        for location in locations:
            _opened[location].add(opened)


def _opened_to_read(event: str, arguments: tuple[Any, ...]) -> str:
    """Return what an event opens to read; empty if no label can depend on it."""
    if event in _PROCESS_EVENTS or event in _CONNECTION_EVENTS:
        return "<a process>" if event in _PROCESS_EVENTS else "<a connection>"
    path = "." if arguments[0] is None else arguments[0]
    only_written = event == "open" and arguments[2] & os.O_ACCMODE == os.O_WRONLY
    if only_written or path == ":memory:":
        return ""
    if isinstance(path, int):
        return f"<the open file {path}>"
    absolute = os.path.realpath(os.fsdecode(path))
    return "" if _has_hashed_version(absolute) or _is_compiled(absolute) else absolute


def _is_compiled(path: str) -> bool:
    """Tell whether a file or folder holds compiled code: of Python, or of numba, wherever its cache is."""
    folder = os.environ.get("NUMBA_CACHE_DIR")
    return _COMPILED in path or (bool(folder) and Path(path).is_relative_to(Path(str(folder)).resolve()))


def _running_functions(frame: FrameType | None) -> list[CodeLocation]:
    """Return the functions on the stack, from a frame out to the innermost import, those of libraries left out."""
    locations: list[CodeLocation] = []
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(("<frozen importlib", _IMPORTLIB)):
            break  # an import looks for modules and for installed packages
        if not locations and file.startswith(_COMPILERS):
            break  # a compiler reads the source of a loop, and what the processor can do
        if file.endswith("linecache.py") and not locations:
            break  # the source lines of a warning or an error
        if frame.f_code.co_name != "<module>" and (file in _watched or not is_library(file)):
            locations.append(location_of(frame.f_code))
        frame = frame.f_back
    return locations


sys.addaudithook(_on_event)
