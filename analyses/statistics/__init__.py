"""Statistics, which are counted while activations are read, block by block or level by level.

Each has the members of `collecting.statistic.Statistic` or `LevelStatistic`, can be merged with others like it, and can
be saved as data.
"""
