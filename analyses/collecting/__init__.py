"""One pass over a source for any number of statistics: the protocol, and saving and merging."""
