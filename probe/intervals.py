"""Confidence intervals of held-out scores, and differences of scores on the same text."""

from analyses.differences import difference as difference
from analyses.intervals.estimates import Difference as Difference
from analyses.intervals.estimates import Estimate as Estimate
