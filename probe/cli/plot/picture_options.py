"""Where a picture goes: the options that every `probe plot` command has."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from typer import Option

from probe.cli.showing import say
from probe.cli.table_options import TableOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOptions(TableOptions):
    """Options of where a picture goes, and the numbers that are drawn in it."""

    output: Annotated[
        Path | None,
        Option(
            "--output",
            "-o",
            help="The picture: .png, .svg or .pdf (default: the name of the command and .png, in this folder)",
            show_default=False,
        ),
    ] = None

    def path(self, name: str) -> Path:
        """Return the file that the picture of this name is written to."""
        return self.output or Path(f"{name}.png")

    def check_picture(self, name: str, *inputs: Path) -> None:
        """Refuse a picture or a table that cannot be written, before any work.

        Args:
            name: The name of the command.
            inputs: Files that are read, and that may not be overwritten.
        """
        from activations.files import check_output
        from probe.plots import check_picture

        self.check(*inputs)
        check_picture(self.path(name))
        check_output(self.path(name), *inputs)

    def save(self, name: str, axes: Any, what: str) -> None:
        """Write the picture, and say so.

        Args:
            name: The name of the command.
            axes: Axes of the picture, as a function of `probe.plots` returned them.
            what: What it shows, for the sentence: "the gates of 3 layers".
        """
        from probe.plots import figure_of, save_figure

        save_figure(figure_of(axes), self.path(name))
        say(f"{self.path(name)}: {what}", quiet=self.as_json)
