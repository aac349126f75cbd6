"""Scores of probes from sums and sorted values of their held-out predictions."""
