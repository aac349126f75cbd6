"""Sites and units: names of the values that a network computes."""

import re
import warnings
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

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
"""The signals of recurrent layers, in the order in which they are listed where a model declares no other."""

_OF_LAYER = re.compile(r"(0|[1-9][0-9]*)/([^/]+)")
_SIGNAL = re.compile(r"[^\s,/]+")
_MOST_CHARS = 200
_HOW_SITES_ARE_WRITTEN = "a site is named layer/signal, such as 1/cell, or as its model names it"


@dataclass(frozen=True, slots=True, repr=False)
class Site:
    """A place in a network whose values are read, by the name that the model declares.

    Examples are `1/cell`, `blocks.3.mlp.act` and `features/pca`. Two sites are equal if their names are, and
    a site is equal to its name, so that `values["1/cell"]` finds it.

    Attributes:
        name: Its name, without commas, spaces and control characters; no part between `/` is empty, `.` or `..`.
        layer: The layer that it belongs to, counted from 0 at the input; None if to none. The name `1/cell` says it.
        signal: The kind of value, such as `cell`; None if it has no name. The name `1/cell` says it.
    """

    name: str
    layer: int | None = field(default=None, compare=False)
    signal: str | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.name, int):  # the arguments before sites had names
            layer, signal = self.name, self.layer
            warnings.warn(
                f"Site({layer}, {signal!r}) is called Site.of({layer}, {signal!r}) or Site('{layer}/{signal}') now",
                DeprecationWarning,
                stacklevel=3,
            )
            object.__setattr__(self, "name", f"{layer}/{signal}")
            object.__setattr__(self, "layer", None)
        if not isinstance(self.name, str):
            raise ActivationError(f"a site is named by a text, not by {self.name!r:.50}")
        parts = self.name.split("/")
        if (
            not self.name.isprintable()
            or re.search(r"[\s,]", self.name)
            or len(self.name) > _MOST_CHARS
            or any(part in ("", ".", "..") for part in parts)
        ):
            raise ActivationError(f"{self.name!r:.50} is not a site; {_HOW_SITES_ARE_WRITTEN}")
        if self.layer is not None and (type(self.layer) is not int or self.layer < 0):
            raise ActivationError(f"the layer of {self.name} is {self.layer!r:.50}; it is a whole number from 0 up")
        if self.signal is not None and not _is_signal(self.signal):
            raise ActivationError(
                f"the signal of {self.name} is {self.signal!r:.50}; it is a word without spaces, commas and /"
            )
        if match := _OF_LAYER.fullmatch(self.name):
            object.__setattr__(self, "layer", int(match[1]) if self.layer is None else self.layer)
            object.__setattr__(self, "signal", match[2] if self.signal is None else self.signal)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"Site({self.name!r})"

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Site | str):
            return self.name == (other if isinstance(other, str) else other.name)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self.name)

    def __lt__(self, other: "Site") -> bool:
        """Order layers from the input up, signals as in `SIGNALS`, and numbers in names by value: 2 before 10."""
        return self._sort_key < other._sort_key

    @property
    def _sort_key(self) -> tuple[int, int, int, list[tuple[int, int, str]], str]:
        known = SIGNALS.index(self.signal) if self.signal in SIGNALS else len(SIGNALS)
        parts = [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", self.name)]
        return int(self.layer is None), self.layer or 0, known, parts, self.name

    @classmethod
    def of(cls, layer: int, signal: str) -> "Site":
        """Return the site of a signal of a layer.

        >>> Site.of(1, "cell")
        Site('1/cell')
        """
        return cls(f"{layer}/{signal}")

    @classmethod
    def parse(cls, text: str) -> "Site":
        """Read a site from its spelling, which is its name.

        >>> Site.parse("1/cell").layer
        1

        Raises:
            ActivationError: If no site can have that name.
        """
        return cls(text)


def _is_signal(signal: object) -> bool:
    return (
        type(signal) is str
        and signal.isprintable()
        and len(signal) <= _MOST_CHARS
        and _SIGNAL.fullmatch(signal) is not None
    )


def in_order(available: Collection[Site], chosen: Iterable[Site]) -> list[Site]:
    """Return chosen sites, each once, in the order in which a model or a recording declares its sites.

    Sites that are not among `available` come last.
    """
    ranks = {site: rank for rank, site in enumerate(available)}
    return sorted(set(chosen), key=lambda site: (ranks.get(site, len(ranks)), site))


@dataclass(frozen=True, slots=True)
class Unit:
    """One scalar of the network at every character, written `1/cell/37`.

    Attributes:
        site: The site that it belongs to.
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
        Unit(site=Site('1/cell'), index=37)

        Raises:
            ActivationError: If it is not `site/index`.
        """
        site, _, index = text.rpartition("/")
        if not (site and index.isascii() and index.isdigit()):
            raise ActivationError(f"{text!r} is not a unit; units are written layer/signal/index, such as 1/cell/37")
        return cls(Site.parse(site), int(index))


def units_of(sites: Mapping[Site, int], chosen: Iterable[Site]) -> list[Unit]:
    """Return all units of chosen sites, given the number of units of each site."""
    return [Unit(site, index) for site in chosen for index in range(sites[site])]
