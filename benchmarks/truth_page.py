"""The results of the study as the tables of docs/statistics.md."""

import re
from collections.abc import Callable, Mapping, Sequence

from truth_cells import Cell
from truth_counting import Counts
from truth_judging import judge
from truth_results import Result

_BREAKS = re.compile(
    r" (?=units?\b|heavy runs|numbers\b|prevalence\b|documents\b|four classes|\d+ folds|null\b|truth\b|correlation\b)"
    r"|(?<!heavy) (?=runs\b)"
)


def print_page(cells: Sequence[Cell], results: Mapping[str, Result]) -> None:
    """Print a table for units, one for rankings, and one for all else; what fails is in bold."""
    there = [cell for cell in cells if cell.name in results]
    of_units = [cell for cell in there if cell.kind == "unit"]
    of_rankings = [cell for cell in there if cell.kind == "ranking"]
    print(
        "| characters · unit · label · true AUC or r | coverage | width | intervals declined | p < .05 | p declined |"
    )
    print("|---|--:|--:|--:|--:|--:|")
    for cell in of_units:
        print(_row(cell, results[cell.name], _of_unit))
    print("\n| 64 null units, rankings | any q < .05 | p < .05 | the winner's interval covers | declined |")
    print("|---|--:|--:|--:|--:|")
    for cell in of_rankings:
        print(_row(cell, results[cell.name], _of_ranking))
    print("\n| | repetitions | found |\n|---|--:|---|")
    for cell in there:
        if cell not in of_units and cell not in of_rankings:
            found = results[cell.name]
            group, _, name = cell.name.partition("/")
            said = "; ".join(
                verdict.said if verdict.passed else f"**{verdict.said}**"
                for verdict in judge(cell, found.counts, found.n)
            )
            print(f"| {group}: {separated(name)} | {found.n:,} | {said} |")


def separated(name: str) -> str:
    """Put dots between what a cell's name says of the characters, the unit, the label and the truth.

    >>> separated("50,000 unit 100 heavy runs truth 0.7")
    '50,000 · unit 100 · heavy runs · truth 0.7'
    """
    return _BREAKS.sub(" · ", name)


def _row(cell: Cell, found: Result, columns: Callable[[Cell, Counts, int], list[str]]) -> str:
    passed = all(verdict.passed for verdict in judge(cell, found.counts, found.n))
    name = separated(cell.name.partition("/")[2]).replace("truth ", "")
    return f"| {name if passed else f'**{name}**'} | " + " | ".join(columns(cell, found.counts, found.n)) + " |"


def _of_unit(cell: Cell, counts: Counts, n: int) -> list[str]:
    interval = ["", "", ""]
    if not cell.only_p:
        has_width = counts["shown"] > 1
        interval = [
            _share(counts["covered"], counts["shown"]),
            f"{counts['width'] / counts['true_width']:.2f}" if has_width else "",
            _percent(n - counts["shown"], n),
        ]
    if getattr(cell.world, "truth", None) is not None:
        return [*interval, "", ""]
    return [*interval, _share(counts["p_below"], counts["p_shown"]), _percent(n - counts["p_shown"], n)]


def _of_ranking(cell: Cell, counts: Counts, n: int) -> list[str]:
    n_shown = n - counts["declined"] - counts["refused"]
    return [
        f"{counts['any_q']:.0f} of {n_shown:.0f}" if n_shown else "",
        _share(counts["n_below"], counts["n_p"]),
        "" if cell.only_p else _share(counts["covered"], counts["shown"]),
        _percent(n - n_shown, n),
    ]


def _share(count: float, of: float) -> str:
    return f"{count / of:.3f}".removeprefix("0") if of else ""


def _percent(count: float, of: float) -> str:
    return f"{count / of:.0%}"
