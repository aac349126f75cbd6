"""`probe hypotheses`."""

from probe.cli.options import JsonOption
from probe.cli.show import Cell, show_rows


def hypotheses(as_json: JsonOption = False) -> None:
    """List the hypotheses that can be asked for by name.

    Example:
        probe hypotheses
    """
    from hypotheses.registry import registered

    rows: list[dict[str, Cell]] = [
        {"hypothesis": name, "looks_ahead": not each.causal, "summary": each.summary, "source": each.source}
        for name, each in registered().items()
    ]
    shown = rows if as_json else [{key: row[key] for key in ("hypothesis", "summary")} for row in rows]
    show_rows(shown, as_json=as_json)
