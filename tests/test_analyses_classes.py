"""Bins of a number are found without sorting a whole long text."""

import tracemalloc

import numpy as np

from activations.texts.selection import Selection
from analyses.targets.classes import classes_of
from analyses.targets.splits import Split
from analyses.targets.target import Target
from hypotheses.labels import Labels


def test_bins_of_a_long_text_take_little_memory(rng: np.random.Generator) -> None:
    numbers = rng.normal(size=3_000_000)
    asked = Target("numbers", "", Labels(numbers, "numeric"), Split.of(len(numbers)), Selection.of(len(numbers)))
    tracemalloc.start()
    try:
        found = classes_of(asked, most_sorted=1 << 16)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < numbers.nbytes / 1.5  # all of them, sorted or not, take numbers.nbytes
    n = np.bincount(found.of(slice(None)))
    assert len(n) == 64
    np.testing.assert_allclose(n / len(numbers), 1 / 64, rtol=0.3)
