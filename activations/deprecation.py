"""Old names of arguments and attributes, which work for one more release and warn."""

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def renamed_keyword(old: str, new: str) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Accept a keyword argument under its old name, too, with a DeprecationWarning that gives the new one.

    Raises:
        TypeError: When the function is called, if the argument is given under both names.
    """

    def decorate(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        name = function.__qualname__.removesuffix(".__init__")  # a class is called, not its constructor

        @wraps(function)
        def call(*arguments: Arguments.args, **keywords: Arguments.kwargs) -> Result:
            if old in keywords:
                if new in keywords:
                    raise TypeError(f"{name}() got {new!r} twice, once under its old name {old!r}")
                message = f"the argument {old!r} of {name}() is now called {new!r}"
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                keywords[new] = keywords.pop(old)
            return function(*arguments, **keywords)

        return call

    return decorate


def renamed_attribute(old: str, new: str) -> property:
    """Return a property for the old name of an attribute, which warns and gives the new name."""

    def value(instance: object) -> Any:
        warnings.warn(f"{type(instance).__name__}.{old} is now called {new}", DeprecationWarning, stacklevel=2)
        return getattr(instance, new)

    return property(value)
