"""A model, and a recording of it reading a text, for the tests of what the explorer asks the model itself."""

from pathlib import Path

import numpy as np
from planting import random_model

from activations.models.char_rnn import CharRNN
from activations.models.checkpoints import save_model
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus

CHARACTERS = 'abcdef "#\n'


def recorded_model(folder: Path, *, seed: int = 0, n_chars: int = 3_000) -> tuple[CharRNN, Path, Path]:
    """Return a random model of two layers, its file, and a recording of it."""
    model = random_model(CHARACTERS, seed, n_layers=2, gain=2.0)
    rng = np.random.default_rng(4)
    text = "".join(rng.choice(list(CHARACTERS), n_chars, p=[0.12] * 6 + [0.12, 0.06, 0.04, 0.06]))
    path, recording = folder / "model.pt", folder / "activations.h5"
    save_model(model, path)
    extract(LiveActivations(model, Corpus.from_texts([text], ["a.txt"])), recording)
    return model, path, recording
