"""The command `probe rank`, which finds the units that respond most to a hypothesis."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from activations.progress import Progress, steps_of
from probe.cli.analysis_options import SiteOptions, TargetOptions, labels_first
from probe.cli.cause_options import CauseSourceOptions
from probe.cli.option_groups import with_options
from probe.cli.options import HypothesesOption, WordsArgument
from probe.cli.provenance import provenance
from probe.cli.rank_options import RankOptions
from probe.cli.rank_tables import SourceRankings, show_rankings, write_rankings
from probe.cli.showing import progress, warn, warn_of_reasons
from probe.cli.table_options import TableOptions
from probe.cli.words import Subjects, tell_apart

if TYPE_CHECKING:
    from activations.units import Site
    from analyses.ranking.results import Ranking
    from analyses.session import Session
    from analyses.targets.target import Target

_NO_INTERVALS = (
    "no intervals: a model would have to read the text twice more for them; add --intervals 1, or record the text once "
    "with `probe extract`"
)


@with_options
def rank(
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    *,
    options: RankOptions,
    sites: SiteOptions,
    source: CauseSourceOptions,
    labels: TargetOptions,
    tables: TableOptions,
) -> None:
    """Rank the units that respond most to a hypothesis.

    The order comes from training stretches of the text. held_out_auc (held_out_r for numbers) is measured on held-out
    ones, sign-aligned on the training ones: the number to quote. low and high are the ends of its 95 % interval.
    auc_within_position_groups is the same score among characters of the same eighth of the text: where it is much
    nearer to chance, unit and label share a trend. p is the p-value under the null that unit and label are independent
    apart from trends, whatever the autocorrelation of either, and q the false discovery rate over all units. p_shift:
    the share of circular shifts of the labels that match the unit as well as the labels do; p_max: the share of shifts
    that match any unit as well. Where a text has too few independent pieces of a label, a message replaces the interval
    and p.

    With --method, another score orders the units, and is shown with its held-out value; auc (r for numbers) is also
    shown, so that a misleading order is noticeable. For a hypothesis of several classes, each unit's auc is that of the
    class it distinguishes most reliably from the rest in training. eta2 and mutual_information also detect units that
    neither rise nor fall with a number, such as waves.

    The method attribution asks which units the model uses, and so needs the model: --model and --text, or --model
    beside a recording. Its score has an interval, p and q of its own, measured on all characters: p is under the null
    that the unit is one like those of its site that vary as much. The auc alone is shown beside it.

    With --all, every hypothesis that needs no parameter is tested at once: one table shows the best units, and another
    the held-out score of each site's best unit.

    Given two recordings of the same text (two models, two checkpoints of a training), the last rows give the
    improvement of the second recording's best units over the first's, paired by pieces of the text.

    With --model and --text, no recording is made: the model reads the text twice, or once if it is short. With --all, a
    longer text then has intervals only if --intervals is given, which takes two more readings.

    --csv writes a row for each hypothesis and unit, with --units all for every unit. Its columns are the same for all:
    hypothesis, unit, site, class (where there are several), method, score and held_out_score (what orders the units, in
    training and held out), overall_score, score_low, score_high, score_p and score_q (of attribution: that on all
    characters, not sign-aligned, its interval, p and q), measure (auc or r, which held_out, low, high,
    within_position_groups and overall are of), held_out, low, high, within_position_groups, p, q, p_shift, p_max,
    direction (−1: the unit is lower where the label is higher), overall (on all characters, not sign-aligned) and
    tie_probability, then seed, made_by, model_sha256 and text_sha256. Numbers read back exactly; missing values are
    left empty. With several recordings, model comes first.

    Example:
        probe rank in_quotes --top 5

        probe rank --all --units all --csv relation.csv
    """
    from analyses.ranking.ranking import intervals_cost_readings

    subjects = tell_apart(words, hypotheses)
    options.check(subjects.hypotheses, is_live=source.model is not None, has_rows=bool(tables.csv or tables.as_json))
    tables.check(*source.inputs(subjects))
    results: list[SourceRankings] = []
    reasons: dict[str, str] = {}
    lacks_intervals = False
    with _sessions(source, subjects, options) as sessions:
        for name, session in sessions:
            chosen = sites.chosen(session)
            goal = ", ".join(subjects.hypotheses) or "all hypotheses"
            with progress(f"ranking for {goal}{f' in {name}' if name else ''}") as report:
                labelling, ranking = labels_first(report, subjects.hypotheses, 0.4)
                targets = labels.targets(session, subjects.hypotheses, labelling)
                reasons |= targets.reasons if subjects.hypotheses else {}
                if options.all_hypotheses and options.intervals is None:
                    lacks_intervals = intervals_cost_readings(session)
                n_intervals = 0 if lacks_intervals else options.n_intervals
                rankings = _rankings(session, targets.made, chosen, options, n_intervals, ranking)
                results.append(SourceRankings(name, rankings, provenance(session, seed=options.drawn_seed)))
    show_rankings(results, options, tables)
    warn_of_reasons("no score for", reasons)
    if lacks_intervals:
        warn(_NO_INTERVALS)
    write_rankings(results, options, tables)


@contextmanager
def _sessions(
    source: CauseSourceOptions, subjects: Subjects, options: RankOptions
) -> "Iterator[list[tuple[str, Session]]]":
    """Open sessions of what is named; a method that needs the model takes it beside the recording, too."""
    if options.needs_model and source.model is not None and not source.text:
        with source.open_model(subjects) as opened:
            yield [("", opened.model)]
    else:
        with source.open(subjects) as sessions:
            yield sessions


def _rankings(
    session: "Session",
    targets: "Sequence[Target]",
    sites: "Sequence[Site]",
    options: RankOptions,
    n_intervals: int | None,
    progress: Progress,
) -> "list[Ranking]":
    """Rank for all targets together, or for one after another if there are several methods or random shifts."""
    from analyses.ranking.ranking import compare, rank_all
    from analyses.ranking.ranking import rank as rank_units

    if options.all_hypotheses:
        return rank_all(session, targets, sites=sites, exact=options.exact, n_intervals=n_intervals, progress=progress)
    rankings = []
    for target, step in zip(targets, steps_of(progress, [1] * len(targets)), strict=True):
        if options.compare is not None:
            rankings += compare(
                session,
                target,
                options.methods,
                sites=sites,
                exact=options.exact,
                seed=options.seed,
                progress=step,
            )
            continue
        ranking = rank_units(
            session,
            target,
            method=options.method,
            sites=sites,
            exact=options.exact,
            shifts=options.shifts,
            n_intervals=n_intervals,
            seed=options.seed,
            progress=step,
        )
        rankings.append(ranking)
    return rankings
