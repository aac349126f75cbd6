"""The commands `probe plot …`, which draw a picture each; `-o` takes .png, .svg and .pdf."""

import typer

from probe.cli.help_texts import HarmlessGroup, NamingCommand
from probe.cli.plot.curve import curve, steps
from probe.cli.plot.gates import gates
from probe.cli.plot.losses import losses
from probe.cli.plot.matrix import matrix
from probe.cli.plot.overlap import overlap
from probe.cli.plot.ranking import ranking
from probe.cli.plot.sweep import sweep
from probe.cli.plot.unit import unit
from probe.cli.plot.weights import weights
from probe.cli.shared_options import with_shared_options

PLOTS = (matrix, ranking, unit, weights, curve, gates, overlap, losses, steps, sweep)
"""The functions of the commands, by whose names they are called."""

app = typer.Typer(name="plot", cls=HarmlessGroup, no_args_is_help=True)

for _plot in PLOTS:
    app.command(_plot.__name__, cls=NamingCommand)(with_shared_options(_plot))


@app.callback()
def _plots() -> None:
    """Draw a picture: PNG, SVG or PDF, by the ending of -o; --json prints the numbers that are drawn."""
