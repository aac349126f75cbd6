"""Results of a comparison of two models: how alike their sites are, and each unit with its partner."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from activations.results import Result, Row, TableCell
from activations.units import Site, Unit
from analyses.errors import AnalysisError
from analyses.intervals.estimates import Difference, Estimate, difference_of
from analyses.rounding import rounded

FIRST, SECOND = "first", "second"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SiteSimilarity(Result):
    """How alike a site of one model is to a site of another: linear CKA.

    Attributes:
        first: The site of the first model.
        second: The site of the second.
        cka: Linear CKA, which is 1 if one site is the other, rotated and scaled, and has 0 as its expected value if
            they are independent, however many units they have: products are taken between different folds of the text.
        low: The lower end of its 95 % interval; NaN if there is none.
        high: The upper end.
        usual_cka: Linear CKA as it is usually computed, in [0, 1], without an interval: chance makes it larger, the
            more so the more units there are and the shorter the text is.
        estimate: `cka` with the influence of each atom of the text, for comparisons.
    """

    first: Site
    second: Site
    cka: float
    low: float
    high: float
    usual_cka: float
    estimate: Estimate = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class UnitPartner(Result):
    """A unit with the unit of the other model that it correlates with most.

    Attributes:
        model: Which model the unit is of: `first` or `second`.
        unit: The unit.
        partner: The unit of the other model with the largest |r| in training.
        r_train: Pearson's r of both on training characters.
        r: Their r on held-out characters, sign-aligned on the training characters: above 0 if what was found in
            training holds.
        low: The lower end of its 95 % interval; NaN if there is none.
        high: The upper end.
        estimate: `r` with the influence of each atom of the text, for comparisons; None for a unit that never changes.
    """

    model: str
    unit: Unit
    partner: Unit | None
    r_train: float
    r: float
    low: float
    high: float
    estimate: Estimate | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class MeanPartner(Result):
    """How closely the units of a site correlate with their partners, on average.

    Attributes:
        model: Which model the site is of: `first` or `second`.
        site: The site.
        n_units: How many of its units have a partner.
        mean_r: The mean of their held-out correlations with their partners.
        low: The lower end of its 95 % interval for other text of this kind; NaN if there is none.
        high: The upper end.
        estimate: `mean_r` with the influence of each atom of the text, for comparisons.
    """

    model: str
    site: Site
    n_units: int
    mean_r: float
    low: float
    high: float
    estimate: Estimate = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Similarity(Result):
    """How alike two models are that have read the same text.

    Attributes:
        pairs: Every site of the first model with every site of the second.
        partners: The units of both models with their partners.
        first_sites: The sites of the first model.
        second_sites: The sites of the second model.
        n_chars: Characters of the text that were read.
        notes: Sentences that say what has no interval.
    """

    pairs: tuple[SiteSimilarity, ...] = field(repr=False)
    partners: tuple[UnitPartner, ...] = field(repr=False)
    first_sites: tuple[Site, ...]
    second_sites: tuple[Site, ...]
    n_chars: int
    notes: tuple[str, ...] = ()

    def rows(self) -> list[Row]:
        """Return a row for each pair of sites."""
        return [dict(pair.row()) for pair in self.pairs]

    def partner_rows(self) -> list[Row]:
        """Return a row for each unit of both models, with its partner."""
        return [dict(partner.row()) for partner in self.partners]

    def pair(self, first: Site | str, second: Site | str) -> SiteSimilarity:
        """Return how alike a site of the first model is to one of the second.

        Raises:
            AnalysisError: If one of them was not compared.
        """
        for pair in self.pairs:
            if (str(pair.first), str(pair.second)) == (str(first), str(second)):
                return pair
        raise AnalysisError(
            f"{first} of the first model was not compared with {second} of the second; the sites are "
            f"{', '.join(map(str, self.first_sites))} and {', '.join(map(str, self.second_sites))}"
        )

    def mean_partners(self) -> list[MeanPartner]:
        """Return how closely the units of each site correlate with their partners, for the sites of both models."""
        sites = [(FIRST, site) for site in self.first_sites] + [(SECOND, site) for site in self.second_sites]
        return [_mean_partner(model, site, self.partners) for model, site in sites]

    def __str__(self) -> str:
        lines = [f"linear CKA of {len(self.pairs)} pairs of sites on {self.n_chars:,} characters"]
        lines += [
            f"{pair.first!s:>16} {pair.second!s:>16}  {rounded(pair.cka, '.3f')} ({_interval(pair.low, pair.high)})"
            for pair in sorted(self.pairs, key=lambda pair: -np.nan_to_num(pair.cka, nan=-1.0))[:10]
        ]
        lines += [
            f"units of {mean.site} of the {mean.model} model correlate with their partners by "
            f"{rounded(mean.mean_r, '.3f')} on "
            f"average ({_interval(mean.low, mean.high)})"
            for mean in self.mean_partners()
        ]
        return "\n".join([*lines, *self.notes])


def similarity_differences(usual: Similarity, other: Similarity) -> list[tuple[SiteSimilarity, Difference]]:
    """Return each pair of sites, with its CKA less that of the same sites in another comparison on the same text.

    Args:
        usual: The comparison of two models.
        other: That of the same first model with another one, such as an untrained twin of the second.

    Raises:
        AnalysisError: If the texts differ, or the other comparison lacks a pair.
    """
    return [(pair, difference_of(other.pair(pair.first, pair.second).estimate, pair.estimate)) for pair in usual.pairs]


def _mean_partner(model: str, site: Site, partners: Sequence[UnitPartner]) -> MeanPartner:
    estimates = [
        partner.estimate
        for partner in partners
        if partner.model == model and partner.unit.site == site and partner.estimate is not None
    ]
    known = [estimate for estimate in estimates if np.isfinite(estimate.value)]
    if not known:
        nan = float("nan")
        reason = f"no unit of {site} has a partner"
        nothing = Estimate(value=nan, no_interval_reason=reason)
        return MeanPartner(model=model, site=site, n_units=0, mean_r=nan, low=nan, high=nan, estimate=nothing)
    first = known[0]
    mean = Estimate(
        value=float(np.mean([estimate.value for estimate in known])),
        influence=np.mean([estimate.influence for estimate in known], axis=0),
        n_atoms=first.n_atoms,
        n_cosines=first.n_cosines,
        scale="fisher",
        text=first.text,
    )
    low, high = mean.interval
    return MeanPartner(model=model, site=site, n_units=len(known), mean_r=mean.value, low=low, high=high, estimate=mean)


def _interval(low: float, high: float) -> str:
    return "no interval" if np.isnan(low) else f"{rounded(low, '.3f')} to {rounded(high, '.3f')}"


def compared_rows(usual: Similarity, other: Similarity | None) -> list[dict[str, TableCell]]:
    """Return the rows of `usual`, each beside the CKA of an untrained twin, and their difference.

    Args:
        usual: The comparison of two models.
        other: That of the first model with an untrained twin of the second; None if there is none.
    """
    rows: list[dict[str, TableCell]] = [dict(row) for row in usual.rows()]
    if other is None:
        return rows
    for row, (pair, difference) in zip(rows, similarity_differences(usual, other), strict=True):
        untrained = other.pair(pair.first, pair.second)
        row |= {
            "untrained_cka": untrained.cka,
            "untrained_low": untrained.low,
            "untrained_high": untrained.high,
            "difference": difference.value,
            "difference_low": difference.low,
            "difference_high": difference.high,
            "p": difference.p,
        }
    return rows
