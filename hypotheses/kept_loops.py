"""Compiled loops on the disk: each version in a file that is named after all that it depends on.

numba numbers versions, and saves the list of numbers before the versions, so that of two processes that save at the
same time, one may later load what the other has compiled for arguments of other types. It also does not notice that a
loop calls another one that has changed.

    file:   module.function-line.py311 . files - version .nbc
                                         |       `- types of the arguments, processor, bytecode, constants, numba
                                         `- when the files of the function, and of those it calls, were changed
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Protocol

_CONSTANTS = (bool, int, float, str, tuple)


class Loop(Protocol):
    """What is known of a loop that another one calls."""

    py_func: FunctionType


def keep_by_facts(dispatcher: Any, called: Iterable[Loop], options: Iterable[str]) -> None:
    """Let a function of numba's keep its versions in files that are named after all that they depend on.

    Args:
        dispatcher: The function. It is left as it is if nothing of it is kept.
        called: The loops that it calls, directly or not.
        options: What else the versions depend on.
    """
    from numba.core import caching

    file: Any = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if type(file) is not caching.IndexDataCacheFile:
        return
    functions = sorted((loop.py_func for loop in called), key=_place)
    paths = sorted({function.__code__.co_filename for function in functions})
    constants = sorted({fact for function in (dispatcher.py_func, *functions) for fact in _constants(function)})
    kept: Any = file  # which has no types
    kept.__class__ = _kept_files()
    kept._source_stamp = kept._source_stamp, [_stamp(path) for path in paths]
    kept._facts = [function.__code__.co_code for function in functions], constants, list(options)


@cache
def _kept_files() -> type[Any]:
    from numba.core import caching

    files: Any = caching.IndexDataCacheFile  # which has no types

    class KeptFiles(files):  # type: ignore[misc]
        """The versions of a function, without a list of them. A file appears complete or not at all."""

        def save(self, key: tuple[Any, ...], data: object) -> None:
            self._save_data(self._name_of(key), data)
            self._remove_outdated()

        def load(self, key: tuple[Any, ...]) -> Any:
            try:
                return self._load_data(self._name_of(key))
            except (OSError, EOFError):
                return None

        def _name_of(self, key: tuple[Any, ...]) -> str:
            return f"{self._start()}{_digest((self._version, self._facts, key))}.nbc"

        def _start(self) -> str:
            return f"{self._index_name.removesuffix('nbi')}{_digest(self._source_stamp)}-"

        def _remove_outdated(self) -> None:
            """Remove what is left of the function before its file, or one of those that it calls, was changed."""
            function, _, python = self._index_name.removesuffix(".nbi").rpartition("-")
            of_function = re.compile(rf"{re.escape(function)}-\d+{re.escape(python.lstrip('0123456789'))}\..*nb[ci]")
            with suppress(OSError):
                for path in Path(self._cache_path).iterdir():
                    if of_function.fullmatch(path.name) and not path.name.startswith(self._start()):
                        path.unlink(missing_ok=True)

    return KeptFiles


def _place(function: FunctionType) -> tuple[str, int]:
    return function.__code__.co_filename, function.__code__.co_firstlineno


def _constants(function: FunctionType) -> Iterable[str]:
    """Yield the constants of its module that a function uses, which are compiled into it."""
    for name in function.__code__.co_names:
        value = function.__globals__.get(name)
        if isinstance(value, _CONSTANTS) or (hasattr(value, "dtype") and not isinstance(value, ModuleType)):
            yield f"{name} {value!r}"


def _stamp(path: str) -> tuple[float, int] | None:
    try:
        facts = Path(path).stat()
    except OSError:  # in an archive, or in no file
        return None
    return facts.st_mtime, facts.st_size


def _digest(facts: object) -> str:
    return sha256(repr(facts).encode()).hexdigest()[:15]
