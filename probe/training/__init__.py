"""Training models from the command line: recipes, run folders, and sweeps."""
