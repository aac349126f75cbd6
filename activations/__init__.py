"""Models, the texts that they read, and their activations: read live, or recorded in files."""
