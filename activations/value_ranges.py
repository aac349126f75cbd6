"""The range of values that a unit can have, so that it is not held at one that it never has."""

from collections.abc import Collection

import numpy as np

from activations.errors import ActivationError
from activations.units import Site

_GATE = "_gate"
_LARGEST = float(np.finfo(np.float32).max)


def value_range(site: Site, unbounded: Collection[Site]) -> tuple[float, float] | None:
    """Return the lowest and the highest value that the units of a site can have; None if there is no bound.

    >>> value_range(Site("0/forget_gate"), ())
    (0.0, 1.0)
    >>> value_range(Site("0/hidden"), [Site("0/cell")])
    (-1.0, 1.0)

    Args:
        site: The site.
        unbounded: The sites whose values may leave [-1, 1].
    """
    if site in unbounded:
        return None
    return (0.0 if (site.signal or "").endswith(_GATE) else -1.0), 1.0


def fits(value: float) -> bool:
    """Return True if a value is finite and within the range of float32, with which models compute.

    >>> fits(1e38), fits(1e39), fits(float("nan"))
    (True, False, False)
    """
    return abs(value) <= _LARGEST


def check_in_range(site: Site, value: float, unbounded: Collection[Site]) -> None:
    """Refuse a value that units of a site can never have.

    Raises:
        ActivationError: If the value is outside the range, which the sentence names.
    """
    limits = value_range(site, unbounded)
    if limits is not None and not limits[0] <= value <= limits[1]:
        raise ActivationError(
            f"{value:g} is outside the range of {site}, whose units are always within [{limits[0]:g}, {limits[1]:g}]; "
            "choose a value in it, or hold them there all the same with --force (in Python force=True)"
        )


def check_added(site: Site, amount: float, unbounded: Collection[Site]) -> None:
    """Refuse an amount that takes units of a site out of their range, whatever their value is.

    Raises:
        ActivationError: If it is larger than the range is wide, which the sentence names.
    """
    limits = value_range(site, unbounded)
    if limits is not None and abs(amount) > limits[1] - limits[0]:
        width = limits[1] - limits[0]
        raise ActivationError(
            f"{amount:+g} takes any unit of {site} out of its range, since all are always within [{limits[0]:g}, "
            f"{limits[1]:g}]; add an amount from {-width:g} to {width:g}, or add it all the same with --force (in "
            "Python force=True)"
        )
