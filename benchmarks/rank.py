"""How fast units are ranked, beside a loop of scikit-learn's `roc_auc_score`: seconds and their ratio.

python benchmarks/rank.py corpus.txt
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from activations.blocks import Source
from activations.recordings.recording import Recording
from analyses.errors import AnalysisError
from analyses.ranking.ranking import rank, rank_all
from analyses.session import Session
from analyses.targets.labelling import target_for
from analyses.targets.target import Target
from hypotheses.registry import registered

_N_ASKED = 20
_N_SAMPLED = 12
_N_SECOND = 100_000
_N_SHOWN = 10  # units, as `probe rank` shows them


def record(text: Path, path: Path, n_chars: int | None = None) -> Path:
    """A recording of the hidden and cell units of the bundled model, 1,024 of them, made by another process."""
    part = [] if n_chars is None else ["--range", f"0:{n_chars}"]
    model = files("probe.data") / "python_lstm.pt"
    _probe("extract", model, text, "--sites", "hidden,cell", "--replace-unknown", *part, "-o", path)
    return path


def _probe(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "probe", *map(str, arguments)], check=True, capture_output=True)


def binary_targets(source: Source, n_asked: int) -> list[Target]:
    """The first so many binary hypotheses that can be asked of the text."""
    found: list[Target] = []
    for each in registered().values():
        if each.kind == "binary" and not each.parameters.required and len(found) < n_asked:
            try:
                found.append(target_for(source, each))
            except AnalysisError:
                continue
    return found


def seconds_of_one_auc(recording: Recording, asked: list[Target]) -> float:
    """The mean time that scikit-learn takes for one unit and one label, on a sample of them."""
    rng = np.random.default_rng(0)
    taken = 0.0
    for number in range(_N_SAMPLED):
        site = list(recording.sites)[number % len(recording.sites)]
        column = recording.read([site])[site][:, rng.integers(recording.sites[site])]
        labels, parts = asked[number % len(asked)].all_rows
        labels, scores = labels[parts >= 0], column[parts >= 0]
        began = time.perf_counter()
        roc_auc_score(labels, scores)
        taken += time.perf_counter() - began
    return taken / _N_SAMPLED


def main() -> None:
    """Print what each takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("--chars", type=int, default=1_000_000)
    given = parser.parse_args()
    given.chars = min(given.chars, len(given.text.read_text(encoding="utf-8")))
    with tempfile.TemporaryDirectory() as folder:
        large, small, bundled = (Path(folder) / name for name in ("large.h5", "small.h5", "bundled.h5"))
        with Recording(record(given.text, large, given.chars)) as recording:
            asked = binary_targets(recording, _N_ASKED)
            os.sync()  # what was written is still on its way to the disk
            rank(recording, asked[0], sites=list(recording.sites)[:1])  # compiled, or found in the cache
            n_units = sum(recording.sites.values())
            print(f"{n_units:,} units x {len(asked)} hypotheses x {given.chars:,} characters")
            ours = []
            for _ in range(2):
                began = time.perf_counter()
                rank_all(recording, asked)
                ours.append(time.perf_counter() - began)
            print(f"  the process took {_peak_gigabytes():.2f} GB at most")
            theirs = seconds_of_one_auc(recording, asked) * n_units * len(asked)
            print(f"  roc_auc_score, extrapolated from {_N_SAMPLED}: {theirs:,.0f} s")
            for number, taken in enumerate(ours):
                print(f"  rank_all, run {number + 1}: {taken:.2f} s, {theirs / taken:,.0f} x faster")
        few = Path(folder) / "few.txt"
        few.write_text(given.text.read_text(encoding="utf-8")[:_N_SECOND], encoding="utf-8")
        with Session(record(few, small)) as session:
            for number, pattern in enumerate((r"\w+(?=\()", r"\b[A-Z]\w*", r"\d+")):
                began = time.perf_counter()
                rank(session, f"regex:'{pattern}'", n_intervals=_N_SHOWN)
                print(f"question {number + 1}, regex {pattern}, {_N_SECOND:,} characters: ", end="")
                print(f"{time.perf_counter() - began:.2f} s")
        record(Path(str(files("probe.data") / "python.py.txt")), bundled)
        for number in (1, 2):
            began = time.perf_counter()
            _probe("rank", "--all", bundled)
            print(f"probe rank --all, bundled recording, run {number}: {time.perf_counter() - began:.1f} s")


def _peak_gigabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
