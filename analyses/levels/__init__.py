"""Levels and ranks of units' values, which AUCs and histograms are made of.

`binning` turns values into levels (`bins` says how, `choosing_bins` from which sample, `level_kernels` has the loops);
`columns` reads the levels of many units at once, and `counts` counts them; `ranks` makes ranks of the counts, and adds
them up over `pieces` of the text (`rank_kernels` has the loops), for the labels in `joint_labels`.
"""
