"""Loops that numba compiles when they are first called, and keeps on the disk, so that numba is only loaded then.

All packages compile their loops in this way. It is the one thing that `activations` takes from `hypotheses`.

The first question after installing waits until the loops that it needs are compiled. What takes long there, each time
that a loop has it: assigning an array to a slice (the error for wrong shapes alone is 2 s), slices themselves,
`np.searchsorted`, `np.cumsum` and `.sum()`; a callee for each combination of types that it is called with; and every
further type or memory layout of the arguments.
"""

from collections.abc import Callable, Iterator
from functools import update_wrapper
from threading import RLock
from types import CodeType, FunctionType
from typing import Any, TypeVar, cast

from hypotheses.kept_loops import keep_by_facts

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
        self._callee: Any = None

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Compute it."""
        return (self._dispatcher or self.dispatcher())(*arguments, **named)

    def dispatcher(self) -> Any:
        """Return numba's form of the function, with those that it calls in numba's form, too."""
        with _READY:
            self._dispatcher = self._dispatcher or self._prepared(no_cfunc_wrapper=True)
            return self._dispatcher

    def callee(self) -> Any:
        """Return numba's form of the function for loops that call it: Python cannot, which is less to compile."""
        with _READY:
            if self._callee is None:
                self._callee = self._prepared(no_cfunc_wrapper=True, no_cpython_wrapper=True)
                _ignore_literals(self._callee)
            return self._callee

    def called(self) -> set["CompiledLoop"]:
        """Return the loops that this one calls, and those that these call."""
        loops = {value for _, value in _names_and_values(self.py_func) if isinstance(value, CompiledLoop)} - {self}
        return loops.union(*(loop.called() for loop in loops))

    def _prepared(self, **options: bool) -> Any:
        from numba import njit

        _prepare_numba()
        function = self.py_func
        names = dict(_names_and_values(function))
        names |= {name: value.callee() for name, value in names.items() if isinstance(value, CompiledLoop)}
        copy = FunctionType(function.__code__, names, function.__name__, function.__defaults__)
        update_wrapper(copy, function)
        dispatcher = njit(**self.options | options)(copy)
        keep_by_facts(dispatcher, self.called(), sorted(options))
        return dispatcher


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


def _ignore_literals(dispatcher: Any) -> None:
    """Compile a callee once for whole numbers, not once more for each constant that is given to it."""
    from numba.core import types

    template, unliteral = dispatcher.get_call_template, cast(Any, types.unliteral)

    def get_call_template(arguments: Any, named: Any) -> Any:
        return template(
            tuple(map(without_value, arguments)), {name: without_value(kind) for name, kind in named.items()}
        )

    def without_value(kind: Any) -> Any:
        return unliteral(kind) if isinstance(kind, types.IntegerLiteral | types.BooleanLiteral) else kind

    dispatcher.get_call_template = get_call_template


def _names_and_values(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """Yield the names that a function uses of its module, with what they mean.

    A loop is called by its name, not as an attribute of its module. Names of attributes are among the names.
    """
    values = function.__globals__
    for name in ("__name__", "__builtins__", "__file__", *_names(function.__code__)):
        if name in values:
            yield name, values[name]


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
