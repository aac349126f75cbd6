"""A model reading a text, in lanes side by side or in a single lane, and giving blocks of activations."""
