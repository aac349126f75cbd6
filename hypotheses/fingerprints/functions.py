"""What a function is, as a hash that outlives the process: so that labels can be kept, and found again."""

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from time import time_ns
from types import FunctionType
from typing import Any

from hypotheses.fingerprints.references import spell_code

_PLAIN = (bool, int, float, str, bytes, type(None))
_TICK_NS = 2_000_000_000  # the coarsest clock of a file system


def of_function(function: Callable[..., Any]) -> str | None:
    """A hash of what a function does, as far as its file tells; None if it depends on what no file tells.

    That is the case if it is in no file (in a notebook), holds on to values of another function, or has defaults that
    are not plain. What it refers to is told by `references.References`.
    """
    if type(function) is not FunctionType or function.__closure__:
        return None
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    file = Path(function.__code__.co_filename)
    if not are_plain(*defaults) or not file.is_file():
        return None
    digest = hashlib.sha256(f"{function.__module__} {function.__qualname__} {defaults!r}".encode())
    digest.update(spell_code(function.__code__).encode("utf-8", "surrogatepass"))
    digest.update(file.read_bytes())
    return digest.hexdigest()


def are_plain(*values: object) -> bool:
    """Whether these are numbers, texts and the like, whose spelling says all of them."""
    return all(type(value) in _PLAIN for value in values)


def file_of(function: Callable[..., Any]) -> str | None:
    """The file in which a function is written, or what it wraps, or its class's `__call__`."""
    wrapped = inspect.unwrap(getattr(function, "func", function))
    called = (
        wrapped if inspect.isfunction(wrapped) or inspect.ismethod(wrapped) else vars(type(wrapped)).get("__call__")
    )
    code = getattr(called, "__code__", None)
    return code.co_filename if code else None


class DeclaredFiles:
    """The files and folders that a hypothesis is declared to read, as they were when it was made, and as they are now.

    What they were like is told by their sizes and times, so that a large file is read only when labels are asked for.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self.paths = tuple(paths)
        self._first = self._times()
        newest = max((time for *_, time in self._first), default=0)
        is_fresh = time_ns() - newest < _TICK_NS  # another change may leave the same times
        self._first_digest = self._digest() if is_fresh else None

    def digest(self) -> str | None:
        """A hash of what stands in the files, and in all those of the folders; None if that was different before."""
        found = self._digest()
        is_same = self._first == self._times() if self._first_digest is None else self._first_digest == found
        return found if is_same else None

    def _files(self) -> Iterator[tuple[Path, str]]:
        """The files, and how they are called from the folder of what was declared."""
        for path in self.paths:
            for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
                yield file, str(file.relative_to(path.parent))

    def _times(self) -> list[tuple[str, int, int, int, int]]:
        found = [(name, file.stat()) for file, name in self._files() if file.exists()]
        return [(name, each.st_ino, each.st_size, each.st_mtime_ns, each.st_ctime_ns) for name, each in found]

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for path, name in self._files():
            content = ""
            if path.is_file():
                with path.open("rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{name} {content}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()
