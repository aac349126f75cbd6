"""The home of torch: cells, the character language model, its training, evaluation and checkpoints."""
