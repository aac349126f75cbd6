"""Hashes of functions, by which their labels are kept and found again."""
