"""Where lanes meet: how far a warmed-up lane was from an unbroken reading."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.units import Site


@dataclass(frozen=True, slots=True)
class LaneDifference:
    """How far the state of a warmed-up lane was from that of the lane before it, where the two meet.

    Attributes:
        largest: Over all borders and units, in the units of the activation; 0 if nothing was cut.
        typical: The mean of the absolute difference.
    """

    largest: float = 0.0
    typical: float = 0.0


class Borders:
    """The states of two lanes where one ends and the next, warmed up, begins."""

    def __init__(self) -> None:
        self._waiting: dict[int, dict[Site, NDArray[np.float32]]] = {}
        self._largest: dict[Site, float] = {}
        self._sum: dict[Site, float] = {}
        self._n = 0

    def meet(self, place: int, state: dict[Site, NDArray[np.float32]]) -> None:
        """One of the two lanes has come to a border."""
        other = self._waiting.pop(place, None)
        if other is None:
            self._waiting[place] = state
            return
        self._n += 1
        for site, values in state.items():
            difference = np.abs(values - other[site])
            self._largest[site] = max(self._largest.get(site, 0.0), float(difference.max()))
            self._sum[site] = self._sum.get(site, 0.0) + float(difference.mean())

    def differences(self, sites: Collection[Site]) -> dict[Site, LaneDifference]:
        """What was found, for each site of the state."""
        return {
            site: LaneDifference(self._largest[site], self._sum[site] / self._n) for site in sites if site in self._sum
        }
