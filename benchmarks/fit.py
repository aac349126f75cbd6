"""How fast many probes are fitted, beside a loop of scikit-learn's `LogisticRegression`: seconds, objectives, ratios.

python benchmarks/fit.py corpus.txt
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rank import binary_targets, record
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from activations.blocks import Source
from activations.recordings.recording import Recording
from activations.units import units_of
from analyses.probing.designs.units import UnitDesign
from analyses.probing.fitting.joint_fits import fit_probes
from analyses.probing.fitting.problems import FittedProbe, Problem
from analyses.probing.fitting.responses import Response
from analyses.targets.splits import TRAIN
from analyses.targets.target import Target

_N_ASKED = 20
_N_CHARS = 200_000


def design_of(source: Source, train: NDArray[np.bool_], memory: int) -> UnitDesign:
    """The hidden units of both layers, 512 of them."""
    units = units_of(source.sites, [site for site in sorted(source.sites) if site.signal == "hidden"])
    return UnitDesign(source, units, train, memory=memory)


def objective(x: NDArray[np.float32], y: NDArray[np.int16], weights: NDArray[np.float64], intercept: float) -> float:
    """What is minimised, in float64."""
    z = x.astype(np.float64) @ weights + intercept
    return float(np.logaddexp(0, z).sum() - y @ z + 0.5 * weights @ weights)


def fit(design: UnitDesign, responses: list[Response], train: NDArray[np.bool_]) -> tuple[list[FittedProbe], float]:
    """All probes together, and the seconds that took."""
    began = time.perf_counter()
    problems = [Problem(response=number) for number in range(len(responses))]
    found = fit_probes(design, responses, [train], problems)
    return found, time.perf_counter() - began


def beside_scikit_learn(
    x: NDArray[np.float32],
    asked: list[Target],
    responses: list[Response],
    train: NDArray[np.bool_],
    found: list[FittedProbe],
) -> float:
    """Fit each alone, print both objectives, and return the seconds that scikit-learn took."""
    total = 0.0
    for target, response, own in zip(asked, responses, found, strict=True):
        rows = train & response.present
        own_x, y = x[rows], response.at(slice(None))[rows]
        began = time.perf_counter()
        reference = LogisticRegression().fit(own_x, y)
        taken = time.perf_counter() - began
        total += taken
        theirs = objective(own_x, y, reference.coef_[0].astype(np.float64), float(reference.intercept_[0]))
        ours = objective(own_x, y, own.weights[:, 0], float(own.intercept[0]))
        print(
            f"  {target.hypothesis:<22} scikit-learn {taken:5.2f} s, {reference.n_iter_[0]:3d} iterations, "
            f"objective {theirs:11.2f}; ours {ours:11.2f} ({ours / theirs - 1:+.1e}), {own.n_passes} passes"
        )
    return total


def main() -> None:
    """Print what each takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("--chars", type=int, default=_N_CHARS)
    given = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    n_chars = min(given.chars, len(given.text.read_text(encoding="utf-8")))
    with (
        tempfile.TemporaryDirectory() as folder,
        Recording(record(given.text, Path(folder) / "a.h5", n_chars)) as recording,
    ):
        asked = binary_targets(recording, _N_ASKED)
        train = asked[0].split.parts(0, n_chars) == TRAIN
        responses = []
        for each in asked:
            labels, parts = each.all_rows
            responses.append(Response("binary", np.where(parts >= 0, labels, -1).astype(np.int16), 2))
        began = time.perf_counter()
        design = design_of(recording, train, 1 << 30)
        reading = time.perf_counter() - began
        fit(design, responses[:1], train)  # compiles
        found, taken = fit(design, responses, train)
        print(
            f"{len(asked)} hypotheses × {design.n_columns} units × {n_chars:,} characters, {train.sum():,} in training"
        )
        print(f"together: {taken:.2f} s, and {reading:.2f} s to read and standardise")
        x = np.empty((n_chars, design.n_columns), np.float32)
        for tile in design.tiles(np.ones(n_chars, np.bool_)):
            x[tile.rows] = tile.x
        theirs = beside_scikit_learn(x, asked, responses, train, found)
        print(f"one by one with scikit-learn: {theirs:.1f} s, {theirs / taken:.1f} × as long")
        del x
        size = n_chars * design.n_columns * 2
        began = time.perf_counter()
        streamed = design_of(recording, train, size // 4)
        print(f"read anew in each pass ({size >> 20} MB of activations, {size >> 22} allowed):")
        _, again = fit(streamed, responses, train)
        _, kept = fit(design, responses, train)
        print(f"  {again:.2f} s beside {kept:.2f} in memory: {again / kept:.2f} × as long")


if __name__ == "__main__":
    main()
