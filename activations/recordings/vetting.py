"""Opening a stranger's file in a process of its own first: a malicious file can crash the HDF5 library.

Run as a program, this module reads the names of files from standard input, one JSON string a line, and answers each
with a line of JSON: null, or a complaint. Every file is opened in a child process with limits on memory and time.
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
from typing import NamedTuple

import activations
from activations.errors import ActivationError
from activations.system_errors import is_of_the_system, reason, reason_of_process

_CPU_SECONDS = 20
_WALL_SECONDS = 200  # a file may wait for a busy machine, and none may wait for ever
_BYTES_BESIDES_THE_FILE = 2_000_000_000
_NO_ANSWER = "the process that was to look at it first has ended"
_CRASHED = "opening it crashes the HDF5 library, or takes too much memory or time"


class Complaint(NamedTuple):
    """Why a file cannot be opened here.

    Attributes:
        sentence: What is wrong.
        is_of_the_system: Whether the system refuses it, so that the file itself may be sound.
    """

    sentence: str
    is_of_the_system: bool = False


class Vetter:
    """Knows which files can be opened here; a file is looked at once, until it changes.

    The process that looks at files is started with the first one, or by `process` before, and kept for the next.
    """

    def __init__(self) -> None:
        self._sound: set[tuple[int, ...]] = set()
        self._lock = Lock()
        self._process: _Process | None = None

    def vet(self, path: Path) -> Complaint | None:
        """Return what is wrong with a file, or None if it can be opened here.

        Raises:
            ActivationError: If the system refuses the file, or a process that looks at it.
        """
        try:
            identity = _identity(path)
            if identity in self._sound:
                return None
            with self._lock:
                complaint = self.process().ask(str(path.absolute()))
            if complaint is None and _identity(path) == identity:
                self._sound.add(identity)
        except OSError as error:
            raise ActivationError(f"cannot look at {path}: {reason_of_process(error)}") from error
        return complaint

    def trust(self, path: Path) -> None:
        """Take a file as sound: this process has just written it."""
        self._sound.add(_identity(path))

    def process(self) -> "_Process":
        """Return the process that looks at files; a new one if it has ended, or belongs to a parent of this one."""
        if self._process is None or not self._process.is_running:
            self._process = _Process()
        return self._process


VETTER = Vetter()
"""One for all recordings: starting a process for each of them would take longest."""


def _identity(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class _Process:
    """A process that opens files, each in a child of its own."""

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
            process_group=0,  # Ctrl-C at a terminal goes to this process alone, which ends the other
        )
        atexit.register(self.stop)

    @property
    def is_running(self) -> bool:
        """Is the process running, and this process's own child?"""
        return self._owner == os.getpid() and self._process.poll() is None

    def ask(self, path: str) -> Complaint | None:
        """Return what is wrong with a file, or None if it can be opened."""
        question, answer = self._process.stdin, self._process.stdout
        if question is None or answer is None:
            return Complaint(_NO_ANSWER)
        try:
            question.write(json.dumps(path) + "\n")
            question.flush()
            line = answer.readline()
        except OSError:  # the process has ended
            line = ""
        except BaseException:  # a late answer to this question must not be taken for the answer to the next
            self._process.kill()
            self._process.wait()
            raise
        return _complaint(line) if line else Complaint(_NO_ANSWER)

    def stop(self) -> None:
        """End the process, if it is this one's child."""
        if self._owner == os.getpid():
            with suppress(OSError, ValueError, subprocess.TimeoutExpired):
                self._process.communicate(timeout=_CPU_SECONDS)


def serve() -> None:
    """Answer for each file that is named on standard input."""
    import h5py  # noqa: F401 so that no child has to load it

    import activations.recordings.format.structure  # noqa: F401 likewise

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_look_in_child(Path(json.loads(line)))) + "\n")
        sys.stdout.flush()


def _look_in_child(path: Path) -> Complaint | None:
    """Look at a file in a child process; one that ends without an answer has crashed."""
    try:
        reader, writer = os.pipe()
        child = os.fork()
    except OSError as error:
        return _refused(reason_of_process(error))
    if child == 0:
        os.close(reader)
        with suppress(BaseException):  # whatever ends a child without an answer is an answer
            _set_limits(path)
            _silence()
            os.write(writer, json.dumps(_look(path)).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        content = pipe.read()
    os.waitpid(child, 0)
    return _complaint(content) if content else Complaint(_CRASHED)


def _complaint(content: str | bytes) -> Complaint | None:
    """Return what a line of JSON says."""
    answer = json.loads(content)
    return None if answer is None else Complaint(*answer)


def _refused(why: str) -> Complaint:
    return Complaint(f"the system refuses it: {why}", is_of_the_system=True)


def _set_limits(path: Path) -> None:
    import resource

    with suppress(OSError):
        limits = {
            resource.RLIMIT_AS: path.stat().st_size * 2 + _BYTES_BESIDES_THE_FILE,
            resource.RLIMIT_CPU: _CPU_SECONDS,
            resource.RLIMIT_CORE: 0,
        }
        for kind, most in limits.items():
            hard = resource.getrlimit(kind)[1]
            limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (limit, limit))
    signal.alarm(_WALL_SECONDS)


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)


def _look(path: Path) -> Complaint | None:
    import h5py

    from activations.recordings.format.structure import complaints

    try:
        with h5py.File(path, "r") as file:
            sentences = complaints(path, file)
    except (OSError, RuntimeError, ValueError, TypeError, MemoryError, ArithmeticError, LookupError) as error:
        return _refused(reason(error)) if is_of_the_system(error) else Complaint("it is truncated or damaged")
    return Complaint("; ".join(sentences)) if sentences else None
