"""`probe check`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Exit

from probe.cli.options import JsonOption
from probe.cli.show import progress, say, show_rows


def check(
    recordings: Annotated[list[Path], Argument(help="What is to be read through.")] = [Path("activations.h5")],  # noqa: B006 typer copies it
    as_json: JsonOption = False,
) -> None:
    """Read recordings through, and tell all that is missing, wrong or damaged.

    Example:
        probe check activations.h5
    """
    from activations.recordings.checking import check as read_through

    results = []
    for path in recordings:
        with progress(f"checking {path.name}") as report:
            results.append(read_through(path, report))
    if as_json:
        show_rows(
            [{"path": str(r.path), "sound": r.sound, "complaints": list(r.complaints)} for r in results], as_json=True
        )
    else:
        for result in results:
            say(str(result))
    if not all(result.sound for result in results):
        raise Exit(1)
