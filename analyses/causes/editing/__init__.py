"""Edits of a text, and what changes in a model that reads the edited text."""
