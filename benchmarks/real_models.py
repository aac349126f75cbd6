"""The best units of models that other people trained, signal by signal: the table in docs/results.md.

python benchmarks/real_models.py models data

`models` has them in folders as they were published, `data` the texts; a model that is not there is left out.
Activations are kept in float32, since float16 has few numbers near 1, where many gates are.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

from activations.importers.importing import import_model
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from analyses.ranking.ranking import rank
from analyses.ranking.results import RankedUnit

_HYPOTHESES = ("in_quotes", "position_in_line")


@dataclass(frozen=True)
class Model:
    """A model, its vocabulary as `probe import` is told of it, and the text that it reads."""

    file: str
    vocabulary: str
    text: str
    start: float = 0.0
    stop: float = 1.0


MODELS = (
    *(
        Model(f"warpeace_grid/{name}.pkl", "sorted:{data}/war_and_peace.txt", "{data}/war_and_peace.txt", 0.9)
        for name in ("lstm-1-256", "gru-2-256", "lstm-3-128", "lstm-2-64", "rnn-3-256")
    ),
    Model("visrnn/lstm_2x128.pth", "pickle:{models}/visrnn/vocab.pkl", "{models}/visrnn/input.txt", 0.9),
    Model("shakespeare/lstm_2x128_legacy.model", "printable", "{data}/tinyshakespeare.txt", 0.0, 0.2),
)


def best_of_signals(units: tuple[RankedUnit, ...]) -> dict[str, RankedUnit]:
    """The best unit of each signal, whatever its layer."""
    best: dict[str, RankedUnit] = {}
    for each in units:
        best.setdefault(each.unit.site.signal or str(each.unit.site), each)
    return best


def main() -> None:
    """Print a row for each model and hypothesis."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", type=Path)
    parser.add_argument("data", type=Path)
    folders = {name: str(path) for name, path in vars(parser.parse_args()).items()}
    print("| model | nats per character | hypothesis | best unit of each signal |\n|---|---:|---|---|")
    for each in MODELS:
        path = Path(folders["models"]) / each.file
        if not path.exists():
            continue
        text = Corpus.read(Path(each.text.format(**folders)), newlines="lf").text().lstrip("\ufeff")
        corpus = Corpus.from_texts([text[int(each.start * len(text)) : int(each.stop * len(text))]])
        found = import_model(path, each.vocabulary.format(**folders), text=corpus)
        live = LiveActivations(found.model, corpus, compute=ComputeOptions(dtype="float32"))
        with live.rereadable(list(live.sites)) as recording:
            for name in _HYPOTHESES:
                try:
                    ranking = rank(recording, name)
                except ValueError as error:
                    said = str(error)
                else:
                    units = best_of_signals(ranking.units).values()
                    said = "; ".join(f"`{unit.unit}` {unit.overall:.4f} ({unit.held_out:.3f})" for unit in units)
                loss = "" if found.evaluation is None else f"{found.evaluation.nats_per_char:.3f}"
                print(f"| `{path.stem}` | {loss} | {name} | {said} |", flush=True)


if __name__ == "__main__":
    main()
