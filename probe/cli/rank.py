"""`probe rank`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Option

from probe.cli.options import (
    EncodingOption,
    JsonOption,
    LagOption,
    LanesOption,
    LanguageOption,
    LayerOption,
    MaybeHypothesisOption,
    ModelOption,
    NewlinesOption,
    NoCacheOption,
    RecordingArgument,
    ReplaceOption,
    SitesOption,
    TextOption,
)
from probe.cli.show import Cell, progress, say, show_rows, warn
from probe.cli.sources import ask, ask_all, open_source

if TYPE_CHECKING:
    from analyses.ranking import RankedUnit, Ranking


def rank(
    hypothesis: MaybeHypothesisOption = None,
    recording: RecordingArgument = Path("activations.h5"),
    top: Annotated[int, Option(min=1, help="How many units to show.")] = 10,
    all_hypotheses: Annotated[
        bool, Option("--all", help="All hypotheses that can be asked of this text, and the best unit of each site.")
    ] = False,
    method: Annotated[
        str | None,
        Option(
            help="What orders the units: auc, r, r2, spearman, eta2, mutual_information, balanced_accuracy, f1, iou, "
            "mean_difference, weight, standardised_weight, elastic_net or sparse (default: auc, or r for numbers)",
            show_default=False,
        ),
    ] = None,
    compare: Annotated[
        str | None,
        Option(help="Several methods, such as auc,weight,f1: the best units of each side by side.", show_default=False),
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
    encoding: EncodingOption = "utf-8",
    newlines: NewlinesOption = "keep",
    lanes: LanesOption = None,
    replace_unknown: ReplaceOption = False,
    lag: LagOption = 0,
    language: LanguageOption = None,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Rank the units that respond most to a hypothesis.

    The order comes from training stretches of the text; auc_test (r_test for numbers) is measured on held-out
    ones, with low and high the ends of its 95 % interval. auc is measured on all characters: .5 is chance, 0 a unit
    that is silent where the label is True. p is how often a unit that has nothing to do with the label would do as
    well, with stretches of the text, not characters, as the sample; q the share of false ones among all units with a
    p as small; n effective how many independent characters would be as much evidence. p_shift is how often labels that
    are shifted in a circle have as much to do with the unit, and p_max, with any of the units.

    With --method, another score orders the units, and stands beside its held-out value; auc (r for numbers) is always
    there, so that an order that misleads shows itself. Of a hypothesis of several classes, each unit's auc is that of
    the class which it tells best from the rest. eta2 and mutual_information see units that neither rise nor fall with a
    number, such as waves.

    With --all, every hypothesis is asked at once, but for those that need a parameter: a table of the best units, and
    one of the held-out score of each site's best unit.

    Example:
        probe rank --hypothesis in_quotes --top 5
    """
    from activations.blocks import select_sites
    from analyses.ranking import compare as compare_methods
    from analyses.ranking import rank as rank_units
    from analyses.ranking import rank_all

    if (hypothesis is None) != all_hypotheses:
        raise BadParameter("name one hypothesis with --hypothesis, or ask for --all")
    if sum(map(bool, (all_hypotheses, method, compare))) > 1:
        raise BadParameter("--all, --method and --compare do not go together")
    with open_source(
        recording, model, text, encoding=encoding, newlines=newlines, lanes=lanes, replace_unknown=replace_unknown
    ) as source:
        chosen = select_sites(source.sites, sites)
        if layer is not None:
            chosen = select_sites(chosen, str(layer))
        with progress(f"ranking for {hypothesis or 'all hypotheses'}") as report:
            if hypothesis is None:
                asked, reasons = ask_all(source, language, no_cache, lag)
                rankings = rank_all(source, asked, sites=chosen, exact=exact, progress=report)
            else:
                target = ask(source, hypothesis, language, no_cache, lag)
                if compare is None:
                    ranking = rank_units(
                        source,
                        target,
                        method=method,
                        sites=chosen,
                        exact=exact,
                        shifts=shifts,
                        n_intervals=top if method is None else None,
                        progress=report,
                    )
                    rankings = [ranking]
                else:
                    methods = [each.strip() for each in compare.split(",")]
                    rankings = compare_methods(source, target, methods, sites=chosen, exact=exact, progress=report)
    if hypothesis is None:
        _show_all(rankings, reasons, as_json)
        return
    if compare is not None:
        _show_beside(rankings, top, as_json)
        return
    [ranking] = rankings
    show_rows(ranking.rows(top), as_json=as_json)
    prevalence = "" if ranking.prevalence is None else f"; True at {ranking.prevalence:.1%}"
    if ranking.warning:
        warn(ranking.warning)
    if ranking.note:
        warn(ranking.note)
    error = f"; AUCs in float32 to within {ranking.auc_error:.0e}" if ranking.auc_error > 0 else ""
    say(
        f"{len(ranking.units):,} units, {ranking.n_train:,} training and {ranking.n_test:,} held-out characters"
        + prevalence
        + error,
        quiet=as_json,
    )


def _show_all(rankings: "list[Ranking]", reasons: dict[str, str], as_json: bool) -> None:
    """JSON has a row for each hypothesis and site; tables show the best unit of all, and the score of each site's."""
    if as_json:
        show_rows([row for each in rankings for row in each.rows_of_sites()], as_json=True)
    else:
        show_rows([_row(each) for each in rankings], as_json=False)
        say("\nheld-out score of the best unit of each site")
        show_rows(
            [
                {"hypothesis": each.hypothesis} | {str(site): unit.test for site, unit in each.best_of_sites().items()}
                for each in rankings
            ],
            as_json=False,
            digits=2,
        )
    for name, reason in reasons.items():
        warn(f"no score for {name}: {reason}")


def _show_beside(rankings: "list[Ranking]", top: int, as_json: bool) -> None:
    """JSON has a row for each method and unit; the table a column for each method, with each unit's held-out score."""
    if as_json:
        show_rows([row | {"place": n} for each in rankings for n, row in enumerate(each.rows(top), 1)], as_json=True)
        return
    places = range(min(top, len(rankings[0].units)))
    table: list[dict[str, Cell]] = [
        {"place": place + 1, **{each.method: _and_score(each.units[place]) for each in rankings}} for place in places
    ]
    show_rows(table, as_json=False)
    say(f"beside each unit its held-out {rankings[0].measure}")


def _and_score(each: "RankedUnit") -> str:
    return f"{each.unit} {each.test:.3f}"


def _row(ranking: "Ranking") -> dict[str, Cell]:
    best = ranking.units[0]
    label = "" if best.label is None else f" == {best.label}"
    return {
        "hypothesis": ranking.hypothesis + label,
        "unit": str(best.unit),
        "method": ranking.method,
        "all": best.raw,
        "test": best.test,
        "low": best.low,
        "high": best.high,
        "q": best.q,
        "note": "" if ranking.warning is None else f"{ranking.n_test_runs} runs held out",
    }
