"""What might a unit mean? Functions from text to one label per character."""
