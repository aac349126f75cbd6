"""A model made by hand whose first unit carries whether the text is in quotes, and the losses that it must have."""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import log_softmax, logit, logsumexp

from activations.models.char_rnn import CharRNN, ModelConfig
from activations.texts.vocab import Vocabulary

LETTERS = "abcdef "
ON = 100.0  # saturates a gate
OUTSIDE = 3.1  # the log of the odds against a quotation mark outside quotes
Floats = NDArray[np.float64]


def quoted_text(rng: np.random.Generator, n_chars: int) -> str:
    """Letters at random, out of double quotes and in them in turn: 15 to 29 of them outside, 2 or 3 inside."""
    parts: list[str] = []
    while sum(map(len, parts)) < n_chars:
        for shortest in (15, 2):
            length = int(rng.integers(shortest, 2 * shortest))
            parts += ["".join(rng.choice(list(LETTERS), length)), '"']
    return "".join(parts)[:n_chars]


class QuoteModel:
    """An LSTM without noise, whose values can be calculated.

    Cell 0 is 1 in quotes and 0 outside: a quotation mark adds 1 if the hidden state is 0, and takes 1 away otherwise.
    Cell j > 0 is tanh(w_j[c]) after the character c, plus the share of its value before that is kept. Nothing reads
    unit 1.

    Attributes:
        model: The model.
        kept: The share of the value of cell j > 0 that is kept from one character to the next.
        seen: (n_characters, n_units) what each character puts into the cells; nothing is said of cell 0.
        readout: (n_characters, n_units) weights of the logits.
        bias: (n_characters,) their biases.
    """

    def __init__(self, seed: int = 0, n_units: int = 12, *, strength: float = 3.0, kept: float = 0.0) -> None:
        """Make a model with as many units; with 3.0 a quotation mark has about its frequency, in quotes and outside."""
        rng = np.random.default_rng(seed)
        self.kept = kept
        vocabulary = Vocabulary("".join(sorted({*LETTERS, '"'})))
        n_characters, mark = len(vocabulary.characters), vocabulary.characters.index('"')
        input_gate, forget_gate, candidate, output_gate = (slice(n * n_units, (n + 1) * n_units) for n in range(4))
        into = rng.normal(0, 1, (n_units, n_characters))
        into[0] = 0
        self.readout = rng.normal(0, 0.3, (n_characters, n_units))
        self.readout[:, :2] = 0
        self.readout[mark] = 0
        self.readout[mark, 0] = strength
        self.bias = rng.normal(0, 0.3, n_characters)
        self.bias[mark] = logsumexp(np.delete(self.bias, mark)) - OUTSIDE
        weight_ih, weight_hh, bias = (np.zeros((4 * n_units, n)) for n in (n_characters, n_units, 1))
        weight_ih[candidate] = into
        weight_ih[0, mark] = 2 * ON
        weight_hh[candidate.start, 0] = -ON
        bias[input_gate], bias[forget_gate], bias[output_gate] = ON, -ON, ON
        if kept:
            bias[forget_gate] = logit(kept)
        bias[0], bias[forget_gate.start], bias[candidate.start] = -ON, ON, 0.38 * ON
        self.seen = np.tanh(into).T
        config = ModelConfig(cell="lstm", n_layers=1, n_units=n_units)
        self.model = CharRNN(config, vocabulary).eval()
        weights = {
            "rnn.weight_ih_l0": weight_ih,
            "rnn.weight_hh_l0": weight_hh,
            "rnn.bias_ih_l0": bias[:, 0],
            "rnn.bias_hh_l0": np.zeros(4 * n_units),
            "readout.weight": self.readout,
            "readout.bias": self.bias,
        }
        self.model.load_state_dict({name: torch.tensor(array, dtype=torch.float32) for name, array in weights.items()})

    def cells(self, text: str) -> Floats:
        """(n_chars, n_units) the cells after each character."""
        ids = [self.model.vocabulary.characters.index(char) for char in text]
        cells = np.asarray(lfilter([1.0], [1.0, -self.kept], self.seen[ids], axis=0))
        cells[:, 0] = np.cumsum([char == '"' for char in text]) % 2
        return cells

    def losses(self, text: str, cells: Floats) -> Floats:
        """(n_chars,) the loss of the next character after each one, given the cells; NaN after the last."""
        ids = np.array([self.model.vocabulary.characters.index(char) for char in text])
        log_probs = log_softmax(np.tanh(cells) @ self.readout.T + self.bias, axis=1)
        return np.append(-log_probs[np.arange(len(text) - 1), ids[1:]], np.nan)
