"""Texts, vocabularies, the rules by which texts become tokens, and the lanes in which they are read."""
