"""`probe rank`."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Option

from probe.cli.options import (
    JsonOption,
    LagOption,
    LanguageOption,
    LayerOption,
    MaybeHypothesisOption,
    ModelOption,
    NoCacheOption,
    RecordingsArgument,
    SitesOption,
    TextOption,
)
from probe.cli.reading import ReadingOptions, with_options
from probe.cli.show import Cell, progress, say, show_differences, show_rows, warn
from probe.cli.sources import ask, ask_all, chosen_sites, open_sources

if TYPE_CHECKING:
    from analyses.ranking.results import RankedUnit, Ranking

_NO_INTERVALS = (
    "no intervals: a model would have to read the text twice more for them; ask for them with --intervals 1, or record "
    "the text once with `probe extract`"
)
_USUAL = 20  # units of each site with an interval, where every unit is asked for


@with_options
def rank(
    hypothesis: MaybeHypothesisOption = None,
    recordings: RecordingsArgument = None,
    top: Annotated[int, Option(min=1, help="How many units to show.")] = 10,
    all_hypotheses: Annotated[
        bool, Option("--all", help="All hypotheses that can be asked of this text, and the best unit of each site.")
    ] = False,
    method: Annotated[
        str | None,
        Option(
            help="What orders the units: auc, r, r2, spearman, eta2, mutual_information, balanced_accuracy, f1, iou, "
            "mcc, average_precision, mean_difference, weight, standardised_weight, elastic_net or sparse (default: "
            "auc, or r for numbers)",
            show_default=False,
        ),
    ] = None,
    compare: Annotated[
        str | None,
        Option(help="Several methods, such as auc,weight,f1: the best units of each side by side.", show_default=False),
    ] = None,
    columns: Annotated[
        str | None,
        Option(
            help="More columns of the table, such as auc,score,tied; see --json for their names, or all.",
            show_default=False,
        ),
    ] = None,
    units: Annotated[
        str,
        Option(
            help="best: --top of them, or with --all the best of each site; all: every unit, in --csv FILE or --json."
        ),
    ] = "best",
    csv: Annotated[Path | None, Option(help="A table of the units: .csv; see above.", show_default=False)] = None,
    intervals: Annotated[
        str | None,
        Option(
            help="How many of the best units of each site have an interval, or all (default: those that are shown, or "
            "20 with --units all; all with --method or --compare)",
            show_default=False,
        ),
    ] = None,
    sites: SitesOption = None,
    layer: LayerOption = None,
    shifts: Annotated[
        int, Option(min=0, help="How often to shift the labels of one hypothesis in a circle, to see what chance does.")
    ] = 99,
    exact: Annotated[
        bool, Option("--exact", help="Exact AUCs of activations in float32, too, by sorting them; slower.")
    ] = False,
    model: ModelOption = None,
    text: TextOption = None,
    *,
    how_read: ReadingOptions,
    lag: LagOption = 0,
    language: LanguageOption = None,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Rank the units that respond most to a hypothesis.

    The order comes from training stretches of the text. auc_test (r_test for numbers) is measured on held-out ones,
    sign-aligned on the training ones: the number to quote. low and high are the ends of its 95 % interval. within is
    the same score among characters of the same eighth of the text: where it is much nearer to chance, unit and label
    share a trend. p is the p-value under the null that unit and label are independent, but for trends, whatever both
    remember, and q the false discovery rate over all units. p_shift is how often labels that are shifted in a circle
    have as much to do with the unit, and p_max, with any of the units. Where a text holds too few independent pieces of
    a label, there is no interval and no p, but a sentence.

    With --method, another score orders the units, and stands beside its held-out value; auc (r for numbers) is always
    there, so that an order that misleads shows itself. Of a hypothesis of several classes, each unit's auc is that of
    the class which it tells most surely from the rest in training. eta2 and mutual_information see units that neither
    rise nor fall with a number, such as waves.

    With --all, every hypothesis is asked at once, but for those that need a parameter: a table of the best units, and
    one of the held-out score of each site's best unit.

    Of two recordings of the same text (two models, two moments of a training), the last rows say by how much the best
    units of the second are better, paired by pieces of the text.

    With --model and --text, no recording is made: the model reads the text twice. --all then has no intervals unless
    --intervals asks for them, which takes two more readings.

    --csv writes a row for each hypothesis and unit, with --units all for every unit. Its columns are the same for all:
    hypothesis, unit, site, class (where there are several), method, score and score_test (what orders the units, in
    training and held out), measure (auc or r, which test, low, high, within and all are of), test, low, high, within,
    p, q, p_shift, p_max, direction (−1: the unit is lower where the label is higher), all (on all characters, not
    sign-aligned) and tied. Numbers read back exactly; what is missing is left empty. With several recordings, model
    comes first.

    Example:
        probe rank --hypothesis in_quotes --top 5

        probe rank --all --units all --csv relation.csv
    """
    from activations.files import check_output
    from analyses.ranking.ranking import compare as compare_methods
    from analyses.ranking.ranking import intervals_cost_readings, rank_all
    from analyses.ranking.ranking import rank as rank_units

    if (hypothesis is None) != all_hypotheses:
        raise BadParameter("name one hypothesis with --hypothesis, or ask for --all")
    if sum(map(bool, (all_hypotheses, method, compare))) > 1:
        raise BadParameter("--all, --method and --compare do not go together")
    if units not in ("best", "all"):
        raise BadParameter(f"--units is {units!r}; write best or all")
    if units == "all" and csv is None and not as_json:
        raise BadParameter("--units all has too many rows for a table; write them to a file with --csv, or add --json")
    if intervals is not None and compare is not None:
        raise BadParameter("with --compare all units have intervals; leave out --intervals")
    if intervals == "all" and model is not None:
        raise BadParameter("intervals of all units need a recording; make it first with `probe extract`")
    every_unit = units == "all"
    shown = 1 if all_hypotheses else top  # of each site
    n_intervals = _n_intervals(intervals, None if method is not None else max(shown, _USUAL) if every_unit else shown)
    if csv is not None and csv.suffix != ".csv":
        raise BadParameter(f"{csv} is no table of numbers; end its name in .csv")
    if csv is not None:
        check_output(
            csv, *(recordings or [Path("activations.h5")]), *(text or []), *([model] if model else []), *how_read.files
        )
    found: list[tuple[str, list[Ranking]]] = []
    reasons: dict[str, str] = {}
    has_intervals = True
    with open_sources(recordings, model, text, how_read) as sources:
        for name, source in sources:
            chosen = chosen_sites(source, sites, layer)
            title = f"ranking for {hypothesis or 'all hypotheses'}{f' in {name}' if name else ''}"
            with progress(title) as report:
                if hypothesis is None:
                    asked, missing = ask_all(source, language, no_cache, lag)
                    reasons |= missing
                    if intervals is None and intervals_cost_readings(source):
                        n_intervals, has_intervals = 0, False
                    rankings = rank_all(
                        source, asked, sites=chosen, exact=exact, n_intervals=n_intervals, progress=report
                    )
                    found.append((name, rankings))
                    continue
                target = ask(source, hypothesis, language, no_cache, lag)
                if compare is None:
                    ranking = rank_units(
                        source,
                        target,
                        method=method,
                        sites=chosen,
                        exact=exact,
                        shifts=shifts,
                        n_intervals=n_intervals,
                        progress=report,
                    )
                    found.append((name, [ranking]))
                else:
                    methods = [each.strip() for each in compare.split(",")]
                    rankings = compare_methods(source, target, methods, sites=chosen, exact=exact, progress=report)
                    found.append((name, rankings))
    for name, rankings in found:
        if name:
            say(f"\n{name}" if found[0][0] != name else name, quiet=as_json)
        if hypothesis is None:
            _show_all(name, rankings, as_json, every_unit)
        elif compare is not None:
            _show_beside(name, rankings, None if as_json and every_unit else top, as_json)
        else:
            _show(name, rankings[0], None if as_json and every_unit else top, columns, as_json)
    for name, reason in reasons.items():
        warn(f"no score for {name}: {reason}")
    if not has_intervals:
        warn(_NO_INTERVALS)
    if len(found) == 2:
        _show_differences(found, as_json)
    if csv is not None:
        n_rows = _write(csv, found, None if every_unit else top, of_sites=all_hypotheses)
        say(f"{csv}: {n_rows:,} rows", quiet=as_json)


def _n_intervals(asked: str | None, usual: int | None) -> int | None:
    """How many units of each site have an interval; None is all."""
    if asked is None or asked == "all":
        return usual if asked is None else None
    if not re.fullmatch("[1-9][0-9]{0,8}", asked):
        raise BadParameter(f"--intervals is {asked!r}; write how many units of each site have one, such as 50, or all")
    return int(asked)


def _write(path: Path, found: "Sequence[tuple[str, Sequence[Ranking]]]", top: int | None, *, of_sites: bool) -> int:
    """Write the first `top` units of each ranking, or the best of each site; None is all. Gives the number of rows."""
    from analyses.ranking.results import TABLE_COLUMNS
    from probe.tables import write_table

    def rows() -> "Iterator[Mapping[str, Cell]]":
        for name, rankings in found:
            for each in rankings:
                units = each.best_of_sites().values() if of_sites and top is not None else each.units[:top]
                for row in each.table_rows(units):
                    yield {"model": name, **row} if name else row

    return write_table(path, rows(), [*(["model"] if found[0][0] else []), *TABLE_COLUMNS])


def _show(name: str, ranking: "Ranking", top: int | None, columns: str | None, as_json: bool) -> None:
    rows = _named(name, ranking.rows(top))
    show_rows(rows if as_json else [_columns_of(row, ranking, columns) for row in rows], as_json=as_json)
    for note in ranking.notes:
        warn(note)
    prevalence = "" if ranking.prevalence is None else f"; True at {ranking.prevalence:.1%}"
    error = f"; AUCs in float32 to within {ranking.auc_error:.0e}" if ranking.auc_error > 0 else ""
    say(
        f"{len(ranking.units):,} units, {ranking.n_train:,} training and {ranking.n_test:,} held-out characters"
        + prevalence
        + error,
        quiet=as_json,
    )


def _named(name: str, rows: "Sequence[Mapping[str, Cell]]") -> list[dict[str, Cell]]:
    return [{**({"model": name} if name else {}), **row} for row in rows]


def _columns_of(row: dict[str, Cell], ranking: "Ranking", columns: str | None) -> dict[str, Cell]:
    """The columns of the table: what was measured on held-out characters, and more if that is asked for."""
    from analyses.errors import AnalysisError

    asked = [each.strip() for each in (columns or "").split(",") if each.strip()]
    if unknown := [each for each in asked if each not in row and each != "all"]:
        raise AnalysisError(f"there is no column {unknown[0]!r}; there are {', '.join(row)}")
    measure = ranking.measure
    shown = ["unit", "class", f"{measure}_test", "low", "high", f"{measure}_within", "p", "q", "p_shift", "p_max"]
    if ranking.method != measure:
        shown[2:2] = ["score", "score_test"]
    if "all" in asked:
        asked = list(row)
    keys = [key for key in (*shown, *asked) if key in row]
    names = {f"{measure}_test": f"held-out {measure}", f"{measure}_within": "within"}
    names |= {"score": f"{ranking.method} (training)", "score_test": f"held-out {ranking.method}"}
    names |= {measure: f"{measure} (all)"}
    return {names.get(key, key): row[key] for key in dict.fromkeys(keys)}


def _show_differences(found: "Sequence[tuple[str, Sequence[Ranking]]]", as_json: bool) -> None:
    from analyses.differences import compare_rankings

    (first, of_first), (second, of_second) = found
    by_name = {(each.hypothesis, each.method): each for each in of_second}
    pairs = [(each, by_name[key]) for each in of_first if (key := (each.hypothesis, each.method)) in by_name]
    show_differences(
        f"{second} − {first}",
        lambda: [compared.row() for pair in pairs for compared in compare_rankings(*pair)],
        as_json=as_json,
    )


def _show_all(name: str, rankings: "list[Ranking]", as_json: bool, every_unit: bool) -> None:
    """JSON has a row for each hypothesis and site, or unit; tables have the best unit, and the score of each site's."""
    if as_json:
        for each in rankings:
            show_rows(_named(name, each.rows_of_sites(best_only=not every_unit)), as_json=True)
    else:
        show_rows([_row(each) for each in rankings], as_json=False)
        say("\nheld-out score of the best unit of each site")
        show_rows(
            [
                {"hypothesis": each.hypothesis}
                | {str(site): unit.held_out for site, unit in each.best_of_sites().items()}
                for each in rankings
            ],
            as_json=False,
            digits=2,
        )


def _show_beside(name: str, rankings: "list[Ranking]", top: int | None, as_json: bool) -> None:
    """JSON has a row for each method and unit; the table a column for each method, with each unit's held-out score."""
    if as_json:
        rows = [row | {"place": n} for each in rankings for n, row in enumerate(each.rows(top), 1)]
        show_rows(_named(name, rows), as_json=True)
        return
    places = range(len(rankings[0].units[:top]))
    table: list[dict[str, Cell]] = [
        {"place": place + 1, **{each.method: _and_score(each.units[place]) for each in rankings}} for place in places
    ]
    show_rows(table, as_json=False)
    say(f"beside each unit its held-out {rankings[0].measure}")


def _and_score(each: "RankedUnit") -> str:
    return f"{each.unit} {each.held_out:.3f}"


def _row(ranking: "Ranking") -> dict[str, Cell]:
    best = ranking.units[0]
    label = "" if best.label is None else f" == {best.label}"
    return {
        "hypothesis": ranking.hypothesis + label,
        "unit": str(best.unit),
        "measure": ranking.measure,
        "held-out": best.held_out,
        "low": best.low,
        "high": best.high,
        "within": best.within,
        "q": best.q,
        "note": _short_note(ranking),
    }


def _short_note(ranking: "Ranking") -> str:
    if any(note.startswith("no p-value") for note in ranking.notes):
        return "too few independent pieces"
    if any(note.startswith(f"no interval for {ranking.hypothesis}") for note in ranking.notes):
        return "too few held out for an interval"
    if ranking.units[0].estimate is not None and ranking.units[0].estimate.declined:
        return "too slow a unit for an interval"
    return f"{ranking.n_test_runs} runs held out" if ranking.notes and ranking.n_test_runs is not None else ""
