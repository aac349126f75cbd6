"""The command `probe check`, which reads recordings and models through."""

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Exit

from activations.file_kinds import START_BYTES, is_hdf5
from probe.cli.defaults import DEFAULT_RECORDING
from probe.cli.option_groups import with_options
from probe.cli.provenance import provenance
from probe.cli.showing import TableCell, progress, say
from probe.cli.table_options import TableOptions
from probe.cli.words import Subjects

if TYPE_CHECKING:
    from activations.models.checking import ModelCheck
    from activations.recordings.checking import Check

_ENDINGS_OF_RECORDINGS = (".h5", ".hdf5")


@with_options
def check(
    files: Annotated[
        list[Path] | None,
        Argument(help=f"Recordings to read through, and models (default: {DEFAULT_RECORDING})", show_default=False),
    ] = None,
    *,
    tables: TableOptions,
) -> None:
    """Read recordings and models through, and report what is missing, wrong or damaged.

    Of a model, it shows the shape, the vocabulary, what the model reads, how it was trained, its losses and its hash;
    of a model of another program, what kind of file that is.

    Example:
        probe check activations.h5
    """
    subjects = Subjects([], files or [])
    tables.check(*subjects.paths)
    subjects.say_default()
    results = [_checked(path) for path in subjects.paths]
    rows = [_row(result) for result in results]
    if tables.as_json:
        tables.show(rows)
    else:
        for result in results:
            say(str(result))
    tables.write(
        {key: "; ".join(value) if isinstance(value, list) else value for key, value in row.items()} for row in rows
    )
    if not all(result.sound for result in results):
        raise Exit(1)


def _checked(path: Path) -> "Check | ModelCheck":
    """Check a file as what it is by its content, or by its name if it is neither a recording nor a checkpoint."""
    with progress(f"checking {path.name}") as report:
        if _is_recording(path):
            from activations.recordings.checking import check as read_through
            from activations.recordings.format.metadata import NO_RECORDING

            result = read_through(path, report)
            if not any(NO_RECORDING in complaint for complaint in result.complaints):
                return result
        from activations.importers.foreign_files import check_any_model

        return check_any_model(path)


def _is_recording(path: Path) -> bool:
    if not path.is_file():
        return path.suffix in _ENDINGS_OF_RECORDINGS
    with path.open("rb") as file:
        begins_like_hdf5 = is_hdf5(file.read(START_BYTES))
    return begins_like_hdf5 or (path.suffix in _ENDINGS_OF_RECORDINGS and not zipfile.is_zipfile(path))


def _row(result: "Check | ModelCheck") -> dict[str, TableCell]:
    row = dict(result.row())
    return row | provenance(model_sha256=str(row["model_sha256"]) if "model_sha256" in row else None)
