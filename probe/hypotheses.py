"""Hypotheses about what a unit may mean: functions from a text to one label per character."""

from hypotheses.hypothesis import Hypothesis as Hypothesis
from hypotheses.hypothesis import hypothesis as hypothesis
from hypotheses.labels import Labels as Labels
from hypotheses.registry import get as get
from hypotheses.registry import registered as registered
