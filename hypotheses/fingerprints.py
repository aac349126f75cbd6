"""What a function is, as a hash that outlives the process: so that labels can be kept, and found again."""

import hashlib
import inspect
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from hypotheses.references import spell_code

_PLAIN = (bool, int, float, str, bytes, type(None))


def of_function(function: Callable[..., Any]) -> str | None:
    """A hash of what a function does, as far as its file tells; None if it depends on what no file tells.

    That is the case if it is in no file (in a notebook), holds on to values of another function, or has defaults that
    are not plain. The modules beside its file that its module has imported belong to it; others are not looked at.
    """
    if not inspect.isfunction(function) or function.__closure__:
        return None
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    file = Path(function.__code__.co_filename)
    if not are_plain(*defaults) or not file.is_file():
        return None
    digest = hashlib.sha256(f"{function.__module__} {function.__qualname__} {defaults!r}".encode())
    digest.update(spell_code(function.__code__).encode("utf-8", "surrogatepass"))
    for each in (file, *_beside(function, file.parent)):
        digest.update(each.read_bytes())
    return digest.hexdigest()


def _beside(function: Callable[..., Any], folder: Path) -> list[Path]:
    """The files in a folder from which a function's module has taken something."""
    if function.__module__.startswith("hypotheses."):  # all of which the cache looks at
        return []
    homes = {getattr(value, "__module__", None) for value in function.__globals__.values()}
    modules = [sys.modules.get(home) for home in homes if isinstance(home, str)]
    modules += [value for value in function.__globals__.values() if isinstance(value, ModuleType)]
    files = {Path(str(getattr(module, "__file__", None) or "")) for module in modules}
    return sorted(file for file in files if file.parent == folder and file.is_file())


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


def of_files(paths: Iterable[Path]) -> str:
    """A hash of what stands in some files, and in all those of a folder; of no content where there is none."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            content = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
            digest.update(f"{file.relative_to(path.parent)} {content}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
