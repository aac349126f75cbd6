"""One reading of a source for any number of statistics."""

from collections.abc import Iterable, Sequence
from typing import Any

from activations.blocks import Block, Source
from activations.progress import Advance, no_advance
from activations.units import in_order
from analyses.collecting.statistic import BlockLabels, LevelStatistic, Statistic
from analyses.levels.columns import Tiles
from analyses.session import Session, question

AnyStatistic = Statistic | LevelStatistic


@question
def collect(source: Source, statistics: Sequence[AnyStatistic], forward: Advance = no_advance) -> list[Any]:
    """Read a source as often as the neediest of some statistics asks for, and give the result of each.

    Args:
        source: A recording or live activations.
        statistics: What to count; all are updated in the same readings.
        forward: Called with the characters that were read, each time some were.

    Raises:
        AnalysisError: If an activation is not a number.
    """
    for reading in range(max((each.n_readings for each in statistics), default=0)):
        active = [each for each in statistics if reading < each.n_readings]
        read(source, active, forward)
        for each in active:
            each.end_reading()
    return [each.result() for each in statistics]


@question
def read(
    source: Source,
    statistics: Sequence[AnyStatistic],
    forward: Advance = no_advance,
    blocks: Iterable[Block] | None = None,
) -> None:
    """Update statistics with every block of a source once, or with some of them: those of a shard."""
    source = Session.of(source)
    of_levels = [each for each in statistics if isinstance(each, LevelStatistic)]
    of_blocks = [each for each in statistics if not isinstance(each, LevelStatistic)]
    columns = list(dict.fromkeys(column for each in of_levels for column in each.columns))
    reader = source.levels
    reader.find_bins(source, in_order(source.sites, (each.site for each in columns)))
    if columns and blocks is None and reader.most_at_once():
        places, levels = reader.whole(source, columns, forward)
        for own in of_levels:
            own.take(places, levels)
        of_levels, columns = [], []
    if not of_blocks and not of_levels:
        return
    sites = in_order(
        source.sites, {site for each in of_blocks for site in each.sites} | {each.site for each in columns}
    )
    tiles = Tiles(reader, source, columns)
    if blocks is None:
        blocks = source.blocks(sites, predictions=any(each.predictions for each in of_blocks))
    for block in blocks:
        labels = BlockLabels(block)
        for each in of_blocks:
            each.update(block, labels)
        for places, levels in tiles.add(block) if columns else ():
            for own in of_levels:
                own.take(places, levels)
        forward(block.n_chars)
    for places, levels in tiles.rest():
        for own in of_levels:
            own.take(places, levels)
