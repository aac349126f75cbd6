"""Importing models that other programs wrote, without running what is in their files: `importing.import_model`.

In the order in which a file passes through them: `files` opens it in any format (`torch_files`, `safetensors_files`,
`torch7`, `keras`, `pickles`, `tensors`), `flattening` turns what it holds into `contents`, `finding` finds the `parts`
of a model among the arrays, of which `repeated` keeps each once, `vocabularies` the order of its characters (from
`token_tables`), `assembly` makes a model of ours from the parts under one `interpretation`, and `search` tries other
interpretations on a text, and other ways to read it (`readings`). `unread_kinds` names what cannot be read, and
`wrapping` does the same as all of these for modules in memory.

To read models of another style, add a `find_...` beside `torch_layers`, `torch7_layers`, `numpy_layers`,
`linear_layers` and those of `keras`, list it in `finding`, and add a writer to `tests/foreign.py`, which then has it
tested.
"""
