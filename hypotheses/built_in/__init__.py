"""The built-in hypotheses: one file for each topic."""
