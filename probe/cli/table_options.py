"""Options of where the rows of a command go: a table on the screen, JSON Lines, or a CSV file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from typer import BadParameter

from probe.cli.options import CsvOption, JsonOption
from probe.cli.showing import TableCell, say, show_rows


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """Options of where the rows of a command go."""

    csv: CsvOption = None
    as_json: JsonOption = False

    def check(self, *inputs: Path) -> None:
        """Refuse a CSV file that cannot be written, before any work.

        Args:
            inputs: Files that are read, and that it may not overwrite.
        """
        from activations.files import check_output

        if self.csv is None:
            return
        if self.csv.suffix != ".csv":
            raise BadParameter(f"{self.csv} is not the name of a table of numbers; end its name in .csv")
        check_output(self.csv, *inputs)

    def show(
        self, rows: Sequence[Mapping[str, TableCell]], shown: Sequence[Mapping[str, TableCell]] | None = None
    ) -> None:
        """Print rows as JSON Lines, or those that are shown as a table, by default the same rows."""
        show_rows(rows if self.as_json or shown is None else shown, as_json=self.as_json)

    def write(self, rows: Iterable[Mapping[str, TableCell]], columns: Sequence[str] | None = None) -> None:
        """Write rows to the file of `--csv`, if that is given, whole or not at all.

        Args:
            rows: The rows that `--json` prints; with `columns`, they are taken one after another.
            columns: The keys to write; None is all keys that any row has.
        """
        from probe.tables import write_table

        if self.csv is not None:
            n_rows = write_table(self.csv, rows, columns)
            say(f"{self.csv}: {n_rows:,} rows", quiet=self.as_json)
