"""The command `probe plot losses`, which draws the losses of trainings."""

from pathlib import Path
from typing import Annotated

from typer import Argument

from probe.cli.option_groups import with_options
from probe.cli.plot.picture_options import PictureOptions
from probe.cli.provenance import provenance
from probe.cli.showing import TableCell, say

_NAME = "losses"


@with_options
def losses(
    runs: Annotated[
        list[Path],
        Argument(
            help="Folders of trainings, such as model.training, or their models.",
            metavar="TRAINING",
            show_default=False,
        ),
    ],
    *,
    picture: PictureOptions,
) -> None:
    """Draw the losses of one training or several over the updates, with the best point of each marked.

    Dashed lines with markers are the losses on the held-out text, and thin lines those on the training text, in nats
    per character. The point with the lowest held-out loss is the one whose weights the model has. --json and --csv have
    every point.

    Example:
        probe plot losses small.training large.training -o losses.png
    """
    from probe.training.loss_files import LOSSES_FILE, plot_runs, read_losses, run_folder

    picture.check_picture(_NAME, *(run_folder(run) / LOSSES_FILE for run in runs))
    trainings = [read_losses(run) for run in dict.fromkeys(runs)]
    rows: list[dict[str, TableCell]] = [{**row, **provenance()} for training in trainings for row in training.rows()]
    if picture.as_json:
        picture.show(rows)
    for training in trainings:
        say(str(training), quiet=picture.as_json)
    picture.write(rows)
    n = len(trainings)
    picture.save(_NAME, plot_runs(trainings), "the losses of a training" if n == 1 else f"the losses of {n} trainings")
