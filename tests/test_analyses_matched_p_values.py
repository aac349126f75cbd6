"""p-values beside matched interventions: known answers, and their distribution where nothing is different."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t as student

from analyses.causes.text_effects import Measured, text_effects
from analyses.intervals.estimates import Estimate
from analyses.intervals.long_run import n_cosines
from analyses.intervals.matched_p_values import matched_p_value
from analyses.passages.effects import beside_matched

N_ATOMS, N_MATCHED, N_TEXTS = 20, 20, 40


def p_of(difference: float = 1.0, error: float = 0.5, between: float = 2.0, v: float = 0.0, m: int = 10) -> float:
    return matched_p_value(difference, error, 6, matched_variance=between, matched_error_variance=v, n_matched=m)


def test_without_sampling_error_it_is_the_t_test_of_one_more_draw() -> None:
    expected = 2 * student.sf(1 / np.sqrt(2 * 1.1), 9)
    assert p_of(error=0.0) == pytest.approx(expected)


def test_without_differences_between_the_matched_it_is_the_test_of_the_sample() -> None:
    expected = 2 * student.sf(1 / np.sqrt(0.5), 6)
    assert p_of(between=0.0) == p_of(between=0.3, v=0.3) == p_of(between=0.2, v=0.3) == pytest.approx(expected)


def test_the_sampling_error_of_the_matched_is_taken_out_of_their_variance() -> None:
    variance = 0.5 + 1.1 * (2.0 - 0.4)
    freedom = variance**2 / (0.5**2 / 6 + (1.1 * 2.0) ** 2 / 9)
    assert p_of(v=0.4) == pytest.approx(2 * student.sf(1 / np.sqrt(variance), freedom))


def test_degrees_of_freedom_are_at_least_the_smaller_of_the_two() -> None:
    variance = 0.01 + 1.1 * (2.0 - 1.99)
    assert p_of(error=0.01, v=1.99) == pytest.approx(2 * student.sf(1 / np.sqrt(variance), 6))


def test_where_nothing_can_be_said_there_is_no_p_value() -> None:
    assert np.isnan([p_of(m=4), p_of(error=np.nan), p_of(between=np.nan), p_of(error=0.0, between=0.0)]).all()
    assert p_of(difference=0.0, error=0.0, between=0.0) == 1


def p_on_atoms(rng: np.random.Generator, spread: float, tested_error: float) -> float:
    """The tested effect and the matched ones differ by as much; a part of their sampling error is common to all."""
    errors = np.append(tested_error, np.full(N_MATCHED, 1.0))[:, None]
    effects = rng.normal(0, spread, (N_MATCHED + 1, 1)) + 2 * rng.normal(size=N_ATOMS)
    by_atom: NDArray[np.float64] = effects + errors * rng.normal(size=(N_MATCHED + 1, N_ATOMS))
    estimates = [
        Estimate(
            value=float(values.mean()),
            influence=(values - values.mean()) / N_ATOMS,
            n_atoms=N_ATOMS,
            n_cosines=n_cosines(N_ATOMS),
        )
        for values in by_atom
    ]
    return beside_matched(estimates[0], estimates[1:]).p


def p_on_texts(rng: np.random.Generator, spread: float, tested_error: float) -> float:
    errors = np.append(tested_error, np.full(N_MATCHED, 1.0))[:, None]
    unsteered = rng.normal(size=N_TEXTS)
    effects = rng.normal(0, spread, (N_MATCHED + 1, 1)) + rng.normal(size=N_TEXTS)
    texts = unsteered + effects + errors * rng.normal(size=(N_MATCHED + 1, N_TEXTS))
    [effect] = text_effects([Measured("a unit", 1.0, "a measure", unsteered, texts[0], texts[1:])])
    return effect.p


@pytest.mark.parametrize("draw", [p_on_atoms, p_on_texts])
@pytest.mark.parametrize("spread", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("tested_error", [1.0, 8.0])
def test_p_values_are_about_uniform_where_nothing_is_different(
    draw: Callable[[np.random.Generator, float, float], float], spread: float, tested_error: float
) -> None:
    """If sampling errors counted twice, 1 % would be below .05 where all are alike; if not at all, 82 % elsewhere."""
    rng = np.random.default_rng(0)
    p = np.array([draw(rng, spread, tested_error) for _ in range(600)])
    assert 0.02 < np.mean(p < 0.05) < 0.07
    assert 0.44 < np.mean(p < 0.5) < 0.56
