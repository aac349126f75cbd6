"""Design matrices of probes: activations, neighbouring characters, or positions in the text."""
