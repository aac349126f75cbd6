"""An extraction in a process of its own, which tests kill: `python interrupted.py TEXT OUTPUT CELL N_LANES`."""

import sys
from pathlib import Path

from planting import random_model

from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus

if __name__ == "__main__":
    text, output, cell, n_lanes = sys.argv[1:]
    corpus = Corpus.read(text)
    model = random_model(corpus.text(), cell=cell, n_units=24, gain=1.5)
    for _ in LiveActivations(model, Corpus.from_texts([corpus.text(0, 9)]), n_lanes=int(n_lanes)).blocks():
        pass  # so that what is compiled is so before it can be killed
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    extract(LiveActivations(model, corpus, n_lanes=int(n_lanes)), Path(output), checkpoint_s=0.0)
