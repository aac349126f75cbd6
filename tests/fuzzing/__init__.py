"""Files that are damaged or made to do harm, at random but the same way for each seed, and what must then hold.

No crash, no hang, no more memory than a limit, no errors but those that name the fault in a sentence; every change of
data is noticed; and whatever `probe check` calls sound is read whole by everything. `python -m fuzzing` in `tests/`
runs it (see `__main__`).
"""
