"""Targets: labels beside activations, and which characters train and test.

`splits` cuts a text into stretches, atoms and folds, `target` is a label with a split, `labelling` makes targets of
hypotheses, `lags` of other targets, `classes` bins them, `run_counts` counts runs, `row_runs` keeps what holds for many
rows, and `predictions` are labels that the model itself gives.
"""
