"""Hashes of functions and of all that they use, under which their labels are cached and found again."""
