"""One repetition of each kind of experiment: what is drawn, what the program says of it, and what is true."""

import json
import math
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from truth_simulating import (
    SITE,
    ClassRuns,
    Floats,
    Memory,
    Numbers,
    Random,
    Runs,
    Steady,
    World,
    draw,
    draw_labels,
    draw_units,
    plant,
    source,
    target,
)

from activations.blocks import Block
from activations.recordings.format.codings import CODINGS
from activations.recordings.format.grid import Grid
from activations.recordings.format.layout import SiteFacts
from activations.recordings.recorder import new_recording
from activations.texts.lanes import BLOCK_CHARS
from analyses.curves import curve
from analyses.differences import difference
from analyses.errors import AnalysisError
from analyses.probing.options import FitOptions
from analyses.probing.probes import fit
from analyses.probing.results import ProbeResult
from analyses.ranking.ranking import rank
from analyses.ranking.results import RankedUnit
from analyses.targets.splits import TEST
from analyses.targets.target import Target
from hypotheses.labels import Labels

Record = dict[str, float]
"""Numbers of a repetition by name: yes is 1, no is 0, and NaN is what the program declined to say."""

ENOUGH_PIECES = 40  # held out, from which on nothing may be declined
ENOUGH_RUNS = 20
N_NULL = 64  # units of a ranking
N_MANY = 1000
BEST_OF = (1, 100, N_MANY)
N_PROBED = 16
PROBED = (1, 2, 4, 8, 16)  # units of each point of a curve over units
_BY_COMMAND = (
    World(truth=0.7),
    World(Steady(1000), Runs(1500, 1500), 100_000, 0.98),
    World(label=Runs(80, 400), n_chars=20_000),
    World(label=Numbers(), n_chars=20_000, truth=0.5),
    World(label=ClassRuns(), n_chars=30_000, truth=0.7),
)
_ROOT = Path(__file__).resolve().parents[1]  # where the program is that was imported here
_N_FRESH = 1_000_000
_AUC_DEVIATION = 0.02  # of the true AUCs among which a winner is chosen


def unit_repetition(world: World, rng: Random) -> Record:
    """The interval and p of a unit that was fixed in advance."""
    try:
        found, asked = draw(world, rng, 1)
    except AnalysisError:
        return {"refused": 1}
    [unit] = rank(found, asked).units
    truth = world.true_score(unit.direction, unit.label)
    return {
        "refused": 0,
        "p": unit.p,
        "due": is_due(world, asked),
        **_interval(unit.held_out, unit.low, unit.high, truth),
    }


def _interval(score: float, low: float, high: float, truth: float) -> Record:
    return {"score": score, "low": low, "high": high, "truth": truth}


def is_due(world: World, asked: Target) -> bool:
    """Whether there is so much held out that neither an interval nor p may be declined."""
    labels, parts = asked.all_rows
    held_out = parts == TEST
    n_pieces = held_out.sum() / (2 * max(world.unit.tau, world.label.tau, 0.5))
    if not world.stationary or n_pieces < ENOUGH_PIECES:
        return False
    return world.is_numeric or fewest_runs(labels, held_out) >= ENOUGH_RUNS


def fewest_runs(labels: NDArray[Any], held_out: NDArray[np.bool_]) -> int:
    """How many runs of held-out characters the value has that has the fewest."""
    chosen = [held_out & (labels == value) for value in np.unique(labels)]
    return min(int(own[0]) + int((own[1:] & ~own[:-1]).sum()) for own in chosen)


def ranking_repetition(world: World, rng: Random) -> Record:
    """Whether any of many units that have nothing to do with the label seems to have, and the winner's interval."""
    try:
        found, asked = draw(world, rng, N_NULL)
    except AnalysisError:
        return {"refused": 1}
    return {"refused": 0, "due": is_due(world, asked)} | of_null_ranking(rank(found, asked).units, world.chance)


def of_null_ranking(units: tuple[RankedUnit, ...], chance: float) -> Record:
    """What a ranking says of units none of which has anything to do with the label."""
    p, q = (np.array([getattr(unit, name) for unit in units]) for name in ("p", "q"))
    winner = units[0]
    return {
        "any_q": bool((q < 0.05).any()),
        "declined": bool(np.isnan(q).all()),
        "n_p": int(np.isfinite(p).sum()),
        "n_below": int((p < 0.05).sum()),
        **_interval(winner.held_out, winner.low, winner.high, chance),
    }


def power_repetition(world: World, rng: Random) -> Record:
    """Whether a unit that tells the label is found among many that do not: `truth` is of the first of them."""
    labels = draw_labels(world, rng)
    units = draw_units(world, rng, N_MANY)
    plant(world, units[:1], labels, np.array([world.truth]))
    ranking = rank(source(world, units), target(world, labels), n_intervals=1)
    own = next(unit for unit in ranking.units if unit.unit.index == 0)
    n_false = sum(unit.q < 0.05 for unit in ranking.units if unit.unit.index)
    return {"found": bool(own.q < 0.05), "p": own.p, "n_false": n_false}


def curse_repetition(world: World, rng: Random) -> Record:
    """Held-out scores of the best of some units, in training, less their true ones."""
    labels = draw_labels(world, rng)
    units = draw_units(world, rng, N_MANY)
    truths = (world.truth or world.chance) + _AUC_DEVIATION * rng.standard_normal(N_MANY)
    plant(world, units, labels, truths)
    ranking = rank(source(world, units), target(world, labels), n_intervals=1)
    record: Record = {}
    for n in BEST_OF:
        winner = next(unit for unit in ranking.units if unit.unit.index < n)
        truth = float(truths[winner.unit.index])
        record[f"error_{n}"] = winner.held_out - (truth if winner.direction > 0 else 1 - truth)
    return record


class Probed:
    """Units that tell a label only together, in a direction that is drawn."""

    def __init__(self, world: World, rng: Random) -> None:
        self.direction = rng.standard_normal(N_PROBED)
        self.direction /= np.linalg.norm(self.direction)
        self._shift = 0.0 if world.truth is None else world.unit.shift(world.truth)
        labels = draw_labels(world, rng)
        units = draw_units(world, rng, N_PROBED)
        self._add(units, labels)
        self.source, self.target = source(world, units), target(world, labels)

    def _add(self, units: Floats, labels: Labels) -> None:
        for unit, share in zip(units, self.direction.tolist(), strict=True):
            unit[labels.values] += np.float32(self._shift * share)

    def true_auc(self, result: ProbeResult) -> float:
        """Of a probe, on 1,000,000 characters that it has not seen."""
        if not self._shift:
            return 0.5
        noise, labels = _fresh()
        weights = np.zeros(N_PROBED, np.float32)
        weights[[unit.index for unit in result.units]] = result.raw_weights[:, 0]
        said = weights @ noise
        said[labels] += np.float32(self._shift * (self.direction @ weights))
        n_true, n_false = int(labels.sum()), int((~labels).sum())
        return float(rankdata(said)[labels].sum() - n_true * (n_true + 1) / 2) / (n_true * n_false)


@cache
def _fresh() -> tuple[Floats, NDArray[np.bool_]]:
    """Characters that are independent of each other: an AUC's truth does not depend on how units forget."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((N_PROBED, _N_FRESH), dtype=np.float32), rng.random(_N_FRESH) < 0.5


@dataclass(frozen=True)
class Folded(World):
    """A world whose probes are fitted in folds.

    Attributes:
        folds: How many; None holds one fifth out.
    """

    folds: int | None = None


def fit_repetition(world: Folded, rng: Random) -> Record:
    """A probe's interval. The truth of one that was fitted in folds is that of the mean of their weights."""
    drawn = Probed(world, rng)
    [result] = fit(drawn.source, drawn.target, options=FitOptions(folds=world.folds))
    return _interval(result.auc, *result.interval, drawn.true_auc(result))


def curve_repetition(world: World, rng: Random) -> Record:
    """The intervals of probes of the best 1, 2, 4 … units."""
    drawn = Probed(world, rng)
    points = curve(drawn.source, drawn.target, over="units", shares=()).points
    return {
        f"{name}_{len(point.units)}": value
        for point in points
        for name, value in _interval(point.auc, *point.interval, drawn.true_auc(point)).items()
    }


@dataclass(frozen=True)
class Pair(World):
    """Two recordings of the same text.

    Attributes:
        correlation: Of the noise of a unit of one with that of the other.
        gain: By how much the AUC of the second is larger.
    """

    correlation: float = 0.0
    gain: float = 0.0


def difference_repetition(world: Pair, rng: Random) -> Record:
    """The difference between units of two recordings of the same text, whose noise is correlated."""
    labels = draw_labels(world, rng)
    noise = draw_units(world, rng, 2)
    noise[1] = world.correlation * noise[0] + math.sqrt(1 - world.correlation**2) * noise[1]
    truth = world.chance if world.truth is None else world.truth
    found: list[tuple[RankedUnit, float]] = []
    for values, auc in zip(np.split(noise, 2), (truth, truth + world.gain), strict=True):
        plant(world, values, labels, np.array([auc]))
        [unit] = rank(source(world, values), target(world, labels)).units
        found.append((unit, auc if unit.direction > 0 else 1 - auc))
    (first, true_first), (second, true_second) = found
    try:
        told = difference(first, second)  # of the second less that of the first
    except AnalysisError:  # there is no interval of one of them
        return {"p": math.nan, **_interval(math.nan, math.nan, math.nan, 0.0)}
    return {"p": told.p, **_interval(told.value, told.low, told.high, true_second - true_first)}


def command_repetition(world: World, rng: Random) -> Record:
    """Whether `probe rank --json` says of a recording and a hypothesis in a file what `rank` says of arrays."""
    found, asked = draw(_BY_COMMAND[rng.integers(len(_BY_COMMAND))], rng, 3)
    with tempfile.TemporaryDirectory() as folder:
        path, hypothesis = record(found, asked, Path(folder))
        said = by_command(path, hypothesis)
    own = rank(found, asked).rows()
    return {"same": len(own) == len(said) and all(map(_same_row, own, said))}


def record(found: Memory, asked: Target, folder: Path) -> tuple[Path, str]:
    """A recording of what is in memory, and the name of a hypothesis that gives the labels."""
    path, labels = folder / "activations.h5", folder / "labels.npy"
    layout = {SITE: SiteFacts(found.sites[SITE], CODINGS[found.dtype(SITE).name])}
    with new_recording(path, found.corpus, found.vocabulary, layout, predictions=False) as recorder:
        grid = Grid(found.corpus.documents, found.selection, BLOCK_CHARS)
        for start, stop in zip(grid.starts, grid.stops, strict=True):
            recorder.write(Block(int(start), {SITE: found.values[start:stop].copy()}))
    names = np.array(asked.labels.names)
    np.save(labels, names[asked.labels.values] if asked.kind == "categorical" else asked.labels.values)
    code = f"import numpy\n\n\ndef drawn(text):\n    return numpy.load({str(labels)!r})[: len(text)]\n"
    (folder / "drawn.py").write_text(code, encoding="utf-8")
    return path, f"{folder / 'drawn.py'}:drawn"


def by_command(path: Path, hypothesis: str) -> list[dict[str, Any]]:
    """The rows that `probe rank --json` prints of a recording."""
    command = [sys.executable, "-m", "probe", "rank", str(path), "--hypothesis", hypothesis, "--json", "--shifts", "0"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_ROOT)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _same_row(own: dict[str, Any], said: dict[str, Any]) -> bool:
    numbers = {name: value for name, value in own.items() if isinstance(value, float)}
    return own["unit"] == said["unit"] and all(
        math.isclose(value, said[name], rel_tol=1e-9) if math.isfinite(value) else said[name] in (None, value)
        for name, value in numbers.items()
    )
