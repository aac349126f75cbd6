"""The entries of docs/gallery.md: what each asks, the command that draws it, and what is to be seen."""
