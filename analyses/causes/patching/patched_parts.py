"""Parts of the state that a patch interchanges (units, subspaces, sites), and random ones to compare them with."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from activations.site_names import AnyUnits, select_units
from activations.units import Site, Unit
from activations.variants import InterchangeOnce, ModelSource, ReplaceOnce, VariantChange
from analyses.causes.directions import Direction
from analyses.causes.known_states import OFFSET, Values
from analyses.errors import AnalysisError
from analyses.passages.matching import matched_directions, matched_groups

Array = NDArray[np.float64]
STATE = "state"
"""The name of the whole state: all sites that are carried from one character to the next."""


class Subspace:
    """A direction of a site, or the subspace that several span.

    Attributes:
        site: The site.
        basis: (n_units, n_directions) float64, orthonormal columns.
        name: How results name it.
    """

    def __init__(self, site: Site | str, vectors: ArrayLike, name: str = "") -> None:
        """Span a subspace by some vectors, which are orthonormalised.

        Args:
            site: The site.
            vectors: (n_units,) one direction, or (n_directions, n_units); their lengths do not matter.
            name: How results name it; empty for the site and the number of directions.

        Raises:
            AnalysisError: If they are not numbers, or one depends on the others.
        """
        self.site = Site(site) if isinstance(site, str) else site
        try:
            rows = np.atleast_2d(np.array(vectors, np.float64))
        except (TypeError, ValueError) as error:
            raise AnalysisError(f"a direction of {self.site} is a vector of numbers: {error}") from error
        if rows.ndim != 2 or not np.isfinite(rows).all():
            raise AnalysisError(
                f"directions of {self.site} are finite numbers of shape (n_units,) or (n_directions, n_units); got "
                f"shape {np.shape(vectors)}"
            )
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        self.basis, triangle = np.linalg.qr((rows / np.where(lengths > 0, lengths, 1)).T)
        if len(rows) > rows.shape[1] or (np.abs(np.diag(triangle)) < 1e-9).any():
            raise AnalysisError(
                f"the {len(rows)} vectors of {self.site} span fewer than {len(rows)} directions; leave out those that "
                "are 0 or made of others"
            )
        several = f"{len(rows)} directions" if len(rows) > 1 else "a direction"
        self.name = name or f"{several} of {self.site}"


AnyPart = AnyUnits | Site | Direction | Subspace
"""A unit or several together, a `Direction` or `Subspace`, a site or its name, or `state`."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The part of the state that one variant interchanges.

    Attributes:
        name: Its name.
        units: (n_units,) bool for each site of which units are interchanged.
        bases: (n_units, n_directions) for each site of which a subspace is interchanged.
    """

    name: str
    units: Mapping[Site, NDArray[np.bool_]] = field(default_factory=dict)
    bases: Mapping[Site, Array] = field(default_factory=dict)

    @property
    def sites(self) -> list[Site]:
        """The sites of which something is interchanged."""
        return [*self.units, *self.bases]


def find_part(live: ModelSource, what: AnyPart) -> Part:
    """Find what is to be interchanged in a model.

    Args:
        live: The model, and how it reads.
        what: See `AnyPart`.

    Raises:
        ActivationError: If there is no such unit.
        AnalysisError: If a subspace does not fit its site.
    """
    if isinstance(what, Direction):
        what = Subspace(what.site, what.vector, f"{what.name} direction of {what.site}")
    if isinstance(what, Subspace):
        n_units = live.sites.get(what.site)
        if n_units != len(what.basis):
            size = "there is no such site" if n_units is None else f"it has {n_units} units"
            raise AnalysisError(f"a direction of {len(what.basis)} units does not fit {what.site}: {size}")
        return Part(what.name, bases={what.site: what.basis})
    if what == STATE:
        return whole_state(live)
    if isinstance(what, Site | str) and what in live.sites:
        return Part(str(what), units=_all_units(live, [Site(str(what))]))
    if isinstance(what, Site):
        raise AnalysisError(f"there is no site {what} here; there are {', '.join(map(str, live.sites))}")
    return _of_units(select_units(live.sites, what), live.sites)


def whole_state(live: ModelSource) -> Part:
    """Return all sites that are carried from one character to the next."""
    return Part(STATE, units=_all_units(live, live.carried))


def matched_parts(
    part: Part, values: Values, sites: Mapping[Site, int], n_matched: int, rng: np.random.Generator
) -> list[Part]:
    """Draw parts like one: units of about the same variance, or random directions with about the same variance.

    Args:
        part: The part.
        values: (n_chars, n_units) values of its sites at some characters, for their variances.
        sites: The number of units of each site.
        n_matched: Number of parts wanted.
        rng: Draws them.

    Returns:
        There are none beside a whole site or the whole state, and fewer than wanted if a site has too few units.
    """
    if part.bases:
        ((site, basis),) = part.bases.items()
        drawn = [matched_directions(values[site], direction, n_matched, rng) for direction in basis.T]
        bases = [np.linalg.qr(np.column_stack(directions))[0] for directions in zip(*drawn, strict=True)]
        return [Part(f"random of {site}", bases={site: random_basis}) for random_basis in bases]
    tested = tuple(Unit(site, int(index)) for site, mask in part.units.items() for index in np.flatnonzero(mask))
    if any(mask.all() for mask in part.units.values()):
        return []
    variances = {site: values[site].var(axis=0, dtype=np.float64) for site in part.units}
    return [_of_units(group, sites) for group in matched_groups(variances, tested, n_matched, tested, rng)]


def part_changes(parts: Sequence[Part], values: Values) -> list[VariantChange]:
    """Return the changes that put other values in the place of those of some parts.

    Args:
        parts: What each variant interchanges.
        values: (n_places, n_units) the other values of every site.
    """
    changes: list[VariantChange] = []
    for site in dict.fromkeys(site for part in parts for site in part.sites):
        others = values[site][None]
        n_units = others.shape[-1]
        if any(site in part.units for part in parts):
            is_replaced = np.zeros((1 + len(parts), n_units), bool)
            for number, part in enumerate(parts, 1):
                is_replaced[number] = part.units.get(site, False)
            changes.append(ReplaceOnce(site, is_replaced, others, OFFSET))
        if any(site in part.bases for part in parts):
            projections = np.zeros((1 + len(parts), n_units, n_units), np.float32)
            for number, part in enumerate(parts, 1):
                if site in part.bases:
                    projections[number] = part.bases[site] @ part.bases[site].T
            changes.append(InterchangeOnce(site, projections, others, OFFSET))
    return changes


def _of_units(units: Collection[Unit], sites: Mapping[Site, int]) -> Part:
    masks = {unit.site: np.zeros(sites[unit.site], bool) for unit in units}
    for unit in units:
        masks[unit.site][unit.index] = True
    return Part(" + ".join(map(str, units)), units=masks)


def _all_units(live: ModelSource, sites: Sequence[Site]) -> dict[Site, NDArray[np.bool_]]:
    return {site: np.ones(live.sites[site], bool) for site in sites}
