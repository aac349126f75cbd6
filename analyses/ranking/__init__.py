"""One unit against one label: scores, intervals, shifted labels, explanations."""
