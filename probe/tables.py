"""Tables of numbers as files."""

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

    A number is written so that it reads back as the same; what is missing from a row, and NaN, are left empty.

    Args:
        path: The file; what is there is replaced when all rows are written.
        rows: With `columns`, they are taken one after another, and never held together.
        columns: The keys of the rows, in their order; None is all keys that any row has.

    Returns:
        How many rows there are.

    Raises:
        ActivationError: If it cannot be written.
    """
    if columns is None:
        rows = list(rows)
        columns = list(dict.fromkeys(key for row in rows for key in row))
    n_rows = 0
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = DictWriter(_LineFeeds(file), columns, lineterminator="\r\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({key: None if value != value else value for key, value in row.items()})  # NaN is not itself
            n_rows += 1
    return n_rows


class _LineFeeds:
    """Ends rows with a line feed, where their writer has both characters of a line end, to quote either in a cell."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> None:
        """Write a row."""
        self._file.write(row.removesuffix("\r\n") + "\n")


def write_rankings(path: Path | str, rankings: Iterable["Ranking"]) -> int:
    """Write every unit of some rankings as CSV, a row for each hypothesis and unit, whole or not at all.

    Args:
        path: The file; what is there is replaced when all rows are written.
        rankings: What `rank`, `rank_all` or `compare` found. For the columns, see `Ranking.table_rows`.

    Returns:
        How many rows there are.

    Raises:
        ActivationError: If it cannot be written.
    """
    from analyses.ranking.results import TABLE_COLUMNS

    return write_table(Path(path), (row for each in rankings for row in each.table_rows()), TABLE_COLUMNS)
