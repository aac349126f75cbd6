"""Labels of a whole corpus are the same in pieces as in one row, to the last bit."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hypotheses import summary
from hypotheses.errors import HypothesisError
from hypotheses.labelling.corpus_labels import CorpusLabels, narrowest
from hypotheses.labels import Labels
from hypotheses.summary import summarise

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
        told = [each for each in labels if len(each)] or labels[:1]
        return Labels.join(told), CorpusLabels.join(told)


def bits(values: NDArray[np.generic]) -> tuple[str, bytes]:
    return values.dtype.name, values.tobytes()


@given(PARTS, st.integers(0, 40), st.integers(0, 40))
def test_labels_in_pieces_are_those_in_one_row(parts: list[list[object]], start: int, stop: int) -> None:
    one, pieces = joined(parts)
    assert len(pieces) == len(one)
    for place in (slice(None), slice(start, stop)):
        expected, found = one[place], pieces[place]
        assert (found.kind, found.names) == (expected.kind, expected.names)
        assert (found.missing is None) == (expected.missing is None)
        assert (found.present == expected.present).all()
        assert bits(found.values[found.present]) == bits(expected.values[expected.present])
    assert pieces.are_only(0, 1) == (one.present.any() and set(one.values[one.present].tolist()) <= {0, 1})


@given(st.lists(st.floats(width=64)), st.sampled_from([np.float64, np.int32]))
def test_the_narrowest_numbers_are_the_same_numbers(values: list[float], dtype: type[np.generic]) -> None:
    with np.errstate(invalid="ignore"):
        array = np.array(values, np.float64).astype(dtype)
    assert narrowest(array).astype(dtype).tobytes() == array.tobytes()


def plain_summary(labels: Labels) -> tuple[object, ...]:
    """What `summarise` finds, from all labels in one row."""
    told = labels.values[labels.present]
    if labels.kind == "numeric":
        return tuple(float(f(told)) if len(told) else None for f in (np.min, np.mean, np.max))
    names = labels.names if labels.kind == "categorical" else ("False", "True")
    codes = np.where(labels.present, labels.values.astype(int), len(names))
    borders = [0, *(np.flatnonzero(np.diff(codes)) + 1).tolist(), len(codes)]
    runs = [(codes[a], b - a) for a, b in pairwise(borders) if b > a]
    found = []
    for place, name in enumerate((*names, "missing")):
        own = [n for each, n in runs if each == place]
        if own or place < len(names):
            found.append((name, sum(own), len(own), max(own, default=0)))
    return tuple(found)


@pytest.mark.parametrize("chunk", [1, 2, 7, 1 << 18])
@given(parts=PARTS)
def test_summaries_by_chunks_are_those_of_one_row(chunk: int, parts: list[list[object]]) -> None:
    one, pieces = joined(parts)
    with pytest.MonkeyPatch.context() as patch:
        if chunk < 100 and one.kind == "numeric":  # sums of so few numbers are rounded in another order
            chunk = 1 << 18
        patch.setattr(summary, "CHUNK", chunk)
        for labels in (one, pieces):
            found = summarise(labels)
            own: tuple[object, ...] = tuple((c.label, c.n_chars, c.n_runs, c.longest_run) for c in found.counts)
            if labels.kind == "numeric":
                own = (found.lowest, found.mean, found.highest)
            with np.errstate(over="ignore"):
                assert own == plain_summary(one)
            assert (found.n_chars, found.n_missing) == (len(one), len(one) - int(one.present.sum()))


@pytest.mark.parametrize("n_chars", [9_999, 100_001, 1_000_003])
@pytest.mark.parametrize("share_missing", [0.0, 0.3, 0.99])
def test_means_are_rounded_as_those_of_one_row(
    n_chars: int, share_missing: float, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "CHUNK", 4096)
    values = rng.lognormal(size=n_chars)
    missing = rng.random(n_chars) < share_missing
    labels = CorpusLabels.join(
        Labels(values[start : start + 777], "numeric", missing[start : start + 777]) for start in range(0, n_chars, 777)
    )
    assert summarise(labels).mean == values[~missing].mean()


def test_labels_take_few_bytes() -> None:
    values = np.arange(100_000) % 200
    numbers = CorpusLabels.join([Labels(values.astype(float), "numeric")] * 3)
    classes = CorpusLabels.join([Labels(values.astype(np.int32), "categorical", None, tuple(map(str, range(200))))] * 3)
    assert [sum(own.nbytes for own in each.values) for each in (numbers, classes)] == [300_000, 300_000]
