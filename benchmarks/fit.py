"""How fast many probes are fitted, beside scikit-learn and NeuroX: seconds to the same objective, and their ratios.

python benchmarks/fit.py corpus.txt

All fit the same standardised units to the same labels with the same penalty. scikit-learn fits one hypothesis after
another with smaller and smaller tolerances, until its objective is within a millionth of ours; only its last fit
counts, also if it has not come so far after a thousand iterations. As this takes minutes, it is done for some of the
hypotheses (`--reference` says how many), evenly spread, and their mean stands for all. NeuroX (extra `compare`) makes
its ten epochs for `--neurox` of them.

Times are seconds by the clock, with those of all processors in brackets: on a busy machine, compare the latter.
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
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from rank import binary_targets, record
from sklearn.linear_model import LogisticRegression

from activations.blocks import Source
from activations.recordings.recording import Recording
from activations.units import units_of
from analyses.probing.designs.units import UnitDesign
from analyses.probing.fitting.joint_fits import fit_probes
from analyses.probing.fitting.loss_sums import LossSums
from analyses.probing.fitting.objectives import Objective
from analyses.probing.fitting.problems import FittedProbe, Problem
from analyses.probing.fitting.responses import Response
from analyses.targets.splits import TRAIN
from analyses.targets.target import Target

Result = TypeVar("Result")
_N_CHARS = 200_000
_SAME = 1e-6  # relative difference of two objectives that are called the same
_TOLERANCES = (1e-4, 1e-7, 1e-8, 1e-9)  # scikit-learn's, the first being its default
_SOLVERS = ("lbfgs", "newton-cholesky")
_MAX_ITERATIONS = 1000  # where the tolerance is not the default; there, as by default, 100
_IN_MEMORY = 1 << 30
_SETTINGS = (  # which change how fast products are, and should not be set
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)


class Seconds(NamedTuple):
    """How long something took by the clock, and on all processors together."""

    clock: float
    processors: float

    def __str__(self) -> str:
        return f"{self.clock:.2f} ({self.processors:.2f}) s"


class Labels(NamedTuple):
    """The labels of the hypotheses, and the rows that probes are fitted to."""

    names: list[str]
    responses: list[Response]
    train: NDArray[np.bool_]

    def of(self, number: int) -> tuple[NDArray[np.bool_], NDArray[np.int16]]:
        """Return the training rows of one hypothesis that have a label, and these labels."""
        response = self.responses[number]
        rows = self.train & response.present
        return rows, response.at(slice(None))[rows]


class ReferenceFit(NamedTuple):
    """One fit by scikit-learn."""

    tolerance: float
    objective: float
    seconds: Seconds


def timed(work: Callable[[], Result]) -> tuple[Result, Seconds]:
    """Return the result of some work, and how long it took."""
    clock, processors = time.perf_counter(), time.process_time()
    result = work()
    return result, Seconds(time.perf_counter() - clock, time.process_time() - processors)


def median_of_three(work: Callable[[], object]) -> Seconds:
    """Return the median time of some work that is done three times."""
    seconds = [timed(work)[1] for _ in range(3)]
    return Seconds(*(float(np.median(of_kind)) for of_kind in zip(*seconds, strict=True)))


def total(seconds: Sequence[Seconds], factor: float = 1.0) -> Seconds:
    """Return the sum of some times, multiplied by a factor."""
    return Seconds(*(factor * sum(of_kind) for of_kind in zip(*seconds, strict=True)))


def design_of(source: Source, train: NDArray[np.bool_], memory: int = _IN_MEMORY) -> UnitDesign:
    """Return the hidden units of both layers, 512 of them."""
    units = units_of(source.sites, [site for site in sorted(source.sites) if site.signal == "hidden"])
    return UnitDesign(source, units, train, memory=memory)


def standardised_by_numpy(source: Source, train: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(n_rows, n_columns) the same units as an array, read and standardised by numpy."""
    sites = [site for site in sorted(source.sites) if site.signal == "hidden"]
    blocks = list(source.blocks(sites))
    x = np.concatenate([np.hstack([block.values[site] for site in sites]) for block in blocks]).astype(np.float32)
    mean, scale = x[train].mean(axis=0, dtype=np.float64), x[train].std(axis=0, dtype=np.float64)
    return np.asarray((x - mean) / np.where(scale > 0, scale, 1), np.float32)


def objective_of(
    x: NDArray[np.float32], y: NDArray[np.int16], weights: NDArray[np.floating], intercept: float
) -> float:
    """Compute what is minimised, in float64."""
    z = x.astype(np.float64) @ weights.astype(np.float64) + intercept
    return float(np.logaddexp(0, z).sum() - y @ z + 0.5 * weights @ weights)


def fit(design: UnitDesign, responses: Sequence[Response], train: NDArray[np.bool_]) -> list[FittedProbe]:
    """Fit probes for some labels together."""
    return fit_probes(design, responses, [train], [Problem(response=number) for number in range(len(responses))])


def reference_fits(x: NDArray[np.float32], y: NDArray[np.int16], solver: str, enough: float) -> list[ReferenceFit]:
    """Fit by scikit-learn, with smaller and smaller tolerances, until an objective is reached."""
    fits: list[ReferenceFit] = []
    for tolerance in _TOLERANCES:
        n_iterations = 100 if tolerance == _TOLERANCES[0] else _MAX_ITERATIONS
        reference = LogisticRegression(solver=solver, tol=tolerance, max_iter=n_iterations)
        _, seconds = timed(lambda: reference.fit(x, y))  # noqa: B023 - called at once
        reached = objective_of(x, y, reference.coef_[0], float(reference.intercept_[0]))
        fits.append(ReferenceFit(tolerance, reached, seconds))
        if reached <= enough or reference.n_iter_[0] >= _MAX_ITERATIONS:  # then a smaller tolerance changes nothing
            break
    return fits


def beside_scikit_learn(
    x: NDArray[np.float32], labels: Labels, fitted: Sequence[FittedProbe], numbers: Sequence[int], solver: str
) -> tuple[list[Seconds], list[Seconds], int]:
    """Fit some hypotheses, each alone, with one solver of scikit-learn, and print the objectives.

    Returns:
        How long each took with the default tolerance; how long to the same objective as ours, or if that was not
        reached, in the last attempt; and for how many it was not.
    """
    print(f"scikit-learn, {solver}:")
    by_default, to_the_same, n_missed = [], [], 0
    for number in numbers:
        rows, y = labels.of(number)
        x_of_rows, probe = x[rows], fitted[number]
        ours = objective_of(x_of_rows, y, probe.weights[:, 0], float(probe.intercept[0]))
        fits = reference_fits(x_of_rows, y, solver, ours * (1 + _SAME))
        first, last = fits[0], fits[-1]
        by_default.append(first.seconds)
        to_the_same.append(last.seconds)
        is_missed = last.objective > ours * (1 + _SAME)
        n_missed += is_missed
        missing = f", a share of {last.objective / ours - 1:.0e} too high" if is_missed else ""
        print(
            f"  {labels.names[number]:<22} {last.seconds} with tolerance {last.tolerance:g}; "
            f"objective {last.objective:.3f}{missing}, by default {first.objective:.3f}, "
            f"ours {ours:.3f} in {probe.n_passes} passes",
            flush=True,
        )
    return by_default, to_the_same, n_missed


def beside_neurox(x: NDArray[np.float32], labels: Labels, n_hypotheses: int) -> list[Seconds]:
    """Return how long NeuroX takes for the first hypotheses; nothing if it is not installed."""
    try:
        from neurox.interpretation.linear_probe import (  # type: ignore[import-not-found]
            train_logistic_regression_probe,
        )
    except ImportError:
        return []
    seconds = []
    for number in range(n_hypotheses):
        rows, y = labels.of(number)
        x_of_rows, classes = x[rows], y.astype(np.int64)
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            seconds.append(timed(lambda: train_logistic_regression_probe(x_of_rows, classes))[1])  # noqa: B023 - at once
    return seconds


def show_pass(design: UnitDesign, labels: Labels) -> None:
    """Print how long a pass takes beside the machine's limit: bytes at memory speed, products at the matrix rate."""
    responses, train = labels.responses, labels.train
    objectives = [
        Objective(Problem(response=number), response, response.sums(train), design.n_columns)
        for number, response in enumerate(responses)
    ]
    losses = LossSums(design, [train], objectives, None)
    numbers = list(range(len(responses)))
    zero = [(np.zeros((design.n_columns, 1)), np.zeros(1))] * len(responses)
    seconds = least_of_five(lambda: losses.sums(numbers, zero))
    n_values = int(train.sum()) * design.n_columns
    n_bytes, n_products = 2 * n_values, 2 * n_values * len(numbers)  # float16; the logits, and the gradient
    matrix, in_memory = np.ones((2048, 2048), np.float32), np.ones(n_bytes // 8)
    rate = 2048**3 / least_of_five(lambda: matrix @ matrix)
    speed = n_bytes / least_of_five(in_memory.sum)
    limit = max(n_bytes / speed, n_products / rate)
    print(f"a pass: {seconds:.3f} s; limit {limit:.3f} s ({speed / 1e9:.0f} GB/s, {2 * rate / 1e9:.0f} GFLOP/s)")
    print(f"  that is {limit / seconds:.0%} of the limit")


def least_of_five(work: Callable[[], object]) -> float:
    """Return the least time by the clock, in seconds, of some work that is done five times."""
    return min(timed(work)[1].clock for _ in range(5))


def show_ratio(what: str, theirs: Seconds, ours: Seconds) -> None:
    """Print one line of the comparison."""
    by_clock, by_processors = theirs.clock / ours.clock, theirs.processors / ours.processors
    print(f"  {what}: {theirs} beside {ours}, {by_clock:.1f} ({by_processors:.1f}) × as long", flush=True)


def labels_of(asked: Sequence[Target], n_chars: int) -> Labels:
    """Return the labels of all hypotheses, −1 where a row neither trains nor tests."""
    responses = []
    for target in asked:
        values, parts = target.all_rows
        responses.append(Response("binary", np.where(parts >= 0, values, -1).astype(np.int16), 2))
    return Labels([target.hypothesis for target in asked], responses, asked[0].split.parts(0, n_chars) == TRAIN)


def compare(recording: Recording, labels: Labels, n_reference: int, n_neurox: int) -> None:
    """Print how long all take, in memory and with reading."""
    responses, train = labels.responses, labels.train
    n_hypotheses = len(responses)
    fit(design_of(recording, train), responses[:1], train)  # compiles
    design, reading = timed(lambda: design_of(recording, train))
    fitted = fit(design, responses, train)
    together = median_of_three(lambda: fit(design, responses, train))
    print(f"{n_hypotheses} hypotheses × {design.n_columns} units × {train.sum():,} characters in training")
    print(f"together: {together}, and {reading} to read and standardise; {max(p.n_passes for p in fitted)} passes")
    show_pass(design, labels)
    numbers = list(range(0, n_hypotheses, max(n_hypotheses // n_reference, 1)))[:n_reference]
    alone = total([median_of_three(lambda: fit(design, [responses[n]], train)) for n in numbers])  # noqa: B023 - at once
    x, reading_by_numpy = timed(lambda: standardised_by_numpy(recording, train))
    for solver in _SOLVERS:
        by_default, to_the_same, n_missed = beside_scikit_learn(x, labels, fitted, numbers, solver)
        of_all = n_hypotheses / len(numbers)
        print(f"  all {n_hypotheses}, as long as {len(numbers)} of them on average:")
        show_ratio("default tolerance, whatever it reaches", total(by_default, of_all), together)
        missed = f" (not reached by {n_missed}, whose time is too short)" if n_missed else ""
        show_ratio(f"to the same objective{missed}", total(to_the_same, of_all), together)
        with_reading = total([total(to_the_same, of_all), reading_by_numpy])
        show_ratio("the same with reading", with_reading, total([together, reading]))
        show_ratio(f"these {len(numbers)}, each alone, to the same objective", total(to_the_same), alone)
    if by_neurox := beside_neurox(x, labels, n_neurox):
        print(f"NeuroX, all {n_hypotheses} as long as the first {n_neurox} on average:")
        show_ratio("ten epochs, whatever they reach", total(by_neurox, n_hypotheses / n_neurox), together)
    else:
        print("NeuroX is not installed")
    del x
    n_bytes = len(train) * design.n_columns * 2
    streamed = design_of(recording, train, n_bytes // 4)
    print(f"read anew in each pass ({n_bytes >> 20} MB of activations, {n_bytes >> 22} allowed), beside in memory:")
    show_ratio("fits", timed(lambda: fit(streamed, responses, train))[1], together)


def main() -> None:
    """Print what each takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--chars", type=int, default=_N_CHARS)
    parser.add_argument("--hypotheses", type=int, default=20)
    parser.add_argument("--reference", type=int, default=4, help="hypotheses that scikit-learn fits")
    parser.add_argument("--neurox", type=int, default=1, help="hypotheses that NeuroX fits")
    given = parser.parse_args()
    for name in _SETTINGS:
        if name in os.environ:
            print(f"{name} is set to {os.environ[name]}; unset it, as it changes how fast products are")
    warnings.simplefilter("ignore")  # of fits that end at a limit, and of labels that mean little in this text
    n_chars = min(given.chars, len(given.text.read_text(encoding="utf-8")))
    with (
        tempfile.TemporaryDirectory() as folder,
        Recording(record(given.text, Path(folder) / "a.h5", n_chars)) as recording,
    ):
        labels = labels_of(binary_targets(recording, given.hypotheses), n_chars)
        compare(recording, labels, given.reference, given.neurox)


if __name__ == "__main__":
    main()
