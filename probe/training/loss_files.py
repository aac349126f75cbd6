"""The losses of trainings, as their run folders have them, and a picture of several."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from activations.errors import ActivationError
from activations.files import check_is_file
from activations.results import Result, TableCell
from probe.pictures.figures import LEGEND, STYLES, literal, new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from activations.models.training.results import TrainingRow

LOSSES_FILE = "losses.csv"
COLUMNS = ("update", "epoch", "nats_per_char", "held_out_nats_per_char")
_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TrainingLosses(Result):
    """The losses of one training.

    Attributes:
        name: The name of the model.
        losses: After each part of the training; see `TrainingRow`.
    """

    name: str
    losses: "tuple[TrainingRow, ...]" = field(repr=False)

    @property
    def best(self) -> "TrainingRow | None":
        """The point with the lowest held-out loss, which gave the model; None if none was measured."""
        judged = [row for row in self.losses if row.held_out is not None]
        return min(judged, key=lambda row: row.held_out or 0.0, default=None)

    def rows(self) -> list[Mapping[str, TableCell]]:
        """Return the rows that `probe plot losses --json` prints."""
        best = self.best
        return [
            {"model": self.name, **dict(zip(COLUMNS, row, strict=True)), "is_best": row is best} for row in self.losses
        ]

    def __str__(self) -> str:
        best = self.best
        if best is None:
            return f"{self.name}: {len(self.losses)} points, without held-out losses"
        return (
            f"{self.name}: {best.held_out:.3f} nats per character held out, after {best.update:,} updates "
            f"({best.epoch:.1f} epochs), of {self.losses[-1].update:,}"
        )


def run_folder(path: Path) -> Path:
    """Return the folder of a training, by its own name, by that of the model's file, or by that without its ending.

    Raises:
        ActivationError: If there is none.
    """
    beside = path if path.suffix == ".training" else path.with_name(f"{path.name.removesuffix('.pt')}.training")
    for folder in (path, beside):
        if folder.is_dir():
            return folder
    raise ActivationError(
        f"there is no training of {path}: there is no folder {beside}, which `probe train` makes beside the model; "
        "check the name"
    )


def read_losses(path: Path) -> TrainingLosses:
    """Read the losses of a training.

    Args:
        path: Its folder, or the model's file; see `run_folder`.

    Raises:
        ActivationError: If there is no such folder, or its losses cannot be read.
    """
    folder = run_folder(path)
    file = folder / LOSSES_FILE
    check_is_file(file, "table of losses")
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            table = csv.DictReader(lines)
            rows = [_training_row(row) for row in table]
            if not set(COLUMNS) <= set(table.fieldnames or COLUMNS):
                raise KeyError("a column is missing")
    except FileNotFoundError:
        raise ActivationError(
            f"{folder} has no {LOSSES_FILE}, so that it is not the folder of a training; name one that `probe train` "
            "made"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise ActivationError(
            f"{file} is not a table of losses with the columns {', '.join(COLUMNS)}; train the model again, or name "
            "another one"
        ) from error
    if not rows:
        raise ActivationError(f"{file} has no losses yet; wait until the training has written some")
    return TrainingLosses(name=folder.name.removesuffix(".training"), losses=tuple(rows))


def _training_row(row: Mapping[str, str]) -> "TrainingRow":
    from activations.models.training.results import TrainingRow

    update, epoch, loss, held_out = (row[column] for column in COLUMNS)
    is_before_training = int(update) == 0 and not loss
    numbers = (float(epoch), 0.0 if is_before_training else float(loss), float(held_out) if held_out else 0.0)
    if not all(map(math.isfinite, numbers)):
        raise ValueError("a loss is not a number")
    training_loss = math.nan if is_before_training else numbers[1]
    return TrainingRow(int(update), numbers[0], training_loss, numbers[2] if held_out else None)


def plot_runs(runs: "TrainingLosses | Sequence[TrainingLosses]", axes: "Axes | None" = None) -> "Axes":
    """Draw the losses of several trainings over their updates, with the best held-out loss of each marked.

    Args:
        runs: The trainings. Dashed lines with markers are held-out losses, thin ones those on the training text.
        axes: Where to draw; None makes a new figure.
    """
    several = [runs] if isinstance(runs, TrainingLosses) else list(runs)
    axes = axes or new_axes(7.0, 4.0)
    for run, (colour, marker, _) in zip(several, cycle(STYLES)):
        name = literal(run.name, _LONGEST_NAME)
        x, losses = [row.update for row in run.losses], [row.loss for row in run.losses]
        axes.plot(x, losses, color=colour, linewidth=0.9, alpha=0.8, label=f"{name}, training")
        judged = [(row.update, row.held_out) for row in run.losses if row.held_out is not None]
        best = run.best
        if best is None or best.held_out is None:
            continue
        label = f"{name}, held out: best {best.held_out:.3f}"
        updates, held_out = zip(*judged, strict=True)
        axes.plot(updates, held_out, color=colour, marker=marker, ms=4, linestyle="--", label=label)
        axes.plot(
            [best.update], [best.held_out], marker=marker, ms=11, color=colour, markerfacecolor="none", linestyle=""
        )
    axes.set_xlabel("updates of the weights\n(large open mark: the best, which is the model)")
    axes.set_ylabel("loss, in nats per character")
    axes.grid(alpha=0.25)
    if len(several) > 2:
        axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1.01, 1.0))
    else:
        axes.legend(**LEGEND)
    return axes
