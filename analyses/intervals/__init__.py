"""Sums over the atoms of a text, and the intervals, p-values and q-values made of them.

`estimates` makes intervals of scores (of an AUC, by the influences in `ranking.influences`) and of differences;
`significance` makes p- and q-values; `long_run` estimates the variances that both need; `atom_sums` has the sums.
"""
