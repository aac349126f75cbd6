"""Pictures of results: a file each, drawn by matplotlib; `probe.plots` has them all."""
