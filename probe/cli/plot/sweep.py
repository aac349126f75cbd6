"""The command `probe plot sweep`, which draws the test losses of a grid of models."""

from pathlib import Path
from typing import Annotated

from typer import Argument

from probe.cli.option_groups import with_options
from probe.cli.plot.picture_options import PictureOptions
from probe.cli.provenance import provenance
from probe.cli.showing import TableCell, say

_NAME = "sweep"


@with_options
def sweep(
    folder: Annotated[Path, Argument(help="The folder that `probe sweep` wrote.")] = Path("sweep"),
    *,
    picture: PictureOptions,
) -> None:
    """Draw the test losses of the models of a sweep: cells and layers down, units across, the best one in bold.

    Nothing is trained or read but the tables in the folder.

    Example:
        probe plot sweep sweep -o sweep.pdf
    """
    from probe.plots import plot_sweep
    from probe.training.sweep_files import OVERLAP_FILE, RESULTS_FILE, read_sweep

    picture.check_picture(_NAME, folder / RESULTS_FILE, folder / OVERLAP_FILE)
    result = read_sweep(folder)
    rows: list[dict[str, TableCell]] = [{**row, **provenance()} for row in result.rows()]
    shown = ("cell", "n_layers", "n_units", "n_parameters", "test_nats_per_char", "test_accuracy")
    picture.show(rows, [{key: row[key] for key in shown} for row in rows])
    say(f"{result}", quiet=picture.as_json)
    picture.write(rows)
    picture.save(_NAME, plot_sweep(result), f"the test losses of {len(result.models)} models")
