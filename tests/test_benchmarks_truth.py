"""The short version of the simulation study of intervals, p-values and q-values, and the study's own parts.

A right program fails one of the counts of the short version with a probability below 0.0001, all of them together.
"""

import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import rankdata

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from truth import repeat, run_cell, to_run
from truth_cells import KINDS, Cell, cells
from truth_counting import Counts, columns
from truth_judging import ANY_Q, COVERAGE, P_BELOW, judge, too_few, too_many
from truth_page import print_page, separated
from truth_repeating import Folded, Pair, Probed, fewest_runs
from truth_results import Result, read, without_words, write
from truth_simulating import (
    ClassRuns,
    CountedRuns,
    HeavyRuns,
    HeavyTails,
    LabelProcess,
    LevelShifts,
    Numbers,
    RisingPrevalence,
    Runs,
    Several,
    Steady,
    Trending,
    UnitProcess,
    Walks,
    World,
    draw,
)
from truth_usual import of_unit

from activations.units import units_of
from analyses.probing.results import ProbeResult
from hypotheses.labels import Labels

_SURE = 1e-5  # there are fewer than ten counts
_NOT_SHARED = Path("/nonexistent")


def counted(kind: str, world: World, n: int) -> Counts:
    """What is counted over some repetitions, whose seeds are fixed."""
    return run_cell(Cell("short", kind, world), n, code="").counts


# The program: a few repetitions of the cells that tell most.


@pytest.mark.parametrize(
    ("world", "n"),
    [
        (World(n_chars=20_000, truth=0.7), 300),
        (World(truth=0.98), 100),
        (World(label=Numbers(30), n_chars=30_000, truth=0.5), 300),
    ],
    ids=["20,000 characters", "auc .98", "numbers"],
)
def test_intervals_cover_the_true_score(world: World, n: int) -> None:
    counts = counted("unit", world, n)
    least = 0.90 if world.truth == 0.98 else COVERAGE[0]
    assert not too_few(counts["covered"], counts["shown"], least, sure=_SURE), counts


def test_intervals_of_units_that_stay_at_a_few_levels_are_declined() -> None:
    """How many levels a text happens to hold decides the score, and where they are alike nothing shows it."""
    counts = counted("unit", World(LevelShifts(), Runs(), truth=0.7), 100)
    assert counts["shown"] <= 20, counts


@pytest.mark.parametrize(
    "world",
    [World(), World(Trending(), RisingPrevalence()), World(Walks(), Runs(1500, 1500))],
    ids=["base", "trend and trend", "random walk"],
)
def test_units_that_have_nothing_to_do_with_the_label_have_a_small_p_as_rarely_as_it_says(world: World) -> None:
    counts = counted("unit", world, 80)
    assert not too_many(counts["p_below"], counts["p_shown"], 0.08, sure=_SURE), counts


def test_rankings_of_slow_units_and_labels_find_nothing_where_there_is_nothing() -> None:
    counts = counted("ranking", World(LevelShifts(), Runs(6000, 6000)), 12)
    assert not too_many(counts["any_q"], 12, ANY_Q, sure=_SURE), counts


def test_nothing_is_declined_where_much_is_held_out() -> None:
    counts = counted("unit", World(), 20)
    assert (counts["due"], counts["due_but_declined"]) == (20, 0)


@pytest.mark.slow  # a subprocess that imports everything
def test_the_command_says_of_a_recording_what_the_library_says_of_arrays() -> None:
    assert counted("command", World(), 2) == {"same": 2}


@pytest.mark.slow  # each ranks 1,000 units
def test_a_unit_that_knows_the_label_is_found_among_a_thousand() -> None:
    [cell] = [each for each in cells(_NOT_SHARED, _NOT_SHARED) if each.kind == "power"]
    assert not too_few(run_cell(cell, 4, code="").counts["found"], 4, 190 / 200, sure=_SURE)


@pytest.mark.slow  # each ranks 1,000 units
def test_held_out_scores_of_winners_are_as_high_as_the_true_ones() -> None:
    [cell] = [each for each in cells(_NOT_SHARED, _NOT_SHARED) if each.kind == "curse"]
    n = 6
    counts = run_cell(cell, n, code="").counts
    assert all(abs(counts[f"mean_{best}"]) < 4.5 * 0.035 / math.sqrt(n) + 0.005 for best in (1, 100, 1000)), counts


@pytest.mark.slow  # each fits five probes with five penalties
def test_intervals_of_probes_cover_the_true_score() -> None:
    counts = counted("fit", Folded(n_chars=20_000, folds=5), 60)
    assert counts["shown"] > 30
    assert not too_few(counts["covered"], counts["shown"], COVERAGE[0], sure=_SURE), counts


def test_intervals_of_differences_cover_the_true_one() -> None:
    counts = counted("difference", Pair(truth=0.7, correlation=0.8), 60)
    assert counts["shown"] > 30
    assert not too_few(counts["covered"], counts["shown"], COVERAGE[0], sure=_SURE), counts
    assert not too_many(counts["p_below"], counts["p_shown"], P_BELOW, sure=_SURE), counts


# The study: what it draws is what it says.


def auc(values: NDArray[np.float32], labels: NDArray[np.bool_]) -> float:
    n_true, n_false = int(labels.sum()), int((~labels).sum())
    return float((rankdata(values)[labels].sum() - n_true * (n_true + 1) / 2) / n_true / n_false)


@pytest.mark.parametrize(
    ("unit", "error"), [(Steady(10), 0.004), (LevelShifts(20), 0.004), (HeavyTails(10), 0.004)], ids=str
)
def test_planted_units_have_the_auc_that_is_asked_for(unit: UnitProcess, error: float) -> None:
    drawn, asked = draw(World(unit, Runs(), 2_000_000, 0.7), np.random.default_rng(0), 1)
    assert auc(drawn.values[:, 0], asked.labels.values) == pytest.approx(0.7, abs=error)


def test_a_planted_class_has_the_auc_that_is_asked_for_and_the_others_what_is_left() -> None:
    world = World(Steady(10), ClassRuns(), 1_000_000, 0.8)
    drawn, asked = draw(world, np.random.default_rng(0), 1)
    for place, name in enumerate(asked.labels.names):
        own = auc(drawn.values[:, 0], asked.labels.values == place)
        assert own == pytest.approx(world.true_score(1, name), abs=0.006)


@pytest.mark.parametrize("r", [0.0, 0.5, 0.9])
def test_planted_numbers_have_the_correlation_that_is_asked_for(r: float) -> None:
    drawn, asked = draw(World(Steady(10), Numbers(30), 1_000_000, r), np.random.default_rng(0), 1)
    assert np.corrcoef(drawn.values[:, 0], asked.labels.values)[0, 1] == pytest.approx(r, abs=0.015)


def tau_of(values: NDArray[np.float64], n_together: int) -> float:
    """The integrated autocorrelation time, from how much means of many characters vary."""
    means = values[: len(values) // n_together * n_together].reshape(-1, n_together).mean(axis=1)
    return float(means.var() / values.var() * n_together / 2)


@pytest.mark.parametrize("process", [Steady(20), LevelShifts(40), HeavyTails(20)], ids=str)
def test_units_remember_as_long_as_they_say(process: UnitProcess) -> None:
    [values] = process.draw(np.random.default_rng(1), 2_000_000, 1).astype(np.float64)
    assert tau_of(values, 2000) == pytest.approx(process.tau, rel=0.2)


@pytest.mark.parametrize(
    "process", [Runs(40, 40), Runs(30, 150), ClassRuns(40), Numbers(20), CountedRuns(25_000, 2_000_000)], ids=str
)
def test_labels_remember_as_long_as_they_say(process: LabelProcess) -> None:
    values = process.draw(np.random.default_rng(2), 2_000_000).values
    own = values == 1 if values.dtype != np.float64 else values
    assert tau_of(own.astype(np.float64), 2000) == pytest.approx(process.tau, rel=0.2)


def test_several_units_remember_from_the_shortest_to_the_longest() -> None:
    units = Several(2, 32, 5).draw(np.random.default_rng(3), 500_000, 10).astype(np.float64)
    assert [tau_of(unit, 2000) for unit in units[::2]] == pytest.approx([2, 4, 8, 16, 32], rel=0.25)


def runs_of(labels: NDArray[np.bool_], value: bool) -> NDArray[np.int64]:
    """Lengths of the runs that are neither the first nor the last."""
    ends = np.flatnonzero(np.diff(labels)) + 1
    lengths: NDArray[np.int64] = np.diff(ends)[labels[ends[:-1]] == value]
    return lengths


@pytest.mark.parametrize(("true", "false"), [(10, 10), (80, 400), (10, 1990)])
def test_runs_are_as_long_as_they_say(true: int, false: int) -> None:
    labels = Runs(true, false).draw(np.random.default_rng(4), 3_000_000).values
    assert runs_of(labels, True).mean() == pytest.approx(true, rel=0.1)
    assert runs_of(labels, False).mean() == pytest.approx(false, rel=0.1)


def test_counted_runs_are_so_many() -> None:
    labels = CountedRuns(200, 50_000).draw(np.random.default_rng(5), 50_000).values
    assert np.count_nonzero(np.diff(labels)) == 399


def test_heavy_runs_have_their_mean_and_a_few_long_ones() -> None:
    labels = HeavyRuns(60).draw(np.random.default_rng(6), 3_000_000).values
    lengths = np.concatenate([runs_of(labels, True), runs_of(labels, False)])
    assert lengths.mean() == pytest.approx(60, rel=0.2)
    assert lengths.max() > 100 * lengths.mean()


def test_the_last_document_knows_nothing_of_the_one_before() -> None:
    world = World(Steady(1000), Numbers(1000), 40_000, None, 20)
    drawn, _ = draw(world, np.random.default_rng(7), 1)
    own = drawn.values[:, 0].reshape(-1, 20)
    assert abs(np.corrcoef(own[:-1, -1], own[1:, 0])[0, 1]) < 0.1
    assert np.corrcoef(own[:, 0], own[:, -1])[0, 1] > 0.95
    assert len(drawn.corpus.documents) == 2000


def test_a_probe_of_the_planted_direction_has_the_planted_auc() -> None:
    drawn = Probed(World(n_chars=20_000, truth=0.7), np.random.default_rng(8))
    units = tuple(units_of(drawn.source.sites, list(drawn.source.sites)))
    perfect = ProbeResult(hypothesis="", kind="binary", site="", units=units, raw_weights=drawn.direction[:, None])
    assert drawn.true_auc(perfect) == pytest.approx(0.7, abs=0.003)
    useless = replace(perfect, raw_weights=_across(drawn.direction)[:, None])
    assert drawn.true_auc(useless) == pytest.approx(0.5, abs=0.003)


def _across(direction: NDArray[np.float64]) -> NDArray[np.float64]:
    """A direction at a right angle to this one."""
    return np.concatenate([direction[1::2][:, None], -direction[::2][:, None]], axis=1).ravel()


def test_runs_of_the_rarest_value_are_counted_where_they_are_held_out() -> None:
    labels = np.array([1, 1, 0, 1, 0, 0, 1, 1], bool)
    held_out = np.array([1, 1, 1, 1, 0, 0, 0, 1], bool)
    assert fewest_runs(labels, held_out) == 1
    assert fewest_runs(labels, np.ones(8, bool)) == 2


# The study: its rules, and its file.


@pytest.mark.parametrize(
    ("counts", "world", "passes"),
    [
        ({}, World(truth=0.7), True),
        ({"covered": 1859}, World(truth=0.7), False),
        ({"covered": 1961}, World(truth=0.7), False),
        ({"covered": 1961}, World(truth=0.7, n_chars=20_000), True),
        ({"covered": 1800}, World(truth=0.98), True),
        ({"covered": 1799}, World(truth=0.98), False),
        ({"width": 0.26}, World(truth=0.7), False),
        ({"shown": 20, "covered": 15}, World(truth=0.7), True),
        ({"shown": 20, "covered": 12}, World(truth=0.7), False),
        ({"due_but_declined": 1}, World(truth=0.7), False),
        ({"p_below": 130}, World(), True),
        ({"p_below": 131}, World(), False),
        ({"p_below": 160}, World(Steady(1000), Runs(1500, 1500)), True),
        ({"p_below": 161}, World(Steady(1000), Runs(1500, 1500)), False),
    ],
    ids=str,
)
def test_a_cell_passes_by_its_rules(counts: Counts, world: World, passes: bool) -> None:
    usual: Counts = {"shown": 2000, "covered": 1900, "width": 0.2, "true_width": 0.2, "refused": 0, "due": 2000}
    usual |= {"due_but_declined": 0, "p_shown": 2000, "p_below": 100}
    verdicts = judge(Cell("one", "unit", world), usual | counts, 2000)
    assert all(verdict.passed for verdict in verdicts) == passes


@pytest.mark.parametrize(("any_q", "passes"), [(34, True), (35, False)])
def test_rankings_pass_by_how_many_find_something(any_q: int, passes: bool) -> None:
    counts: Counts = {"any_q": any_q, "declined": 0, "refused": 0, "n_p": 25_600, "n_below": 1280}
    counts |= {"due_but_declined": 0, "shown": 400, "covered": 380}
    assert all(verdict.passed for verdict in judge(Cell("one", "ranking", World()), counts, 400)) == passes


def test_all_cells_have_a_name_of_their_own_and_can_be_drawn() -> None:
    all_cells = cells(_NOT_SHARED, _NOT_SHARED)
    assert len({cell.name for cell in all_cells}) == len(all_cells)
    for world in {cell.world for cell in all_cells if isinstance(cell.world, World)}:
        labels = world.label.draw(np.random.default_rng(0), world.n_chars)
        assert len(labels) == world.n_chars
        assert world.unit.draw(np.random.default_rng(0), 500, 2).shape == (2, 500)


def test_repetitions_are_the_same_however_they_are_cut_in_chunks() -> None:
    cell = Cell("one", "unit", World(n_chars=5000))
    whole, _ = repeat(cell, 0, range(4))
    parts = [record for start in (0, 2) for record in repeat(cell, 0, range(start, start + 2))[0]]
    whole_columns, part_columns = columns(whole), columns(parts)
    for name, column in whole_columns.items():
        np.testing.assert_array_equal(column, part_columns[name])


def test_what_is_said_in_words_is_not_part_of_the_program() -> None:
    one = '"""Words."""\n\ndef f(x):  # why\n    """More."""\n    return x + 1\n'
    assert without_words(one) == without_words("def f( x ):\n    return (x+1)\n")
    assert without_words(one) != without_words("def f(x):\n    return x + 2\n")


def test_a_run_goes_on_where_another_ended(tmp_path: Path) -> None:
    first, second, third = (Cell(name, "command", World()) for name in ("first", "second", "third"))
    settings = f"command: {World()!r}"
    results = {
        "second": Result("second", settings, 0, KINDS["command"].n, "new", 1.0, {"same": 20}),
        "first": Result("first", settings, 0, KINDS["command"].n, "old", 1.0, {"same": 20}),
    }
    path = tmp_path / "truth.jsonl"
    write(path, results, ["first", "second", "third"])
    assert list(read(path)) == ["first", "second"]
    assert read(path) == results
    asked = [first, second, third]
    assert to_run(asked, read(path), "new", 1.0, again=False) == [third]
    assert to_run(asked, read(path), "new", 1.0, again=True) == [first, third]
    assert to_run(asked, read(path), "new", 0.1, again=False) == asked
    changed = replace(second, world=World(n_chars=20_000))
    assert to_run([changed], read(path), "new", 1.0, again=False) == [changed]


def test_usual_ways_are_right_of_independent_characters() -> None:
    """So what they get wrong in the table is due to dependence."""
    found = []
    for number in range(60):
        rng = np.random.default_rng(number)
        values = rng.standard_normal(2000, dtype=np.float32)
        found.append(of_unit(values, Labels(rng.random(2000) < 0.5, "binary"), 0.5, rng))
    for way in ("folds", "bootstrap"):
        assert not too_few(sum(record[way] for record in found), 60, 0.93, sure=_SURE)
    for way in ("characters", "shifts"):
        assert not too_many(sum(record[way] for record in found), 60, 0.065, sure=_SURE)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("50,000 unit 100 runs 60 truth 0.7", "50,000 · unit 100 · runs 60 · truth 0.7"),
        ("50,000 unit 100 heavy runs", "50,000 · unit 100 · heavy runs"),
        ("50,000 units 10 to 3,000 runs 60", "50,000 · units 10 to 3,000 · runs 60"),
        ("20,000 5 folds null", "20,000 · 5 folds · null"),
    ],
)
def test_the_parts_of_a_cells_name_are_separated(name: str, shown: str) -> None:
    assert separated(name) == shown


def test_the_tables_of_the_document_are_those_of_the_results(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = Path(__file__).parents[1]
    all_cells, results = cells(tmp_path, tmp_path), read(root / "benchmarks" / "truth.jsonl")
    print_page(all_cells, results)
    page = capsys.readouterr().out.strip()
    assert len(page.splitlines()) > len(all_cells)
    assert page in (root / "docs" / "statistics.md").read_text(encoding="utf-8")
