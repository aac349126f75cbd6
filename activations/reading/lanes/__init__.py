"""Reading a text in lanes: their plan, the states between turns, and the readers that step a model."""
