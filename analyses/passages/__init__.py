"""Passages of a text that a model reads anew: which characters count, what the model makes of them, and why."""
