"""The command `probe units`, which describes every unit, and says how many are explained by anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Option

from probe.cli.analysis_options import SiteOptions, TargetOptions, check_seed
from probe.cli.option_groups import with_options
from probe.cli.options import HypothesesOption, SeedOption, WordsArgument
from probe.cli.provenance import provenance
from probe.cli.showing import TableCell, progress, say, show_rows, warn, warn_of_reasons
from probe.cli.sources import SourceOptions
from probe.cli.table_options import TableOptions
from probe.cli.words import tell_apart

if TYPE_CHECKING:
    from activations.units import Site
    from analyses.intervals.estimates import Difference
    from analyses.session import Session
    from analyses.targets.target import Target
    from analyses.unit_tables.unit_table import UnitTable

_NOT_IN_TABLE = ("measure", "score", "p", "n_hypotheses", "no_interval_reason")
_TRAINED, _UNTRAINED = "trained", "untrained"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsOptions:
    """Options of which units are shown, and of what counts as explained."""

    top: Annotated[int, Option(min=1, help="How many units to show; --json and --csv have all.")] = 20
    at_least: Annotated[
        float,
        Option(
            min=0.0,
            max=1.0,
            help="How strongly a unit must respond to count as explained: |2 AUC − 1|, or |r|, held out.",
        ),
    ] = 0.8
    untrained: Annotated[
        Path | None,
        Option(
            help="The recorded model: describe an untrained twin of it, too, with fresh weights. Its recording is kept "
            "beside the recording.",
            show_default=False,
        ),
    ] = None
    seed: SeedOption = 0


@with_options
def units(
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    *,
    options: UnitsOptions,
    sites: SiteOptions,
    source: SourceOptions,
    labels: TargetOptions,
    tables: TableOptions,
) -> None:
    """Describe every unit by the hypothesis that it responds to most, and count those that are explained.

    All hypotheses are tried, unless some are named. The best one of each unit is chosen on training stretches of the
    text, and held_out (AUC, or r for numbers), with the 95 % interval from low to high, is measured on others. strength
    is the same for both: 2 AUC − 1, or r. q is the false discovery rate over all units, of p times the number of
    hypotheses among which was chosen. time_constant is the number of characters after which the unit's autocorrelation
    falls under 1/e, and left_saturated and right_saturated the shares of characters at which it is within .1 of either
    end of its range.

    A unit counts as explained with a held-out strength of --at-least and q < .05. The share of these units has a 95 %
    interval for other text of the same kind, and depends on the bound, so that it is shown for others, too. With
    --untrained, the same share of a twin that has learned nothing, and the difference, are shown beside it.

    Example:
        probe units --top 10

        probe units activations.h5 --sites cell --untrained model.pt
    """
    check_seed(options.seed)
    subjects = tell_apart(words, hypotheses)
    if len(subjects.recordings) > 1:
        raise BadParameter(f"{len(subjects.recordings)} recordings are named; name one, and the others by themselves")
    tables.check(*source.inputs(subjects), *([options.untrained] if options.untrained is not None else []))
    with source.open(subjects) as [(_, session)]:
        chosen = sites.chosen(session)  # whose errors come before all hypotheses label the text, which takes long
        with progress("labelling the text") as report:
            targets = labels.targets(session, subjects.hypotheses, report)
        described = _tables(session, targets.made, chosen, options)
        made = provenance(session, seed=options.seed)
    rows: list[dict[str, TableCell]] = [
        {**_model(name, described), **row} for name, table in described.items() for row in table.rows()
    ]
    shares = _share_rows(described, options)
    all_rows = [row | made for row in (*rows, *shares)]
    trained = described[_TRAINED]
    shown = [{key: row[key] for key in row if key not in _NOT_IN_TABLE} for row in trained.rows(options.top)]
    tables.show(all_rows, shown)
    if not tables.as_json:
        _show_shares(shares, trained, options)
    warn_of_reasons("no unit is described by", targets.reasons if subjects.hypotheses else {})
    for note in trained.notes:
        warn(note)
    tables.write(all_rows)


def _tables(
    session: "Session", targets: "Sequence[Target]", sites: "Sequence[Site]", options: UnitsOptions
) -> "dict[str, UnitTable]":
    """Describe the units of a source, and of an untrained twin if there is to be one."""
    from analyses.unit_tables.describe_units import describe_units
    from probe.untrained import trained_model, untrained_twin

    model = None if options.untrained is None else trained_model(session, options.untrained, sites)
    with progress("describing units") as report:
        described = {_TRAINED: describe_units(session, targets, sites=sites, progress=report)}
    if model is not None:
        with (
            progress("an untrained twin") as report,
            untrained_twin(session, model, "fresh", sites, seed=options.seed, progress=report) as twin,
        ):
            described[_UNTRAINED] = describe_units(twin, targets, sites=sites, progress=report)
    return described


def _model(name: str, described: "dict[str, UnitTable]") -> dict[str, TableCell]:
    return {"model": name} if len(described) > 1 else {}


def _share_rows(described: "dict[str, UnitTable]", options: UnitsOptions) -> list[dict[str, TableCell]]:
    """Return the shares of explained units for several bounds, and by how much they exceed those of a twin."""
    from analyses.unit_tables.explained_shares import BOUNDS
    from analyses.unit_tables.unit_table import share_difference

    bounds = sorted({*BOUNDS, options.at_least})
    rows: list[dict[str, TableCell]] = [
        {**_model(name, described), **share.row(), "p": None}
        for name, table in described.items()
        for share in table.shares(bounds, options.seed)
    ]
    if _UNTRAINED in described:
        for bound in bounds:
            difference = share_difference(described[_UNTRAINED], described[_TRAINED], bound, options.seed)
            row: dict[str, TableCell] = {"model": f"{_TRAINED} − {_UNTRAINED}", "at_least": bound}
            rows.append({**dict.fromkeys(rows[0]), **row, "share": difference.value, **_ends(difference)})
    return rows


def _show_shares(shares: Sequence[dict[str, TableCell]], trained: "UnitTable", options: UnitsOptions) -> None:
    """Print the table of shares."""
    hidden = {"no_interval_reason"} if any(row["p"] is not None for row in shares) else {"no_interval_reason", "p"}
    say("\nunits that some hypothesis explains, by the least strength that counts")
    show_rows([{key: row[key] for key in row if key not in hidden} for row in shares], as_json=False)
    for reason in dict.fromkeys(str(row["no_interval_reason"]) for row in shares if row["no_interval_reason"]):
        warn(reason)
    say(f"{trained.share(options.at_least, options.seed)} at a strength of {options.at_least:g}")


def _ends(difference: "Difference") -> dict[str, TableCell]:
    return {
        "low": difference.low,
        "high": difference.high,
        "p": difference.p,
        "no_interval_reason": difference.no_interval_reason,
    }
