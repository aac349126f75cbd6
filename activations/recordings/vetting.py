"""Opening a stranger's file in a process of its own first: the HDF5 library can crash on what was made to crash it.

Run as a program, this module reads the names of files from standard input, one JSON string a line, and answers each
with a line of JSON: null, or what is wrong. Every file is opened in a child with limits on memory and time.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock

import activations

_SECONDS = 20
_BYTES_BESIDE_THE_FILE = 2_000_000_000
_NO_ANSWER = "the process that was to look at it first has ended"
_CRASHED = "opening it crashes the HDF5 library, or takes too much memory or time"

_known: set[tuple[int, ...]] = set()
_lock = Lock()
_servant: "_Servant | None" = None


def vet(path: Path) -> str | None:
    """What is wrong with a file, or None if it can be opened here; a file is asked about once, until it changes."""
    mark = _mark(path)
    if mark in _known:
        return None
    with _lock:
        complaint = _ask(str(path.absolute()))
    if complaint is None and _mark(path) == mark:
        _known.add(mark)
    return complaint


def trust(path: Path) -> None:
    """Take a file as it is: this process has just written it."""
    _known.add(_mark(path))


def _mark(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class _Servant:
    """The process that opens files, kept for the next one."""

    def __init__(self) -> None:
        home = str(Path(activations.__file__).parents[1])
        first = f"import sys; sys.path.insert(0, {home!r}); import activations; sys.path.append(sys.path.pop(0))"
        program = f"{first}; from activations.recordings.vetting import serve; serve()"
        self._owner = os.getpid()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},  # it forks: no threads
        )
        atexit.register(self.dismiss)

    @property
    def serves(self) -> bool:
        """Is it there, and this process's own?"""
        return self._owner == os.getpid() and self._process.poll() is None

    def ask(self, path: str) -> str | None:
        """What it says of a file."""
        question, answer = self._process.stdin, self._process.stdout
        if question is None or answer is None:
            return _NO_ANSWER
        try:
            question.write(json.dumps(path) + "\n")
            question.flush()
            line = answer.readline()
        except OSError:  # it is gone
            line = ""
        except BaseException:  # what it may yet answer is not the answer to the next question
            self._process.kill()
            self._process.wait()
            raise
        return json.loads(line) if line else _NO_ANSWER

    def dismiss(self) -> None:
        """Let it go."""
        if self._owner == os.getpid():
            with suppress(OSError, ValueError, subprocess.TimeoutExpired):
                self._process.communicate(timeout=_SECONDS)


def _ask(path: str) -> str | None:
    global _servant
    if _servant is None or not _servant.serves:
        _servant = _Servant()
    return _servant.ask(path)


def serve() -> None:
    """Answer for each file that is named on standard input."""
    import h5py  # noqa: F401 so that no child need load it

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_in_a_child(Path(json.loads(line)))) + "\n")
        sys.stdout.flush()


def _in_a_child(path: Path) -> str | None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with suppress(BaseException):  # what ends a child is its answer
            _limit(path)
            _silence()
            os.write(writer, json.dumps(_look(path)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        content = pipe.read()
    os.waitpid(child, 0)
    return json.loads(content) if content else _CRASHED


def _limit(path: Path) -> None:
    import resource

    with suppress(OSError):
        limits = {
            resource.RLIMIT_AS: path.stat().st_size * 2 + _BYTES_BESIDE_THE_FILE,
            resource.RLIMIT_CPU: _SECONDS,
            resource.RLIMIT_CORE: 0,
        }
        for kind, most in limits.items():
            hard = resource.getrlimit(kind)[1]
            own = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (own, own))
    signal.alarm(_SECONDS)


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)


def _look(path: Path) -> str | None:
    import h5py

    from activations.recordings.structure import complaints

    try:
        with h5py.File(path, "r") as file:
            found = complaints(path, file)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, MemoryError, ArithmeticError, LookupError) as error:
        return f"it is truncated or damaged ({' '.join(str(error).split())[:200]})"
    return "; ".join(found) or None
