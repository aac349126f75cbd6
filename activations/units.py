"""Sites and units: how the numbers of a network are named."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from activations.errors import ActivationError

SIGNALS = (
    "hidden",
    "cell",
    "input_gate",
    "forget_gate",
    "candidate",
    "output_gate",
    "reset_gate",
    "update_gate",
)


@dataclass(frozen=True, slots=True)
class Site:
    """A signal of a layer, written `1/cell`.

    Attributes:
        layer: Counted from 0, the layer next to the input.
        signal: One of `SIGNALS`.
    """

    layer: int
    signal: str

    def __str__(self) -> str:
        return f"{self.layer}/{self.signal}"

    def __lt__(self, other: "Site") -> bool:
        """Layers from the input up, signals in the order of `SIGNALS`."""
        return (self.layer, SIGNALS.index(self.signal)) < (other.layer, SIGNALS.index(other.signal))

    @classmethod
    def parse(cls, text: str) -> "Site":
        """Read a site from its spelling.

        >>> Site.parse("1/cell")
        Site(layer=1, signal='cell')

        Raises:
            ActivationError: If it is not `layer/signal`.
        """
        layer, _, signal = text.partition("/")
        if not (layer.isascii() and layer.isdigit()) or signal not in SIGNALS:
            raise ActivationError(
                f"{text!r} is not a site; sites are written layer/signal, such as 1/cell, "
                f"and the signals are {', '.join(SIGNALS)}"
            )
        return cls(int(layer), signal)


@dataclass(frozen=True, slots=True)
class Unit:
    """One scalar of the network at every character, written `1/cell/37`.

    Attributes:
        site: The layer and signal it belongs to.
        index: Its column there, counted from 0.
    """

    site: Site
    index: int

    def __str__(self) -> str:
        return f"{self.site}/{self.index}"

    @classmethod
    def parse(cls, text: str) -> "Unit":
        """Read a unit from its spelling.

        >>> Unit.parse("1/cell/37")
        Unit(site=Site(layer=1, signal='cell'), index=37)

        Raises:
            ActivationError: If it is not `layer/signal/index`.
        """
        site, _, index = text.rpartition("/")
        if not (index.isascii() and index.isdigit()):
            raise ActivationError(f"{text!r} is not a unit; units are written layer/signal/index, such as 1/cell/37")
        return cls(Site.parse(site), int(index))


def units_of(sites: Mapping[Site, int], chosen: Iterable[Site]) -> list[Unit]:
    """All units of some of the sites, given how many each has."""
    return [Unit(site, index) for site in chosen for index in range(sites[site])]
