"""Profiles of single units: how their values lie, what they do around events, and what they remember."""
