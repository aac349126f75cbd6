"""Options that commands share in groups: a dataclass declares them, and a command takes it as one parameter."""

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that a parameter's dataclass declares, in place of that parameter.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True, kw_only=True)
    ... class TextOptions:
    ...     newlines: str = "keep"
    ...     encoding: str = "utf-8"
    >>> @with_options
    ... def show(name: str, *, text_options: TextOptions) -> None:
    ...     print(name, text_options.newlines)
    >>> list(inspect.signature(show).parameters)
    ['name', 'newlines', 'encoding']
    >>> show(name="a.txt", newlines="lf", encoding="utf-8")
    a.txt lf
    """
    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    groups: dict[str, type[Any]] = {}
    for parameter in signature.parameters.values():
        if not (isinstance(parameter.annotation, type) and is_dataclass(parameter.annotation)):
            parameters.append(parameter)
            continue
        groups[parameter.name] = parameter.annotation
        hints = get_type_hints(parameter.annotation, include_extras=True)
        parameters += [
            inspect.Parameter(field.name, parameter.kind, default=field.default, annotation=hints[field.name])
            for field in fields(parameter.annotation)
        ]

    @wraps(command)
    def run(**arguments: Any) -> None:
        made = {
            name: group(**{field.name: arguments.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**arguments, **made)

    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def spelled(group: type[Any], name: str) -> str:
    """Return how an option that a dataclass declares is spelled in the shell.

    >>> from dataclasses import dataclass
    >>> from typing import Annotated
    >>> from typer import Option
    >>> @dataclass(frozen=True, kw_only=True)
    ... class TextOptions:
    ...     warm_up: Annotated[int, Option(help="Characters read before.")] = 0
    ...     part: Annotated[str, Option("--range")] = ""
    >>> spelled(TextOptions, "warm_up"), spelled(TextOptions, "part")
    ('--warm-up', '--range')
    """
    hint = get_type_hints(group, include_extras=True)[name]
    [option] = hint.__metadata__
    spellings = [option.default, *(option.param_decls or ())]  # with `Annotated`, the first spelling is in `default`
    return next((spelling for spelling in spellings if str(spelling).startswith("--")), f"--{name.replace('_', '-')}")
