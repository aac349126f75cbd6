"""Rankings: how well each unit alone tells a label.

- To add a score, see `methods`: its `registry` has all of them.
- AUCs and correlations: `unit_scores` computes them, `aucs` and `measuring` read what they are made of.
- Intervals: `influences` says what each atom adds to the error of a score, `assembling` makes intervals and p-values of
  it by `analyses.intervals`.
- Results: `ranking` has `rank`, `compare` and `rank_all`, which return what `results` defines.
- `shifts` compares with circular shifts of the labels, `explaining` explains one unit by many labels.
"""
