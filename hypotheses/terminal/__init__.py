"""Characters as a terminal shows them, with marks below them for their labels."""
