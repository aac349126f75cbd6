"""The story of one hypothesis: the results of several analyses, and what they allow to say, as short sections."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from activations.results import Result, TableCell
from analyses.causes.ablation import Ablation
from analyses.causes.editing.edit_effects import CONTRAST as BEYOND_STAYS
from analyses.causes.editing.perturbation import Perturbation
from analyses.causes.impulses.impulse_results import Impulse
from analyses.causes.patching.patch_results import BOTH, LOG_PROB, Patch, PatchEffect
from analyses.differences import difference
from analyses.passages.effects import CONTRAST, SIGNIFICANT, Effect
from analyses.probing.results import ProbeResult
from analyses.ranking.results import RankedUnit, Ranking
from analyses.rounding import rounded

SHOWN, NOT_SHOWN, NOT_MEASURED = "shown", "not shown", "not measured"
WITHOUT_THE_MODEL = ("chars", "position")
"""Controls that see no activations: a model knows something if its probe is better than the best of these."""


class Section(NamedTuple):
    """One section of a story.

    Attributes:
        part: The name of its rows, that of the command which measures it by itself.
        question: What it asks.
        answer: `SHOWN`, `NOT_SHOWN`, `NOT_MEASURED`, or a length.
        sentences: What the numbers allow to say.
    """

    part: str
    question: str
    answer: str
    sentences: Sequence[str]

    def __str__(self) -> str:
        return "\n".join([f"{self.question} {self.answer[:1].upper()}{self.answer[1:]}.", *self._indented()])

    def _indented(self) -> Iterable[str]:
        return (f"  {sentence}" for sentence in self.sentences)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Story(Result):
    """The story of one hypothesis: known or not, where, for how long, and used or not.

    Attributes:
        hypothesis: The hypothesis.
        ranking: The units of the sites that are carried from character to character.
        n_best: Number of units that count as the best.
        probes: A probe for each of these sites, and the controls; empty if there are none.
        impulse: What single changes of the best unit do; None if it could not be measured.
        ablations: The best unit held at its mean, and the best ones together; with q-values over both.
        patches: The best unit, the mean difference of its site and the whole site interchanged; with q-values.
        perturbation: The character with which the hypothesis begins to hold deleted from the text, and what that
            changes in the best units; None if it could not be measured.
        not_measured: Why a part is missing, by its attribute.
        n_chars: Characters on which effects are measured.
        seed: Seed of all draws.
    """

    hypothesis: str
    ranking: Ranking
    n_best: int
    probes: Sequence[ProbeResult] = ()
    impulse: Impulse | None = None
    ablations: Sequence[Ablation] = ()
    patches: Sequence[Patch] = ()
    perturbation: Perturbation | None = None
    not_measured: Mapping[str, str] = field(default_factory=dict)
    n_chars: int
    seed: int

    @property
    def best(self) -> tuple[RankedUnit, ...]:
        """The units that rank puts first."""
        return self.ranking.units[: self.n_best]

    @property
    def sections(self) -> list[Section]:
        """The story in sections, in the order in which it is told."""
        sections = []
        for attribute, (part, question, tell) in _SECTIONS.items():
            if attribute in self.not_measured:
                sections.append(Section(part, question, NOT_MEASURED, [self.not_measured[attribute]]))
            else:
                sections.append(Section(part, question, *tell(self)))
        return sections

    def rows(self) -> list[dict[str, TableCell]]:
        """Return the rows of all parts, each with the name of its `part`; a part that is missing has its reason."""
        of_parts: dict[str, Sequence[Mapping[str, TableCell]]] = {
            "probes": [probe.row() for probe in self.probes],
            "ranking": self.ranking.rows(self.n_best),
            "impulse": [] if self.impulse is None else self.impulse.rows(),
            "ablations": [row for ablation in self.ablations for row in ablation.rows()],
            "patches": [row for patch in self.patches for row in patch.rows()],
            "perturbation": [] if self.perturbation is None else self.perturbation.rows(),
        }
        rows: list[dict[str, TableCell]] = []
        for attribute, (part, _, _) in _SECTIONS.items():
            rows += [{"part": part, **row} for row in of_parts[attribute]]
            if attribute in self.not_measured:
                rows.append({"part": part, "hypothesis": self.hypothesis, NOT_MEASURED.replace(" ", "_"):
                             self.not_measured[attribute]})  # fmt: skip
        return rows

    def __str__(self) -> str:
        title = f"The story of {self.hypothesis}, with effects on {self.n_chars:,} characters"
        return "\n\n".join([title, *map(str, self.sections)])


def best_probe(probes: Iterable[ProbeResult]) -> ProbeResult:
    """Return the probe of the site from which a hypothesis can be read best; controls do not count."""
    return max((probe for probe in probes if probe.control is None), key=_score)


def best_control(probes: Iterable[ProbeResult]) -> ProbeResult | None:
    """Return the best probe that sees no activations; None if there is none."""
    return max((probe for probe in probes if probe.control in WITHOUT_THE_MODEL), key=_score, default=None)


def tell_probes(probes: Sequence[ProbeResult]) -> tuple[str, list[str]]:
    """Say how well the best site's probe reads a hypothesis, beside what can be predicted without the model.

    Args:
        probes: A probe for each site, and the controls, if there are any.

    Returns:
        `SHOWN` or `NOT_SHOWN`, and sentences. The p-value is multiplied by the number of sites, the best of which is
        taken.
    """
    best, control = best_probe(probes), best_control(probes)
    score = _with_interval(best.score, best.interval)
    measure = "R²" if best.measure == "r2" else "AUC"
    reading = f"A linear probe of {best.site} reads {best.hypothesis} with a held-out {measure} of {score}"
    if control is None:
        return NOT_SHOWN, [f"{reading}; there is no control to compare it with."]
    seen = "position in the text" if control.control == "position" else control.site
    sentences = [
        f"{reading}; one of the {seen}, without the model, has {_with_interval(control.score, control.interval)}."
    ]
    if not (best.estimates and control.estimates):
        return NOT_SHOWN, [*sentences, best.note or control.note]
    more = difference(control, best)
    if math.isnan(more.p):
        why = more.no_interval_reason or "the error of the difference cannot be estimated"
        return NOT_SHOWN, [*sentences, f"Whether the model knows more than that cannot be told: {why}."]
    n_sites = sum(probe.control is None for probe in probes)
    p = min(1.0, more.p * n_sites)
    is_shown = p < SIGNIFICANT and more.value > 0
    amount = _with_interval(more.value, (more.low, more.high), "+.3f")
    corrected = f"p {p:.2g} (corrected for the choice among {n_sites} sites)"
    verb = "knows more than that" if is_shown else "is not shown to know more than that"
    return SHOWN if is_shown else NOT_SHOWN, [*sentences, f"The model {verb}: {amount}, {corrected}."]


def tell_units(units: Sequence[RankedUnit], notes: Sequence[str] = (), measure: str = "auc") -> tuple[str, list[str]]:
    """Say how well single units know a hypothesis.

    Args:
        units: The units that rank puts first.
        notes: What is said of their intervals and p-values.
        measure: What their scores are: `auc`, or `r` for a number.
    """
    name, chance, written = ("r", 0.0, "0") if measure == "r" else ("AUC", 0.5, ".5")
    sentences = [
        f"{ranked.unit}: held-out {name} {_with_interval(ranked.held_out, (ranked.low, ranked.high))}, "
        f"q {_number(ranked.q, '.2g')}"
        for ranked in units
    ]
    n_shown = sum(ranked.q < SIGNIFICANT and ranked.held_out > chance for ranked in units)
    if n_shown:
        count = f"{n_shown} of these {len(units)} are above chance, {written}: q below .05 over all units."
        return SHOWN, [*sentences, count]
    unknown = all(math.isnan(ranked.q) for ranked in units)
    why = " ".join(notes) if unknown and notes else "No unit's q is below .05."
    return NOT_SHOWN, [*sentences, why]


def tell_effects(effects: Mapping[str, Effect]) -> tuple[str, list[str]]:
    """Say how much worse a model predicts inside than outside without some units, beside matched ones.

    Args:
        effects: Effects inside less outside, by what the sentences call the units.

    Returns:
        `SHOWN` if one is more than that of matched units, or `NOT_SHOWN`, and a sentence for each.
    """
    is_shown = any(effect.is_shown and effect.beyond_matched > 0 for effect in effects.values())
    return SHOWN if is_shown else NOT_SHOWN, [_tell_effect(name, effect) for name, effect in effects.items()]


def _tell_effect(name: str, effect: Effect) -> str:
    mean = "their means" if name.startswith("the best") else "its mean"
    value = _with_interval(effect.effect, (effect.low, effect.high), "+.4f")
    sentence = f"With {name} held at {mean}, the loss {effect.where} changes by {value} nats per character"
    if not math.isnan(effect.matched):
        sentence += f", with matched ones by {rounded(effect.matched, '+.4f')}"
    if math.isnan(effect.p):
        return f"{sentence}; {effect.finding.partition(': ')[2]}."
    verdict = "not shown to be more"
    if effect.is_shown:
        verdict = (
            "shown to be more" if effect.beyond_matched > 0 else "shown to be less, so that it matters more outside"
        )
    return f"{sentence}: {verdict} (p {effect.p:.2g}, q {effect.q:.2g})."


def _tell_probes(story: Story) -> tuple[str, list[str]]:
    return tell_probes(story.probes)


def _tell_ranking(story: Story) -> tuple[str, list[str]]:
    return tell_units(story.best, story.ranking.notes, story.ranking.measure)


def _tell_impulse(story: Story) -> tuple[str, list[str]]:
    if story.impulse is None:
        return NOT_MEASURED, []
    [unit] = story.impulse.units
    [half] = [duration for duration in unit.durations if duration.level == "half"]
    return str(half), [f"{finding}." for finding in story.impulse.findings]


def _tell_ablations(story: Story) -> tuple[str, list[str]]:
    names = [str(story.best[0].unit), f"the best {len(story.best)} units together"]
    inside, ends = (
        {
            name: effect
            for name, ablation in zip(names, story.ablations, strict=False)
            for effect in ablation.effects
            if effect.where == where
        }
        for where in (CONTRAST, "end")
    )
    answer, sentences = tell_effects(inside)
    of_ends = [
        f"with {name} held {_with_interval(effect.effect, (effect.low, effect.high), '+.3f')}, with matched ones "
        f"{_number(effect.matched, '+.3f')}, q {_number(effect.q, '.2g')}"
        for name, effect in ends.items()
    ]
    return answer, [*sentences, f"Where {story.hypothesis} ends: {'; '.join(of_ends)}."]


def _tell_patches(story: Story) -> tuple[str, list[str]]:
    of_both = [
        effect
        for patch in story.patches
        for effect in patch.effects
        if (effect.measure, effect.direction) == (LOG_PROB, BOTH)
    ]
    is_shown = any(_is_carrier(effect) for effect in of_both)
    return SHOWN if is_shown else NOT_SHOWN, [f"{effect.finding}." for effect in of_both]


def _tell_perturbation(story: Story) -> tuple[str, list[str]]:
    perturbation = story.perturbation
    if perturbation is None:
        return NOT_MEASURED, []
    title = f"{perturbation.edit}, {perturbation.where_edited}: {perturbation.n_places:,} places."
    sentences = [title, *perturbation.findings[:2]]  # of the loss and of the best unit
    if not perturbation.n_changed:
        return NOT_SHOWN, sentences
    effects = [perturbation.effect(str(ranked.unit), BEYOND_STAYS) for ranked in story.best]
    n_follow = sum(effect.q < SIGNIFICANT and effect.share > 0 for effect in effects)
    count = f"Shown to follow the text more than matched ones: {n_follow} of the best {len(effects)} units."
    return SHOWN if n_follow else NOT_SHOWN, [*sentences, count]


def _is_carrier(effect: PatchEffect) -> bool:
    return effect.q < SIGNIFICANT and effect.beyond_matched > 0


def _score(probe: ProbeResult) -> float:
    return -math.inf if math.isnan(probe.score) else probe.score


def _with_interval(value: float, interval: tuple[float, float], digits: str = ".3f") -> str:
    low, high = interval
    if math.isnan(low) or math.isnan(high):
        return f"{_number(value, digits)} (no interval)"
    return f"{rounded(value, digits)} ({rounded(low, digits)} to {rounded(high, digits)})"


def _number(value: float, digits: str) -> str:
    return "–" if math.isnan(value) else rounded(value, digits)


_SECTIONS: Mapping[str, tuple[str, str, Callable[[Story], tuple[str, list[str]]]]] = {
    "probes": ("fit", "Does the model know it?", _tell_probes),
    "ranking": ("rank", "Do single units tell inside from outside?", _tell_ranking),
    "impulse": ("impulse", "For how long does the best unit keep it? Half of a change is left after", _tell_impulse),
    "ablations": ("ablate", "Does the model use these units for it?", _tell_ablations),
    "patches": ("patch", "Do they carry the answer?", _tell_patches),
    "perturbation": ("perturb", "Do these units follow the text, if it is edited?", _tell_perturbation),
}
"""The sections of a story in their order, by the attribute that has their results."""
