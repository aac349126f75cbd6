"""Reading models that other programs wrote, without running what is in their files."""
