"""Minimisers go on whatever the metric says."""

import numpy as np

from analyses.probing.fitting.minimisers import QuasiNewton


def test_a_metric_that_makes_nothing_of_a_step_is_no_error() -> None:
    """As where the second derivatives along it are infinite beside the others."""
    centre, factors = np.array([1.0, -2.0]), iter([0.25, 0.0])
    minimum = QuasiNewton(
        np.zeros(2), lambda q: next(factors, 0.5) * q, tolerance=1e-10, desired_tolerance=1e-10, negligible=0.0
    )
    for _ in range(8):
        rest = minimum.point - centre
        minimum.tell(float(rest @ rest), 2 * rest)
        minimum.ask()
    np.testing.assert_allclose(minimum.best, centre, atol=1e-6)
