"""Reading the models of Lua Torch (`.t7`): `contents.torch7_contents`.

`reading` reads the file, `graphs` the graphs of nngraph, `expressions` what the modules of a model compute, and
`networks` recognises recurrent layers in that. `contents` puts everything in the file under its name.
"""
