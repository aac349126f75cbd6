"""The command `probe check`, which reads recordings through."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Exit

from probe.cli.option_groups import with_options
from probe.cli.provenance import provenance
from probe.cli.show import TableCell, progress, say
from probe.cli.table_options import TableOptions
from probe.cli.words import DEFAULT_RECORDING


@with_options
def check(
    recordings: Annotated[list[Path], Argument(help="Recordings to read through.")] = [DEFAULT_RECORDING],  # noqa: B006 typer copies it
    *,
    tables: TableOptions,
) -> None:
    """Read recordings through, and report everything that is missing, wrong or damaged.

    Example:
        probe check activations.h5
    """
    from activations.recordings.checking import check as read_through

    tables.check(*recordings)
    results = []
    for path in recordings:
        with progress(f"checking {path.name}") as report:
            results.append(read_through(path, report))
    rows: list[dict[str, TableCell]] = [
        {"path": str(result.path), "sound": result.sound, "complaints": list(result.complaints), **provenance()}
        for result in results
    ]
    if tables.as_json:
        tables.show(rows)
    else:
        for result in results:
            say(str(result))
    tables.write(
        [row | {"complaints": "; ".join(result.complaints)} for row, result in zip(rows, results, strict=True)]
    )
    if not all(result.sound for result in results):
        raise Exit(1)
