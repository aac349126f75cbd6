"""Student's t, ranks and false discovery rates agree with scipy.stats, which no analysis imports."""

import ast
from pathlib import Path

import numpy as np
from scipy import stats

from analyses.intervals.significance import q_values
from analyses.intervals.students_t import quantile, two_sided_p, upper_tail
from analyses.ranking.methods.needs import _mid_ranks

HERE = Path(__file__).parents[1]
PACKAGES = ("probe", "analyses", "activations", "hypotheses")
DEGREES_OF_FREEDOM = (0.5, 1, 2, 3.7, 10, 199, 1e6, np.inf, 0, np.nan)


def test_tails_and_quantiles_agree_with_scipy_stats(rng: np.random.Generator) -> None:
    t = np.concatenate([rng.normal(size=200) * 20, [0, 1e-300, 1e300, np.inf, -np.inf, np.nan]])
    for degrees_of_freedom in DEGREES_OF_FREEDOM:
        expected = stats.t.sf(t, degrees_of_freedom)
        np.testing.assert_allclose(upper_tail(t, degrees_of_freedom), expected, rtol=1e-14)
        twice = 2 * stats.t.sf(np.abs(t), degrees_of_freedom)
        np.testing.assert_allclose(two_sided_p(t, degrees_of_freedom), twice, rtol=1e-14)
        np.testing.assert_allclose(
            quantile(0.975, degrees_of_freedom), stats.t.ppf(0.975, degrees_of_freedom), rtol=1e-14
        )
    assert abs(float(quantile(0.975, 1)) - 12.706204736) < 1e-9  # from printed tables


def test_q_values_agree_with_scipy_stats_also_on_ties_and_without_some_p_values(rng: np.random.Generator) -> None:
    for n in (0, 1, 2, 100):
        p = rng.random(n).round(1) ** 3
        np.testing.assert_array_equal(q_values(p), stats.false_discovery_control(p))
    p = np.array([0.01, np.nan, 0.04, 0.03, 0.03])
    expected = stats.false_discovery_control(p[[0, 2, 3, 4]])
    np.testing.assert_array_equal(q_values(p), [expected[0], np.nan, *expected[1:]])


def test_mid_ranks_agree_with_scipy_stats(rng: np.random.Generator) -> None:
    for values in (rng.normal(size=1000), rng.integers(0, 9, 1000), np.array([]), np.array([3.0])):
        np.testing.assert_array_equal(_mid_ranks(values), stats.rankdata(values))


def imported(source: str) -> set[str]:
    """Every module that a source may import, as `scipy.stats` for `from scipy import stats`."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules |= {f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return modules


def test_no_module_of_ours_imports_scipy_stats() -> None:
    """It takes longer to import than many an answer to compute."""
    assert "scipy.stats" in imported("def f():\n    from scipy import stats")
    paths = [path for package in PACKAGES for path in (HERE / package).rglob("*.py")]
    assert len(paths) > 400
    assert not [path for path in paths if any(name.startswith("scipy.stats") for name in imported(path.read_text()))]
