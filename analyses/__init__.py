"""How well do activations and labels agree?

Analyses take activations and targets, and return frozen dataclasses: `ranking` for units alone, `probing` for units
together, `curves` for scores over something that changes, `differences` between two results. They are built of
`targets` (labels and splits), `levels` (ranks and bins), `statistics` (what a reading counts), `collecting`
(reading a source once for all of them), and `intervals` (intervals and p-values). `session` remembers what questions
of one source have in common.
"""
