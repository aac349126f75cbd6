"""A model made by hand: one cell has the state of quotation, and nothing else is read out."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from activations.models.char_rnn import CharRNN, ModelConfig
from activations.texts.vocab import Vocabulary

N_UNITS = 6
DECAY = 3.0  # the forget gate between quotes is sigmoid(3), .953
READOUT = 3.0
_OPEN, _THRESHOLD = 30.0, 0.15

Cells = NDArray[np.float64]


def quote_text(rng: np.random.Generator, n_chars: int) -> str:
    """Words of a and b, some of them in quotes; no quotation is longer than 20 characters."""
    words: list[str] = []
    while sum(map(len, words)) + len(words) < n_chars:
        word = "".join(rng.choice(["a", "b"], rng.integers(2, 18)))
        words.append(f'"{word}"' if rng.random() < 0.5 else word)
    return " ".join(words)[:n_chars]


def quote_model() -> CharRNN:
    """Cell 0 becomes 1 at an opening quote and −1 at a closing one, and decays in between; the others hold letters.

    Hidden unit 0 is tanh of its cell, and the logit of the quote is three times that; all other logits are 0.
    """
    vocabulary = Vocabulary.of(['ab" '])
    model = CharRNN(ModelConfig(cell="lstm", n_layers=1, n_units=N_UNITS), vocabulary).eval()
    weights = {name: torch.zeros_like(weight) for name, weight in model.state_dict().items()}
    quote, letter = vocabulary.characters.index('"'), vocabulary.characters.index("a")
    i, f, g, o = (n * N_UNITS for n in range(4))
    bias = weights["rnn.bias_ih_l0"]
    bias[i : i + N_UNITS], bias[f : f + N_UNITS], bias[o : o + N_UNITS] = _OPEN, DECAY, _OPEN
    bias[i] = -_OPEN
    weights["rnn.weight_ih_l0"][i, quote] = 2 * _OPEN
    weights["rnn.weight_ih_l0"][f, quote] = -2 * _OPEN
    weights["rnn.weight_hh_l0"][g, 0], bias[g] = -100.0, 100 * _THRESHOLD
    for unit in range(1, N_UNITS):
        weights["rnn.weight_ih_l0"][g + unit, letter] = 0.1 * unit
    weights["readout.weight"][quote, 0] = READOUT
    model.load_state_dict(weights)
    return model


def cell_of(text: str, change: Callable[[int, float], float] = lambda t, cell: cell) -> Cells:
    """(n_chars,) cell 0 after each character, given what takes the place of its value at each of them."""
    cell, cells = 0.0, []
    for t, char in enumerate(text):
        if char == '"':
            cell = float(np.tanh(100 * (_THRESHOLD - np.tanh(cell))))
        else:
            cell *= 1 / (1 + np.exp(-DECAY))
        cell = change(t, cell)
        cells.append(cell)
    return np.array(cells)


def log_prob_of_quote(cells: Cells) -> Cells:
    """Log probability of a quote as the next character."""
    logit = READOUT * np.tanh(cells)
    return np.asarray(logit - np.log(np.exp(logit) + 3))


def losses_of(text: str, cells: Cells) -> Cells:
    """(n_chars - 1,) loss of the character that follows each."""
    logit = READOUT * np.tanh(cells[:-1])
    is_quote = np.array([char == '"' for char in text[1:]])
    return np.asarray(np.log(np.exp(logit) + 3) - np.where(is_quote, logit, 0))
