"""The list of all commands: one file for each, which parses, calls one function, and shows the result."""

from collections.abc import Callable

from probe.cli.application import MODULES, add_command, load_command, new_app, shell_name
from probe.cli.plot import PLOTS
from probe.cli.plot import app as plot_app

COMMANDS = tuple(load_command(module) for module in MODULES)
ALL_COMMANDS = (*COMMANDS, *PLOTS)
"""The functions of all commands, those of `probe plot` among them."""

app = new_app()
"""The command `probe` with all its commands."""


def command_name(command: Callable[..., None]) -> str:
    """Return what calls a function of `ALL_COMMANDS` in the shell, such as `rank` or `plot gates`."""
    return f"plot {command.__name__}" if command in PLOTS else shell_name(command.__name__)


for _command in COMMANDS:
    add_command(app, _command)
app.add_typer(plot_app)
