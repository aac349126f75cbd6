"""Collecting statistics in one pass over a source: the protocol, and saving and merging."""
