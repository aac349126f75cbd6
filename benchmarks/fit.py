"""How fast many probes are fitted, beside scikit-learn and NeuroX: seconds to the same objective, and their ratios.

python benchmarks/fit.py corpus.txt

Each fits the same standardised units to the same labels with the same penalty. scikit-learn's solvers are run with
smaller and smaller tolerances, until the objective is within a millionth of ours; the last run counts, and its default
tolerance is timed as well. NeuroX, if it is installed (extra `compare`), makes its ten epochs for the first hypotheses.
"""

import argparse
import contextlib
import io
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

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

_N_CHARS = 200_000
_SAME = 1e-6  # relative difference of two objectives that are called the same
_TOLERANCES = (1e-4, 1e-6, 1e-8, 1e-10)  # scikit-learn's, the first being its default
_SOLVERS = ("lbfgs", "newton-cholesky")
_MAX_ITERATIONS = 5000
_N_ALONE = 5  # hypotheses that are fitted alone
_SETTINGS = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # which change how fast products are, and should not be set


class Labels(NamedTuple):
    """The labels of the hypotheses, and the rows that probes are fitted to."""

    names: list[str]
    responses: list[Response]
    train: NDArray[np.bool_]

    def of(self, number: int) -> tuple[NDArray[np.bool_], NDArray[np.int16]]:
        """The training rows of one hypothesis that have a label, and these labels."""
        response = self.responses[number]
        rows = self.train & response.present
        return rows, response.at(slice(None))[rows]


def seconds_of(work: Callable[[], object]) -> float:
    """How long something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def design_of(source: Source, train: NDArray[np.bool_], memory: int) -> UnitDesign:
    """The hidden units of both layers, 512 of them."""
    units = units_of(source.sites, [site for site in sorted(source.sites) if site.signal == "hidden"])
    return UnitDesign(source, units, train, memory=memory)


def standardised(source: Source, train: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(n_rows, n_columns) the same units as an array, read and standardised by numpy."""
    sites = [site for site in sorted(source.sites) if site.signal == "hidden"]
    blocks = list(source.blocks(sites))
    x = np.concatenate([np.hstack([block.values[site] for site in sites]) for block in blocks]).astype(np.float32)
    mean, scale = x[train].mean(axis=0, dtype=np.float64), x[train].std(axis=0, dtype=np.float64)
    return np.asarray((x - mean) / np.where(scale > 0, scale, 1), np.float32)


def objective(x: NDArray[np.float32], y: NDArray[np.int16], weights: NDArray[np.floating], intercept: float) -> float:
    """What is minimised, in float64."""
    z = x.astype(np.float64) @ weights.astype(np.float64) + intercept
    return float(np.logaddexp(0, z).sum() - y @ z + 0.5 * weights @ weights)


def fit(design: UnitDesign, responses: Sequence[Response], train: NDArray[np.bool_]) -> tuple[list[FittedProbe], float]:
    """All probes together, and the seconds that took."""
    began = time.perf_counter()
    problems = [Problem(response=number) for number in range(len(responses))]
    fitted = fit_probes(design, responses, [train], problems)
    return fitted, time.perf_counter() - began


def beside_scikit_learn(
    x: NDArray[np.float32], labels: Labels, fitted: Sequence[FittedProbe], solver: str
) -> tuple[float, NDArray[np.float64]]:
    """Fit each alone with one solver, print the objectives, and return the seconds of the default tolerance.

    Also returns (n_hypotheses,) the seconds to the same objective; infinite where no tolerance reaches it.
    """
    by_default, to_the_same = 0.0, np.full(len(fitted), np.inf)
    for number, probe in enumerate(fitted):
        rows, y = labels.of(number)
        x_of_rows = x[rows]
        ours = objective(x_of_rows, y, probe.weights[:, 0], float(probe.intercept[0]))
        first = np.inf
        for tolerance in _TOLERANCES:
            n_iterations = 100 if tolerance == _TOLERANCES[0] else _MAX_ITERATIONS
            reference = LogisticRegression(solver=solver, tol=tolerance, max_iter=n_iterations)
            seconds = seconds_of(lambda: reference.fit(x_of_rows, y))  # noqa: B023 - called at once
            theirs = objective(x_of_rows, y, reference.coef_[0], float(reference.intercept_[0]))
            if tolerance == _TOLERANCES[0]:
                by_default += seconds
                first = theirs
            if theirs <= ours * (1 + _SAME):
                to_the_same[number] = seconds
                break
        print(
            f"  {labels.names[number]:<22} {to_the_same[number]:6.2f} s with tolerance {tolerance:g}; "
            f"objective {theirs:11.3f}, by default {first:11.3f}, ours {ours:11.3f}, {probe.n_passes} passes"
        )
    return by_default, to_the_same


def beside_neurox(x: NDArray[np.float32], labels: Labels, n_hypotheses: int) -> float | None:
    """The mean seconds that NeuroX takes for a hypothesis; None if it is not installed."""
    try:
        from neurox.interpretation.linear_probe import (  # type: ignore[import-not-found]
            train_logistic_regression_probe,
        )
    except ImportError:
        return None
    total = 0.0
    for number in range(n_hypotheses):
        rows, y = labels.of(number)
        x_of_rows, classes = x[rows], y.astype(np.int64)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            total += seconds_of(lambda: train_logistic_regression_probe(x_of_rows, classes))  # noqa: B023 - at once
    return total / n_hypotheses


def show_pass(design: UnitDesign, labels: Labels) -> None:
    """Print how long a pass takes beside the machine's limit: bytes at memory speed, products at the matrix rate."""
    from analyses.probing.fitting.loss_sums import LossSums
    from analyses.probing.fitting.objectives import Objective

    responses, train = labels.responses, labels.train
    objectives = [
        Objective(Problem(response=number), response, response.sums(train), design.n_columns)
        for number, response in enumerate(responses)
    ]
    losses = LossSums(design, [train], objectives, None)
    numbers = list(range(len(responses)))
    zero = [(np.zeros((design.n_columns, 1)), np.zeros(1))] * len(responses)
    seconds = min(seconds_of(lambda: losses.sums(numbers, zero)) for _ in range(5))
    n_bytes, n_products = (
        int(train.sum()) * design.n_columns * 2,
        int(train.sum()) * design.n_columns * len(numbers) * 2,
    )
    a = np.ones((2048, 2048), np.float32)
    rate = a.size * len(a) / min(seconds_of(lambda: a @ a) for _ in range(5))
    source = np.ones(n_bytes // 8)
    speed = n_bytes / min(seconds_of(source.sum) for _ in range(5))
    limit = max(n_bytes / speed, n_products / rate)
    print(f"a pass: {seconds:.3f} s; limit {limit:.3f} s ({speed / 1e9:.0f} GB/s, {2 * rate / 1e9:.0f} GFLOP/s)")
    print(f"  that is {limit / seconds:.0%} of the limit")


def show_ratio(what: str, theirs: float, ours: float) -> None:
    """Print one line of the comparison."""
    print(f"{what}: {theirs:.2f} s beside {ours:.2f}, {theirs / ours:.1f} × as long")


def labels_of(asked: Sequence[Target], n_chars: int) -> Labels:
    """The labels of all hypotheses, −1 where a row neither trains nor tests."""
    responses = []
    for target in asked:
        values, parts = target.all_rows
        responses.append(Response("binary", np.where(parts >= 0, values, -1).astype(np.int16), 2))
    return Labels([target.hypothesis for target in asked], responses, asked[0].split.parts(0, n_chars) == TRAIN)


def compare(recording: Recording, labels: Labels, n_neurox: int) -> None:
    """Print how long all take, in memory and with reading."""
    responses, train = labels.responses, labels.train
    fit(design_of(recording, train, 1 << 30), responses[:1], train)  # compiles
    began = time.perf_counter()
    design = design_of(recording, train, 1 << 30)
    reading = time.perf_counter() - began
    fitted, together = fit(design, responses, train)
    size = f"{len(responses)} hypotheses × {design.n_columns} units × {len(train):,} characters"
    print(f"{size}, {train.sum():,} in training")
    print(f"together: {together:.2f} s, and {reading:.2f} s to read and standardise")
    alone = [fit(design, [response], train)[1] for response in responses[:_N_ALONE]]
    show_pass(design, labels)
    began = time.perf_counter()
    x = standardised(recording, train)
    reading_by_numpy = time.perf_counter() - began
    for solver in _SOLVERS:
        print(f"scikit-learn, {solver}:")
        by_default, to_the_same = beside_scikit_learn(x, labels, fitted, solver)
        show_ratio("  default tolerance, whatever it reaches", by_default, together)
        show_ratio("  to the same objective", to_the_same.sum(), together)
        show_ratio("  the same with reading", to_the_same.sum() + reading_by_numpy, together + reading)
        show_ratio(f"  each of the first {len(alone)} alone", to_the_same[: len(alone)].sum(), sum(alone))
    per_hypothesis = beside_neurox(x, labels, n_neurox)
    if per_hypothesis is None:
        print("NeuroX is not installed")
    else:
        show_ratio(f"NeuroX, all as long as the first {n_neurox}", per_hypothesis * len(responses), together)
    del x
    n_bytes = len(train) * design.n_columns * 2
    streamed = design_of(recording, train, n_bytes // 4)
    print(f"read anew in each pass ({n_bytes >> 20} MB of activations, {n_bytes >> 22} allowed):")
    show_ratio("  fits", fit(streamed, responses, train)[1], fit(design, responses, train)[1])


def main() -> None:
    """Print what each takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    parser.add_argument("--chars", type=int, default=_N_CHARS)
    parser.add_argument("--hypotheses", type=int, default=20)
    parser.add_argument("--neurox", type=int, default=1, help="hypotheses that NeuroX fits")
    given = parser.parse_args()
    for name in _SETTINGS:
        if name in os.environ:
            print(f"{name} is set to {os.environ[name]}; unset it, as it changes how fast products are")
    warnings.simplefilter("ignore", ConvergenceWarning)
    n_chars = min(given.chars, len(given.text.read_text(encoding="utf-8")))
    with (
        tempfile.TemporaryDirectory() as folder,
        Recording(record(given.text, Path(folder) / "a.h5", n_chars)) as recording,
    ):
        compare(recording, labels_of(binary_targets(recording, given.hypotheses), n_chars), given.neurox)


if __name__ == "__main__":
    main()
