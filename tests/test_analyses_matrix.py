"""A matrix of hypotheses has the scores of probes, controls and units, and like ones are neighbours."""

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from planting import PLANTED, Arrays, Live, in_runs
from scipy.spatial.distance import pdist, squareform

import probe
from activations.units import Site, Unit
from analyses.errors import AnalysisError
from analyses.intervals.estimates import difference_of
from analyses.matrix import NOT_ASKED_FOR, HypothesisMatrix, MatrixCell, hypothesis_matrix
from analyses.probing.results import ProbeResult
from analyses.ranking.results import RankedUnit, Ranking

FAST = probe.FitOptions(penalty=100.0)
NAN = float("nan")


def ranked(unit: str, held_out: float) -> RankedUnit:
    return RankedUnit(
        unit=Unit.parse(unit), score=held_out, held_out_score=held_out, overall=held_out, held_out=held_out, low=NAN,
        high=NAN, within_position_groups=held_out, p=NAN, q=NAN, tie_probability=0.0, direction=1,
    )  # fmt: skip


def ranking(hypothesis: str, *units: RankedUnit, measure: str = "auc") -> Ranking:
    return Ranking(
        hypothesis=hypothesis, method=measure, measure=measure, units=units, n_train=1, n_test=1, auc_error=0.0,
        prevalence=None, n_test_runs=None,
    )  # fmt: skip


def fitted(hypothesis: str, site: str, auc: float, control: str | None = None) -> ProbeResult:
    return ProbeResult(hypothesis=hypothesis, kind="binary", site=site, control=control, auc=auc)


def test_the_cells_are_the_scores_of_the_results(planted: Path) -> None:
    names = list(PLANTED)
    rankings = probe.rank_all(planted, names)
    probes = probe.fit(planted, names, controls=("chars", "position", "runs"), options=FAST)
    matrix = HypothesisMatrix.of(rankings, probes, n_units=5)
    assert set(matrix.hypotheses) == set(names)
    assert set(matrix.sites) == {"0/hidden", "1/hidden", "1/cell"}
    assert {str(unit) for unit in PLANTED.values()} <= set(matrix.units)
    assert len(matrix.units) == 5
    for row, name in enumerate(matrix.hypotheses):
        of_sites = {p.site: p for p in probes if p.hypothesis == name and p.control is None}
        without_model = [p for p in probes if p.hypothesis == name and p.control in ("chars", "position")]
        best = max(without_model, key=lambda p: p.score)
        assert (matrix.of_text[row].column, matrix.of_text[row].score) == (best.site, best.score)
        for site, cell in zip(matrix.sites, matrix.of_sites[row], strict=True):
            expected = of_sites[site]
            assert (cell.hypothesis, cell.column, cell.measure) == (name, site, expected.measure)
            np.testing.assert_equal((cell.score, cell.low, cell.high), (expected.score, *expected.interval))
            assert not (math.isnan(cell.low) and not cell.note)
            added = difference_of(best.estimates[best.measure], expected.estimates[best.measure])
            np.testing.assert_equal((cell.above_text.value, cell.above_text.low), (added.value, added.low))
        [of_units] = [r for r in rankings if r.hypothesis == name]
        by_name = {str(unit.unit): unit for unit in of_units.units}
        for unit, cell in zip(matrix.units, matrix.of_units[row], strict=True):
            np.testing.assert_equal((cell.score, cell.low), (by_name[unit].held_out, by_name[unit].low))
            assert math.isnan(cell.low) == (cell.note == NOT_ASKED_FOR)
        assert matrix.of_units[row][matrix.units.index(str(PLANTED[name]))].strength > 0.5
    assert len(matrix.rows()) == 3 * (3 + 1 + 5)


def test_strengths_are_0_at_chance_and_1_where_perfect() -> None:
    def strength(measure: str, score: float) -> float:
        return MatrixCell(hypothesis="", panel="sites", column="", measure=measure, score=score).strength

    assert [strength("auc", score) for score in (0.5, 0.75, 1.0)] == [0, 0.5, 1]
    assert [strength("r2", score) for score in (-3.0, 0.0, 0.25, 1.0)] == [0, 0, 0.5, 1]
    assert [strength("r", score) for score in (0.0, 0.5)] == [0, 0.5]
    assert all(math.isnan(strength(measure, NAN)) for measure in ("auc", "r2", "r"))


def test_the_best_unit_of_each_hypothesis_is_there_then_the_second_best() -> None:
    one = ranking("one", ranked("0/cell/1", 0.9), ranked("0/cell/2", 0.8), ranked("0/cell/3", 0.7))
    two = ranking("two", ranked("0/cell/4", 0.9), ranked("0/cell/1", 0.8), ranked("0/cell/5", 0.7))
    none = ranking("none", ranked("0/cell/6", NAN))
    units = {n: set(HypothesisMatrix.of([one, two, none], [], n_units=n).units) for n in (1, 2, 3, 9)}
    assert units[1] == units[2] == {"0/cell/1", "0/cell/4"}
    assert units[3] == {"0/cell/1", "0/cell/4", "0/cell/2"}
    assert units[9] == {f"0/cell/{n}" for n in (1, 2, 3, 4, 5)}


def test_like_rows_and_columns_are_neighbours_and_the_strong_come_first() -> None:
    rng = np.random.default_rng(0)
    centres = {"weak": 0.55, "strong": 0.97, "middle": 0.75}
    kinds = [*centres] * 4
    probes = [
        fitted(f"{kind}{n}", str(site), centres[kind] + rng.uniform(-0.01, 0.01))
        for n, kind in enumerate(kinds)
        for site in range(3)
    ]
    matrix = HypothesisMatrix.of([], probes)
    assert [name.rstrip("0123456789") for name in matrix.hypotheses] == ["strong"] * 4 + ["middle"] * 4 + ["weak"] * 4
    strengths = np.array([[cell.strength for cell in row] for row in matrix.of_sites])
    steps = np.diagonal(squareform(pdist(strengths)), 1).sum()
    drawn_at_random = [np.diagonal(squareform(pdist(strengths[rng.permutation(12)])), 1).sum() for _ in range(50)]
    assert steps < min(drawn_at_random)


def test_a_missing_cell_says_why() -> None:
    probes = [
        fitted("a", "0/cell", 0.9),
        fitted("a", "last 5 characters", 0.6, "chars"),
        fitted("b", "0/hidden", 0.8),
        ProbeResult(hypothesis="c", kind="numeric", site="0/cell", note="too few runs"),
    ]
    rankings = [ranking("a", ranked("0/cell/1", 0.7)), ranking("d", ranked("0/cell/2", 0.2), measure="r")]
    matrix = HypothesisMatrix.of(rankings, probes)
    notes = {(row["hypothesis"], row["column"]): (row["note"], row["measure"]) for row in matrix.rows()}
    assert notes["a", "0/hidden"] == ("no probe of this site was fitted", "auc")
    assert notes["c", "0/cell"] == ("too few runs", "r2")
    assert notes["b", "0/cell/1"] == ("no units were ranked for it", "auc")
    assert notes["d", "0/cell/1"] == ("this unit was not ranked for it", "r")
    assert notes["d", "0/cell"] == ("no probe of this site was fitted", "r2")
    assert notes["b", ""][0] == "no probe of the text alone was fitted, or none could be"
    assert notes["a", "last 5 characters"][0] == ""


@pytest.mark.parametrize("kind", [Arrays, Live])
def test_a_source_gives_a_matrix_of_what_is_planted(kind: type[Arrays]) -> None:
    """Quotations and their opposite are the same; a number is known by one unit of another site."""
    rng = np.random.default_rng(3)
    inside = in_runs(rng, 60_000, 30)
    text = "".join("b" if is_inside else "a" for is_inside in inside)
    knowing, blind = rng.normal(size=(60_000, 4)), rng.normal(size=(60_000, 5))
    knowing[:, 2] += 3 * inside

    @probe.hypothesis
    def is_b(text: str) -> NDArray[np.bool_]:
        """Is it a b?"""
        return np.array([char == "b" for char in text])

    @probe.hypothesis
    def is_noise(text: str) -> NDArray[np.bool_]:
        """Nothing."""
        return in_runs(np.random.default_rng(9), len(text), 30)

    values = {Site.of(0, "hidden"): blind.astype("f4"), Site.of(0, "cell"): knowing.astype("f4")}
    matrix = hypothesis_matrix(kind(values, text), [is_noise, is_b], n_units=3, options=FAST)
    assert matrix.hypotheses[0].endswith("is_b") or matrix.hypotheses[1].endswith("is_b")
    row = 0 if matrix.hypotheses[0].endswith("is_b") else 1
    known = dict(zip(matrix.sites, matrix.of_sites[row], strict=True))
    assert known["0/cell"].score > 0.95
    assert known["0/hidden"].low < 0.5 < known["0/hidden"].high
    assert known["0/cell"].above_text.value == pytest.approx(known["0/cell"].score - 1, abs=1e-6)  # the text says it
    by_unit = dict(zip(matrix.units, matrix.of_units[row], strict=True))
    assert by_unit["0/cell/2"].score > 0.95
    assert "is_b" in str(matrix)


def test_without_a_hypothesis_it_is_all_that_apply_and_why_others_do_not() -> None:
    rng = np.random.default_rng(4)
    text = "".join(rng.choice(list("ab\n"), 6000))
    source = Arrays({Site.of(0, "hidden"): rng.normal(size=(6000, 3)).astype("f4")}, text)
    matrix = hypothesis_matrix(source, options=FAST)
    assert "position_in_line" in matrix.hypotheses
    assert "in_quotes" not in matrix.hypotheses
    assert matrix.left_out["in_quotes"]
    with pytest.raises(AnalysisError, match="no site"):
        hypothesis_matrix(source, "position_in_line", sites="cell")
