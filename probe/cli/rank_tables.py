"""Tables and rows of `probe rank`."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from probe.cli.differences import show_differences
from probe.cli.provenance import PROVENANCE
from probe.cli.rank_options import RankOptions
from probe.cli.showing import TableCell, say, share, show_rows, visible, warn
from probe.cli.table_options import TableOptions

if TYPE_CHECKING:
    from analyses.ranking.results import RankedUnit, Ranking


class SourceRankings(NamedTuple):
    """The rankings of one source.

    Attributes:
        name: The name of the source among several; empty if there is only one.
        rankings: One for each hypothesis, or for each hypothesis and method.
        made: What made them; see `provenance`.
    """

    name: str
    rankings: "list[Ranking]"
    made: dict[str, TableCell]


def show_rankings(results: Sequence[SourceRankings], options: RankOptions, tables: TableOptions) -> None:
    """Print rankings as tables for people, or as JSON Lines, with the differences between two sources at the end."""
    for number, result in enumerate(results):
        if result.name:
            say(f"\n{result.name}" if number else result.name, quiet=tables.as_json)
        if tables.as_json:
            show_rows(list(rows_of(result, options)), as_json=True)
        if options.all_hypotheses:
            if not tables.as_json:
                _show_all(result.rankings)
            continue
        by_hypothesis = [list(group) for _, group in groupby(result.rankings, lambda ranking: ranking.hypothesis)]
        for rankings in by_hypothesis:
            title = f"\n{visible(rankings[0].hypothesis)}" if len(by_hypothesis) > 1 else None
            if title:
                say(title, quiet=tables.as_json)
            if options.compare is not None:
                _show_beside(rankings, options.top, quiet=tables.as_json)
            else:
                _show_one(rankings[0], options, quiet=tables.as_json)
    if len(results) == 2:
        _show_differences(results, as_json=tables.as_json)


def rows_of(result: SourceRankings, options: RankOptions) -> Iterator[dict[str, TableCell]]:
    """Yield the rows that `--json` prints: those of `Ranking.rows`, and `TABLE_COLUMNS`, alike for all hypotheses."""
    table_rows = _table_rows(result, options)
    for ranking in result.rankings:
        if options.all_hypotheses:
            rows = ranking.rows_of_sites(best_only=not options.every_unit)
        else:
            rows = ranking.rows(None if options.every_unit else options.top)
        for row in rows:
            model = {"model": result.name} if result.name else {}
            yield {**model, **row, **next(table_rows)}


def write_rankings(results: Sequence[SourceRankings], options: RankOptions, tables: TableOptions) -> None:
    """Write the rows to the file of `--csv`, if that is given, one after another."""
    from analyses.ranking.results import TABLE_COLUMNS

    model = ["model"] if results[0].name else []
    rank_column = [] if options.compare is None else ["rank"]
    rows = (row for result in results for row in _table_rows(result, options))
    tables.write(rows, [*model, *TABLE_COLUMNS, *rank_column, *PROVENANCE])


def _table_rows(result: SourceRankings, options: RankOptions) -> Iterator[dict[str, TableCell]]:
    """Yield a row with `TABLE_COLUMNS` for each unit that the options select, and what made it."""
    for ranking in result.rankings:
        if options.every_unit:
            units: Sequence[RankedUnit] = ranking.units
        elif options.all_hypotheses:
            units = list(ranking.best_of_sites().values())
        else:
            units = ranking.units[: options.top]
        for number, row in enumerate(ranking.table_rows(units), start=1):
            yield {
                **({"model": result.name} if result.name else {}),
                **row,
                **({} if options.compare is None else {"rank": number}),
                **result.made,
            }


def _show_one(ranking: "Ranking", options: RankOptions, *, quiet: bool) -> None:
    if not quiet:
        show_rows(
            [_columns_of(row, ranking, options.columns) for row in ranking.rows(options.top)],
            as_json=False,
            in_parts=options.columns is not None,
        )
    for note in ranking.notes:
        warn(note)
    prevalence = "" if ranking.prevalence is None else f"; True at {share(ranking.prevalence)}"
    error = f"; AUCs in float32 to within {ranking.auc_error:.0e}" if ranking.auc_error > 0 else ""
    say(
        f"{len(ranking.units):,} units, {ranking.n_train:,} training and {ranking.n_test:,} held-out characters"
        + prevalence
        + error,
        quiet=quiet,
    )


def _columns_of(row: Mapping[str, TableCell], ranking: "Ranking", columns: str | None) -> dict[str, TableCell]:
    """Return the columns of the table: what was measured on held-out characters, and those of `--columns`.

    A method whose scores have intervals of their own is shown with these, and with the AUC alone beside them.
    """
    from analyses.errors import AnalysisError
    from analyses.ranking.results import SCORE_COLUMNS

    extra = [column.strip() for column in (columns or "").split(",") if column.strip()]
    if unknown := [column for column in extra if column not in row and column != "all"]:
        raise AnalysisError(f"there is no column {unknown[0]!r}; there are {', '.join(row)}")
    measure = ranking.measure
    scores = [] if ranking.method == measure else ["score", "held_out_score"]
    of_measure = ["low", "high", f"{measure}_within_position_groups", "p", "q", "p_shift", "p_max"]
    if "score_p" in row:
        scores, of_measure = [*scores, *SCORE_COLUMNS], []
    usual = ["unit", "class", *scores, f"held_out_{measure}", *of_measure]
    if "all" in extra:
        extra = list(row)
    keys = [key for key in (*usual, *extra) if key in row]
    headings = {name: name.replace("score", ranking.method) for name in ("held_out_score", *SCORE_COLUMNS)}
    headings["score"] = f"training_{ranking.method}"
    return {headings.get(key, key): row[key] for key in dict.fromkeys(keys)}


def _show_all(rankings: "Sequence[Ranking]") -> None:
    """Print the best unit for each hypothesis, and the held-out score of each site's best unit."""
    show_rows([_best(ranking) for ranking in rankings], as_json=False)
    say("\nheld-out score of the best unit of each site")
    show_rows(
        [
            {
                "hypothesis": ranking.hypothesis,
                **{str(site): unit.held_out for site, unit in ranking.best_of_sites().items()},
            }
            for ranking in rankings
        ],
        as_json=False,
        digits=2,
        in_parts=True,
    )


def _show_beside(rankings: "Sequence[Ranking]", top: int, *, quiet: bool) -> None:
    """Print the best units by each method side by side, each with its held-out AUC or r."""
    if quiet:
        return
    table: list[dict[str, TableCell]] = [
        {"rank": number + 1, **{ranking.method: _and_score(ranking.units[number]) for ranking in rankings}}
        for number in range(len(rankings[0].units[:top]))
    ]
    show_rows(table, as_json=False)
    say(f"beside each unit its held-out {rankings[0].measure}")


def _and_score(ranked: "RankedUnit") -> str:
    return f"{ranked.unit} {ranked.held_out:.3f}"


def _best(ranking: "Ranking") -> dict[str, TableCell]:
    best = ranking.units[0]
    label = "" if best.label is None else f" == {best.label}"
    return {
        "hypothesis": ranking.hypothesis + label,
        "unit": str(best.unit),
        "measure": ranking.measure,
        "held_out": best.held_out,
        "low": best.low,
        "high": best.high,
        "within_position_groups": best.within_position_groups,
        "q": best.q,
        "note": _short_note(ranking),
    }


def _short_note(ranking: "Ranking") -> str:
    if any(note.startswith("no p-value") for note in ranking.notes):
        return "too few independent pieces"
    if any(note.startswith(f"no interval for {ranking.hypothesis}") for note in ranking.notes):
        return "too few held out for an interval"
    if ranking.units[0].estimate is not None and ranking.units[0].estimate.no_interval_reason:
        return "too slow a unit for an interval"
    return f"{ranking.n_test_runs} runs held out" if ranking.notes and ranking.n_test_runs is not None else ""


def _show_differences(results: Sequence[SourceRankings], *, as_json: bool) -> None:
    from analyses.differences import compare_rankings

    first, second = results
    seconds = {(ranking.hypothesis, ranking.method): ranking for ranking in second.rankings}
    keys = [(ranking.hypothesis, ranking.method) for ranking in first.rankings]
    pairs = [(ranking, seconds[key]) for ranking, key in zip(first.rankings, keys, strict=True) if key in seconds]
    show_differences(
        f"{second.name} − {first.name}",
        lambda: [compared.row() for pair in pairs for compared in compare_rankings(*pair)],
        as_json=as_json,
    )
