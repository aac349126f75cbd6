"""Circular shifts of the labels, which leave both them and the units as they are: p-values by permutation."""
