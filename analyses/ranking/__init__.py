"""Rankings: how well each unit alone tells a label.

- To add a score: `methods` is the registry, with `product_scores`, `threshold_scores`, `information_scores` and
  `probe_scores` beside it; `method` says what a method is, and `needs` which statistics there are.
- AUCs and correlations: `unit_scores` computes them, `aucs` and `measuring` read what they are made of.
- Intervals: `influences` says what each atom adds to the error of a score, `assembling` makes intervals and p-values of
  it by `analyses.intervals`.
- Results: `ranking` has `rank`, `compare` and `rank_all`, which return what `results` defines.
- `shifts` compares with circular shifts of the labels, `explanation` explains one unit by many labels.
"""
