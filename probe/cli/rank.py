"""`probe rank`."""

from pathlib import Path
from typing import Annotated

from typer import Option

from probe.cli.options import (
    EncodingOption,
    HypothesisOption,
    JsonOption,
    LanesOption,
    LanguageOption,
    ModelOption,
    NewlinesOption,
    NoCacheOption,
    RecordingArgument,
    ReplaceOption,
    SitesOption,
    TextOption,
)
from probe.cli.show import progress, say, show_rows, warn
from probe.cli.sources import ask, open_source


def rank(
    hypothesis: HypothesisOption,
    recording: RecordingArgument = Path("activations.h5"),
    top: Annotated[int, Option(min=1, help="How many units to show.")] = 10,
    sites: SitesOption = None,
    model: ModelOption = None,
    text: TextOption = None,
    encoding: EncodingOption = "utf-8",
    newlines: NewlinesOption = "keep",
    lanes: LanesOption = None,
    replace_unknown: ReplaceOption = False,
    language: LanguageOption = None,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Rank the units that respond most to a hypothesis.

    The order comes from training stretches of the text; auc_test (r_test for numbers) is measured on held-out
    ones, with low and high the ends of its 95 % interval. auc is measured on all characters: .5 is chance, 0 a unit
    that is silent where the label is True. p is how often a unit that has nothing to do with the label would do as
    well, with stretches of the text, not characters, as the sample; q the share of false ones among all units with a
    p as small; n effective how many independent characters would be as much evidence.

    Example:
        probe rank --hypothesis in_quotes --top 5
    """
    from activations.blocks import select_sites
    from analyses.ranking import rank as rank_units

    with (
        open_source(
            recording, model, text, encoding=encoding, newlines=newlines, lanes=lanes, replace_unknown=replace_unknown
        ) as source,
        progress(f"ranking for {hypothesis}") as report,
    ):
        asked = ask(source, hypothesis, language, no_cache)
        ranking = rank_units(source, asked, sites=select_sites(source.sites, sites), progress=report)
    show_rows(ranking.rows(top), as_json=as_json)
    prevalence = "" if ranking.prevalence is None else f"; True at {ranking.prevalence:.1%}"
    if ranking.warning:
        warn(ranking.warning)
    say(
        f"{len(ranking.units):,} units, {ranking.n_train:,} training and {ranking.n_test:,} held-out characters"
        + prevalence,
        quiet=as_json,
    )
