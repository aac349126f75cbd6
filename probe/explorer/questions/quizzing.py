"""A quiz: which unit is this? Passages of a unit without its name, and the scores of what is guessed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.progress import Progress, no_progress
from activations.units import Site, Unit
from analyses.ranking.explaining.one_unit import OneUnit
from analyses.ranking.ranking import rank
from analyses.session import Session
from analyses.targets.labelling import label_in_pieces
from analyses.targets.target import Target
from hypotheses.errors import HypothesisError
from hypotheses.registry import get, registered
from probe.explorer.questions.plain_values import Answer, plain, scale_as_json
from probe.explorer.questions.quick_ranking import quick_aucs, sampled_rows
from probe.explorer.sidecar.planning import state_sites
from probe.explorer.sidecar.unit_levels import UnitLevels

KNOWN_HYPOTHESES = (
    "in_comment", "in_quotes", "in_string", "in_word", "in_indentation", "in_parentheses", "in_square_brackets",
    "in_braces", "in_number", "in_keyword", "in_identifier", "in_url", "in_wiki_link", "all_capitals", "capitalised",
    "end_of_word", "sentence_start", "vowel", "blank_line",
)  # fmt: skip
"""Hypotheses that a class may well guess, and that label quickly: the quiz asks for units that follow one of them."""
N_PASSAGES = 4
"""Passages where the unit is most active, and as many where it is least."""
_N_SAMPLED = 60_000  # characters on which units are compared with the hypotheses
_BEST_OF_EACH, _LEAST_AUC = 3, 0.85
_FEWEST_LABELLED = 100  # characters that a hypothesis is true of, and as many of which it is not
_BEFORE, _AFTER = 70, 40


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuizPassage(Answer):
    """A passage in which a unit is most or least active.

    Attributes:
        text: Its characters.
        levels: (n_chars,) the level of the unit at each.
        peak: The number of the character where the unit is most or least active.
        is_most: Whether it is most active there.
    """

    text: str
    levels: NDArray[np.uint8]
    peak: int
    is_most: bool


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class QuizQuestion(Answer):
    """Passages of a unit whose name is not said.

    Attributes:
        n_units: From how many units it was drawn.
        passages: Those where it is most active, then those where it is least.
        scale: What its levels mean.
    """

    n_units: int
    passages: tuple[QuizPassage, ...]
    scale: dict[str, Any]


def well_known_units(session: Session, levels: UnitLevels, progress: Progress = no_progress) -> tuple[Unit, ...]:
    """Return the units that follow hypotheses which people know, about three for each that some unit follows.

    Args:
        session: A session of the recording.
        levels: The levels of its units. Of a long text, a sample is compared.
        progress: Called with the hypotheses that were compared, and their number.

    Returns:
        Units of hidden states and cells whose AUC for a hypothesis is at least .85 in either direction, in the order of
        the hypotheses; none if there are no such units.
    """
    rows = sampled_rows(session.selection.n_chars, _N_SAMPLED)
    sites = state_sites(session.sites)
    sampled = {site: levels.sampled_levels(site, rows) for site in sites}
    units: dict[Unit, None] = {}
    names = [name for name in KNOWN_HYPOTHESES if name in registered()]
    for done, name in enumerate(names):
        progress(done, len(names))
        labels = _sampled_labels(session, name, rows)
        if labels is not None:
            units |= dict.fromkeys(_followers(sampled, *labels))
    return tuple(units)


def _followers(
    sampled: dict[Site, NDArray[np.uint8]], labels: NDArray[np.bool_], present: NDArray[np.bool_]
) -> list[Unit]:
    scores = []
    for site, levels in sampled.items():
        aucs = np.abs(quick_aucs(levels, labels, present=present, rows=[slice(0, len(labels))]) - 0.5)
        scores += [(float(auc), Unit(site, index)) for index, auc in enumerate(aucs) if auc >= _LEAST_AUC - 0.5]
    best = sorted(scores, key=lambda scored: (-scored[0], str(scored[1])))
    return [unit for _, unit in best[:_BEST_OF_EACH]]


def _sampled_labels(
    session: Session, name: str, rows: Sequence[slice]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]] | None:
    """Return labels of the sampled characters, and which are there; None if hardly any differ, or it fails here."""
    selection = session.selection
    try:
        pieces = label_in_pieces(session.corpus, get(name), notice=lambda sentence: None)
        parts = []
        for stretch in rows:
            first = selection.start + stretch.start * selection.every
            parts.append(pieces[first : selection.start + (stretch.stop - 1) * selection.every + 1])
    except HypothesisError:
        return None
    labels = np.concatenate([part.values[:: selection.every].astype(bool) for part in parts])
    present = np.concatenate([part.present[:: selection.every] for part in parts])
    n_true, n_present = int((labels & present).sum()), int(present.sum())
    if min(n_true, n_present - n_true) < _FEWEST_LABELLED:
        return None
    return labels, present


def drawn_unit(units: Sequence[Unit], seed: int) -> Unit:
    """Return one of some units, always the same for the same seed and units.

    Args:
        units: At least one.
        seed: A number from 0 on.
    """
    ordered = sorted(units, key=str)
    return ordered[int(np.random.default_rng(seed).integers(len(ordered)))]


def quiz_question(session: Session, levels: UnitLevels, unit: Unit, *, n_units: int) -> QuizQuestion:
    """Return passages in which a unit is most active, and least.

    Args:
        session: A session of the recording.
        levels: The levels of its units.
        unit: The unit.
        n_units: From how many it was drawn.
    """
    passages: list[QuizPassage] = []
    for lowest in (False, True):
        for position in levels.extremes(unit, N_PASSAGES, lowest=lowest).tolist():
            passages.append(_passage(session, levels, unit, position, is_most=not lowest))
    return QuizQuestion(n_units=n_units, passages=tuple(passages), scale=scale_as_json(levels.scale(unit)))


def _passage(session: Session, levels: UnitLevels, unit: Unit, position: int, *, is_most: bool) -> QuizPassage:
    document = next(one for one in session.corpus.documents if one.start <= position < one.stop)
    start, stop = max(document.start, position - _BEFORE), min(document.stop, position + _AFTER)
    return QuizPassage(
        text=session.corpus.text(start, stop),
        levels=levels.levels(unit, start, stop),
        peak=position - start,
        is_most=is_most,
    )


def guess_score(one_unit: OneUnit, guess: Target) -> dict[str, Any]:
    """Return how well a unit follows a guess: the row that `probe rank` prints for it, without p and q.

    Those depend on the other units, or on shifts of the labels.

    Args:
        one_unit: A source with the unit alone.
        guess: What was guessed, as labels of the text.

    Raises:
        AnalysisError: If no unit can be ranked for these labels.
    """
    ranking = rank(one_unit, guess, n_intervals=1)
    [ranked] = ranking.units
    return {
        "hypothesis": ranking.hypothesis,
        "measure": ranking.measure,
        "held_out": plain(ranked.held_out),
        "low": plain(ranked.low),
        "high": plain(ranked.high),
        "direction": ranked.direction,
        "within_position_groups": plain(ranked.within_position_groups),
        "warnings": list(ranking.notes),
        "is_scored": math.isfinite(ranked.held_out),
    }
