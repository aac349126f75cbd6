"""Find sites and units by what people write for them: `cell`, `1`, `1/cell`, `1/cell/37`, or the objects themselves."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from activations.errors import ActivationError
from activations.units import Site, Unit, in_order, units_of

AnySites = str | Site | Collection[str | Site]
"""One site or several. A string is a comma-separated list of signals, layers, sites and beginnings of their names."""
AnyUnits = str | Unit | Collection[str | Unit]
"""One unit or several. A string is the name of one unit, such as `1/cell/37`."""


def select_sites(available: Collection[Site], wanted: AnySites | None) -> list[Site]:
    """Return the sites that somebody asks for, each once, in the order in which the available ones are listed.

    >>> sites = [Site("0/hidden"), Site("0/cell"), Site("1/hidden"), Site("1/cell"), Site("features/pca")]
    >>> [str(site) for site in select_sites(sites, "hidden,1/cell,features")]
    ['0/hidden', '1/hidden', '1/cell', 'features/pca']

    Args:
        available: The sites of a model or a recording.
        wanted: Such as `hidden,1/cell`, `1`, a `Site`, or a list of these; None means all sites. The beginning of
            a name up to a `/` or `.` stands for all sites whose names begin so.

    Raises:
        ActivationError: If a part of it names no available site.
    """
    sites = resolve_sites(available, wanted)
    for site in sites:
        if site not in available:
            raise ActivationError(f"there is no site {site} here; there are {', '.join(map(str, available))}")
    return in_order(available, sites)


def resolve_sites(available: Collection[Site], wanted: AnySites | None) -> list[Site]:
    """Return the sites that somebody asks for, each once, in the order in which they are asked for.

    Args:
        available: The sites of a model or a recording.
        wanted: As for `select_sites`, but a `Site` is passed on, whether it is available or not.

    Raises:
        ActivationError: If a part of a string names no available site.
    """
    if wanted is None:
        return list(available)
    requests: list[Any] = _listed(wanted, Site)
    return list(dict.fromkeys(site for request in requests for site in _resolve(available, request)))


def _resolve(available: Collection[Site], request: Any) -> list[Site]:
    """Return the sites that one string stands for, or one `Site` as it is."""
    if isinstance(request, Site):
        return [request]
    if not isinstance(request, str):
        raise ActivationError(f"{request!r:.50} is not a site; write its name, such as '1/cell'")
    sites = []
    for part in (part.strip() for part in request.split(",")):
        matching = [site for site in available if _matches(site, part)]
        if not matching:
            raise ActivationError(f"there is no site {part!r} here; there are {', '.join(map(str, available))}")
        sites += matching
    return sites


def _matches(site: Site, wanted: str) -> bool:
    """Is a site meant by a signal, a layer, its name, or the beginning of its name up to a `/` or `.`?"""
    layer = () if site.layer is None else (str(site.layer),)
    return wanted in (site.name, site.signal, *layer) or site.name.startswith((f"{wanted}/", f"{wanted}."))


def select_units(sites: Mapping[Site, int], wanted: AnyUnits) -> list[Unit]:
    """Return the units that somebody asks for, in the order in which they are asked for.

    >>> select_units({Site("1/cell"): 40}, "1/cell/37")
    [Unit(site=Site('1/cell'), index=37)]

    Args:
        sites: How many units each available site has.
        wanted: Such as `1/cell/37`, a `Unit`, or a list of these.

    Raises:
        ActivationError: If one is not a unit, or not available.
    """
    requests: list[Any] = _listed(wanted, Unit)
    return [_available_unit(sites, request) for request in requests]


def select_units_or_sites(sites: Mapping[Site, int], wanted: AnyUnits) -> list[Unit]:
    """Return the units that somebody asks for, each once; a site or a signal stands for all of its units.

    >>> sizes = {Site("0/cell"): 2, Site("1/cell"): 40}
    >>> [str(unit) for unit in select_units_or_sites(sizes, "1/cell/37, 0/cell")]
    ['1/cell/37', '0/cell/0', '0/cell/1']

    Args:
        sites: How many units each available site has.
        wanted: Such as `1/cell/37`, `0/cell`, several with commas between, a `Unit`, or a list of these.

    Raises:
        ActivationError: If one is neither, or not available.
    """
    units: list[Unit] = []
    for request in _listed(wanted, Unit):
        parts = [part.strip() for part in request.split(",")] if isinstance(request, str) else [request]
        for part in parts:
            of_sites = [site for site in sites if isinstance(part, str) and _matches(site, part)]
            units += units_of(sites, of_sites) if of_sites else [_available_unit(sites, part, or_site=True)]
    return list(dict.fromkeys(units))


def _available_unit(sites: Mapping[Site, int], request: Any, *, or_site: bool = False) -> Unit:
    try:
        unit = Unit.parse(request) if isinstance(request, str) else request
    except ActivationError as error:
        names = f"; the sites here are {', '.join(map(str, sites))}" if or_site else ""
        raise ActivationError(f"{error}{names}") from error
    if not isinstance(unit, Unit):
        raise ActivationError(f"{unit!r:.50} is not a unit; write its name, such as '1/cell/37'")
    n_units = sites.get(unit.site)
    if n_units is None:
        raise ActivationError(f"there is no site {unit.site} here; there are {', '.join(map(str, sites))}")
    if unit.index >= n_units:
        raise ActivationError(f"{unit.site} has {n_units} units, 0 to {n_units - 1}, and so no {unit.index}")
    return unit


def _listed(wanted: Any, kind: type[Site] | type[Unit]) -> list[Any]:
    """Return what stands for several sites or units as a list."""
    if isinstance(wanted, str | kind):
        return [wanted]
    if not isinstance(wanted, Iterable):
        raise ActivationError(f"{wanted!r:.50} is not a {kind.__name__.lower()}; write its name as a string")
    return list(wanted)
