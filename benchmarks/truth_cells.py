"""The cells of the study: which worlds, what is asked of them, how often, and in which order."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from truth_counting import (
    FISHER,
    LOGIT,
    Columns,
    Counts,
    Scale,
    of_commands,
    of_curse,
    of_curves,
    of_differences,
    of_power,
    of_probes,
    of_rankings,
    of_units,
)
from truth_real import RealTexts, of_real, real_repetition
from truth_repeating import (
    Folded,
    Pair,
    Record,
    command_repetition,
    curse_repetition,
    curve_repetition,
    difference_repetition,
    fit_repetition,
    power_repetition,
    ranking_repetition,
    unit_repetition,
)
from truth_simulating import (
    ClassRuns,
    CountedRuns,
    HeavyRuns,
    HeavyTails,
    LabelProcess,
    LevelShifts,
    Numbers,
    Random,
    RisingPrevalence,
    Runs,
    Several,
    Steady,
    Trending,
    UnitProcess,
    Walks,
    World,
)


class Kind(NamedTuple):
    """A kind of experiment.

    Attributes:
        repeat: One repetition in a world.
        tally: What is counted over all.
        n: How many repetitions there are in the whole study.
        seconds: What one takes at 50,000 characters, about, for the first guess of how long all will take.
    """

    repeat: Callable[[Any, Random], Record]
    tally: Callable[[Columns, Scale], Counts]
    n: int
    seconds: float


KINDS = {
    "unit": Kind(unit_repetition, of_units, 2000, 0.013),
    "ranking": Kind(ranking_repetition, of_rankings, 400, 0.2),
    "power": Kind(power_repetition, of_power, 200, 2.1),
    "curse": Kind(curse_repetition, of_curse, 600, 1.9),
    "fit": Kind(fit_repetition, of_probes, 400, 0.3),
    "curve": Kind(curve_repetition, of_curves, 100, 1.0),
    "difference": Kind(difference_repetition, of_differences, 1000, 0.03),
    "command": Kind(command_repetition, of_commands, 20, 4.0),
    "real": Kind(real_repetition, of_real, 400, 0.4),
}


@dataclass(frozen=True)
class Cell:
    """One line of the results.

    Attributes:
        name: Unique.
        kind: One of `KINDS`.
        world: What each repetition draws.
        only_p: Whether coverage is not asked for, since there is no truth that the held-out part is a sample of.
    """

    name: str
    kind: str
    world: World | RealTexts
    only_p: bool = False

    @property
    def scale(self) -> Scale:
        """On which intervals are symmetric."""
        return FISHER if isinstance(self.world, World) and self.world.is_numeric else LOGIT

    @property
    def guess_s(self) -> float:
        """Seconds of a repetition, guessed: tables take as long whatever the length of the text."""
        n_chars = self.world.n_chars if isinstance(self.world, World) else 60_000
        return KINDS[self.kind].seconds * (0.4 + 0.6 * n_chars / 50_000)


def cells(shared: Path, folder: Path) -> list[Cell]:
    """All of them, the most telling first.

    Args:
        shared: Folder of the models and texts of others.
        folder: For what these models make of their texts.
    """
    texts = RealTexts(shared=shared, folder=folder)
    found = [*_first(), *_unusual(), *_probes(), *_factors(), Cell("real/rankings", "real", texts)]
    by_name: dict[str, Cell] = {}
    for cell in found:
        by_name.setdefault(cell.name, cell)  # some are among the first, and in a table of factors, too
    return list(by_name.values())


def _world(unit: UnitProcess, label: LabelProcess, n_chars: int = 50_000, document: int | None = None) -> World:
    return World(unit, label, n_chars, None, document)


def _null(name: str, world: World, *, only_p: bool = False) -> Iterator[Cell]:
    yield Cell(f"null/{name}", "unit", world, only_p)
    yield Cell(f"ranking/{name}", "ranking", world, only_p)


def _cells_of(name: str, world: World, *truths: float) -> Iterator[Cell]:
    for truth in truths:
        known = World(world.unit, world.label, world.n_chars, truth, world.document)
        yield Cell(f"interval/{name} truth {truth:g}", "unit", known)
    yield from _null(name, world)


_UNITS: dict[str, UnitProcess] = {
    "100": Steady(100),
    "1,000": Steady(1000),
    "10": Steady(10),
    "levels": LevelShifts(),
}
_RUNS = (60, 1500, 6000, 10)


def _first() -> Iterator[Cell]:
    for unit, runs in (("100", 60), ("1,000", 1500), ("levels", 1500), ("1,000", 6000)):
        yield from _unit_and_runs(unit, runs)
    label = CountedRuns(200, 50_000)
    yield Cell("power/among 1,000", "power", World(Several(100, 250, 4), label, truth=0.7))
    yield Cell("curse/best of 1, 100, 1,000", "curse", World(Steady(5), Runs(20, 20), 10_000, truth=0.55))
    yield Cell("command/probe rank --json", "command", World())


def _unit_and_runs(unit: str, runs: int, n_chars: int = 50_000) -> Iterator[Cell]:
    name = f"{n_chars:,} unit {unit} runs {runs:,}"
    yield from _cells_of(name, _world(_UNITS[unit], Runs(runs, runs), n_chars), 0.7)


def _unusual() -> Iterator[Cell]:
    """What is not stationary, and so has p and q only."""
    rising = RisingPrevalence()
    for name, unit in (("walk", Walks()), ("trend", Trending())):
        for runs in (60, 1500):
            yield from _null(f"50,000 unit {name} runs {runs:,}", _world(unit, Runs(runs, runs)), only_p=True)
        yield from _null(f"50,000 unit {name} prevalence rising", _world(unit, rising), only_p=True)
    for name in ("100", "1,000"):
        yield from _null(f"50,000 unit {name} prevalence rising", _world(_UNITS[name], rising), only_p=True)
    yield from _null("50,000 unit 100 numbers trending", _world(Steady(), Numbers(trend=True)), only_p=True)


def _probes() -> Iterator[Cell]:
    for truth in (0.7, None):
        name = "null" if truth is None else f"truth {truth:g}"
        yield Cell(f"fit/100,000 {name}", "fit", Folded(n_chars=100_000, truth=truth))
        yield Cell(f"fit/20,000 5 folds {name}", "fit", Folded(n_chars=20_000, truth=truth, folds=5))
        yield Cell(f"curve/100,000 {name}", "curve", World(n_chars=100_000, truth=truth))
    for correlation in (0.0, 0.8):
        for truth in (0.7, None):
            name = f"truth {0.5 if truth is None else truth:g} correlation {correlation:g}"
            yield Cell(f"difference/{name}", "difference", Pair(truth=truth, correlation=correlation))
        more = Pair(truth=0.6, correlation=correlation, gain=0.1)
        yield Cell(f"difference/power .6 and .7 correlation {correlation:g}", "difference", more)


def _factors() -> Iterator[Cell]:
    for runs in _RUNS:
        for unit in _UNITS:
            yield from _unit_and_runs(unit, runs)
    yield from _prevalences()
    for n_chars in (20_000, 100_000, 5000, 200_000):
        for runs in (60, 1500, 6000):
            yield from _unit_and_runs("100", runs, n_chars)
    yield from _cells_of("50,000 unit heavy tails runs 60", _world(HeavyTails(), Runs()), 0.7)
    yield from _cells_of("50,000 unit 100 heavy runs", _world(Steady(), HeavyRuns()), 0.7)
    yield from _cells_of("50,000 unit 100 runs 80 and 400", _world(Steady(), Runs(80, 400)), 0.7)
    for tau in (30, 300):
        yield from _cells_of(f"50,000 unit 100 numbers {tau}", _world(Steady(), Numbers(tau)), 0.5, 0.9)
    for runs in (60, 1500):
        several = _world(Several(10, 3000, 64), Runs(runs, runs))
        yield Cell(f"ranking/50,000 units 10 to 3,000 runs {runs:,}", "ranking", several)
    yield from _cells_of("50,000 documents of 2,000", _world(Steady(), Runs(), document=2000), 0.7)
    yield from _cells_of("50,000 four classes", _world(Steady(), ClassRuns()), 0.7)


def _prevalences() -> Iterator[Cell]:
    for prevalence, true, n_chars in ((0.5, 60, 50_000), (0.05, 60, 50_000), (0.005, 10, 200_000)):
        label = Runs(true, round(true / prevalence - true))
        name = f"{n_chars:,} unit 100 runs {true:,}" + (f" prevalence {prevalence:g}" if prevalence < 0.5 else "")
        yield from _cells_of(name, _world(Steady(), label, n_chars), 0.7, 0.98)


def remembers(label: LabelProcess) -> float:
    """How long a label stays the same, or a number near it."""
    if isinstance(label, Runs):
        return max(label.true, label.false)
    return getattr(label, "mean", label.tau)


def n_cosines(world: World) -> float:
    """How many cosines the variance behind p is taken from, by the true memory of unit and label."""
    return world.n_chars * (_inverse(world.unit.tau) + _inverse(world.label.tau)) / 20


def _inverse(tau: float) -> float:
    return 0.0 if math.isinf(tau) else 1 / tau
