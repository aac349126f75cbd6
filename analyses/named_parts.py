"""Sites and units of a source, by what people write for them; what a source lacks is an error of the analysis."""

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
