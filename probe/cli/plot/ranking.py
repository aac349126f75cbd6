"""The command `probe plot ranking`, which draws the units that respond most to a hypothesis."""

from dataclasses import dataclass
from typing import Annotated

from typer import BadParameter, Option

from probe.cli import completion
from probe.cli.analysis_options import SiteOptions, TargetOptions
from probe.cli.option_groups import with_options
from probe.cli.options import HypothesesOption, WordsArgument
from probe.cli.plot.picture_options import PictureOptions
from probe.cli.provenance import provenance
from probe.cli.showing import TableCell, progress, warn
from probe.cli.sources import SourceOptions
from probe.cli.words import tell_apart

_NAME = "ranking"
_IN_TABLE = ("unit", "class", "held_out_auc", "held_out_r", "low", "high", "q", "direction")


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingPictureOptions:
    """Options of which units are drawn."""

    top: Annotated[int, Option(min=1, help="How many units to show.")] = 20
    method: Annotated[
        str | None,
        Option(
            help="What orders the units: {methods} (default: auc, or r for numbers)",
            autocompletion=completion.methods,
            show_default=False,
        ),
    ] = None


@with_options
def ranking(
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    *,
    options: RankingPictureOptions,
    sites: SiteOptions,
    source: SourceOptions,
    labels: TargetOptions,
    picture: PictureOptions,
) -> None:
    """Draw the units that respond most to a hypothesis, with the intervals of their scores.

    The order comes from training stretches of the text, and the score is measured on held-out ones: the AUC (r for
    numbers), with its 95 % interval. A triangle points up for a unit that is higher where the hypothesis holds, and
    down for one that is lower; it is open where there is no interval. A grey line is the score among characters of the
    same eighth of the text: where it is much nearer to chance, unit and label share a trend. `probe rank` has the
    numbers of every unit.

    Example:
        probe plot ranking in_quotes --top 20 --sites cell
    """
    from analyses.ranking.ranking import rank

    subjects = tell_apart(words, hypotheses)
    if len(subjects.hypotheses) != 1:
        raise BadParameter("name one hypothesis, such as `probe plot ranking in_quotes`")
    picture.check_picture(_NAME, *source.inputs(subjects))
    with source.open_only(subjects) as session, progress(f"ranking for {subjects.hypotheses[0]}") as report:
        [target] = labels.targets(session, subjects.hypotheses).made
        ranked = rank(
            session,
            target,
            method=options.method,
            sites=sites.chosen(session),
            n_intervals=options.top if options.method is None else None,
            progress=report,
        )
        made = provenance(session)
    rows: list[dict[str, TableCell]] = [{**row, **made} for row in ranked.rows(options.top)]
    picture.show(rows, [{key: row[key] for key in _IN_TABLE if key in row} for row in rows])
    for note in ranked.notes:
        warn(note)
    picture.write(rows)
    from probe.plots import plot_ranking

    picture.save(_NAME, plot_ranking(ranked, top=options.top), f"the best units for {ranked.hypothesis}")
