"""The solver that fits many linear probes together."""
