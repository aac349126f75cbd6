"""The built-in hypotheses: one file for each topic, and what several topics need."""
