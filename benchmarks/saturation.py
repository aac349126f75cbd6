"""What rounding costs saturated units: the worst AUC of each model and hypothesis, in float16 and as it is recorded.

python benchmarks/saturation.py models data
python benchmarks/saturation.py models data --only gru-2-256 --chars 50000

`models` and `data` are as in real_models.py; a model that is not there is left out, and the bundled one is added. The
reference ranks float32 activations, cast to float64, by scipy. "float16" is the same values rounded to it, "recorded"
the values as `probe extract` keeps them, and "ranked" what `probe rank` says of these, bins of float32 included. The
last lines compare the bytes of a character's activations, and the time of the extraction, with float16 for all.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray
from real_models import MODELS
from scipy.stats import rankdata

from activations.importers.importing import import_model
from activations.models.char_rnn import CharRNN
from activations.models.checkpoints import load_model
from activations.reading.extraction import extract
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.units import Site, Unit
from analyses.ranking.ranking import rank_all
from analyses.ranking.results import Ranking
from analyses.targets.labelling import target
from hypotheses.registry import get

HYPOTHESES = ("in_quotes", "blank_line", "capitalised", "end_of_word", "in_word", "sentence_start", "vowel")
BUNDLED = Path(__file__).parents[1] / "probe" / "data"


@dataclass(frozen=True, slots=True)
class Worst:
    """The unit whose AUC is farthest from the reference.

    Attributes:
        unit: Which one.
        error: How far.
    """

    unit: Unit
    error: float

    def __str__(self) -> str:
        return f"{self.error:.5f} `{self.unit}`"


@dataclass(frozen=True, slots=True)
class Errors:
    """How far the AUCs for a hypothesis are from the reference.

    Attributes:
        hypothesis: Its name.
        rounded: The worst unit among those within [-1, 1], all in float16.
        recorded: The worst unit as it is recorded.
        ranked: The worst unit as it is ranked, in 65,536 bins if it is in float32.
        bound: What the ranking says its AUCs may be off by.
    """

    hypothesis: str
    rounded: Worst
    recorded: Worst
    ranked: Worst
    bound: float


def aucs(values: NDArray[np.floating], labels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n_hypotheses, n_units) AUCs of (n_chars, n_units) values for (n_hypotheses, n_chars) labels."""
    ranks = np.column_stack([rankdata(own) for own in values.T.astype(np.float64)])
    n_true = labels.sum(1, keepdims=True)
    n_false = labels.shape[1] - n_true
    found: NDArray[np.float64] = (labels @ ranks - n_true * (n_true + 1) / 2) / (n_true * n_false)
    return found


def errors(model: CharRNN, corpus: Corpus, folder: Path) -> list[Errors]:
    """How far AUCs are from the reference, for each hypothesis that the text has.

    Args:
        model: What reads.
        corpus: The text.
        folder: Where recordings may stand meanwhile.
    """
    text = corpus.text()
    targets = [target(corpus, name) for name in HYPOTHESES if 0 < get(name)(text).values.mean() < 1]
    labels = np.array([each.labels.values for each in targets])
    nothing = [Worst(Unit(Site.of(0, "hidden"), 0), -1.0) for _ in targets]
    rounded, recorded, ranked = list(nothing), list(nothing), list(nothing)
    exact = LiveActivations(model, corpus, replace_unknown=True, compute=ComputeOptions(dtype="float32"))
    kept = LiveActivations(model, corpus, replace_unknown=True)
    extract(exact, folder / "exact.h5", predictions=False)
    extract(kept, folder / "kept.h5", predictions=False)
    with Recording(folder / "exact.h5") as reference, Recording(folder / "kept.h5") as recording:
        rankings = rank_all(recording, targets)
        found = [_raw(ranking) for ranking in rankings]
        for site in reference.sites:
            values = reference.read([site])[site]
            expected = aucs(values, labels)
            own = np.array([[auc[Unit(site, n)] for n in range(values.shape[1])] for auc in found])
            _keep_worst(ranked, site, np.abs(own - expected))
            if site in model.unbounded:
                continue
            lost = np.abs(aucs(values.astype(np.float16), labels) - expected)
            _keep_worst(rounded, site, lost)
            _keep_worst(recorded, site, lost if recording.dtype(site) == np.float16 else 0 * lost)
    return [
        Errors(ranking.hypothesis, one, two, three, ranking.auc_error)
        for ranking, one, two, three in zip(rankings, rounded, recorded, ranked, strict=True)
    ]


def cost(model: CharRNN, corpus: Corpus, folder: Path) -> str:
    """What a recording is larger than one in float16, and slower to make."""
    sizes, seconds = [], []
    for dtype in ("float16", "auto", "float16", "auto"):
        began = perf_counter()
        live = LiveActivations(model, corpus, replace_unknown=True, compute=ComputeOptions(dtype=dtype))
        extract(live, folder / "cost.h5", force=True)
        seconds.append(perf_counter() - began)
        sizes.append(sum(live.dtype(site).itemsize * n_units for site, n_units in live.sites.items()))
    slower = min(seconds[1::2]) / min(seconds[::2])
    return f"{sizes[0]:,} → {sizes[1]:,} bytes a character, {slower:.2f} times the seconds, " + (
        f"{len(live.saturated)} of {len(live.sites)} sites in float32 for it"
    )


def _raw(ranking: Ranking) -> dict[Unit, float]:
    return {each.unit: each.overall for each in ranking.units}


def _keep_worst(worst: list[Worst], site: Site, found: NDArray[np.float64]) -> None:
    for number, own in enumerate(found):
        unit = int(own.argmax())
        if own[unit] > worst[number].error:
            worst[number] = Worst(Unit(site, unit), float(own[unit]))


def _texts(folders: dict[str, str], n_chars: int, only: str) -> Iterator[tuple[str, CharRNN, Corpus]]:
    """The models and the beginnings of their texts."""
    for each in MODELS:
        path = Path(folders["models"]) / each.file
        if path.exists() and only in path.stem:
            text = Corpus.read(Path(each.text.format(**folders)), newlines="lf").text().lstrip("\ufeff")
            corpus = Corpus.from_texts([text[int(each.start * len(text)) :][:n_chars]])
            yield path.stem, import_model(path, each.vocabulary.format(**folders), text=corpus).model, corpus
    if only in "python_lstm":
        text = Corpus.read(BUNDLED / "python.py.txt").text(0, n_chars)
        yield "python_lstm", load_model(BUNDLED / "python_lstm.pt"), Corpus.from_texts([text])


def main() -> None:
    """Print a row for each model and hypothesis."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--chars", type=int, default=100_000)
    parser.add_argument("--only", default="", help="models whose names have this in them")
    given = parser.parse_args()
    folders = {"models": str(given.models), "data": str(given.data)}
    print("| model | hypothesis | float16 | recorded | ranked | bound |\n|---|---|---|---|---|---:|")
    costs = []
    for name, model, corpus in _texts(folders, given.chars, given.only):
        with tempfile.TemporaryDirectory() as folder:
            for each in errors(model, corpus, Path(folder)):
                row = (name, each.hypothesis, each.rounded, each.recorded, each.ranked, f"{each.bound:.1g}")
                print(f"| {' | '.join(map(str, row))} |", flush=True)
            costs.append(f"{name}: {cost(model, corpus, Path(folder))}")
    print("\n".join(["", *costs]))


if __name__ == "__main__":
    main()
