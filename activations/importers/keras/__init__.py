"""Models of Keras 1 to 3, and of Haste: `files` reads their files, `layers` finds the layers among the arrays.

If a file has the model's configuration, `configuration` reads it, and `chain` says which layers are the parts of a
character model; `weights` makes our layers of the arrays.
"""
