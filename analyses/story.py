"""The whole story of one hypothesis: does a model know it, where, for how long, and does it use it?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from activations.progress import NotedProgress, Progress, no_progress
from activations.units import Site, Unit
from activations.variants import ModelSource
from analyses.causes.ablating_many import ablations_with_q_values
from analyses.causes.ablation import Ablation, ablate
from analyses.causes.directions import mean_difference
from analyses.causes.editing.perturbation import Perturbation, perturb
from analyses.causes.impulses.impulse import impulse
from analyses.causes.impulses.impulse_results import Impulse
from analyses.causes.patching.patch_results import Patch, with_q_values
from analyses.causes.patching.patched_parts import Subspace
from analyses.causes.patching.patching import patch
from analyses.errors import AnalysisError
from analyses.passages.character_sets import character_sets
from analyses.passages.models import model_source
from analyses.passages.passages import spread_passages
from analyses.probing.control_names import CONTROLS
from analyses.probing.options import FitOptions
from analyses.probing.probes import fit
from analyses.probing.results import ProbeResult
from analyses.ranking.ranking import rank
from analyses.session import AnySource, Session
from analyses.story_results import Story
from analyses.targets.labelling import AnyHypothesis, target_for
from analyses.targets.target import Target
from hypotheses.errors import HypothesisError

N_BEST, N_CHARS, N_MATCHED, N_STARTS = 5, 10_000, 12, 100
_PART_PROGRESS = 100  # what a part counts for


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Setting:
    """The sources and settings that the parts of a story share.

    Attributes:
        model: The model that is changed while it reads.
        activations: Its activations.
        target: The hypothesis and its labels.
        labeller: What labels edited texts.
        sites: The sites that are carried from character to character.
        best: The units that know the hypothesis best.
        n_chars: Characters to measure effects on.
        n_matched: Matched units or directions beside each.
        n_starts: Number of impulses, of pairs of places, and of edits.
        seed: Seed of the draws.
    """

    model: Session
    activations: Session
    target: Target
    labeller: AnyHypothesis
    sites: Sequence[Site]
    best: Sequence[Unit]
    n_chars: int
    n_matched: int
    n_starts: int
    seed: int


def story(
    source: AnySource,
    hypothesis: AnyHypothesis | Target,
    *,
    activations: AnySource | None = None,
    labeller: AnyHypothesis | None = None,
    n_chars: int = N_CHARS,
    n_matched: int = N_MATCHED,
    n_starts: int = N_STARTS,
    seed: int = 0,
    progress: NotedProgress = no_progress,
) -> Story:
    """Ask all questions about one hypothesis: does the model know it, where, for how long, and does it use it?

    Probes with all controls, a ranking, impulses, ablations, patches and edits of the text, for the sites that are
    carried from character to character. The units whose effects are measured are those that the ranking puts first.

    Args:
        source: Live activations: the model and the text.
        hypothesis: A hypothesis that is True or False.
        activations: A recording of the same model and text, which is quicker to rank and to fit; None reads the text
            again.
        labeller: What labels edited texts, if `hypothesis` is a target made before; None is the hypothesis of its name.
        n_chars: Characters to measure effects on, in passages spread over the text.
        n_matched: Matched units or directions beside each.
        n_starts: Number of impulses, of edits, and of pairs of places between which values are interchanged.
        seed: Seed of all draws.
        progress: Called with the amount done, the total, and what is measured now.

    Returns:
        The story. A part that cannot be measured on this text is left out, and the reason is in `not_measured`.

    Raises:
        AnalysisError: If the hypothesis has no inside and outside here, the source has no model, or the recording none
            of the sites that the model carries on.
    """
    live = model_source(source)
    target = target_for(live, hypothesis)
    n_measured = check_story(live, target, n_chars)
    model, recorded = Session.of(source), Session.of(source if activations is None else activations)
    sites = _carried_sites(live, recorded)
    labelled_by = hypothesis.hypothesis if isinstance(hypothesis, Target) else hypothesis
    n_parts = 1 + len(_PARTS)
    ranking = rank(
        recorded, target, sites=sites, n_intervals=N_BEST, progress=_of_part(progress, 0, n_parts, "ranking units")
    )
    setting = _Setting(
        model=model,
        activations=recorded,
        target=target,
        labeller=labelled_by if labeller is None else labeller,
        sites=sites,
        best=[ranked.unit for ranked in ranking.units[:N_BEST]],
        n_chars=n_chars,
        n_matched=n_matched,
        n_starts=n_starts,
        seed=seed,
    )
    measured, not_measured = _measure(setting, progress)
    progress(n_parts * _PART_PROGRESS, n_parts * _PART_PROGRESS, "")
    return Story(
        hypothesis=target.hypothesis,
        ranking=ranking,
        n_best=N_BEST,
        not_measured=not_measured,
        n_chars=n_measured,
        seed=seed,
        **measured,
    )


def _carried_sites(live: ModelSource, recorded: Session) -> list[Site]:
    """Return the sites of a recording that the model carries from one character to the next."""
    sites = [site for site in live.carried if site in recorded.sites]
    if not sites:
        raise AnalysisError(
            f"the recording has none of the sites that the model carries on, {', '.join(map(str, live.carried))}; "
            "record these, or let the model read the text (--text)"
        )
    return sites


def _measure(setting: _Setting, progress: NotedProgress) -> tuple[dict[str, Any], dict[str, str]]:
    """Measure all parts but the ranking.

    Returns:
        The results by the attributes of the story, and why others are missing.
    """
    n_parts = 1 + len(_PARTS)
    measured: dict[str, Any] = {}
    not_measured: dict[str, str] = {}
    for number, (attribute, (note, measure)) in enumerate(_PARTS.items(), 1):
        try:
            measured[attribute] = measure(setting, _of_part(progress, number, n_parts, note))
        except (AnalysisError, HypothesisError) as error:
            not_measured[attribute] = str(error)
    return measured, not_measured


def check_story(source: AnySource, target: Target, n_chars: int = N_CHARS) -> int:
    """Refuse a hypothesis that has no inside and outside in what `story` reads, before any work.

    Returns:
        The number of characters on which effects are measured.

    Raises:
        AnalysisError: If it is not True or False, or all alike, or the source has no model.
    """
    live = model_source(source)
    return int(character_sets(target, live, spread_passages(live, n_chars)).members.shape[1])


def _of_part(progress: NotedProgress, number: int, n_parts: int, note: str) -> Progress:
    """Return the progress of one part, which counts for as much as any other."""
    furthest = 0

    def report(done: int, total: int) -> None:
        nonlocal furthest  # a total that is estimated may grow
        furthest = max(furthest, min(_PART_PROGRESS, _PART_PROGRESS * done // max(total, 1)))
        progress(number * _PART_PROGRESS + furthest, n_parts * _PART_PROGRESS, note)

    report(0, 1)
    return report


def _probes(setting: _Setting, progress: Progress) -> Sequence[ProbeResult]:
    return fit(
        setting.activations,
        setting.target,
        sites=setting.sites,
        controls=CONTROLS,
        options=FitOptions(seed=setting.seed),
        progress=progress,
    )


def _impulse(setting: _Setting, progress: Progress) -> Impulse:
    return impulse(
        setting.model,
        setting.target,
        setting.best[:1],
        n_starts=setting.n_starts,
        n_matched=setting.n_matched,
        n_chars=setting.n_chars,
        seed=setting.seed,
        progress=progress,
    )


def _ablations(setting: _Setting, progress: Progress) -> Sequence[Ablation]:
    """Hold the best unit, and then all of the best ones together."""

    def hold(units: Sequence[Unit], number: int) -> Ablation:
        return ablate(
            setting.model,
            setting.target,
            units,
            together=True,
            n_chars=setting.n_chars,
            n_matched=setting.n_matched,
            seed=setting.seed,
            progress=lambda done, total: progress(number * total + done, n_groups * total),
        )

    groups = [setting.best[:1], setting.best] if len(setting.best) > 1 else [setting.best]
    n_groups = len(groups)
    return ablations_with_q_values([hold(units, number) for number, units in enumerate(groups)])


def _patches(setting: _Setting, progress: Progress) -> Sequence[Patch]:
    """Interchange the best unit, the mean difference of its site, and the whole site."""
    best = setting.best[0]
    towards = mean_difference(setting.activations, setting.target, best.site)
    difference = Subspace(best.site, towards.vector, f"mean difference of {best.site}")
    parts: list[Unit | Subspace | Site] = [best, difference, best.site]

    def interchange(part: Unit | Subspace | Site, number: int) -> Patch:
        return patch(
            setting.model,
            setting.target,
            part,
            n_pairs=setting.n_starts,
            n_matched=setting.n_matched,
            n_chars=setting.n_chars,
            seed=setting.seed,
            progress=lambda done, total: progress(number * total + done, len(parts) * total),
        )

    return with_q_values([interchange(part, number) for number, part in enumerate(parts)])


def _perturbation(setting: _Setting, progress: Progress) -> Perturbation:
    """Delete the character with which the hypothesis begins to hold."""
    return perturb(
        setting.model,
        setting.labeller,
        "delete",
        units=setting.best,
        n_places=setting.n_starts,
        n_matched=setting.n_matched,
        seed=setting.seed,
        progress=progress,
    )


_PARTS: Mapping[str, tuple[str, Callable[[_Setting, Progress], Any]]] = {
    "probes": ("fitting probes", _probes),
    "impulse": ("changing the best unit once", _impulse),
    "ablations": ("holding the best units", _ablations),
    "patches": ("interchanging the best unit and its site", _patches),
    "perturbation": ("editing the text", _perturbation),
}
"""The parts in order: attribute of the story, note of the progress, and the function that measures it."""
