"""The fewest units that reach a share of what all know: found exactly, and its interval has it often enough."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from planting import Arrays, in_runs
from scipy.optimize import brentq
from scipy.stats import norm

import probe
from activations.units import Site, Unit
from analyses.errors import AnalysisError
from analyses.fewest_units import SHARES, FewestUnits, fewest_units
from analyses.intervals.estimates import Estimate
from analyses.probing.forward_selection import select_units
from analyses.probing.results import ProbeResult
from analyses.targets.labelling import target
from analyses.targets.target import Target

Units = tuple[Unit, ...]
SIZES = (1, 2, 4, 8, 16)
N_ALL = 100
HIDDEN = Site.of(0, "hidden")
FAST = probe.FitOptions(penalty=1.0)


def probe_of(
    n_units: int, auc: float, error: NDArray[np.float64] | None = None, *, reason: str = "", n_runs: int | None = None
) -> ProbeResult:
    """A probe whose AUC is measured with these errors of the atoms."""
    influence = np.zeros(20) if error is None else error
    estimate = Estimate(
        value=auc, influence=influence, n_atoms=len(influence), text="a", no_interval_reason=reason, n_runs=n_runs
    )
    units = tuple(Unit(HIDDEN, index) for index in range(n_units))
    return ProbeResult(hypothesis="a", kind="binary", site="a", units=units, auc=auc, estimates={"auc": estimate})


def found(share: float, true_auc: dict[int, float], errors: dict[int, NDArray[np.float64]]) -> FewestUnits:
    """What is found from measured scores: the true ones and the sums of their errors."""

    def measured(n: int) -> ProbeResult:
        error = errors[min(errors, key=lambda size: abs(size - n))]
        return probe_of(n, true_auc[n] + error.sum(), error)

    return fewest_units(share, SIZES, [measured(n) for n in SIZES], measured(N_ALL), measured)


def noise(rng: np.random.Generator, sd: float, n_atoms: int = 20) -> dict[int, NDArray[np.float64]]:
    """Errors of the atoms of each size, half of which are the text's, common to all."""
    common = rng.normal(size=n_atoms)
    sizes = (*SIZES, N_ALL)
    return {n: sd / np.sqrt(n_atoms) * (common + rng.normal(size=n_atoms)) / np.sqrt(2) for n in sizes}


def grown(at_fewest: int, margin: float, share: float = 0.95) -> dict[int, float]:
    """True AUCs that grow slowly, and are above the share from `at_fewest` units on, by a margin there."""
    bound = 0.5 + share * 0.4
    aucs = {n: bound - 0.3 * (at_fewest - n) / at_fewest - margin for n in range(1, at_fewest)}
    aucs |= {n: bound + margin + 1e-4 * (n - at_fewest) for n in range(at_fewest, 18)}
    return aucs | {N_ALL: 0.9}


@pytest.mark.parametrize("number", range(1, 17))
def test_without_errors_it_is_the_smallest_number_that_reaches_the_share(number: int) -> None:
    nothing = {n: np.zeros(20) for n in (*SIZES, N_ALL)}
    result = found(0.95, grown(number, 0.001), nothing)
    assert result.n_units == number
    assert (result.low, result.high) == (None, None)
    assert result.note == "no interval: the scores have no errors from which it could be made"


def test_with_small_errors_the_interval_is_between_the_sizes_around_it(rng: np.random.Generator) -> None:
    for number, ends in ((1, (1, 1)), (3, (3, 4)), (4, (3, 4)), (7, (5, 8)), (16, (9, 16))):
        result = found(0.95, grown(number, 0.01), noise(rng, 1e-4))
        assert (result.n_units, result.low, result.high) == (number, *ends)


def test_where_no_number_suffices_it_is_more_than_were_tried(rng: np.random.Generator) -> None:
    aucs = dict.fromkeys(range(1, 17), 0.7) | {N_ALL: 0.9}
    result = found(0.95, aucs, noise(rng, 1e-4))
    assert (result.n_units, result.low, result.high, result.most) == (None, 17, N_ALL, 16)
    assert str(result).startswith("more than 16 units reach 95 % of what all 100 units know above chance")


def test_nothing_is_reached_where_all_units_know_nothing(rng: np.random.Generator) -> None:
    aucs = dict.fromkeys(range(1, 17), 0.51) | {N_ALL: 0.51}
    result = found(0.95, aucs, noise(rng, 0.1))
    assert (result.n_units, result.low, result.high) == (None, None, None)
    assert "the interval of all units together includes chance" in str(result)


def test_where_scores_have_no_interval_there_is_none_and_the_reason() -> None:
    reason = "no interval: too few pieces"
    points = [probe_of(n, 0.9, reason=reason) for n in SIZES]
    result = fewest_units(0.95, SIZES, points, probe_of(N_ALL, 0.9, reason=reason), lambda n: points[0])
    assert (result.n_units, result.low, result.note) == (1, None, reason)


def test_probes_without_an_error_have_the_interval_of_the_rule_of_three() -> None:
    """1 and .975 of AUC differ by .025: three of 200 runs are fewer, and three of 100 are more."""
    for n_runs, high in ((200, 1), (100, N_ALL)):
        perfect = {n: probe_of(n, 1.0, n_runs=n_runs) for n in (*SIZES, N_ALL)}
        result = fewest_units(0.95, SIZES, [perfect[n] for n in SIZES], perfect[N_ALL], perfect.__getitem__)
        assert (result.n_units, result.low, result.high) == (1, 1, high)


@pytest.mark.parametrize("margin", [1e-6, -1e-6])
def test_the_interval_has_the_true_number_in_95_of_100_texts(margin: float) -> None:
    """At 4 units the difference is all but 0, where an end is wrong as often as it may be: in 2.5 % of texts."""
    rng = np.random.default_rng(5)
    number = 4 if margin > 0 else 5
    n_texts, missed_low, missed_high = 2000, 0, 0
    aucs = grown(4, 0.0) | {4: 0.5 + 0.95 * 0.4 + margin, 3: 0.7, 8: 0.89, 16: 0.9}
    for _ in range(n_texts):
        result = found(0.95, aucs, noise(rng, 0.004))
        assert result.low is not None and result.high is not None
        missed_low += result.low > number
        missed_high += result.high < number
    rate = (missed_low if margin > 0 else missed_high) / n_texts
    assert 0.015 < rate < 0.035  # 2.5 %, with a standard error of .35 %
    assert (missed_low + missed_high) / n_texts < 0.04


@pytest.mark.slow  # 80 texts of 50,000 characters, of which 400 probes are fitted
@pytest.mark.parametrize("side", [1, -1])
def test_of_units_with_known_aucs_the_interval_has_the_true_number(side: int) -> None:
    """Units y a + noise: n of them together have the AUC Φ(√Σ a² / √2); four reach 95 % of eight, or all but."""

    def auc(squares: float) -> float:
        return float(norm.cdf(np.sqrt(squares / 2)))

    strong = 0.8
    weak = brentq(lambda a: auc(4 * strong**2) - 0.5 - 0.95 * (auc(4 * (strong**2 + a**2)) - 0.5), 0.01, 1)
    weak *= 1 - 0.02 * side  # the true number is 4, or above 4
    effects = np.array([strong] * 4 + [weak] * 4)
    missed = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        labels = in_runs(rng, 50_000, 20)
        values = (labels[:, None] * effects + rng.normal(size=(len(labels), 8))).astype("f4")
        source = Arrays({HIDDEN: values}, "".join("b" if label else "a" for label in labels))
        labelled = target(source.corpus, lambda text: [char == "b" for char in text])
        best = select_units(source, labelled, [HIDDEN], 8).units

        def fit_best(n: int, source: Arrays = source, labelled: Target = labelled, best: Units = best) -> ProbeResult:
            return probe.probing.fit_units(source, labelled, [best[:n]], options=FAST)[0]

        points = [fit_best(n) for n in SIZES[:4]]
        result = fewest_units(0.95, SIZES[:4], points, points[-1], fit_best)
        assert result.low is not None and result.high is not None
        missed += result.low > 4 if side > 0 else result.high <= 4
    assert missed <= 4  # 2.5 % of 40 are 1; above 4 in 1 of 300 studies


@pytest.mark.slow  # fits probes of many numbers of units, eight seconds
def test_a_curve_over_units_says_how_many_suffice() -> None:
    """Of three units that know as much each, among seven that know nothing, one reaches 95 %, and two 99 %."""
    rng = np.random.default_rng(6)
    labels = in_runs(rng, 50_000, 20)
    values = rng.normal(size=(len(labels), 10))
    values[:, :3] += 3 * labels[:, None]
    text = "".join("b" if label else "a" for label in labels)
    source = Arrays({HIDDEN: values.astype("f4")}, text)
    curve = probe.curve(source, lambda text: [char == "b" for char in text], options=FAST, most=6)
    assert curve.all_units is not None
    assert len(curve.all_units.units) == 10
    fewest = curve.fewest
    assert [of_share.share for of_share in fewest] == list(SHARES)
    truth = {n: norm.cdf(3 * np.sqrt(n / 2)) - 0.5 for n in (1, 2, 3)}
    true_numbers = [min(n for n in truth if truth[n] >= share * truth[3]) for share in SHARES]
    assert true_numbers == [1, 2]
    for of_share, number in zip(fewest, true_numbers, strict=True):
        assert of_share.n_units == number
        assert of_share.low is not None and of_share.high is not None
        assert of_share.low <= number <= of_share.high
    [first, *_] = curve.rows()
    assert (first["n_all_units"], first["all_units_score"]) == (10, curve.all_units.score)
    assert (first["units_for_95"], first["units_for_95_high"]) == (1, fewest[0].high)
    assert str(fewest[0]) in str(curve)


def test_shares_may_be_chosen_or_left_out(planted: Path) -> None:
    options = probe.FitOptions(penalty=100.0)
    half = probe.curve(planted, "in_quotes", most=2, shares=[0.5], options=options)
    assert [fewest.share for fewest in half.fewest] == [0.5]
    assert "units_for_50" in half.rows()[0]
    none = probe.curve(planted, "in_quotes", most=2, shares=(), options=options)
    assert (none.all_units, none.fewest) == (None, ())
    assert [point.auc for point in none.points] == [point.auc for point in half.points]
    with pytest.raises(AnalysisError, match=r"the shares are 95; name numbers between 0 and 1"):
        probe.curve(planted, "in_quotes", shares=[95])
