"""The hash of a function, which is the same in every process."""

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

from hypotheses.fingerprints.bytecode import code_text

_PLAIN = (bool, int, float, str, bytes, type(None))


def function_hash(function: Callable[..., Any]) -> str | None:
    """Return a hash of a function's name, defaults, bytecode and source file; None if these do not define it.

    They do not if the function is in no file (in a notebook), is a closure over variables of another function, or has
    defaults that are not plain. What the function refers to is the business of `references.References`.
    """
    if type(function) is not FunctionType or function.__closure__:
        return None
    defaults = (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values())
    file = Path(function.__code__.co_filename)
    if not are_plain(*defaults) or not file.is_file():
        return None
    digest = hashlib.sha256(f"{function.__module__} {function.__qualname__} {defaults!r}".encode())
    digest.update(code_text(function.__code__).encode("utf-8", "surrogatepass"))
    digest.update(file.read_bytes())
    return digest.hexdigest()


def are_plain(*values: object) -> bool:
    """Tell whether all values are numbers, strings and the like, which their `repr` defines completely."""
    return all(type(value) in _PLAIN for value in values)


def source_file(function: Callable[..., Any]) -> str | None:
    """Return the file of a function's code; of a wrapper or partial, that of the wrapped function."""
    wrapped = inspect.unwrap(getattr(function, "func", function))
    is_function = inspect.isfunction(wrapped) or inspect.ismethod(wrapped)
    called = wrapped if is_function else vars(type(wrapped)).get("__call__")
    code = getattr(called, "__code__", None)
    return code.co_filename if code else None
