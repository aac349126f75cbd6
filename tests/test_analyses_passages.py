"""The passages of a unit are those that sorting the highest values of all passages gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from planting import Arrays, drifting
from profiles import n_examples

from activations.texts.selection import Selection
from activations.units import Site
from analyses.collecting.collect import collect
from analyses.collecting.statistic import BlockLabels
from analyses.errors import AnalysisError
from analyses.statistics.passages import ActivePassages, Passages

CELL = Site.of(0, "cell")


def reference(source: Arrays, values: NDArray[np.floating], n: int, n_chars: int) -> list[tuple[float, int]]:
    """The highest value of each passage and the first place that has it, the highest first."""
    used, found = source.selection, []
    for document in source.corpus.documents:
        for start in range(document.start, document.stop, n_chars):
            places = range(used.first(start), min(used.first(start + n_chars), used.first(document.stop)), used.every)
            found += [max((float(values[place]), -place) for place in places)] if places else []
    return [(value, -place) for value, place in sorted(found, reverse=True)[:n]]


@settings(max_examples=n_examples(60))
@given(
    lengths=st.lists(st.integers(2, 300), min_size=1, max_size=4),
    every=st.integers(1, 3),
    start=st.integers(0, 3),
    n=st.integers(1, 12),
    n_chars=st.integers(1, 40),
    block_chars=st.integers(1, 90),
    n_shards=st.integers(1, 3),
    n_values=st.sampled_from([2, 5, 1000]),
    seed=st.integers(0, 2**32),
)
def test_passages_are_those_of_sorting(
    lengths: list[int],
    every: int,
    start: int,
    n: int,
    n_chars: int,
    block_chars: int,
    n_shards: int,
    n_values: int,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    lengths = [lengths[0] + 4, *lengths[1:]]
    values = rng.integers(-n_values, n_values, (sum(lengths), 3)).astype(rng.choice(["float16", "float32"]))
    selection = Selection.of(len(values), start, every=every)
    source = Arrays({CELL: values}, selection=selection, documents=lengths)
    shards = [ActivePassages(source, n=n, n_chars=n_chars) for _ in range(n_shards)]
    blocks = list(source.blocks(n_chars=block_chars))
    for place in rng.permutation(len(blocks)):
        shards[rng.integers(n_shards)].update(blocks[place], BlockLabels(blocks[place]))
    [merged, *others] = shards
    for each in others:
        merged.merge(each)
    found = merged.result()[CELL]
    for unit in range(3):
        for sign, own_values, places in (
            (1, found.most_values, found.most_places),
            (-1, found.least_values, found.least_places),
        ):
            expected = reference(source, sign * values[:, unit].astype(float), n, n_chars)
            own = [(sign * float(own_values[k, unit]), int(places[k, unit])) for k in range(len(expected))]
            assert own == expected
            assert (places[len(expected) :, unit] == -1).all()
            assert np.isnan(own_values[len(expected) :, unit]).all()


def test_a_planted_peak_is_one_passage() -> None:
    values = np.zeros((2_000, 1), np.float32)
    values[501:530, 0] = np.r_[1:15, 15, 14:0:-1]
    values[1_777, 0], values[3, 0] = 7, -2
    source = Arrays({CELL: values})
    [found] = collect(source, [ActivePassages(source, n=2, n_chars=50)])
    passages: Passages = found[CELL]
    assert passages.most_places[:, 0].tolist() == [515, 1_777]
    assert passages.most_values[:, 0].tolist() == [15, 7]
    assert passages.least_places[:, 0].tolist() == [3, 50]
    assert passages.least_values[:, 0].tolist() == [-2, 0]
    assert str(passages) == "the 2 most and least active passages of 1 units"


def test_invalid_arguments_are_refused() -> None:
    source = Arrays({CELL: np.full((100, 2), np.nan, np.float32)})
    with pytest.raises(AnalysisError, match="n is 0; it must be 1 or more"):
        ActivePassages(source, n=0)
    with pytest.raises(AnalysisError, match="n_chars is -3; it must be 1 or more"):
        ActivePassages(source, n_chars=-3)
    with pytest.raises(AnalysisError, match="some activations of 0/cell are not numbers"):
        collect(source, [ActivePassages(source)])
    source = Arrays({CELL: drifting(np.random.default_rng(0), 100, 2, 5)})
    saved = ActivePassages(source, n=3).arrays()
    with pytest.raises(AnalysisError, match="what was saved has n 3, not 4; collect it again"):
        ActivePassages(source, n=4).restore(saved)
    with pytest.raises(AnalysisError, match="what was saved has n_chars 50, not 60; collect it again"):
        ActivePassages(source, n=3, n_chars=60).restore(saved)
