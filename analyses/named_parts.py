"""Sites and units of a source, by what people write for them; what a source lacks is an error of the analysis."""

from collections.abc import Sequence

from activations.blocks import Source
from activations.errors import ActivationError
from activations.site_names import AnySites, AnyUnits, select_sites, select_units
from activations.units import Site, Unit
from analyses.errors import AnalysisError


def sites_among(source: Source, sites: AnySites | None) -> list[Site]:
    """Return sites of a source, each once and in the order of the source; None means all of them.

    Raises:
        AnalysisError: If the source does not have one of them.
    """
    try:
        return select_sites(source.sites, sites)
    except ActivationError as error:
        raise AnalysisError(str(error)) from error


def units_among(source: Source, units: AnyUnits) -> list[Unit]:
    """Return units of a source, in the order in which they are asked for.

    Raises:
        AnalysisError: If the source does not have one of them.
    """
    try:
        return select_units(source.sites, units)
    except ActivationError as error:
        raise AnalysisError(str(error)) from error


def sites_of_read_out(sites: Sequence[Site]) -> list[Site]:
    """Return the hidden state of the last layer, or its first site; the last site of a model without layers."""
    last = max((site.layer for site in sites if site.layer is not None), default=None)
    if last is None:
        return list(sites[-1:])
    top = [site for site in sites if site.layer == last]
    return [site for site in top if site.signal == "hidden"] or top[:1]
