"""What the page asks of the model while it is changed: what it writes, and what it loses."""
