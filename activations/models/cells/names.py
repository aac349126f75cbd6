"""The names of recurrent cells, without torch: the command offers them before it loads a model."""

CELL_NAMES = ("lstm", "gru", "gru_reset_before", "rnn", "rnn_relu")
# names under which the literature knows a cell together with its initialisation: the cell, and the initialisation
INITIALISED_CELLS = {"irnn": ("rnn_relu", "identity"), "np_rnn": ("rnn_relu", "positive_definite")}
TRAINABLE_CELLS = (*CELL_NAMES, *INITIALISED_CELLS)
