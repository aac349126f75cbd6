"""Training a character language model: `training.train` and what it is made of."""
