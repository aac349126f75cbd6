"""Tables of units: the best hypothesis of each, chosen in training, and the share that any hypothesis explains."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from commands import Command, rows
from planting import PLANTED, Arrays, Live, in_runs, random_model

import probe
from activations.models.checkpoints import save_model
from activations.units import Site
from analyses.errors import AnalysisError
from analyses.intervals.significance import q_values
from analyses.targets.labelling import target_of_labels
from analyses.targets.target import Target
from analyses.unit_tables.describe_units import _missing, describe_units
from analyses.unit_tables.explained_shares import (
    UnitStrengths,
    difference_of_shares,
    explained_shares,
    projected_errors,
)
from analyses.unit_tables.unit_table import UnitTable
from hypotheses.labels import Labels

N_CHARS = 40_000
HIDDEN, GATE = Site.of(0, "hidden"), Site.of(0, "update_gate")


def planted_source(rng: np.random.Generator, source: type[Arrays] = Arrays) -> tuple[Arrays, list[Target]]:
    """Unit 0 knows a binary label, 1 its opposite, 2 a number, 3 a class; 4 and 5 are noise, and 6 never changes."""
    binary, other = in_runs(rng, N_CHARS, 30), in_runs(rng, N_CHARS, 25)
    number = np.repeat(rng.normal(size=N_CHARS // 20), 20)
    classes = np.repeat(rng.integers(0, 3, N_CHARS // 20), 20)
    noise = rng.normal(size=(N_CHARS, 7))
    values = noise.copy()
    values[:, 0] += 4.0 * binary
    values[:, 1] -= 4.0 * binary
    values[:, 2] += 3.0 * number
    values[:, 3] += 5.0 * (classes == 2)
    values[:, 6] = 0.25
    gate = 1 / (1 + np.exp(-3 * rng.normal(size=(N_CHARS, 2))))
    arrays = source({HIDDEN: np.tanh(values / 6).astype("f4"), GATE: gate.astype("f4")})
    names = ("one", "two", "three")
    labels = {
        "known": Labels(binary, "binary"),
        "unknown": Labels(other, "binary"),
        "number": Labels(number, "numeric"),
        "classes": Labels(classes.astype(np.int16), "categorical", None, names),
    }
    return arrays, [target_of_labels(arrays.corpus, name, labelled) for name, labelled in labels.items()]


@pytest.fixture(scope="module")
def described() -> tuple[Arrays, list[Target], UnitTable]:
    arrays, targets = planted_source(np.random.default_rng(0))
    return arrays, targets, describe_units(arrays, targets)


def by_name(table: UnitTable) -> dict[str, probe.ranking.DescribedUnit]:
    return {str(unit.unit): unit for unit in table.units}


def test_each_unit_has_the_hypothesis_that_it_knows(described: tuple[Arrays, list[Target], UnitTable]) -> None:
    table = by_name(described[2])
    assert {name: unit.hypothesis for name, unit in table.items() if name[-1] in "0123" and "hidden" in name} == {
        "0/hidden/0": "known",
        "0/hidden/1": "known",
        "0/hidden/2": "number",
        "0/hidden/3": "classes == three",
    }
    assert [table[f"0/hidden/{unit}"].direction for unit in range(4)] == [1, -1, 1, 1]
    assert table["0/hidden/6"].hypothesis is None and np.isnan(table["0/hidden/6"].q)
    assert "never change" in table["0/hidden/6"].no_interval_reason
    assert {str(unit.unit) for unit in described[2].units[:4]} == {f"0/hidden/{unit}" for unit in range(4)}


def test_scores_and_intervals_are_those_of_rankings(described: tuple[Arrays, list[Target], UnitTable]) -> None:
    arrays, targets, table = described
    rankings = {target.hypothesis: probe.rank(arrays, target) for target in targets}
    n_compared = 0
    for unit in table.units:
        if unit.hypothesis is None:
            continue
        ranking = rankings[unit.hypothesis.split(" ==")[0]]
        [ranked] = [ranked for ranked in ranking.units if ranked.unit == unit.unit]
        assert unit.measure == ranking.measure
        numbers = [unit.held_out, unit.low, unit.high, unit.score]
        assert numbers == pytest.approx(
            [ranked.held_out, ranked.low, ranked.high, ranked.score], abs=1e-12, nan_ok=True
        )
        assert unit.n_hypotheses == 4
        assert unit.p == pytest.approx(min(1.0, 4 * ranked.p))
        expected = ranked.held_out if unit.measure == "r" else 2 * ranked.held_out - 1
        assert unit.strength == pytest.approx(expected)
        n_compared += 1
    assert n_compared == 8
    p = np.array([unit.p for unit in table.units])
    assert [unit.q for unit in table.units] == pytest.approx(q_values(p).tolist(), nan_ok=True)


def test_memory_and_saturation_are_those_of_their_statistics(described: tuple[Arrays, list[Target], UnitTable]) -> None:
    arrays, _, table = described
    memory, saturation = probe.collect(
        arrays, [probe.statistics.Autocorrelations(arrays, longest=1024), probe.statistics.Saturations(arrays)]
    )
    for unit in table.units:
        site, index = unit.unit.site, unit.unit.index
        assert unit.time_constant == pytest.approx(memory[site].time_constant[index], nan_ok=True)
        values = next(iter(arrays.read([site]).values()))[:, index].astype(float)
        low, high = (0.1, 0.9) if site == GATE else (-0.9, 0.9)
        assert unit.left_saturated == (values < low).mean()
        assert unit.right_saturated == (values > high).mean()
        assert unit.left_saturated == saturation[site].left[index]


def test_a_site_without_a_range_has_no_saturation(rng: np.random.Generator) -> None:
    values = {Site("blocks.0.mlp"): rng.normal(size=(4000, 3)).astype("f4")}
    arrays = Arrays(values)
    target = target_of_labels(arrays.corpus, "label", Labels(in_runs(rng, 4000, 30), "binary"))
    table = describe_units(arrays, [target])
    assert all(np.isnan([unit.left_saturated, unit.right_saturated]).all() for unit in table.units)


def test_a_live_source_has_the_same_table(described: tuple[Arrays, list[Target], UnitTable]) -> None:
    live, targets = planted_source(np.random.default_rng(0), Live)
    table = describe_units(live, targets)
    for unit, expected in zip(table.units, described[2].units, strict=True):
        assert unit.unit == expected.unit and unit.hypothesis == expected.hypothesis
        numbers = [unit.held_out, unit.low, unit.high, unit.q]
        assert numbers == pytest.approx(
            [expected.held_out, expected.low, expected.high, expected.q], abs=1e-5, nan_ok=True
        )


def test_the_share_counts_strong_significant_units(described: tuple[Arrays, list[Target], UnitTable]) -> None:
    table = described[2]
    strengths = {str(unit.unit): unit.strength for unit in table.units}
    assert all(strengths[f"0/hidden/{unit}"] > 0.85 for unit in range(4))
    share = table.share(0.85)
    assert (share.n_explained, share.n_units, share.share) == (4, 9, 4 / 9)
    assert [share.low, share.high] == pytest.approx([4 / 9, 4 / 9])  # far above the bound, whatever the text
    for bound in table.shares([0.0, 0.5, 0.99]):
        expected = sum(unit.strength >= bound.at_least and unit.q < 0.05 for unit in table.units)
        assert bound.n_explained == expected
    with pytest.raises(AnalysisError, match=r"in \[0, 1\]"):
        table.share(1.5)


def test_noise_is_not_explained(rng: np.random.Generator) -> None:
    arrays = Arrays({HIDDEN: rng.normal(size=(N_CHARS, 40)).astype("f4")})
    targets = [
        target_of_labels(arrays.corpus, f"label {number}", Labels(in_runs(rng, N_CHARS, 30), "binary"))
        for number in range(6)
    ]
    table = describe_units(arrays, targets)
    share = table.share(0.0)
    assert share.n_explained <= 2  # of 40 units, with q < .05: none in 95 of 100 cases
    assert table.share().n_explained == 0
    assert all(abs(unit.strength) < 0.1 for unit in table.units)


def strengths_of(true: np.ndarray, error: float, common: float, rng: np.random.Generator) -> UnitStrengths:
    """Strengths that differ from true ones by errors, whose estimates are projections on 27 cosines."""
    n_cosines = 27
    size = error * (1 - true**2) / (1 - 0.8**2)
    shared, own = np.sqrt(common), np.sqrt(1 - common)
    strength = true + size * (shared * rng.normal() + own * rng.normal(size=len(true)))
    projections = shared * rng.normal(size=(n_cosines, 1)) + own * rng.normal(size=(n_cosines, len(true)))
    strength = np.clip(strength, -0.999, 0.999)
    return UnitStrengths(
        strength=strength,
        is_significant=np.ones(len(true), np.bool_),
        projections=projections * size / (1 - strength**2),
        text="a text",
    )


@pytest.mark.parametrize(("error", "common"), [(0.01, 0.5), (0.03, 0.0), (0.03, 0.5), (0.06, 0.5)])
def test_intervals_of_shares_hold_the_true_share(error: float, common: float, rng: np.random.Generator) -> None:
    """5 % of units are above the bound, and there are more and more below it."""
    n_covered, n_times = 0, 100
    for _ in range(n_times):
        true = np.minimum(rng.exponential(0.8 / -np.log(0.05), 300), 0.99)
        [share] = explained_shares(strengths_of(true, error, common, rng), [0.8])
        n_covered += share.low <= (true >= 0.8).mean() <= share.high
    assert n_covered >= 90  # of 95 or more in the long run


def test_differences_of_shares_drop_what_both_have_in_common(rng: np.random.Generator) -> None:
    first = strengths_of(rng.uniform(0.6, 0.95, 400), 0.03, 0.5, rng)
    same = difference_of_shares(first, first)
    assert (same.value, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)
    weaker = UnitStrengths(
        strength=first.strength - 0.3,
        is_significant=first.is_significant,
        projections=first.projections,
        text=first.text,
    )
    less = difference_of_shares(first, weaker)
    assert less.value == pytest.approx(weaker.explained(0.8).mean() - first.explained(0.8).mean())
    assert less.high < 0 and less.p < 0.05
    for lower in np.linspace(0, 0.02, 11):
        shifted = UnitStrengths(
            strength=first.strength - lower,
            is_significant=first.is_significant,
            projections=strengths_of(first.strength, 0.03, 0.5, rng).projections,
            text=first.text,
        )
        difference = difference_of_shares(first, shifted)
        assert (difference.p < 0.049) <= (not difference.low <= 0 <= difference.high)
    elsewhere = UnitStrengths(**{**{name: getattr(first, name) for name in first.__slots__}, "text": "another"})
    with pytest.raises(AnalysisError, match="different texts"):
        difference_of_shares(first, elsewhere)


def test_projected_errors_have_the_variance_of_the_score(rng: np.random.Generator) -> None:
    arrays, targets = planted_source(rng)
    ranked = probe.rank(arrays, targets[0], sites=HIDDEN).units[0]
    assert ranked.estimate is not None
    atoms = np.ones(len(ranked.estimate.influence), np.bool_)
    projected = projected_errors(ranked.estimate, atoms, 2.0)
    strength = 2 * ranked.held_out - 1
    expected = 2 * ranked.estimate.standard_error / (1 - strength**2)  # on Fisher's scale
    assert np.sqrt(np.mean(projected**2)) == pytest.approx(expected)


def test_the_command_prints_units_and_shares(run: Command, planted: Path) -> None:
    names = ["in_quotes", "in_comment", "position_in_line"]
    status, out, err = run("units", planted, *names, "--json")
    assert status == 0, err
    found = rows(out)
    units = {row["unit"]: row for row in found if "unit" in row}
    shares = [row for row in found if "unit" not in row]
    assert len(units) == 23
    assert {name: units[str(unit)]["hypothesis"] for name, unit in PLANTED.items()} == {name: name for name in PLANTED}
    assert [row["at_least"] for row in shares] == [0.5, 0.6, 0.7, 0.8, 0.9]
    expected = describe_units(planted, names).shares()
    assert [row["share"] for row in shares] == [share.share for share in expected]
    assert [row["low"] for row in shares] == pytest.approx([share.low for share in expected])
    status, out, _ = run("units", planted, *names, "--top", "2", "--csv", "units.csv")
    assert status == 0 and "units are explained" in out
    assert len(Path("units.csv").read_text(encoding="utf-8").splitlines()) == 1 + 23 + 5


def test_an_untrained_twin_stands_beside_the_model(run: Command, code_text: str) -> None:
    Path("corpus.txt").write_text(code_text[:12_000], encoding="utf-8")
    save_model(random_model(code_text), "model.pt")
    assert run("extract", "model.pt", "corpus.txt", "--force")[0] == 0
    arguments = ("in_quotes", "position_in_line", "--sites", "hidden", "--untrained", "model.pt", "--json")
    status, out, err = run("units", *arguments)
    assert status == 0, err
    found = rows(out)
    assert {row["model"] for row in found} == {"trained", "untrained", "trained − untrained"}
    assert Path("activations.fresh.h5").exists()
    shares = {(row["model"], row["at_least"]): row["share"] for row in found if "share" in row}
    assert shares["trained − untrained", 0.5] == pytest.approx(shares["trained", 0.5] - shares["untrained", 0.5])
    live = ("--model", "model.pt", "--text", "corpus.txt")
    status, out, err = run("units", "in_quotes", *live, "--sites", "hidden", "--untrained", "model.pt", "--json")
    assert status == 0, err
    assert run("units", "a.h5", "b.h5")[0] == 2
    assert run("units", "in_quotes", "--at-least", "2")[0] == 2


def test_the_most_frequent_reason_is_given_why_units_have_no_interval() -> None:
    def unit(reason: str) -> Any:
        return SimpleNamespace(low=0.1 if not reason else np.nan, no_interval_reason=reason)

    measured: Any = SimpleNamespace(rankings=[])
    few, constant = "no interval for in_quotes: use a longer text", "no interval: the score has the same value"
    assert _missing(measured, [unit(""), unit(few), unit(constant), unit(few)]) == [
        f"3 of 4 units have no interval; the reason of 2 of them: {few}"
    ]
    assert _missing(measured, [unit(few), unit(few)]) == [f"2 of 2 units have no interval; the reason: {few}"]
    assert _missing(measured, [unit("")]) == []
