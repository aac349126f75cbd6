"""Attributions of the losses of short windows to the units of a model, by derivatives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.gradient_sums import HeldPath
from activations.progress import Advance, Progress, no_advance, no_progress
from activations.units import Site
from activations.value_ranges import fits
from activations.variants import ModelSource
from analyses.errors import AnalysisError
from analyses.passages.base_reading import SiteMoments, read_base
from analyses.passages.character_sets import CharacterSets, character_sets
from analyses.passages.passages import N_CHARS, spread_passages
from analyses.passages.windows import HORIZON_CHARS, Windows, cut_windows
from analyses.targets.target import Target

REPLACED_BY = ("mean", "zero", "other")
"""The values by which those of a unit can be replaced; see `ablate`."""
_N_READINGS = 2  # of the passages, before the windows are read
_MOST_STEPS = 1000


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


def _check(held_at: str | float, integrated_steps: int, horizon: int) -> None:
    if isinstance(held_at, str) and held_at not in REPLACED_BY:
        raise AnalysisError(
            f"attribution replaces values by a fixed one, not by {held_at!r}; choose {', '.join(REPLACED_BY)}, or a "
            "number"
        )
    if not isinstance(held_at, str) and not fits(held_at):
        raise AnalysisError(f"{held_at} is no number to replace values by; models compute with float32")
    if not 0 <= integrated_steps <= _MOST_STEPS:
        raise AnalysisError(
            f"integrated_steps is {integrated_steps}; use 0 for plain gradients, or up to {_MOST_STEPS}"
        )
    if horizon < 0:
        raise AnalysisError(f"the horizon is {horizon}; it is a number of characters from 0 up")
