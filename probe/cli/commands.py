"""The list of all commands: one file for each, which parses, calls one function, and shows the result."""

from collections.abc import Callable
from typing import Annotated

import typer

from probe import __version__
from probe.cli.ablate import ablate
from probe.cli.check import check
from probe.cli.curve import curve
from probe.cli.demo import demo
from probe.cli.evaluate import evaluate
from probe.cli.explain import explain
from probe.cli.extract import extract
from probe.cli.fit import fit
from probe.cli.help_texts import HarmlessGroup, NamingCommand
from probe.cli.hypotheses import hypotheses
from probe.cli.import_model import import_model
from probe.cli.impulse import impulse
from probe.cli.orders import orders
from probe.cli.patch import patch
from probe.cli.perturb import perturb
from probe.cli.plot import PLOTS
from probe.cli.plot import app as plot_app
from probe.cli.rank import rank
from probe.cli.report import report
from probe.cli.sample import sample
from probe.cli.shared_options import with_shared_options
from probe.cli.similarity import similarity
from probe.cli.steer import steer
from probe.cli.story import story
from probe.cli.sweep import sweep
from probe.cli.train import train
from probe.cli.units import units
from probe.cli.view import view

COMMANDS = (
    demo,
    train,
    sample,
    evaluate,
    sweep,
    import_model,
    extract,
    check,
    hypotheses,
    view,
    rank,
    explain,
    units,
    similarity,
    fit,
    curve,
    ablate,
    orders,
    impulse,
    patch,
    steer,
    perturb,
    story,
    report,
)
ALL_COMMANDS = (*COMMANDS, *PLOTS)
"""The functions of all commands, those of `probe plot` among them."""

app = typer.Typer(
    name="probe",
    cls=HarmlessGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def command_name(command: Callable[..., None]) -> str:
    """Return what calls a function of `ALL_COMMANDS` in the shell, such as `rank` or `plot gates`.

    Python does not allow a function named `import`.
    """
    return f"plot {command.__name__}" if command in PLOTS else command.__name__.removesuffix("_model")


for _command in COMMANDS:
    app.command(command_name(_command), cls=NamingCommand)(with_shared_options(_command))
app.add_typer(plot_app)


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"char-probe {__version__}")
        raise typer.Exit


@app.callback()
def _probe(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Ask what a character-level language model knows, where it keeps it, and whether it uses it."""
