"""Ablation: what does a model lose if a unit is held at a value at every character?"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.progress import Progress, counting, no_progress, steps_of
from activations.results import Result, TableCell
from activations.site_names import AnyUnits, select_units_or_sites
from activations.units import Site, Unit
from activations.value_ranges import check_in_range, fits
from activations.variants import Hold, ModelSource, Replay, VariantChange
from analyses.causes.choosing_units import best_ranked_units
from analyses.errors import AnalysisError
from analyses.passages.base_reading import BASE_WEIGHT, BaseReading, SiteMoments, read_base, recorded_values
from analyses.passages.character_sets import INSIDE, character_sets
from analyses.passages.effects import CONTRAST, Effect, EffectSums, effects, findings_of
from analyses.passages.matching import N_MATCHED, matched_groups
from analyses.passages.models import model_source
from analyses.passages.passages import N_CHARS, spread_passages
from analyses.session import AnySource
from analyses.targets.labelling import AnyHypothesis, target_for
from analyses.targets.target import Target

HELD_AT = {
    "zero": "0",
    "mean": "the unit's mean over the characters that are read",
    "other": "its mean where the hypothesis does not hold, and outside its mean where it does",
    "resampled": "the values that it had at another place of the text",
}
"""The values at which a unit can be held, and how each is described."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Ablation(Result):
    """The increase of a model's loss if units are held at a value at every character.

    Attributes:
        hypothesis: The hypothesis.
        held_at: The value, one of `HELD_AT`, or a number.
        effects: The effect of each unit on each set of characters, of the first unit first.
        n_matched: Number of matched units beside each, at least; sites of few units have fewer than wanted.
        n_chars: Number of characters on which effects are measured.
        seed: Seed of the draws.
        predicted_characters: The characters that the hypothesis predicts.
        replaced_characters: Those that it would predict if the model knew them; see `CharacterSets`.
    """

    hypothesis: str
    held_at: str
    effects: Sequence[Effect]
    n_matched: int
    n_chars: int
    seed: int
    predicted_characters: str
    replaced_characters: str = ""

    def rows(self) -> list[dict[str, TableCell]]:
        """Return one row for each unit and set of characters."""
        return [{"hypothesis": self.hypothesis, "held_at": self.held_at, **effect.row()} for effect in self.effects]

    @property
    def by_intervention(self) -> dict[str, dict[str, Effect]]:
        """The effects by what was held, and by the set of characters."""
        by_intervention: dict[str, dict[str, Effect]] = {}
        for effect in self.effects:
            by_intervention.setdefault(effect.intervention, {})[effect.where] = effect
        return by_intervention

    @property
    def findings(self) -> list[str]:
        """One sentence for each unit with an effect, and one for all those of which none is shown."""
        return findings_of([effect for effect in self.effects if effect.where == CONTRAST])

    def __str__(self) -> str:
        title = f"{self.hypothesis}, held at {self.held_at}, {self.n_chars:,} characters"
        return "\n".join([title, *self.findings])


@dataclass(frozen=True, slots=True, eq=False)
class _Variants:
    """The units that are held, a row each, and for each tested group the rows of its matched units.

    Attributes:
        held: For each variant, the units that are held together.
        matched: For each tested group, the numbers of the variants matched to it. The first variants are the tested.
    """

    held: list[tuple[Unit, ...]]
    matched: list[list[int]]


def ablate(
    source: AnySource,
    hypothesis: AnyHypothesis | Target,
    units: AnyUnits | None = None,
    *,
    held_at: str | float = "mean",
    together: bool = False,
    force: bool = False,
    n_chars: int = N_CHARS,
    n_matched: int = N_MATCHED,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Ablation:
    """Hold units at a value at every character, and measure how much worse the model predicts.

    Δ_S is the mean over the characters of a set S of the loss with the unit held, the state carried on, less the loss
    without. It stands beside that of units drawn at random from the same site, of about the same variance.

    Args:
        source: Live activations: the model and the text.
        hypothesis: A hypothesis that is True or False: inside and outside.
        units: The units, such as `0/cell/163` or a list of such names; `0/cell` is all units of a site. None is the
            ten that `rank` puts first.
        held_at: One of `HELD_AT`, or a number.
        together: Hold all units at the same time, and not one after another.
        force: Hold units also at a number that they can never have.
        n_chars: Characters to measure on, in passages spread over the text.
        n_matched: Matched units beside each unit.
        seed: Seed of the draws.
        progress: Called with the amount done and the total.

    Raises:
        ActivationError: If there is no such unit, or it can never have this value.
        AnalysisError: If there is no such value, the hypothesis has no inside and outside here, or the source has no
            model.
    """
    live = model_source(source)
    target = target_for(live, hypothesis)
    chosen = best_ranked_units(source, target) if units is None else select_units_or_sites(live.sites, units)
    tested: list[tuple[Unit, ...]] = [tuple(chosen)] if together else [(unit,) for unit in chosen]
    _check_held_at(held_at, live, {unit.site for unit in chosen}, force=force)
    passages = spread_passages(live, n_chars)
    sets = character_sets(target, live, passages)
    reading, holding = steps_of(progress, [BASE_WEIGHT, len(tested) * (1 + n_matched)])
    base = read_base(live, passages, sets, sorted({unit.site for unit in chosen}), reading)
    rng = np.random.default_rng(seed)
    variants = _with_matched(tested, base, n_matched, rng)
    sums = EffectSums(sets, len(variants.held))
    for first, changes in loss_changes(live, base, variants.held, held_at, rng, holding):
        sums.add(first, changes)
    names = [" + ".join(map(str, group)) for group in tested]
    return Ablation(
        hypothesis=target.hypothesis,
        held_at=str(held_at),
        effects=effects(sums, names, list(range(len(tested))), variants.matched),
        n_matched=min(map(len, variants.matched), default=0),
        n_chars=passages.n_counted,
        seed=seed,
        predicted_characters=sets.predicted_characters,
        replaced_characters=sets.replaced_characters,
    )


def loss_changes(
    live: ModelSource,
    base: BaseReading,
    held: Sequence[Sequence[Unit]],
    held_at: str | float,
    rng: np.random.Generator,
    progress: Progress = no_progress,
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Yield how the loss after each counted character changes if units are held, for some variants at a time.

    Args:
        live: The model, and how it reads.
        base: The reading without interventions.
        held: For each variant, the units that are held together; none is the reading without interventions.
        held_at: The value; see `ablate`.
        rng: Draws where resampled values come from.
        progress: Called with the characters read and their number.

    Yields:
        The number of the first of some variants, and (n_variants, n_counted) changes of the loss, in nats.
    """
    values = ["inside", "outside"] if held_at == "other" else [held_at]
    rows = [(), *(group for group in held for _ in values)]  # the first is the reading without interventions
    masks = _masks(rows, live.sites)
    changes = _changes(live, base, masks, rows, values, rng)
    corpus, is_counted = base.passages.corpus, base.passages.is_counted
    advance = counting(progress, len(rows) * len(corpus))
    pending: list[NDArray[np.float32]] = []
    first = 0
    for batch in live.read_variants(corpus, changes, len(rows) - 1, advance=advance):
        pending.append(batch.losses[:, is_counted] - batch.unchanged[is_counted])
        together = np.concatenate(pending)
        n_whole = len(together) // len(values)
        whole = together[: n_whole * len(values)]
        if len(values) == 2:
            whole = np.where(base.sets.members[INSIDE], whole[1::2], whole[::2])
        yield first, whole
        first += n_whole
        pending = [together[n_whole * len(values) :]]


def _masks(rows: Sequence[Sequence[Unit]], sites: Mapping[Site, int]) -> dict[Site, NDArray[np.bool_]]:
    """(n_rows, n_units) for each site, which of its units each variant holds."""
    masks: dict[Site, NDArray[np.bool_]] = {}
    for number, group in enumerate(rows):
        for unit in group:
            if unit.site not in masks:
                masks[unit.site] = np.zeros((len(rows), sites[unit.site]), bool)
            masks[unit.site][number, unit.index] = True
    return masks


def _changes(
    live: ModelSource,
    base: BaseReading,
    masks: dict[Site, NDArray[np.bool_]],
    rows: Sequence[Sequence[Unit]],
    values: Sequence[str | float],
    rng: np.random.Generator,
) -> list[VariantChange]:
    if values == ["resampled"]:
        n_chars = len(base.passages.positions)
        shifts = rng.integers(n_chars // 4, n_chars - n_chars // 4, len(rows))
        return [Replay(site, mask, recorded_values(live, base.passages, site), shifts) for site, mask in masks.items()]
    changes: list[VariantChange] = []
    for site, mask in masks.items():
        of_kinds = np.stack([_value(base.moments[site], value) for value in values]).astype(np.float32)
        kinds = np.append(0, np.arange(len(rows) - 1) % len(values))
        changes.append(Hold(site, mask, of_kinds[kinds]))
    return changes


def _value(moments: SiteMoments, held_at: str | float) -> NDArray[np.float64]:
    """(n_units,) the values at which the units of a site are held."""
    by_name: dict[str, Callable[[], NDArray[np.float64]]] = {
        "zero": lambda: np.zeros_like(moments.mean),
        "mean": lambda: moments.mean,
        "inside": lambda: moments.inside,
        "outside": lambda: moments.outside,
    }
    return by_name[held_at]() if isinstance(held_at, str) else np.full_like(moments.mean, held_at)


def _with_matched(
    tested: list[tuple[Unit, ...]], base: BaseReading, n_matched: int, rng: np.random.Generator
) -> _Variants:
    """Add variants in which every tested unit is replaced by one that is matched to it."""
    all_tested = {unit for group in tested for unit in group}
    variances = {site: moments.variance for site, moments in base.moments.items()}
    held = list(tested)
    number_of = {group: n for n, group in enumerate(held)}
    matched = []
    for group in tested:
        n_others = min(
            len(variances[unit.site]) - sum(tested_unit.site == unit.site for tested_unit in all_tested)
            for unit in group
        )
        excluded = all_tested if n_others >= n_matched else set(group)  # all units of a site may be tested
        numbers = []
        for matched_group in matched_groups(variances, group, n_matched, excluded, rng):
            if matched_group not in number_of:
                number_of[matched_group] = len(held)
                held.append(matched_group)
            numbers.append(number_of[matched_group])
        matched.append(numbers)
    return _Variants(held, matched)


def _check_held_at(held_at: str | float, live: ModelSource, sites: Collection[Site], *, force: bool) -> None:
    if isinstance(held_at, str) and held_at not in HELD_AT:
        raise AnalysisError(f"a unit cannot be held at {held_at!r}; choose {', '.join(HELD_AT)}, or a number")
    if not isinstance(held_at, str) and not fits(held_at):
        raise AnalysisError(f"{held_at} is no number to hold a unit at; models compute with float32")
    if not isinstance(held_at, str) and not force:
        for site in sorted(sites):
            check_in_range(site, held_at, live.unbounded)
