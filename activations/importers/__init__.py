"""Importing models that other programs wrote, without running what is in their files: `importing.import_model`.

In the order in which a file passes through them: `files` recognises its format and has it opened by `formats`, `torch7`
or `keras`, all of which return `contents`: arrays by name. `finding` has `layers` find the parts of a model among the
arrays, `vocabulary` finds the order of its characters, `assembly` makes a model of ours from the parts under one
`interpretation`, and `search` tries other interpretations on a text, and other ways to read it (`readings`). `wrapping`
does the same for modules in memory.

To read models of another style, add a `find_...` to `layers`, list it in `finding`, and add a writer to
`tests/foreign.py`, which then has it tested.
"""
