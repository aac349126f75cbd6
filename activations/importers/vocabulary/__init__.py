"""Finding how a model numbers its characters."""
