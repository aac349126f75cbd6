"""Reading files of other programs without running anything in them, one format a module."""
