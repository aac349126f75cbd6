"""A plan of what has to be counted for the scores of some methods, and in which readings."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from activations.blocks import Source
from activations.progress import Advance
from activations.units import Site, in_order
from analyses.collecting.collect import AnyStatistic, collect
from analyses.levels.columns import Columns, column_groups
from analyses.ranking.methods.method import Method, MethodScores, Need
from analyses.session import Session
from analyses.targets.target import Target


class Plan:
    """The statistics that some methods need, each once, for as many units at a time as memory allows.

    What can be derived from a statistic that another method needs is not counted again; see `method.Derivation`.

    Attributes:
        statistics: Statistics that the caller may update in readings of its own, and then remove: those that see
            blocks, and from a live source, whose readings are slow, also those that see the levels of the first units.
    """

    def __init__(self, source: Source, target: Target, methods: Sequence[Method], sites: Collection[Site]) -> None:
        """Plan the scores of the units of some sites for a label, by several methods."""
        self._source, self._target, self._methods = source, target, list(dict.fromkeys(methods))
        self._sizes = [(site, source.sites[site]) for site in in_order(source.sites, sites)]
        self._reader = Session.of(source).levels
        all_needs = dict.fromkeys(method.needs for method in methods if method.needs is not None)
        needs = [need for need in all_needs if need.derivation is None or need.derivation.source not in all_needs]
        needs_of_blocks = [need for need in needs if not need.bytes_per_unit]
        self._needs_of_levels = [need for need in needs if need.bytes_per_unit]
        self._whole_sites = [Columns(site, 0, n_units) for site, n_units in self._sizes]
        self._groups: list[list[Columns]] = []
        if self._needs_of_levels:
            n_bytes = sum(need.bytes_per_unit for need in self._needs_of_levels)
            self._groups = column_groups(self._sizes, self._reader.most_units(n_bytes))
            self._reader.find_bins(source, [site for site, _ in self._sizes])
        self._first = self._make(needs_of_blocks, self._whole_sites)
        if self._groups:
            self._first |= self._make(self._needs_of_levels, self._groups[0])
        self.statistics: list[AnyStatistic] = [
            statistic for need, statistic in self._first.items() if source.is_live or not need.bytes_per_unit
        ]
        self._not_shared = [statistic for statistic in self._first.values() if statistic not in self.statistics]

    def _make(self, needs: Sequence[Need], columns: Sequence[Columns]) -> dict[Need, AnyStatistic]:
        return {need: need.make(self._target, columns, self._reader) for need in needs}

    def scores(self, forward: Advance) -> dict[str, dict[Site, MethodScores]]:
        """Read what has still to be read, and return the scores of each site by the names of the methods."""
        pieces: dict[str, dict[Site, list[MethodScores]]] = {
            method.name: {} for method in self._methods if method.needs
        }
        collect(self._source, [*self._not_shared, *self.statistics], forward)
        self._score(self._first, pieces, self._groups[0] if self._groups else [])
        for statistics in (self._first, self._not_shared, self.statistics):  # free gigabytes before the next are made
            statistics.clear()
        for group in self._groups[1:]:
            made = self._make(self._needs_of_levels, group)
            collect(self._source, list(made.values()), forward)
            self._score(made, pieces, group)
            made.clear()
        return {
            method.name: self._with_note(method, {site: _joined(pieces[method.name][site]) for site, _ in self._sizes})
            for method in self._methods
            if method.needs
        }

    def _with_note(self, method: Method, scores: dict[Site, MethodScores]) -> dict[Site, MethodScores]:
        if method.note is None:
            return scores
        note = method.note(np.concatenate([of_site.train for of_site in scores.values()]), self._target)
        return {site: of_site._replace(note=note) for site, of_site in scores.items()}

    def _score(
        self,
        statistics: Mapping[Need, AnyStatistic],
        pieces: dict[str, dict[Site, list[MethodScores]]],
        group: Sequence[Columns],
    ) -> None:
        """Add the scores of a group of units, piece by piece, to those of their sites."""
        for need, statistic in statistics.items():
            result = statistic.result()
            for columns in group if need.bytes_per_unit else self._whole_sites:
                of_columns = need.of(result, columns)
                for method in self._methods:
                    convert = _conversion(method.needs, need)
                    if convert and method.score:
                        scores = method.score(convert(of_columns), self._target)
                        pieces[method.name].setdefault(columns.site, []).append(scores)


def _conversion(needed: Need | None, counted: Need) -> Callable[[Any], Any] | None:
    """Return the function that gives what is needed, given what was counted; None if that is for other methods."""
    if needed is None:
        return None
    if needed == counted:
        return lambda of_columns: of_columns
    return needed.derivation.derive if needed.derivation and needed.derivation.source == counted else None


def _joined(pieces: Sequence[MethodScores]) -> MethodScores:
    """Join the scores of consecutive units of a site."""
    return MethodScores(
        np.concatenate([piece.train for piece in pieces]), np.concatenate([piece.held_out for piece in pieces])
    )
