"""Steering: what a model writes while a unit is held or a direction is added, beside what it writes without."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from activations.models.char_rnn import CharRNN
from activations.progress import Progress, no_progress
from activations.site_names import AnySites, select_units
from activations.units import Unit, in_order
from activations.value_ranges import value_range
from analyses.causes.directions import Direction, mean_difference
from analyses.causes.text_effects import FEWEST_TEXTS
from analyses.errors import AnalysisError
from analyses.session import Session
from analyses.targets.labelling import AnyHypothesis
from probe.explorer.questions.plain_values import Answer
from probe.steering import DEFAULT_WRITING, N_MATCHED, Steering, WritingOptions, steer
from probe.viewer.scales import MISSING, Scale

Rows = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldRange(Answer):
    """The values at which a slider holds a unit.

    Attributes:
        unit: The unit.
        low: The lowest.
        high: The highest.
        is_limit: Whether the unit can have no others; else these are the ends of its colours.
    """

    unit: str
    low: float
    high: float
    is_limit: bool


def hold_range(model: CharRNN, unit: Unit | str, scale: Scale) -> HoldRange:
    """Return the values at which a unit can be held: its range, or where it has none, that of its scale.

    Raises:
        ActivationError: If there is no such unit.
    """
    [unit] = select_units(model.sites, unit)
    limits = value_range(unit.site, model.unbounded)
    low, high = limits or (scale.offset, scale.offset + (MISSING - 1) * scale.step)
    return HoldRange(unit=str(unit), low=low, high=high, is_limit=limits is not None)


def added_direction(
    session: Session, hypothesis: AnyHypothesis, site: AnySites | None = None, *, progress: Progress = no_progress
) -> Direction:
    """Return the direction that `probe steer --add HYPOTHESIS` adds: from where it does not hold to where it does.

    Args:
        session: The source, all of which is read.
        hypothesis: A hypothesis that is True or False.
        site: The site; None is the hidden state of the last layer.
        progress: Called with the characters read, and their number.

    Raises:
        AnalysisError: If the hypothesis is not True or False, or never changes.
    """
    sites = session.sites
    last = in_order(sites, [known for known in sites if known.signal == "hidden"])[-1:]
    return mean_difference(session, hypothesis, last if site is None else site, progress=progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuations(Answer):
    """What a model writes with one change and without it, from the same prompt and with the same random numbers.

    Attributes:
        intervention: What was changed, such as `0/cell/163 = 1`.
        unsteered: The texts without the change; each begins with the prompt.
        steered: The texts with it, each drawn with the random numbers of the unsteered one in the same place.
        first_differences: Where each two of these first differ; None if they do not.
        share_changed: The share of the characters in the same places that differ, over all texts.
        rows: The effects on each hypothesis and on the loss, as the rows that `probe steer --json` prints: `effect`
            with the ends of its interval, and `matched`, that of other units of the site or of random directions.
        findings: What is shown of each hypothesis, or that nothing is, as sentences.
        n_matched: Number of matched changes; 0 if none were made.
        notes: Sentences on what makes the figures uncertain.
    """

    intervention: str
    unsteered: tuple[str, ...]
    steered: tuple[str, ...]
    first_differences: tuple[int | None, ...]
    share_changed: float
    rows: Rows
    findings: tuple[str, ...]
    n_matched: int
    notes: tuple[str, ...] = ()


def continuations(
    model: CharRNN,
    *,
    hold: Mapping[str, float] | None = None,
    add: Direction | None = None,
    factor: float = 1.0,
    hypotheses: Sequence[AnyHypothesis] = (),
    n_matched: int = N_MATCHED,
    options: WritingOptions = DEFAULT_WRITING,
    progress: Progress = no_progress,
) -> Continuations:
    """Let a model write with units held or a direction added, and without; see `probe.steering.steer`.

    The texts do not depend on the number of matched changes: ask without any first, which takes a fraction of the time,
    and with them then.

    Args:
        model: The model, one of `probe train` or `probe import`.
        hold: The value at which each unit is held.
        add: The direction that is added, in place of that.
        factor: The factor of the direction.
        hypotheses: What is measured in the texts.
        n_matched: Number of matched units or directions whose effect stands beside.
        options: How texts are written; its prompt is what they go on from.
        progress: Called with the amount done and the total; what it raises ends the work.

    Raises:
        ActivationError: If there is no such unit, or a value is outside its range; the prompt cannot be read.
        AnalysisError: If neither or both are given, or a hypothesis has several classes.
        HypothesisError: If there is no such hypothesis.
    """
    if (add is None) == (not hold):
        raise AnalysisError("hold one unit or more, or add a direction; one of the two")
    steering = steer(
        model,
        dict(hold or {}) if add is None else add,
        hypotheses,
        factors=(factor,),
        n_matched=n_matched,
        options=options,
        progress=progress,
    )
    return _told(steering, options)


def _told(steering: Steering, options: WritingOptions) -> Continuations:
    [sample] = steering.samples
    pairs = list(zip(steering.unsteered, sample.texts, strict=True))
    return Continuations(
        intervention=sample.intervention,
        unsteered=steering.unsteered,
        steered=sample.texts,
        first_differences=tuple(_first_difference(*pair) for pair in pairs),
        share_changed=_share_changed(pairs),
        rows=tuple(steering.rows()),
        findings=tuple(steering.findings),
        n_matched=steering.n_matched,
        notes=tuple(_notes(steering.n_matched, options)),
    )


def _first_difference(unsteered: str, steered: str) -> int | None:
    """Return where two texts first differ, or where the shorter one ends; None if they are the same."""
    for position, (first, second) in enumerate(zip(unsteered, steered, strict=False)):
        if first != second:
            return position
    return None if len(unsteered) == len(steered) else min(len(unsteered), len(steered))


def _share_changed(pairs: Sequence[tuple[str, str]]) -> float:
    """Return the share of characters in the same places of two texts each that differ."""
    differ = [first != second for pair in pairs for first, second in zip(*pair, strict=False)]
    return float(np.mean(differ)) if differ else 0.0


def _notes(n_matched: int, options: WritingOptions) -> list[str]:
    """Say what makes the figures uncertain."""
    notes = ["once two texts differ, they drift apart whatever was changed; the measures are what counts"]
    if not n_matched:
        notes.append("nothing stands beside these effects yet; any unit that is held may have some like them")
    if options.n_texts < FEWEST_TEXTS:
        notes.append(f"{options.n_texts} texts are too few for intervals; {FEWEST_TEXTS} are needed")
    return notes
