"""Lane differences: how far a warmed-up lane was from the lane before it, where the two meet."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.units import Site, Unit, in_order

States = Mapping[Site, NDArray[Any]]
"""States by the site that carries them, or by their place in the structure of a protocol model's state."""
TOLERANCE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class LaneDifference:
    """The difference of a site between a warmed-up lane and the lane before it, where the two meet.

    Attributes:
        by_unit: (n_units,) the largest difference of each unit at any border, in the scale of the activation.
        range: (n_units,) the highest minus the lowest value of each unit, sampled at the end of every turn of every
            lane.
        typical: The mean absolute difference over borders and units.
    """

    by_unit: NDArray[np.float32]
    range: NDArray[np.float32]
    typical: float

    @property
    def largest(self) -> float:
        """The largest difference of any unit at any border."""
        return float(self.by_unit.max())

    @property
    def unsettled(self) -> list[int]:
        """The units that differed by more than 1 % of their range at some border, the farthest off first."""
        return [int(unit) for unit in np.argsort(-self.shares, kind="stable") if self.shares[unit] > TOLERANCE]

    @property
    def shares(self) -> NDArray[np.float64]:
        """(n_units,) the largest difference of each unit as a share of its range; infinite if it is no number."""
        share = self.by_unit.astype(np.float64) / np.where(self.range > 0, self.range, 1)
        return np.where(np.isfinite(share) & np.isfinite(self.range), share, np.inf)


def unsettled_units(differences: Mapping[Site, LaneDifference]) -> list[Unit]:
    """Return the units that a longer warm-up, or a single lane, would change, the farthest off first."""
    shares = [(d.shares[index], Unit(site, index)) for site, d in differences.items() for index in d.unsettled]
    return [unit for _, unit in sorted(shares, key=lambda pair: -pair[0])]


@dataclass
class Borders:
    """The states and differences seen so far at the borders where lanes meet; a border is a position in the text.

    Attributes:
        waiting: The state that the first of the two lanes had at a border, until the second reaches it.
        largest: For each site of the state, (n_units,) the largest difference.
        means: For each site, the mean difference at each border that both lanes have reached.
        lowest: For each site, (n_units,) the lowest value at the end of a turn.
        highest: For each site, (n_units,) the highest value at the end of a turn.
    """

    waiting: dict[int, States] = field(default_factory=dict)
    largest: dict[Site, NDArray[np.float32]] = field(default_factory=dict)
    means: dict[Site, dict[int, float]] = field(default_factory=dict)
    lowest: dict[Site, NDArray[np.float32]] = field(default_factory=dict)
    highest: dict[Site, NDArray[np.float32]] = field(default_factory=dict)

    def meet(self, border: int, state: States) -> None:
        """Note the state, (n_units,) for each site, with which a lane has reached a border."""
        earlier = self.waiting.pop(border, None)
        if earlier is None:
            self.waiting[border] = state
            return
        for site, values in state.items():
            if values.shape != earlier[site].shape or not values.size:  # a state that grows as the model reads
                continue
            difference = np.abs(values.astype(np.float32) - earlier[site].astype(np.float32)).ravel()
            self.largest[site] = np.maximum(self.largest.get(site, difference), difference)
            self.means.setdefault(site, {})[border] = float(difference.mean())

    def see(self, states: States) -> None:
        """Note the states of warm lanes, (n_lanes, n_units) for each site: they show the range of each unit."""
        for site, values in states.items():
            rows = values.reshape(len(values), -1).astype(np.float32)
            if site in self.lowest and len(self.lowest[site]) != rows.shape[1]:
                continue
            low, high = rows.min(0), rows.max(0)
            self.lowest[site] = np.minimum(self.lowest.get(site, low), low)
            self.highest[site] = np.maximum(self.highest.get(site, high), high)

    def differences(self, sites: Collection[Site] = ()) -> dict[Site, LaneDifference]:
        """Return the difference of each site of the state; empty if no lanes met.

        Args:
            sites: The sites of the model, in the order in which to return the differences; other names come last.
        """
        return {
            site: LaneDifference(
                self.largest[site],
                self.highest[site] - self.lowest[site],
                math.fsum(self.means[site].values()) / len(self.means[site]),
            )
            for site in in_order(sites, self.largest)
        }
