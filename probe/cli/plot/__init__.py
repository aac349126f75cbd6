"""The commands `probe plot …`, which draw a picture each; `-o` takes .png, .svg and .pdf."""

import typer

from probe.cli.help_texts import NamingCommand
from probe.cli.plot.gates import gates
from probe.cli.plot.unit import unit

PLOTS = (gates, unit)
"""The functions of the commands, by whose names they are called."""

app = typer.Typer(name="plot", no_args_is_help=True)

for _plot in PLOTS:
    app.command(_plot.__name__, cls=NamingCommand)(_plot)


@app.callback()
def _plots() -> None:
    """Draw a picture: PNG, SVG or PDF, by the ending of -o; --json prints the numbers that are drawn."""
