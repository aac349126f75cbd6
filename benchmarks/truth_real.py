"""Real models, and real labels of another text than the one that the model read.

python benchmarks/truth_real.py SHARED FOLDER

keeps what the models make of their texts, and the labels of all texts, where the study finds them.
"""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from truth_counting import Columns, Counts, Scale, of_rankings
from truth_repeating import Record, of_null_ranking
from truth_simulating import Memory, Random, corpus

from activations.texts.corpus import Corpus
from analyses.errors import AnalysisError
from analyses.ranking.ranking import rank
from analyses.targets.labelling import label, target_of_labels
from analyses.targets.target import Target
from hypotheses.errors import HypothesisError
from hypotheses.labels import Labels
from hypotheses.registry import registered

_N_CHARS = 300_000  # of each text
_SHORTEST, _LONGEST, _STEP = 20_000, 100_000, 1000
_SIGNALS = ("hidden", "cell")
_TEXTS = {
    "war": "data/war_and_peace.txt",
    "shakespeare": "data/tinyshakespeare.txt",
    "visrnn": "models/visrnn/input.txt",
    "python": "data/cpython_stdlib.py.txt",
    "c": "data/linux_kernel.c.txt",
}


@dataclass(frozen=True)
class Model:
    """A model of others, its vocabulary as `probe import` is told of it, and the text that it reads."""

    file: str
    vocabulary: str
    text: str


MODELS = (
    *(
        Model(f"models/warpeace_grid/{name}.pkl", "sorted:{shared}/data/war_and_peace.txt", "war")
        for name in ("lstm-1-256", "gru-2-256", "lstm-3-128", "lstm-2-64", "rnn-3-256")
    ),
    Model("models/visrnn/lstm_2x128.pth", "pickle:{shared}/models/visrnn/vocab.pkl", "visrnn"),
    Model("models/shakespeare/lstm_2x128_legacy.model", "printable", "shakespeare"),
)


@dataclass(frozen=True)
class RealTexts:
    """Where the models and texts are, and where what is made of them is kept."""

    shared: Path = field(repr=False)
    folder: Path = field(repr=False)

    @property
    def is_there(self) -> bool:
        """Whether there are the models and texts of others."""
        return (self.shared / "models").is_dir() and (self.shared / "data").is_dir()

    def prepare(self) -> None:
        """Let the models read, in a process of its own, which alone loads torch."""
        if not self._done.exists():
            subprocess.run([sys.executable, __file__, str(self.shared), str(self.folder)], check=True)

    @property
    def _done(self) -> Path:
        return self.folder / "names.json"

    def make(self) -> None:
        """Let the models read, and label the texts."""
        self.folder.mkdir(parents=True, exist_ok=True)
        texts = {name: _text(self.shared / file) for name, file in _TEXTS.items()}
        for number, model in enumerate(MODELS):
            self._read(number, model, texts[model.text])
        names = {text: self._label(text, own) for text, own in texts.items()}
        self._done.write_text(json.dumps(names), encoding="utf-8")

    def _read(self, number: int, model: Model, text: Corpus) -> None:
        from activations.importers.importing import import_model
        from activations.reading.live import LiveActivations

        found = import_model(self.shared / model.file, model.vocabulary.format(shared=self.shared), text=text)
        live = LiveActivations(found.model, text)
        sites = [site for site in live.sites if site.signal in _SIGNALS]
        arrays = {site: np.empty((len(text), live.sites[site]), live.dtype(site)) for site in sites}
        for block in live.blocks(sites):
            for site, array in arrays.items():
                array[block.positions] = block.values[site]
        for place, array in enumerate(arrays.values()):
            np.save(self.folder / f"{number}-{place}.npy", array)

    def _label(self, name: str, text: Corpus) -> list[str]:
        """Keep the labels of all hypotheses that are sometimes true, and return their names."""
        found: dict[str, NDArray[np.bool_]] = {}
        for each in registered().values():
            if each.kind == "binary" and not each.parameters.required:
                try:
                    labels = label(text, each, use_cache=False, notice=lambda sentence: None)
                except HypothesisError:
                    continue
                if labels.missing is None and 0 < labels.values.mean() < 1:
                    found[each.name] = labels.values
        np.save(self.folder / f"{name}.npy", np.stack(list(found.values())))
        return list(found)

    def draw(self, rng: Random) -> tuple[int, Memory, Target]:
        """The number of a model, what it made of a stretch of its text, and labels of a stretch of another text."""
        names: dict[str, list[str]] = json.loads(self._done.read_text(encoding="utf-8"))
        number = int(rng.integers(len(MODELS)))
        of_sites = sorted(self.folder.glob(f"{number}-*.npy"))
        activations = np.load(of_sites[rng.integers(len(of_sites))], mmap_mode="r")
        n_chars = _STEP * int(rng.integers(_SHORTEST // _STEP, _LONGEST // _STEP + 1))
        values = _stretch(rng, activations, n_chars)
        while True:
            other = str(rng.choice([name for name in names if name != MODELS[number].text]))
            labels = np.load(self.folder / f"{other}.npy", mmap_mode="r")[rng.integers(len(names[other]))]
            own = Labels(_stretch(rng, labels, n_chars), "binary")
            try:
                return (
                    number,
                    Memory(values, corpus(n_chars)),
                    target_of_labels(corpus(n_chars), "of another text", own),
                )
            except AnalysisError:  # it is all the same there
                continue


def _stretch(rng: Random, values: NDArray[Any], n_chars: int) -> NDArray[Any]:
    start = int(rng.integers(len(values) - n_chars + 1))
    return np.array(values[start : start + n_chars])


def _text(path: Path) -> Corpus:
    """The last characters of a file."""
    text = Corpus.read(path, newlines="lf").text().lstrip("\ufeff")
    return Corpus.from_texts([text[-_N_CHARS:]])


def real_repetition(texts: RealTexts, rng: Random) -> Record:
    """Whether any unit of a site of a model seems to have to do with the labels of another text."""
    number, found, asked = texts.draw(rng)
    return {"refused": 0, "due": 0, "model": number} | of_null_ranking(rank(found, asked).units, 0.5)


def of_real(found: Columns, scale: Scale) -> Counts:
    """What is counted of rankings, and how many of each model's there are, and were declined."""
    counts = of_rankings(found, scale)
    for number in range(len(MODELS)):
        own = found["model"] == number
        counts |= {f"n_{number}": int(own.sum()), f"declined_{number}": int(found["declined"][own].sum())}
    return counts


if __name__ == "__main__":
    RealTexts(shared=Path(sys.argv[1]), folder=Path(sys.argv[2])).make()
