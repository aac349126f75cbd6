"""Write tables of numbers as CSV files."""

from collections.abc import Iterable, Mapping, Sequence
from csv import DictWriter
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from activations.files import replacing
from activations.results import to_frame as to_frame

if TYPE_CHECKING:
    from analyses.ranking.results import Ranking


def write_table(path: Path, rows: Iterable[Mapping[str, object]], columns: Sequence[str] | None = None) -> int:
    """Write rows as CSV, whole or not at all.

    A number is written so that it reads back as the same number; keys that a row lacks, None and NaN are left empty.

    Args:
        path: The file; it is replaced once all rows are written.
        rows: The rows. With `columns`, they are taken one after another, and never held in memory together.
        columns: The keys to write, in their order; None is all keys that any row has.

    Returns:
        The number of rows.

    Raises:
        ActivationError: If it cannot be written.
    """
    if columns is None:
        rows = list(rows)
        columns = list(dict.fromkeys(key for row in rows for key in row))
    n_rows = 0
    with (
        replacing(path) as temporary,
        temporary.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,  # paths of any bytes
    ):
        writer = DictWriter(_LineFeeds(file), columns, lineterminator="\r\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({key: None if value != value else value for key, value in row.items()})  # NaN
            n_rows += 1
    return n_rows


class _LineFeeds:
    """A file to which rows are written with a line feed at their end.

    The csv writer ends rows with both characters of a line end, because it then quotes cells with either in them.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> None:
        """Write a row that ends with both characters of a line end."""
        self._file.write(row.removesuffix("\r\n") + "\n")


def write_rankings(path: Path | str, rankings: Iterable["Ranking"]) -> int:
    """Write every unit of some rankings as CSV, a row for each hypothesis and unit, whole or not at all.

    Args:
        path: The file; it is replaced once all rows are written.
        rankings: The results of `rank`, `rank_all` or `compare`. For the columns, see `Ranking.table_rows`.

    Returns:
        The number of rows.

    Raises:
        ActivationError: If it cannot be written.
    """
    from analyses.ranking.results import TABLE_COLUMNS

    return write_table(Path(path), (row for ranking in rankings for row in ranking.table_rows()), TABLE_COLUMNS)
