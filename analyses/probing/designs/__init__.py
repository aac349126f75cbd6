"""What probes see: activations, neighbouring characters, or positions."""
