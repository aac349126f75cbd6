"""Summaries of labels, warnings about them, and the page that describes all hypotheses."""
