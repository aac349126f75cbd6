"""Loops that numba compiles when they are first called, and keeps on the disk, so that numba is only loaded then."""

from collections.abc import Callable, Iterator
from functools import update_wrapper
from hashlib import sha256
from threading import RLock
from types import CodeType, FunctionType
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])
_PACKAGES = ("probe", "analyses", "activations", "hypotheses")
_READY = RLock()
_announce: Callable[[], None] | None = None
_is_prepared = False


class CompiledLoop:
    """A function that is compiled when it is first called.

    Attributes:
        py_func: The function in Python, which is what the compiled one computes.
        options: Those of `numba.njit`.
    """

    def __init__(self, function: FunctionType, options: dict[str, Any]) -> None:
        update_wrapper(self, function)
        self.py_func = function
        self.options = options
        self._dispatcher: Any = None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Compute it."""
        return (self._dispatcher or self.dispatcher())(*arguments, **named)

    def dispatcher(self) -> Any:
        """Return numba's form of the function, with those that it calls in numba's form, too."""
        with _READY:
            if self._dispatcher is None:
                from numba import njit

                _prepare_numba()
                function = self.py_func
                names = dict(_with_dispatchers(function))
                copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__)
                update_wrapper(copy, function)
                self._dispatcher = _keyed(njit(**self.options)(copy))
            return self._dispatcher


def compiled(**options: Any) -> Callable[[Function], Function]:
    """Compile a function by numba when it is first called, and keep the compiled form on the disk.

    Args:
        options: Those of `numba.njit`; `cache` is True.
    """

    def compile_later(function: Function) -> Function:
        return cast(Function, CompiledLoop(cast(FunctionType, function), {"cache": True} | options))

    return compile_later


def announce_compiling(say: Callable[[], None]) -> None:
    """Call `say` once, when a function of ours is first compiled: not if all that is needed is on the disk."""
    global _announce
    _announce = say


def _prepare_numba() -> None:
    """Listen to when functions are compiled; called once numba is loaded."""
    global _is_prepared
    if _is_prepared or _announce is None:
        return
    _is_prepared = True
    from numba.core import event

    class Compiling(event.Listener):
        """Says that functions are compiled, if they are ours and will be kept."""

        def on_start(self, event: Any) -> None:
            global _announce
            function = getattr(event.data.get("dispatcher"), "py_func", None)
            if _announce and getattr(function, "__module__", "").partition(".")[0] in _PACKAGES:
                say, _announce = _announce, None
                say()

        def on_end(self, event: Any) -> None:
            """Do nothing."""

    register: Any = event.register  # which has no types
    register("numba:compile", Compiling())


def _keyed(dispatcher: Any) -> Any:
    """Let a compiled function keep each version of it in a file that is named after all that the version depends on.

    numba numbers versions, and saves the list of numbers before the versions, so that of two processes that save at
    the same time, one may later load what the other has compiled for arguments of other types.
    """
    from numba.core import caching

    file: Any = getattr(getattr(dispatcher, "_cache", None), "_cache_file", None)
    if type(file) is caching.IndexDataCacheFile:
        file.__class__ = _keyed_files()
    return dispatcher


def _keyed_files() -> type[Any]:
    from numba.core import caching

    files: Any = caching.IndexDataCacheFile  # which has no types

    class KeyedFiles(files):  # type: ignore[misc]
        """The versions of a function, without a list of them. A file appears complete or not at all."""

        def save(self, key: tuple[Any, ...], data: object) -> None:
            self._save_data(self._name_of(key), data)

        def load(self, key: tuple[Any, ...]) -> Any:
            try:
                return self._load_data(self._name_of(key))
            except (OSError, EOFError):
                return None

        def _name_of(self, key: tuple[Any, ...]) -> str:
            facts = repr((self._version, self._source_stamp, key))
            return str(self._data_name(int(sha256(facts.encode()).hexdigest()[:15], 16)))

    return KeyedFiles


def _with_dispatchers(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the names that a function uses of its module, with what they mean, once compiled.

    A loop is called by its name, not as an attribute of its module. Names of attributes are among the names.
    """
    values = function.__globals__
    for name in ("__name__", "__builtins__", "__file__"):
        if name in values:
            yield name, values[name]
    for name in _names(function.__code__):
        if name in values:
            value = values[name]
            yield name, value.dispatcher() if isinstance(value, CompiledLoop) else value


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
