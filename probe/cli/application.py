"""The command `probe`, to which commands are added."""

from collections.abc import Callable
from importlib import import_module
from typing import Annotated

import typer

from probe import __version__
from probe.cli.help_texts import HarmlessGroup, NamingCommand
from probe.cli.shared_options import with_shared_options

MODULES = (
    "demo",
    "train",
    "sample",
    "evaluate",
    "sweep",
    "import_model",
    "extract",
    "check",
    "hypotheses",
    "view",
    "explore",
    "rank",
    "explain",
    "units",
    "similarity",
    "fit",
    "curve",
    "ablate",
    "orders",
    "impulse",
    "patch",
    "steer",
    "perturb",
    "story",
    "report",
)
"""The modules of `probe.cli` with commands, in the order of the help; each has a function of the same name."""


def new_app() -> typer.Typer:
    """Return the command `probe`, without commands yet."""
    app = typer.Typer(
        name="probe",
        cls=HarmlessGroup,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_probe)
    return app


def add_command(app: typer.Typer, command: Callable[..., None]) -> None:
    """Add a command, with the options that all have."""
    app.command(shell_name(command.__name__), cls=NamingCommand)(with_shared_options(command))


def load_command(module: str) -> Callable[..., None]:
    """Return the function of a command from the module that defines it."""
    command: Callable[..., None] = getattr(import_module(f"probe.cli.{module}"), module)
    return command


def shell_name(name: str) -> str:
    """Return what calls a function in the shell; Python does not allow one named `import`."""
    return name.removesuffix("_model")


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"char-probe {__version__}")
        raise typer.Exit


def _probe(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Ask what a character-level language model knows, where it keeps it, and whether it uses it."""
