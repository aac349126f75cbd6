"""Explanations: which hypotheses one unit responds to, and where in the text it is most and least active."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.deprecation import renamed_attribute
from activations.progress import Progress, no_progress
from activations.results import Result, TableCell
from activations.texts.corpus import Corpus
from activations.units import Unit
from analyses.errors import AnalysisError
from analyses.intervals.significance import q_values
from analyses.named_parts import units_among
from analyses.ranking.explaining.joint_explanation import choose_labels
from analyses.ranking.explaining.one_unit import OneUnit
from analyses.ranking.explaining.tuning import Tuning, tune
from analyses.ranking.ranking import rank_all
from analyses.ranking.results import RankedUnit
from analyses.rounding import rounded
from analyses.session import question
from analyses.targets.classes import classes_of
from analyses.targets.labelling import ManyHypotheses, targets_for
from analyses.targets.many_hypotheses import all_targets

_N_CANDIDATES = 12  # that are tried together: those that explain most alone
_APART = 200  # characters, from one passage to the next


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Answer(Result):
    """A unit's response to one hypothesis: its scores, and what the hypothesis explains of it.

    Attributes:
        hypothesis: Its name.
        measure: `auc`, or `r` for a number.
        ranked: The scores of the unit; its `q` is over the hypotheses.
        added_r2: The share of the unit's held-out variance that the hypothesis explains beyond those that add more;
            None if it is not one of those that explain most together.
        period: Period of the wave in the unit's tuning to a number; None if there is none, see `waves.find_wave`.
        wave_p: p-value under the null that the tuning has at most one peak; None if there are too few data.
    """

    hypothesis: str
    measure: str
    ranked: RankedUnit
    added_r2: float | None
    period: float | None
    wave_p: float | None

    adds = renamed_attribute("adds", "added_r2")

    def row(self) -> dict[str, str | float | int | None]:
        """Return the row that `probe explain --json` prints."""
        ranked = self.ranked
        return {
            "hypothesis": self.hypothesis if ranked.label is None else f"{self.hypothesis} == {ranked.label}",
            "measure": self.measure,
            "held_out": ranked.held_out,
            "low": ranked.low,
            "high": ranked.high,
            "within_position_groups": ranked.within_position_groups,
            "q": ranked.q,
            "direction": ranked.direction,
            "added_r2": self.added_r2,
            "period": self.period,
            "wave_p": self.wave_p,
            "overall": ranked.overall,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A place where a unit is among the most or the least active, with some text around it.

    Attributes:
        position: The position of the character in the corpus.
        value: The value of the unit there.
        before: Some text before that character.
        character: The character itself.
        after: Some text behind it.
    """

    position: int
    value: float
    before: str
    character: str
    after: str

    place = renamed_attribute("place", "position")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Explanation(Result):
    """The hypotheses that one unit responds to.

    Attributes:
        unit: The unit.
        answers: First the hypotheses that explain most of it together, in the order in which they add to it; then the
            others by how well the unit predicts them.
        tunings: For each of the first ones, its tuning curve.
        most: Where the unit is most active, the most active place first.
        least: Where it is least active.
    """

    unit: Unit
    answers: tuple[Answer, ...] = field(repr=False)
    tunings: tuple[Tuning, ...] = field(repr=False)
    most: tuple[Passage, ...] = field(repr=False)
    least: tuple[Passage, ...] = field(repr=False)

    @property
    def explained(self) -> float:
        """The share of the unit's held-out variance that the hypotheses explain together."""
        return sum(answer.added_r2 for answer in self.answers if answer.added_r2 is not None)

    def rows(self) -> list[dict[str, TableCell]]:
        """Return the rows that `probe explain --json` prints: one for each answer."""
        return [{**answer.row(), "unit": str(self.unit)} for answer in self.answers]

    def __str__(self) -> str:
        lines = [f"{self.unit}: {rounded(self.explained, '.0%')} of it explained by"]
        lines += [
            f"  {answer.hypothesis} ({rounded(answer.added_r2, '+.1%')})"
            for answer in self.answers
            if answer.added_r2 is not None
        ]
        return "\n".join(lines)


@question
def explain(
    source: Source,
    unit: Unit | str,
    targets: ManyHypotheses | None = None,
    *,
    n_passages: int = 5,
    progress: Progress = no_progress,
) -> Explanation:
    """Explain one unit by the hypotheses that it responds to.

    Args:
        source: A recording or live activations.
        unit: The unit, or its name, such as `1/cell/37`.
        targets: One or several hypotheses that may explain it: names, functions, or targets made before; None
            stands for all registered ones that have different labels in this text.
        n_passages: How many passages to show where it is most active, and as many where it is least.
        progress: Called with the characters done and their number.

    Raises:
        AnalysisError: If there is no such unit, or it never changes.
    """
    [unit] = units_among(source, unit)
    targets = all_targets(source).made if targets is None else targets_for(source, targets)
    one_unit = OneUnit(source, unit)
    values = one_unit.values()
    _refuse_constant(unit, values)
    rankings = rank_all(one_unit, targets, progress=progress)
    del one_unit  # to free its memory
    ranked = [replace(ranking.units[0], unit=unit) for ranking in rankings]
    q = q_values(np.array([unit_scores.p for unit_scores in ranked]))
    ranked = [replace(unit_scores, q=float(own_q)) for unit_scores, own_q in zip(ranked, q, strict=True)]
    classes = [classes_of(target) for target in targets]
    tunings = [tune(values, target, own_classes) for target, own_classes in zip(targets, classes, strict=True)]
    candidates = _falling([tuning.eta2 for tuning in tunings])[:_N_CANDIDATES]
    chosen = choose_labels(values, [(targets[number], classes[number]) for number in candidates])
    added_r2 = {candidates[number]: added for number, added in chosen}
    order = [
        *added_r2,
        *(number for number in _falling([unit_scores.score for unit_scores in ranked]) if number not in added_r2),
    ]
    return Explanation(
        unit=unit,
        answers=tuple(
            Answer(
                hypothesis=targets[number].hypothesis,
                measure=rankings[number].measure,
                ranked=ranked[number],
                added_r2=added_r2.get(number),
                period=tunings[number].period,
                wave_p=tunings[number].wave_p,
            )
            for number in order
        ),
        tunings=tuple(tunings[number] for number in added_r2),
        most=extreme_passages(source.corpus, values, n_passages),
        least=extreme_passages(source.corpus, values, n_passages, sign=-1),
    )


def _refuse_constant(unit: Unit, values: NDArray[np.floating]) -> None:
    lowest, highest = (float(extreme.reduce(values)) for extreme in (np.fmin, np.fmax))
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise AnalysisError(f"some activations of {unit} are not numbers (NaN or infinite)")
    if lowest == highest:
        raise AnalysisError(f"{unit} is {lowest:g} at every character, so that nothing can explain it")


def _falling(scores: Sequence[float]) -> list[int]:
    """Return the numbers of scores in falling order, NaN last."""
    return sorted(range(len(scores)), key=lambda number: -np.nan_to_num(scores[number], nan=-1.0))


def extreme_passages(corpus: Corpus, values: NDArray[np.floating], n: int, sign: int = 1) -> tuple[Passage, ...]:
    """Find the characters with the highest values, none near another.

    Args:
        corpus: The text.
        values: (n_chars,) values of a unit at all its characters; NaN where there is none.
        n: Number of passages; there are fewer in a short text.
        sign: −1 finds the lowest values.
    """
    left = sign * values
    left[np.isnan(left)] = -np.inf
    passages = []
    for _ in range(n):
        peak = int(left.argmax())
        if not np.isfinite(left[peak]):
            break
        document = next(document for document in corpus.documents if document.start <= peak < document.stop)
        start, stop = max(document.start, peak - 60), min(document.stop, peak + 30)
        passages.append(
            Passage(
                position=peak,
                value=float(values[peak]),
                before=corpus.text(start, peak),
                character=corpus.text(peak, peak + 1),
                after=corpus.text(peak + 1, stop),
            )
        )
        left[max(0, peak - _APART) : peak + _APART] = -np.inf
    return tuple(passages)
