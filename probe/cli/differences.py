"""Show by how much the results of one model are better than those of another."""

from collections.abc import Callable, Mapping, Sequence

from probe.cli.provenance import provenance
from probe.cli.showing import TableCell, show_rows, warn


def show_differences(models: str, compare: Callable[[], Sequence[Mapping[str, TableCell]]], *, as_json: bool) -> None:
    """Print by how much the second of two models is better, or why that cannot be said.

    Args:
        models: What to call the difference, such as `b − a`.
        compare: Makes the rows.
        as_json: Whether to print JSON instead of a table.
    """
    from analyses.errors import AnalysisError

    try:
        rows: list[dict[str, TableCell]] = [{"model": models, **row} for row in compare()]
    except AnalysisError as error:
        warn(f"no differences: {error}")
        return
    if as_json:
        show_rows([row | provenance() for row in rows], as_json=True)
        return
    hidden = set() if any(row["note"] for row in rows) else {"note"}
    if all(row["first"] == row["second"] == row["site"] for row in rows):
        hidden |= {"first", "second"}
    show_rows([{key: row[key] for key in row if key not in hidden} for row in rows], as_json=False, in_parts=True)
