"""Sums over the atoms of a text, and the intervals, p-values and q-values made of them."""
