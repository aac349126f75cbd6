"""Recurrent cells: their equations, and faster forms of the same equations.

`kinds.CELLS` lists all cells. A new cell needs, in this order:

1. `equations.py`: a function with its equations and their source, one step of one layer in plain tensors.
2. `steps.py`: the same step for many lanes, writing into existing tensors, and the views that it works on.
3. `names.py`: its name in `CELL_NAMES`, in the order of `CELLS`. `--cell` and its completion then offer it.
4. `kinds.py`: an entry in `CELLS`, with its `gate_names` in the order of the weight matrices, a candidate last. Names
   of gates with a sigmoid end in `_gate`; new names are also listed in `SIGNALS` of `activations/units.py`. The cell
   can now be trained, saved, evaluated and recorded with two lanes or more.
5. `single_lane.py`: the same step for a single lane, compiled by numba, and an entry in `_KERNELS`.
6. `tests/test_activations_models_cells.py`: its equations once more, in numpy, in `EQUATIONS`. All tests of cells run
   over `CELLS`, and compare every form with these and with `equations.py`.

If PyTorch has fused layers for it, the entry names them (`fused`); otherwise `stepwise.py` trains it by its equations.
"""
