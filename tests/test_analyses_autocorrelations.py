"""Autocorrelations are those of each document as a whole, and time constants those that are planted."""

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from planting import Arrays, drifting
from profiles import n_examples

from activations.blocks import Block
from activations.texts.selection import Selection
from activations.units import Site
from analyses.collecting.collect import collect
from analyses.collecting.statistic import BlockLabels
from analyses.errors import AnalysisError
from analyses.statistics.autocorrelations import Autocorrelations, UnitMemory, time_constants

HIDDEN, CELL = Site.of(0, "hidden"), Site.of(0, "cell")


def reference(documents: Sequence[NDArray[np.floating]], lag: int) -> tuple[NDArray[np.float64], int]:
    """The autocorrelation at a distance in rows, and the number of pairs."""
    rows = np.concatenate(documents).astype(np.float64)
    mean, variance = rows.mean(axis=0), rows.var(axis=0)
    pairs = [(own[lag:] - mean) * (own[: max(len(own) - lag, 0)] - mean) for own in documents]
    n = sum(map(len, pairs))
    total = np.sum([own.sum(axis=0) for own in pairs], axis=0)
    return total / max(n, 1) / variance if n else np.full(rows.shape[1], np.nan), n


@settings(max_examples=n_examples(60))
@given(
    lengths=st.lists(st.integers(2, 200), min_size=1, max_size=4),
    every=st.integers(1, 3),
    cut=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    longest=st.integers(3, 70),
    n_shards=st.integers(1, 4),
    seed=st.integers(0, 2**32),
)
def test_each_pair_of_characters_of_a_document_is_counted_once(
    lengths: list[int], every: int, cut: tuple[int, int], longest: int, n_shards: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    n_chars = sum(lengths) + 8
    lengths = [lengths[0] + 8, *lengths[1:]]
    selection = Selection.of(n_chars, cut[0], n_chars - cut[1], every)
    hidden = drifting(rng, n_chars, 2, 5).astype(np.float16)
    cell = (drifting(rng, n_chars, 3, 5) + 1e5 * rng.integers(0, 2)).astype(np.float32)
    source = Arrays({CELL: cell, HIDDEN: hidden}, selection=selection, documents=lengths)
    blocks = [piece for block in source.blocks() for piece in in_pieces(block, rng)]
    shards = [Autocorrelations(source, longest=longest) for _ in range(n_shards)]
    for place in rng.permutation(len(blocks)):
        own = shards[rng.integers(n_shards)]
        own.update(blocks[place], BlockLabels(blocks[place]))
    [merged, *others] = shards
    for each in others:
        saved = Autocorrelations(source, longest=longest)
        saved.restore({name: array.copy() for name, array in each.arrays().items()})
        merged.merge(saved)
    merged.end_reading()
    assert not merged.arrays()["runs"].size  # nothing is waited for any longer
    for site, values in ((HIDDEN, hidden), (CELL, cell)):
        found = merged.result()[site]
        assert found.lags.tolist() == [every * 2**n for n in range(10) if every * 2**n <= longest]
        for place, lag in enumerate(found.lags.tolist()):
            expected, n = reference(rows_of(source, values), lag // every)
            assert found.n[place] == n
            np.testing.assert_allclose(found.autocorrelation[place], expected, rtol=1e-9, atol=1e-9)


def in_pieces(block: Block, rng: np.random.Generator) -> list[Block]:
    """Cut a block into several, anywhere."""
    borders = [0, *np.flatnonzero(rng.random(block.n_chars - 1) < rng.choice([0.01, 0.1, 0.8])) + 1, block.n_chars]
    return [
        Block(
            block.start + int(a) * block.every,
            {site: values[a:b] for site, values in block.values.items()},
            every=block.every,
        )
        for a, b in itertools.pairwise(borders)
    ]


def rows_of(source: Arrays, values: NDArray[np.floating]) -> list[NDArray[np.floating]]:
    used = source.selection
    return [values[used.first(each.start) : min(each.stop, used.stop) : used.every] for each in source.corpus.documents]


def test_time_constants_are_those_planted() -> None:
    """Each value of a unit is exp(−1 / τ) times the one before it, plus noise."""
    rng = np.random.default_rng(0)
    planted = [0.5, 3.0, 20.0, 60.0, 1000.0]
    values = np.hstack([drifting(rng, 400_000, 1, each) for each in planted])
    source = Arrays({CELL: np.hstack([values, np.full((400_000, 1), 0.1, np.float32)])})
    [found] = collect(source, [Autocorrelations(source, longest=256)])
    memory: UnitMemory = found[CELL]
    np.testing.assert_allclose(memory.time_constant[1:4], planted[1:4], rtol=0.1)
    assert memory.time_constant[0] < 1
    assert np.isinf(memory.time_constant[4])
    assert np.isnan(memory.time_constant[5])
    assert np.isnan(memory.autocorrelation[:, 5]).all()
    median = f"{memory.time_constant[2]:.3g}"
    assert str(memory) == f"time constants of 6 units: median {median} characters, 1 above 256; 1 units never change"


def test_time_constants_are_interpolated_in_the_logarithm() -> None:
    lags, n = np.array([1, 2, 4, 8]), np.full(4, 10_000)
    decays = np.exp(-lags[:, None] / np.array([0.3, 1.0, 2.5, 7.9, 8.1, np.inf]))
    np.testing.assert_allclose(time_constants(lags, n, decays), [0.3, 1.0, 2.5, 7.9, np.inf, np.inf])
    # what is beneath 1 / √n is taken for that: −1, 0 and .01 are the same
    under = np.tile([-1.0, 0.0, 0.01], (4, 1))
    np.testing.assert_allclose(time_constants(lags, n, under), 1 / np.log(100))
    # lags at which there is no pair tell nothing
    decays[2:] = np.nan
    np.testing.assert_allclose(time_constants(lags, np.array([9, 9, 0, 0]), decays)[[1, 3]], [1.0, np.inf])
    assert np.isnan(time_constants(lags, np.zeros(4, np.int64), decays)).all()


def test_rows_are_kept_only_at_open_borders() -> None:
    values = drifting(np.random.default_rng(0), 30_000, 4, 5)
    source = Arrays({CELL: values}, documents=[10_000, 20_000])
    statistic = Autocorrelations(source, longest=64)
    for block in list(source.blocks(n_chars=50))[::-1]:  # in the order of the text
        statistic.update(block, BlockLabels(block))
        kept = {name: array for name, array in statistic.arrays().items() if name.endswith(("head", "tail"))}
        assert sum(map(len, kept.values())) <= 64


def test_invalid_arguments_are_refused() -> None:
    values = np.zeros((100, 2), np.float32)
    values[50, 1] = np.nan
    source = Arrays({CELL: values}, selection=Selection.of(100, every=3))
    with pytest.raises(AnalysisError, match="the longest lag is 2; it must be 3 or more"):
        Autocorrelations(source, longest=2)
    source = Arrays({CELL: values})
    with pytest.raises(AnalysisError, match="some activations of 0/cell are not numbers"):
        collect(source, [Autocorrelations(source)])
    with pytest.raises(AnalysisError, match="what was saved has lags 1, 2, 4, not 1, 2;"):
        Autocorrelations(source, longest=2).restore(Autocorrelations(source, longest=4).arrays())
