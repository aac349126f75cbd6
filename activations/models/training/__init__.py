"""Training a character language model."""
