"""What is counted in a reading of activations: updated block by block, merged with others like it, saved as data."""
