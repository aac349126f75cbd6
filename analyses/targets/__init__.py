"""What is asked of activations: labels beside the rows of a source, and which rows train and test."""
