"""Attribution: which of all units matter to a prediction, estimated from derivatives in one backward pass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.gradient_sums import HeldPath
from activations.progress import Advance, Progress, no_advance, no_progress
from activations.results import Result, TableCell
from activations.site_names import AnySites
from activations.units import Site, units_of
from activations.variants import ModelSource
from analyses.causes.ablation import HELD_AT, N_CHARS, N_MATCHED
from analyses.causes.base_reading import SiteMoments, read_base
from analyses.causes.character_sets import ALL, INSIDE, OUTSIDE, SET_NAMES, CharacterSets, character_sets
from analyses.causes.effects import CONTRAST, Effect, EffectSums, effects
from analyses.causes.matching import matched_units
from analyses.causes.models import model_source
from analyses.causes.passages import spread_passages
from analyses.causes.windows import HORIZON_CHARS, Windows, cut_windows
from analyses.errors import AnalysisError
from analyses.named_parts import sites_among
from analyses.session import AnySource
from analyses.targets.labelling import AnyHypothesis, target_for
from analyses.targets.target import Target

WHERE = (CONTRAST, SET_NAMES[ALL], SET_NAMES[INSIDE], SET_NAMES[OUTSIDE])
_N_READINGS = 2  # of the passages, before the windows are read
_MOST_STEPS = 1000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Attribution(Result):
    """What replacing the values of each unit would change the loss by, to first order.

    Attributes:
        hypothesis: The hypothesis.
        held_at: The value that replaces them, one of `HELD_AT`, or a number.
        effects: The effect of each unit on each set of `WHERE`, of the unit with the largest contrast first.
        horizon: Characters before each loss whose values are replaced, at least.
        integrated_steps: Steps of integrated gradients; 0 for derivatives where nothing is changed.
        n_matched: Number of matched units beside each.
        n_chars: Number of characters whose losses count.
        seed: Seed of the draws of matched units.
    """

    hypothesis: str
    held_at: str
    effects: Sequence[Effect]
    horizon: int
    integrated_steps: int
    n_matched: int
    n_chars: int
    seed: int

    @property
    def contrasts(self) -> list[Effect]:
        """The effect of each unit inside less outside, the largest first."""
        return [effect for effect in self.effects if effect.where == CONTRAST]

    def rows(self) -> list[dict[str, TableCell]]:
        """Return one row for each unit and set of characters."""
        return [{"hypothesis": self.hypothesis, "held_at": self.held_at, **effect.row()} for effect in self.effects]

    def __str__(self) -> str:
        lines = [
            f"{effect.intervention:>22}  {effect.effect:+.4f} nats per character, matched units {effect.matched:+.4f}, "
            f"p {effect.p:.2g}"
            for effect in self.contrasts[:10]
        ]
        return "\n".join([f"{self.hypothesis}, inside − outside, {self.n_chars:,} characters", *lines])


@dataclass(frozen=True, slots=True, eq=False)
class WindowAttributions:
    """Attributions of the units of some sites to the losses of each window.

    Attributes:
        windows: The windows.
        sets: The sets of characters of the passages that they are cut from.
        moments: The moments of each site.
        changes: (n_windows, 2, n_units) sums of changes of the loss inside and outside, in nats, for each site.
    """

    windows: Windows
    sets: CharacterSets
    moments: Mapping[Site, SiteMoments]
    changes: Mapping[Site, NDArray[np.float64]]

    def contrasts(self, site: Site, part: int) -> NDArray[np.float64]:
        """(n_units,) mean change inside less that outside, in the windows of a part of the split; NaN without any."""
        chosen = self.windows.parts == part
        n = self.windows.n[chosen].sum(axis=0)
        if not n.all():
            return np.full(self.changes[site].shape[2], np.nan)
        inside, outside = self.changes[site][chosen].sum(axis=0) / n[:, None]
        return np.asarray(inside - outside)


def attribute(
    source: AnySource,
    hypothesis: AnyHypothesis | Target,
    sites: AnySites | None = None,
    *,
    held_at: str | float = "mean",
    integrated_steps: int = 0,
    horizon: int = HORIZON_CHARS,
    n_chars: int = N_CHARS,
    n_matched: int = N_MATCHED,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Attribution:
    """Estimate for all units at once what replacing their values would change the loss by, from its derivatives.

    The attribution of a unit on a set S of characters is the mean over S of Σ_t (v − a_t) ∂ℓ/∂a_t: t are the characters
    from the loss back to the horizon, a_t is the unit's value, v the value that replaces it, and the derivative that by
    all that follows from a_t. So it estimates the sum of the effects of replacing each value once, which `ReplaceOnce`
    measures exactly, in the unit of `ablate`, whose effects it resembles as far as the model is linear. With
    `integrated_steps`, all units of a site are held at v together, in so many steps, and what this changes the loss by
    is shared out among them: the attributions of a site's units add up to it (integrated gradients).

    Args:
        source: Live activations: the model and the text.
        hypothesis: A hypothesis that is True or False: inside and outside.
        sites: The sites whose units are attributed to; None is all.
        held_at: `mean`, `zero`, `other` or a number; see `ablate`.
        integrated_steps: Steps of integrated gradients; 0 takes the derivatives where nothing is changed.
        horizon: Characters before each loss whose values are replaced, at least; up to 256 more.
        n_chars: Characters whose losses count, in passages spread over the text.
        n_matched: Matched units beside each unit.
        seed: Seed of the draws of matched units.
        progress: Called with the characters read and their number.

    Raises:
        AnalysisError: If there is no such value or site, a number is out of range, the hypothesis has no inside and
            outside here, or the source has no model.

    Source:
        Simonyan, Vedaldi & Zisserman 2013, arXiv:1312.6034; Sundararajan, Taly & Yan 2017, arXiv:1703.01365; Nanda
        2023, attribution patching.
    """
    live = model_source(source)
    target = target_for(live, hypothesis)
    chosen = sites_among(live, sites)
    found = attribute_windows(
        live,
        target,
        chosen,
        held_at=held_at,
        integrated_steps=integrated_steps,
        horizon=horizon,
        n_chars=n_chars,
        progress=progress,
    )
    rng = np.random.default_rng(seed)
    rows: list[Effect] = []
    matched: list[list[int]] = []
    first = 0
    for site in chosen:
        variances = found.moments[site].variance
        for unit in range(len(variances)):
            matched.append([first + other for other in matched_units(variances, unit, n_matched, (), rng)])
        first += len(variances)
    names = [str(unit) for unit in units_of(live.sites, chosen)]
    rows = effects(_sums_of_atoms(found, chosen), names, list(range(len(names))), matched, WHERE)
    return Attribution(
        hypothesis=target.hypothesis,
        held_at=str(held_at),
        effects=_largest_first(rows),
        horizon=horizon,
        integrated_steps=integrated_steps,
        n_matched=n_matched,
        n_chars=found.sets.members.shape[1],
        seed=seed,
    )


def attribute_windows(
    live: ModelSource,
    target: Target,
    sites: Sequence[Site],
    *,
    held_at: str | float = "mean",
    integrated_steps: int = 0,
    horizon: int = HORIZON_CHARS,
    n_chars: int = N_CHARS,
    progress: Progress = no_progress,
) -> WindowAttributions:
    """Attribute the losses of windows all over a text to the units of some sites; see `attribute`."""
    _check(held_at, integrated_steps, horizon)
    passages = spread_passages(live, n_chars)
    sets = character_sets(target, live, passages)
    base = read_base(live, passages, sets, sites)
    n_read = len(passages.corpus)
    windows = cut_windows(live, target, passages, sets, horizon)
    values = {site: _values(base.moments[site], held_at) for site in sites}
    n_passes = max(1, sum(len(_distinct(of_site)) for of_site in values.values())) if integrated_steps else 1
    n_all = _N_READINGS * n_read + n_passes * len(windows.corpus)
    n_done = _N_READINGS * n_read

    def advance(n: int) -> None:
        nonlocal n_done
        n_done += n
        progress(min(n_done, n_all), n_all)

    if integrated_steps:
        changes = {s: _integrated(live, windows, s, values[s], integrated_steps, advance) for s in sites}
    else:
        sums = live.read_gradients(windows.corpus, sites, windows.weights, state=windows.state, advance=advance)
        changes = {site: sums.changes(site, values[site]) for site in sites}
    progress(n_all, n_all)
    return WindowAttributions(windows, sets, base.moments, changes)


def _integrated(
    live: ModelSource,
    windows: Windows,
    site: Site,
    values: NDArray[np.float64],
    n_steps: int,
    advance: Advance = no_advance,
) -> NDArray[np.float64]:
    """(n_windows, 2, n_units) integrated gradients of a site whose values are held at (2, n_units) values."""
    changes = np.empty((len(windows.parts), *values.shape))
    for held, numbers in _distinct(values):
        sums = live.read_gradients(
            windows.corpus,
            [],
            windows.weights,
            state=windows.state,
            path=HeldPath(site, held, n_steps),
            advance=advance,
        )
        changes[:, numbers] = sums.changes(site, held)[:, numbers]
    return changes


def _distinct(values: NDArray[np.float64]) -> list[tuple[NDArray[np.float64], list[int]]]:
    """List the distinct ones of (2, n_units) values, each with the numbers of the sets that it is for."""
    inside, outside = values
    return [(inside, [0, 1])] if np.array_equal(inside, outside) else [(inside, [0]), (outside, [1])]


def _values(moments: SiteMoments, held_at: str | float) -> NDArray[np.float64]:
    """(2, n_units) the values that replace those of a site, for the losses inside and outside."""
    if held_at == "other":
        return np.stack([moments.outside, moments.inside])
    if held_at == "mean":
        return np.stack([moments.mean, moments.mean])
    return np.full((2, len(moments.mean)), 0.0 if held_at == "zero" else float(held_at))


def _sums_of_atoms(found: WindowAttributions, sites: Sequence[Site]) -> EffectSums:
    """Add up the changes of the windows of each atom."""
    changes = np.concatenate([found.changes[site] for site in sites], axis=2)
    sums = EffectSums(found.sets, changes.shape[2])
    for number, set_ in enumerate((INSIDE, OUTSIDE)):
        by_atom = np.zeros((sums.sums.shape[1], changes.shape[2]))
        np.add.at(by_atom, found.windows.atoms, changes[:, number])
        sums.sums[:, :, set_] = by_atom.T
        sums.sums[:, :, ALL] += by_atom.T
    return sums


def _largest_first(rows: Sequence[Effect]) -> list[Effect]:
    """Sort units by the size of their contrast, and keep the rows of each together."""
    of_units = [rows[n : n + len(WHERE)] for n in range(0, len(rows), len(WHERE))]
    return [row for of_unit in sorted(of_units, key=lambda unit: -abs(unit[0].effect)) for row in of_unit]


def _check(held_at: str | float, integrated_steps: int, horizon: int) -> None:
    known = [name for name in HELD_AT if name != "resampled"]
    if isinstance(held_at, str) and held_at not in known:
        raise AnalysisError(
            f"attribution replaces a value by a fixed one, not by {held_at!r}; choose {', '.join(known)}, or a number"
        )
    if not isinstance(held_at, str) and not np.isfinite(held_at):
        raise AnalysisError(f"{held_at} is no number to replace values by")
    if not 0 <= integrated_steps <= _MOST_STEPS:
        raise AnalysisError(
            f"integrated_steps is {integrated_steps}; use 0 for plain gradients, or up to {_MOST_STEPS}"
        )
    if horizon < 0:
        raise AnalysisError(f"the horizon is {horizon}; it is a number of characters from 0 up")
