"""The code of a function as Python has compiled it: its text, and where it is from."""

import importlib.util
from collections.abc import Iterator
from types import CodeType
from typing import Any


def code_text(code: CodeType) -> str:
    """Return all that a code object does as text, which is the same in every process."""
    constants = [_constant_text(constant) for constant in code.co_consts]
    shape = code.co_flags, code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    return f"{code.co_code.hex()} {code.co_exceptiontable.hex()} {shape} {names} {constants}"


def _constant_text(value: Any) -> str:
    if isinstance(value, CodeType):
        return code_text(value)
    return repr(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)


def with_inner_code(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of a function, and of the functions, classes and comprehensions within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from with_inner_code(constant)


def home_module(function: Any) -> str:
    """Return the name of the module in which a function is written, whatever its `__module__` says."""
    variables = getattr(function, "__globals__", {})
    return str(variables.get("__name__") or getattr(function, "__module__", None) or "builtins")


def absolute_name(name: str, level: int, variables: dict[str, Any]) -> str:
    """Return the absolute name of an imported module.

    Args:
        name: The name in the import statement.
        level: Number of leading dots; 0 for an absolute import.
        variables: Global variables of the importing module.
    """
    if not level:
        return name
    importer = str(variables.get("__name__"))
    package = variables.get("__package__") or (importer if "__path__" in variables else importer.rpartition(".")[0])
    return importlib.util.resolve_name("." * level + name, package)
