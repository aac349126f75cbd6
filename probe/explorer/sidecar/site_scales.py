"""Scales of the units of a site: what their levels mean, found from short excerpts of all of the text."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.units import Site
from activations.value_ranges import value_range
from analyses.session import Session
from probe.explorer.sidecar.stretches import stretches
from probe.viewer.scales import Scale

Floats = NDArray[np.float64]

_N_SAMPLED, _STRETCH = 4096, 64
_BEYOND_SAMPLE = 1.25  # how far a scale reaches, in terms of the sample's farthest value
_FULL_COLOUR_QUANTILE = 0.9  # as in `probe view`
_STEPS = 127  # from the middle of a scale to either end
_LEAST = 1e-300


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SiteScales:
    """The scales of all units of a site; see `Scale`, of which each is one that goes from a middle both ways.

    Attributes:
        offsets: (n_units,) the value of level 0.
        steps: (n_units,) the difference of the values of neighbouring levels, above 0.
        gains: (n_units,) how many colours one level is.
    """

    offsets: Floats
    steps: Floats
    gains: Floats

    def of(self, index: int) -> Scale:
        """Return the scale of a unit."""
        return Scale(
            kind="diverging",
            offset=float(self.offsets[index]),
            step=float(self.steps[index]),
            gain=float(self.gains[index]),
        )


class UnitScales:
    """The scales of the units of a session, each site's found when it is first asked for. Threads may share it.

    They depend on the recording alone: a tenth of the sampled values has the full colour, as in `probe view`, and
    levels reach a quarter beyond the farthest sampled value, though not beyond what the units can reach at all.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lock = Lock()
        self._by_site: dict[Site, SiteScales] = {}

    def of(self, site: Site) -> SiteScales:
        """Return the scales of a site's units.

        Raises:
            ActivationError: If there is no such site, or the recording is damaged.
        """
        with self._lock:
            if site not in self._by_site:
                sample = _sample(self._session, site)
                self._by_site[site] = site_scales(sample, _limits(self._session.source, site))
            return self._by_site[site]

    def remember(self, scales: Mapping[Site, SiteScales]) -> None:
        """Take scales that were found before."""
        with self._lock:
            self._by_site.update(scales)


def site_scales(sample: NDArray[np.floating], limits: tuple[float, float] | None = None) -> SiteScales:
    """Make the scales of units from a sample of their values.

    Their middle is 0 where the values of the site take both signs, and the median of each unit elsewhere.

    Args:
        sample: (n_sampled, n_units) values; those that are not finite are left out.
        limits: The lowest and the highest value that the units can have; None if there is no limit.
    """
    values = sample.astype(np.float64)
    present = np.isfinite(values)
    if present.all():
        middles, farthest, full = _spread(values, is_signed=bool((values > 0).any() and (values < 0).any()))
    else:
        is_signed = bool((values[present] > 0).any() and (values[present] < 0).any())
        columns = [values[of_unit, unit] for unit, of_unit in enumerate(present.T)]
        spreads = [_spread((c if len(c) else np.zeros(1))[:, np.newaxis], is_signed=is_signed) for c in columns]
        middles, farthest, full = map(np.concatenate, zip(*spreads, strict=True))
    farthest = np.where(farthest > _LEAST, farthest, 1.0)
    reach = _BEYOND_SAMPLE * farthest
    if limits is not None:  # unless the sample itself is beyond them
        reach = np.clip(np.maximum(limits[1] - middles, middles - limits[0]), farthest, reach)
    full = np.where(full > _LEAST, full, reach)
    return SiteScales(offsets=middles - reach, steps=reach / _STEPS, gains=reach / full)


def _spread(values: Floats, *, is_signed: bool) -> tuple[Floats, Floats, Floats]:
    """Return, of (n_sampled, n_units) values, (n_units,) middles, and the distances from it that matter.

    These are the farthest, and the one from which on the colour is full.
    """
    middles = np.zeros(values.shape[1]) if is_signed else np.median(values, axis=0)
    distances = np.abs(values - middles)
    return middles, distances.max(axis=0), np.quantile(distances, _FULL_COLOUR_QUANTILE, axis=0)


def _sample(session: Session, site: Site) -> NDArray[np.floating]:
    """(n_sampled, n_units) values of a site at evenly spaced excerpts."""
    if session.is_live:
        return session.sample([site], _N_SAMPLED)[site]
    selection = session.selection
    positions = [
        (selection.start + rows.start * selection.every, selection.start + (rows.stop - 1) * selection.every + 1)
        for rows in stretches(selection.n_chars, _N_SAMPLED, _STRETCH)
    ]
    return np.concatenate([session.read([site], start, stop)[site] for start, stop in positions])


def _limits(source: Source, site: Site) -> tuple[float, float] | None:
    """Return the lowest and the highest value that the units of a site can have; None if none are known."""
    facts = getattr(source, "facts", None)
    if facts is None:
        return value_range(site, getattr(source, "unbounded", source.sites))
    limits: tuple[float, float] | None = facts[site].range
    return value_range(site, ()) if limits == (-1, 1) else limits
