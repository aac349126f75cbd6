"""Tables of numbers as files."""

from collections.abc import Mapping, Sequence
from csv import DictWriter
from pathlib import Path

from activations.files import replacing


def write_table(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows as CSV, whole or not at all; what a row has not is left empty.

    Raises:
        ActivationError: If it cannot be written.
    """
    keys = list(dict.fromkeys(key for row in rows for key in row))
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = DictWriter(file, keys, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
