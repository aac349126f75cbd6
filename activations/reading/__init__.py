"""A model reading a text: lanes side by side or one by itself, as a stream of blocks."""
