"""Labels of a whole corpus are the same in pieces as in one array, to the last bit."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hypotheses.describing.summary import summarise
from hypotheses.errors import HypothesisError
from hypotheses.labelling.corpus_labels import CorpusLabels, narrowest
from hypotheses.labels import Labels

NUMBERS = st.one_of(
    st.integers(0, 3).map(float),
    st.sampled_from([-0.0, 255.0, 256.0, -1.0, 70_000.0, 1e9, 1e12, 0.5, 0.1, 1e300, -3.25]),
    st.none(),
)
PARTS = st.one_of(
    st.lists(st.lists(st.one_of(st.booleans(), st.none())), min_size=1),
    st.lists(st.lists(NUMBERS), min_size=1),
    st.lists(st.lists(st.one_of(st.sampled_from("abc"), st.none())), min_size=1),
)


def joined(parts: list[list[object]]) -> tuple[Labels, CorpusLabels]:
    labels = [Labels.from_answer(part, len(part)) for part in parts]
    try:
        return Labels.join(labels), CorpusLabels.join(labels)
    except HypothesisError:  # an empty list of labels is numeric, and no part may be of another kind
        nonempty = [part for part in labels if len(part)] or labels[:1]
        return Labels.join(nonempty), CorpusLabels.join(nonempty)


def bits(values: NDArray[np.generic]) -> tuple[str, bytes]:
    return values.dtype.name, values.tobytes()


@given(PARTS, st.integers(0, 40), st.integers(0, 40))
def test_labels_in_pieces_are_those_in_one_array(parts: list[list[object]], start: int, stop: int) -> None:
    in_one_array, in_pieces = joined(parts)
    assert len(in_pieces) == len(in_one_array)
    for index in (slice(None), slice(start, stop)):
        expected, actual = in_one_array[index], in_pieces[index]
        assert (actual.kind, actual.names) == (expected.kind, expected.names)
        assert (actual.missing is None) == (expected.missing is None)
        assert (actual.present == expected.present).all()
        assert bits(actual.values[actual.present]) == bits(expected.values[expected.present])
    present = in_one_array.values[in_one_array.present]
    assert in_pieces.are_only(0, 1) == (len(present) > 0 and set(present.tolist()) <= {0, 1})


@given(st.lists(st.floats(width=64)), st.sampled_from([np.float64, np.int32]))
def test_the_narrowest_numbers_are_the_same_numbers(values: list[float], dtype: type[np.generic]) -> None:
    with np.errstate(invalid="ignore"):
        array = np.array(values, np.float64).astype(dtype)
    assert narrowest(array).astype(dtype).tobytes() == array.tobytes()


def plain_summary(labels: Labels) -> tuple[object, ...]:
    """Return what `summarise` returns, computed from all labels at once."""
    present = labels.values[labels.present]
    if labels.kind == "numeric":
        return tuple(float(f(present)) if len(present) else None for f in (np.min, np.mean, np.max))
    names = labels.names if labels.kind == "categorical" else ("False", "True")
    codes = np.where(labels.present, labels.values.astype(int), len(names))
    borders = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    runs = [(codes[a], b - a) for a, b in pairwise(borders) if b > a]
    counts = []
    for code, name in enumerate((*names, "missing")):
        lengths = [length for run_code, length in runs if run_code == code]
        if lengths or code < len(names):
            counts.append((name, sum(lengths), len(lengths), max(lengths, default=0)))
    return tuple(counts)


@pytest.mark.parametrize("chunk", [1, 2, 7, 1 << 18])
@given(parts=PARTS)
def test_summaries_by_chunks_are_those_of_one_array(chunk: int, parts: list[list[object]]) -> None:
    in_one_array, in_pieces = joined(parts)
    if chunk < 100 and in_one_array.kind == "numeric":  # sums of few numbers are rounded in another order
        chunk = 1 << 18
    for labels in (in_one_array, in_pieces):
        actual = summarise(labels, chunk)
        facts: tuple[object, ...] = tuple((c.label, c.n_chars, c.n_runs, c.longest_run) for c in actual.counts)
        if labels.kind == "numeric":
            facts = (actual.lowest, actual.mean, actual.highest)
        with np.errstate(over="ignore"):
            assert facts == plain_summary(in_one_array)
        n_missing = len(in_one_array) - int(in_one_array.present.sum())
        assert (actual.n_chars, actual.n_missing) == (len(in_one_array), n_missing)


@pytest.mark.parametrize("n_chars", [9_999, 100_001, 1_000_003])
@pytest.mark.parametrize("share_missing", [0.0, 0.3, 0.99])
def test_means_are_rounded_like_those_of_one_array(
    n_chars: int, share_missing: float, rng: np.random.Generator
) -> None:
    values = rng.lognormal(size=n_chars)
    missing = rng.random(n_chars) < share_missing
    labels = CorpusLabels.join(
        Labels(values[start : start + 777], "numeric", missing[start : start + 777]) for start in range(0, n_chars, 777)
    )
    assert summarise(labels, 4096).mean == values[~missing].mean()


def test_labels_take_few_bytes() -> None:
    values = np.arange(100_000) % 200
    numbers = CorpusLabels.join([Labels(values.astype(float), "numeric")] * 3)
    classes = CorpusLabels.join([Labels(values.astype(np.int32), "categorical", None, tuple(map(str, range(200))))] * 3)
    n_bytes = [sum(values.nbytes for values in labels.values) for labels in (numbers, classes)]
    assert n_bytes == [300_000, 300_000]
