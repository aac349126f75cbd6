"""The option `--threads`, which every command has."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

from typer import Option

from activations.cores import use_threads


def _use(n_threads: int | None) -> None:
    """Tell libraries, which read it when they are loaded: while the command line is read, none is."""
    if n_threads is not None:
        use_threads(n_threads)


ThreadsOption = Annotated[
    int | None,
    Option(
        min=1,
        max=1024,
        callback=_use,
        is_eager=True,
        help="How many processor cores to use (default: PROBE_THREADS if that is set, and otherwise those that the "
        "system gives to this process). Results are the same, except that --lanes has another default.",
        show_default=False,
    ),
]


def with_threads(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option `--threads`."""
    signature = inspect.signature(command, eval_str=True)
    option = inspect.Parameter("threads", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=ThreadsOption)
    parameters = [*signature.parameters.values(), option]

    @wraps(command)
    def run(*, threads: int | None = None, **arguments: Any) -> None:
        command(**arguments)

    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
