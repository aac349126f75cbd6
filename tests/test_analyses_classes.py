"""Bins of a number are found without sorting a whole long text."""

import tracemalloc

import numpy as np
import pytest

from activations.texts.selection import Selection
from analyses.targets import classes
from analyses.targets.classes import classes_of
from analyses.targets.splits import Split
from analyses.targets.target import Target
from hypotheses.labels import Labels


def test_bins_of_a_long_text_take_little_memory(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    monkeypatch.setattr(classes, "_MOST_SORTED", 1 << 16)
    numbers = rng.normal(size=3_000_000)
    asked = Target("numbers", "", Labels(numbers, "numeric"), Split.of(len(numbers)), Selection.of(len(numbers)))
    tracemalloc.start()
    try:
        found = classes_of(asked)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < numbers.nbytes / 1.5  # all of them, sorted or not, take numbers.nbytes
    n = np.bincount(found.of(slice(None)))
    assert len(n) == 64
    np.testing.assert_allclose(n / len(numbers), 1 / 64, rtol=0.3)
