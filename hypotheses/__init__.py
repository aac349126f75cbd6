"""Hypotheses about what a unit encodes: functions from a text to one label per character."""
