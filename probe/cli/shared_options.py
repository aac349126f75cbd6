"""The options that every command has: `--threads` and `--quiet`."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

from typer import Option

from activations.cores import n_cores, use_threads
from probe.cli.showing import without_progress


def _use(n_threads: int | None) -> None:
    """Tell libraries, which read it when they are loaded: while the command line is read, none is."""
    if n_threads is None:
        n_cores()  # for its error about PROBE_THREADS
    else:
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
QuietOption = Annotated[
    bool,
    Option(
        "--quiet",
        "-q",
        help="Show no progress, nor what is read and how large it will be; warnings are still shown.",
    ),
]


def with_shared_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options `--threads` and `--quiet`, with which it shows no progress while it runs."""
    signature = inspect.signature(command, eval_str=True)
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=option)
        for name, default, option in (("threads", None, ThreadsOption), ("quiet", False, QuietOption))
    ]
    parameters = [*signature.parameters.values(), *shared]

    @wraps(command)
    def run(*, threads: int | None = None, quiet: bool = False, **arguments: Any) -> None:
        with without_progress(quiet):
            command(**arguments)

    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
