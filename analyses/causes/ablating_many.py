"""Ablations of one unit for each of many hypotheses, in the same reading of the same passages."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from activations.progress import Progress, no_progress, steps_of
from activations.units import Unit
from activations.variants import ModelSource
from analyses.causes.ablation import Ablation, loss_changes
from analyses.errors import AnalysisError
from analyses.intervals.significance import q_values
from analyses.passages.base_reading import BASE_WEIGHT, BaseReading, read_base
from analyses.passages.character_sets import CharacterSets, character_sets
from analyses.passages.effects import WHERE, EffectSums, effects
from analyses.passages.matching import N_MATCHED, matched_groups
from analyses.passages.models import model_source
from analyses.passages.passages import N_CHARS, Passages, spread_passages
from analyses.session import AnySource
from analyses.targets.target import Target


class Question(NamedTuple):
    """A hypothesis, and the unit that is held at its mean for it."""

    target: Target
    unit: Unit


@dataclass(frozen=True, slots=True, eq=False)
class ManyAblations:
    """The ablations of many hypotheses.

    Attributes:
        by_hypothesis: The ablation of each; q is over these hypotheses, for each set of characters.
        reasons: Why others have none, by their hypotheses.
    """

    by_hypothesis: dict[str, Ablation]
    reasons: dict[str, str]


def ablate_for_each(
    source: AnySource,
    questions: Sequence[Question],
    *,
    n_chars: int = N_CHARS,
    n_matched: int = N_MATCHED,
    seed: int = 0,
    progress: Progress = no_progress,
) -> ManyAblations:
    """Hold one unit at its mean for each of some hypotheses, and measure how much worse the model predicts.

    The passages are read once for all of them, with units that several need held only once. The effects are those that
    `ablate` measures for each hypothesis by itself, with the same seed.

    Args:
        source: Live activations: the model and the text.
        questions: Hypotheses, each with the unit that is held for it.
        n_chars: Characters to measure on, in passages spread over the text.
        n_matched: Matched units beside each unit.
        seed: Seed of the draws.
        progress: Called with the amount done and the total.

    Raises:
        ActivationError: If there is no such unit.
        AnalysisError: If the source has no model.
    """
    live = model_source(source)
    passages = spread_passages(live, n_chars)
    asked, reasons = _with_sets(questions, live, passages)
    if not asked:
        return ManyAblations({}, reasons)
    units = list(dict.fromkeys(question.unit for question, _ in asked))
    reading, holding = steps_of(progress, [BASE_WEIGHT, len(units) * (1 + n_matched)])
    base = read_base(live, passages, asked[0][1], sorted({unit.site for unit in units}), reading)
    groups = {unit: _with_matched(unit, base, n_matched, np.random.default_rng(seed)) for unit in units}
    held = list(dict.fromkeys(group for groups_of_unit in groups.values() for group in groups_of_unit))
    sums = [EffectSums(sets, len(held)) for _, sets in asked]
    for first, changes in loss_changes(live, base, held, "mean", np.random.default_rng(seed), holding):
        for sums_of_hypothesis in sums:
            sums_of_hypothesis.add(first, changes)
    ablations = []
    for (question, sets), sums_of_hypothesis in zip(asked, sums, strict=True):
        tested, *matched = (held.index(group) for group in groups[question.unit])
        ablations.append(
            Ablation(
                hypothesis=question.target.hypothesis,
                held_at="mean",
                effects=effects(sums_of_hypothesis, [str(question.unit)], [tested], [matched]),
                n_matched=len(matched),
                n_chars=passages.n_counted,
                seed=seed,
                predicted_characters=sets.predicted_characters,
                replaced_characters=sets.replaced_characters,
            )
        )
    return ManyAblations({ablation.hypothesis: ablation for ablation in ablations_with_q_values(ablations)}, reasons)


def _with_sets(
    questions: Sequence[Question], live: ModelSource, passages: Passages
) -> tuple[list[tuple[Question, CharacterSets]], dict[str, str]]:
    """Return the questions with their sets of characters, and why others have none."""
    asked, reasons = [], {}
    for question in questions:
        try:
            asked.append((question, character_sets(question.target, live, passages)))
        except AnalysisError as error:
            reasons[question.target.hypothesis] = str(error)
    return asked, reasons


def _with_matched(unit: Unit, base: BaseReading, n_matched: int, rng: np.random.Generator) -> list[tuple[Unit, ...]]:
    """Return what is held: the unit, and the units matched to it in variance."""
    variances = {site: moments.variance for site, moments in base.moments.items()}
    return [(unit,), *matched_groups(variances, (unit,), n_matched, {unit}, rng)]


def ablations_with_q_values(ablations: Sequence[Ablation]) -> Sequence[Ablation]:
    """Return ablations of one intervention each with q-values over all of them, for each set of characters."""
    p = np.array([[effect.p for effect in ablation.effects] for ablation in ablations])
    q = np.array([q_values(p[:, number]) for number in range(len(WHERE))]).T
    return [
        replace(ablation, effects=[replace(e, q=float(value)) for e, value in zip(ablation.effects, row, strict=True)])
        for ablation, row in zip(ablations, q, strict=True)
    ]
