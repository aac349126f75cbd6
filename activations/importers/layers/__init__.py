"""Finding layers, inputs and read-outs among arrays, one style of naming and stacking them a module."""
