"""How well do activations and labels agree? Numbers in, frozen dataclasses out."""
