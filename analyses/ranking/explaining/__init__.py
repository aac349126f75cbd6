"""Explanations of one unit by many labels: `explain` is in `explanation`, tuning curves in `tuning` and `waves`."""
