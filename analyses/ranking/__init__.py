"""Rankings: how well each unit alone predicts a label.

- To add a score, see `methods`: its `registry` has all of them.
- AUCs and correlations: `unit_scores` computes them from the sums that `aucs` and `scores_by_label` read.
- Intervals: `influences` computes what each atom adds to the error of a score, from which `assembling` makes intervals
  and p-values by `analyses.intervals`.
- Results: `ranking` has `rank`, `compare` and `rank_all`, which return what `results` defines.
- `shifts` compares with circular shifts of the labels, `explaining` explains one unit by many labels.
"""
