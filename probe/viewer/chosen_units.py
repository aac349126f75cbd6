"""Which units a view shows: those that are named, and the best ones of sites."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activations.progress import Progress, no_progress
from activations.site_names import AnyUnits, select_units_or_sites
from activations.units import Unit, in_order, units_of
from analyses.errors import AnalysisError
from analyses.session import Session
from analyses.targets.target import Target

if TYPE_CHECKING:
    from analyses.ranking.results import RankedUnit

N_OF_A_SITE = 5
"""Units that stand for a site, unless somebody says how many."""


@dataclass(frozen=True, slots=True)
class UnitChoice:
    """The units that are shown, and why.

    Attributes:
        units: The units, those that are named first.
        notes: A sentence for each choice that was made.
    """

    units: list[Unit]
    notes: list[str]


def chosen_units(
    session: Session,
    wanted: AnyUnits,
    top: int | None,
    targets: Callable[[], Sequence[Target]],
    passage: slice,
    progress: Progress = no_progress,
) -> UnitChoice:
    """Choose units: those that are named, and the best ones of the sites that are named.

    Args:
        session: A session of the source.
        wanted: Units, and sites, whose best units are taken.
        top: How many of these; with this number and no site, they are taken from all sites.
        targets: Makes the targets of the hypotheses for which units are best; it is called if there are sites.
        passage: The passage, in which other units vary most, if there is no hypothesis.
        progress: Called with the characters done and their number, if units are ranked.

    Raises:
        ActivationError: If there is no such unit.
        AnalysisError: If the units cannot be ranked for a hypothesis, or the number is not above 0.
    """
    if top is not None and top < 1:
        raise AnalysisError(f"the best {top} units are none; name a number above 0")
    named, candidates = _named_and_candidates(session, wanted)
    if not candidates and top is not None:
        candidates = units_of(session.sites, session.sites)
    choice = UnitChoice(named, [])
    if candidates:
        n_units = top or N_OF_A_SITE
        of_hypotheses = targets()
        for target in of_hypotheses:
            best, note = _best(session, target, candidates, n_units, progress)
            choice.units.extend(best)
            choice.notes.append(note)
        if not of_hypotheses:
            choice.units.extend(_most_varying(session, candidates, n_units, passage))
            choice.notes.append(f"of {len(candidates):,} units, those are shown that vary most in this passage")
    return UnitChoice(list(dict.fromkeys(choice.units)), choice.notes)


def _named_and_candidates(session: Session, wanted: AnyUnits) -> tuple[list[Unit], list[Unit]]:
    """Return the units that are named themselves, and those of named sites."""
    select_units_or_sites(session.sites, wanted)  # refuses what is neither a unit nor several
    named: list[Unit] = []
    candidates: list[Unit] = []
    for request in [wanted] if isinstance(wanted, str | Unit) else wanted:
        for part in request.split(",") if isinstance(request, str) else [request]:
            units = select_units_or_sites(session.sites, part)
            is_unit = [str(unit) for unit in units] == [str(part).strip()]
            (named if is_unit else candidates).extend(units)
    return named, candidates


def _best(
    session: Session, target: Target, candidates: Sequence[Unit], n_units: int, progress: Progress
) -> tuple[list[Unit], str]:
    """Return the units that predict a label best, and a sentence with their scores."""
    from analyses.ranking.ranking import rank

    sites = in_order(session.sites, (unit.site for unit in candidates))
    ranking = rank(session, target, sites=sites, n_intervals=0, progress=progress)
    among = set(candidates)
    best = [ranked for ranked in ranking.units if ranked.unit in among][:n_units]
    return [ranked.unit for ranked in best], f"best units for {target.hypothesis}: {_scores(best, ranking.measure)}"


def _most_varying(session: Session, candidates: Sequence[Unit], n_units: int, passage: slice) -> list[Unit]:
    """Return the units with the greatest standard deviations in a passage, the greatest first."""
    sites = list(dict.fromkeys(unit.site for unit in candidates))
    by_site = session.read(sites, passage.start, passage.stop)
    spreads = {site: values.astype(np.float64).std(axis=0) for site, values in by_site.items()}
    return sorted(candidates, key=lambda unit: -spreads[unit.site][unit.index])[:n_units]


def _scores(best: "Sequence[RankedUnit]", measure: str) -> str:
    name = {"auc": "AUC"}.get(measure, measure)
    return ", ".join(f"{ranked.unit} (held-out {name} {ranked.held_out:.2f})" for ranked in best)
