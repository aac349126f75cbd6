"""Collecting: as few readings of a source as possible for any number of statistics."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source
from activations.progress import Advance, no_advance
from activations.units import in_order
from analyses.collecting.statistic import BlockLabels, LevelStatistic, Statistic
from analyses.levels.columns import Columns, Tiles
from analyses.session import Session, question

AnyStatistic = Statistic | LevelStatistic


@question
def collect(source: Source, statistics: Sequence[AnyStatistic], forward: Advance = no_advance) -> list[Any]:
    """Read a source as often as any of some statistics needs, and return the result of each.

    Args:
        source: A recording or live activations.
        statistics: What to count; all are updated in the same readings.
        forward: Called with the characters that were read, each time some were.

    Raises:
        AnalysisError: If an activation is not a number.
    """
    for reading in range(max((statistic.n_readings for statistic in statistics), default=0)):
        active = [statistic for statistic in statistics if reading < statistic.n_readings]
        read(source, active, forward)
        for statistic in active:
            statistic.end_reading()
    return [statistic.result() for statistic in statistics]


@question
def read(
    source: Source,
    statistics: Sequence[AnyStatistic],
    forward: Advance = no_advance,
    blocks: Iterable[Block] | None = None,
) -> None:
    """Update statistics once with every block of a source, or with the given blocks: those of a shard."""
    source = Session.of(source)
    of_levels = [statistic for statistic in statistics if isinstance(statistic, LevelStatistic)]
    of_blocks = [statistic for statistic in statistics if not isinstance(statistic, LevelStatistic)]
    columns = list(dict.fromkeys(units for statistic in of_levels for units in statistic.columns))
    reader = source.levels
    reader.find_bins(source, in_order(source.sites, (units.site for units in columns)))
    if columns and blocks is None and reader.most_at_once():
        _update_levels(of_levels, *reader.whole(source, columns, forward))
        of_levels, columns = [], []
    if not of_blocks and not of_levels:
        return
    sites = in_order(
        source.sites, {site for statistic in of_blocks for site in statistic.sites} | {units.site for units in columns}
    )
    tiles = Tiles(reader, source, columns)
    if blocks is None:
        blocks = source.blocks(sites, predictions=any(statistic.predictions for statistic in of_blocks))
    for block in blocks:
        labels = BlockLabels(block)
        for statistic in of_blocks:
            statistic.update(block, labels)
        for places, levels in tiles.add(block) if columns else ():
            _update_levels(of_levels, places, levels)
        forward(block.n_chars)
    for places, levels in tiles.rest():
        _update_levels(of_levels, places, levels)


def _update_levels(
    statistics: Sequence[LevelStatistic], places: NDArray[np.int64], levels: Mapping[Columns, NDArray[Any]]
) -> None:
    for statistic in statistics:
        statistic.update_levels(places, levels)
