"""Kinds of texts, and how much a text is of a kind."""
