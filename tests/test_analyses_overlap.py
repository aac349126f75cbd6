"""Which characters several models get right is counted exactly, and its intervals hold."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from planting import Arrays, random_model

import probe
from activations.predictions import DISTRIBUTION, LOG_PROB, TOP_IDS, TOP_LOG_PROBS
from activations.texts.selection import Selection
from activations.units import Site
from analyses.errors import AnalysisError
from analyses.overlap import Overlap, overlap

HIDDEN = Site.of(0, "hidden")
N = 3000


def source_of(is_right: NDArray[np.bool_], *, whole: bool = True, documents: tuple[int, ...] = ()) -> Arrays:
    """A source whose model gives the true next character .6 where it is right, and .3 where it is not."""
    n_chars = len(is_right)
    p = np.where(is_right, 0.6, 0.3)
    ends = np.cumsum(documents or (n_chars,)) - 1
    log_prob = np.log(p).astype("f4")
    log_prob[ends] = np.nan
    others = np.column_stack([p, 0.9 - p, np.full(n_chars, 0.1)])
    sorted_others = -np.sort(-others, axis=1)
    predictions: dict[str, NDArray[Any]] = {LOG_PROB: log_prob}
    if whole:
        predictions[DISTRIBUTION] = np.log(others).astype("f2")
    else:
        predictions |= {TOP_IDS: np.zeros((n_chars, 3), "u4"), TOP_LOG_PROBS: np.log(sorted_others).astype("f2")}
    return Arrays({HIDDEN: np.zeros((n_chars, 1), "f4")}, documents=documents, predictions=predictions)


@pytest.mark.parametrize("n_models", [2, 3, 4])
@pytest.mark.parametrize("whole", [True, False])
def test_all_sets_are_counted_as_by_a_plain_loop(rng: np.random.Generator, n_models: int, whole: bool) -> None:
    names = "abcd"[:n_models]
    right = {name: rng.random(N) < 0.3 + 0.1 * place for place, name in enumerate(names)}
    documents = (1000, 2, 1998)
    found = overlap({name: source_of(r, whole=whole, documents=documents) for name, r in right.items()})
    predicted = np.ones(N, bool)
    predicted[np.cumsum(documents) - 1] = False
    assert found.n_chars == N - 3 == sum(correct.n_chars for correct in found.sets)
    assert len(found.sets) == 2**n_models
    for n_right in range(n_models + 1):
        for models in itertools.combinations(names, n_right):
            n = 0
            for t in range(N):
                n += predicted[t] and all(right[name][t] == (name in models) for name in names)
            of_set = found.of(*models)
            assert of_set.n_chars == n
            assert of_set.share == pytest.approx(n / found.n_chars)
            product = math.prod(
                (right[name][predicted].mean() if name in models else 1 - right[name][predicted].mean())
                for name in names
            )
            assert of_set.if_independent == pytest.approx(product)
            assert of_set.above == pytest.approx(of_set.share - product)
            assert of_set.low < of_set.share < of_set.high
    np.testing.assert_allclose(found.accuracies, [right[name][predicted].mean() for name in names])


def test_independent_models_are_not_above_independence_and_one_model_twice_is(rng: np.random.Generator) -> None:
    missed = 0
    for _ in range(200):
        one, other = rng.random((2, N)) < 0.5
        both = overlap({"one": source_of(one), "other": source_of(other)}).of("one", "other")
        missed += not both.above_low < 0 < both.above_high
    assert missed <= 20  # 5 % of 200 are 10; above 20 in 1 of 1,000 studies
    twice = overlap({"one": source_of(one), "again": source_of(one)})
    assert twice.of("one", "again").above_low > 0.2
    assert twice.of("one").n_chars == twice.of("again").n_chars == 0


def test_a_model_reads_with_the_accuracy_that_its_evaluation_has(code_text: str) -> None:
    text = code_text[:3000]
    corpus = probe.Corpus.from_texts([text])
    models = {f"seed {seed}": random_model(text, seed) for seed in (0, 1)}
    found = overlap({name: probe.LiveActivations(model, corpus, n_lanes=1) for name, model in models.items()})
    for model, accuracy in zip(models.values(), found.accuracies, strict=True):
        assert accuracy == pytest.approx(probe.models.evaluate(model, corpus).accuracy, abs=0.002)  # ties in float16
    assert (found.accuracy_intervals[:, 0] < found.accuracies).all()


def test_what_cannot_be_compared_is_one_sentence(rng: np.random.Generator, planted: Path) -> None:
    right = rng.random(N) < 0.5
    source = source_of(right)
    with pytest.raises(AnalysisError, match="2 to 4 models, and not of 1"):
        overlap({"a": source})
    with pytest.raises(AnalysisError, match="a and b are of different texts"):
        overlap({"a": source, "b": source_of(right[:-5])})
    part = source_of(right)
    part.selection = Selection.of(N, 0, 100)
    with pytest.raises(AnalysisError, match="other parts of one"):
        overlap({"a": source, "b": part})
    with pytest.raises(AnalysisError, match="a has no predictions"):
        overlap({"a": planted, "b": planted})
    with pytest.raises(AnalysisError, match="no model 'c' here"):
        overlap({"a": source, "b": source}).of("c")


def test_of_few_characters_there_are_counts_and_no_intervals(rng: np.random.Generator) -> None:
    found = overlap({name: source_of(rng.random(50) < 0.5) for name in "ab"})
    assert isinstance(found, Overlap)
    assert sum(correct.n_chars for correct in found.sets) == 49
    assert math.isnan(found.of("a").low)
    assert "only 49 characters" in str(found)
