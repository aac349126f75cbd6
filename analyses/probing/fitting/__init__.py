"""Fitting many linear probes together."""
