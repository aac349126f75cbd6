"""Derivatives of what a model predicts with respect to values of its units, summed over the characters of a text."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from activations.units import Site

Floats = NDArray[np.floating[Any]]
Measure = Literal["loss", "logit"]
"""What is differentiated: the loss of the character that follows, in nats, or its logit."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldPath:
    """A straight path from the values that a site has to values at which all its units are held, at every character.

    Attributes:
        site: The site.
        values: (n_units,) the values at the end of the path.
        n_steps: Number of points on the path, at the middles of as many equal parts of it.
    """

    site: Site
    values: Floats
    n_steps: int = 64


@dataclass(frozen=True, slots=True, eq=False)
class GradientSums:
    """Sums of derivatives over the characters of each document, so that effects of any new values follow.

    With the value a and the derivative ∂M/∂a of each character, replacing the values of a unit by v changes M by
    Σ (v − a) ∂M/∂a = v Σ ∂M/∂a − Σ a ∂M/∂a to first order.

    Attributes:
        gradients: (n_documents, n_sets, n_units) float64 Σ ∂M/∂a for each site.
        products: (n_documents, n_sets, n_units) float64 Σ a ∂M/∂a for each site.
    """

    gradients: Mapping[Site, NDArray[np.float64]]
    products: Mapping[Site, NDArray[np.float64]]

    def changes(self, site: Site, values: Floats) -> NDArray[np.float64]:
        """Return the changes of M to first order if units get new values, (n_documents, n_sets, n_units).

        Args:
            site: The site.
            values: The new values, (n_units,) or (n_sets, n_units).
        """
        return np.asarray(values * self.gradients[site] - self.products[site])
