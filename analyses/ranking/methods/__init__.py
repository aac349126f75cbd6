"""Methods of scoring units: `registry` has them all, and is where to add one.

`method` says what a method is, `needs` which statistics there are, and `plan` counts these for several methods at once.
"""
