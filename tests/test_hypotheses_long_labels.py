"""Labels on disk, or computed from others when they are read, are the same as those in memory."""

import errno
import gc
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypotheses.errors import HypothesisError
from hypotheses.labelling.corpus_labels import CorpusLabels
from hypotheses.labelling.long_labels import AnyLabels, BinnedLabels, ClassLabels, LabelsOnDisk
from hypotheses.labels import Labels

kinds = st.sampled_from(["binary", "categorical", "numeric"])


def some_labels(rng: np.random.Generator, kind: str, n: int, *, may_miss: bool) -> Labels:
    missing = rng.random(n) < 0.3 if may_miss else None
    if kind == "binary":
        return Labels(rng.random(n) < 0.5, "binary", missing)
    if kind == "categorical":
        return Labels(rng.integers(0, 3, n).astype(np.int32), "categorical", missing, ("a", "b", "c"))
    return Labels(rng.choice([rng.normal(size=n), rng.integers(-300, 300, n).astype(float)]), "numeric", missing)


def assert_same(actual: AnyLabels, expected: Labels, index: Any) -> None:
    values = expected.values[index]
    assert actual.values_at(index).dtype == values.dtype
    np.testing.assert_array_equal(actual.values_at(index), values)
    missing = actual.missing_at(index)
    np.testing.assert_array_equal(np.zeros(len(values), bool) if missing is None else missing, ~expected.present[index])


@given(seed=st.integers(0, 2**32 - 1), kind=kinds, may_miss=st.booleans(), data=st.data())
def test_labels_on_the_disk_are_those_that_were_written(
    seed: int, kind: str, may_miss: bool, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    parts = [some_labels(rng, kind, n, may_miss=may_miss and bool(n % 2)) for n in rng.integers(1, 40, 3).tolist()]
    expected = Labels.join(parts)
    actual = LabelsOnDisk(CorpusLabels.join(parts))
    assert len(actual) == len(expected)
    assert (actual.kind, actual.names) == (expected.kind, expected.names)
    assert_same(actual, expected, slice(None))
    start, stop, step = data.draw(st.tuples(st.integers(0, 130), st.integers(0, 130), st.integers(1, 7)))
    assert_same(actual, expected, slice(start, stop, step))
    runs = data.draw(st.lists(st.tuples(st.integers(0, len(expected) - 1), st.integers(1, 9)), max_size=5))
    # in any order, and more than once
    runs_of_chars = [np.arange(first, min(first + n, len(expected))) for first, n in runs]
    assert_same(actual, expected, np.concatenate([np.empty(0, np.int64), *runs_of_chars]))
    assert actual[3:9].tolist() == expected[3:9].tolist()


def test_several_threads_read_labels_on_the_disk(rng: np.random.Generator) -> None:
    expected = some_labels(rng, "numeric", 20_000, may_miss=True)
    actual = LabelsOnDisk(CorpusLabels.join([expected]))
    slices = [slice(start, start + 777) for start in rng.integers(0, 19_000, 400).tolist()]
    with ThreadPoolExecutor(8) as pool:
        for part, values in zip(slices, pool.map(actual.values_at, slices), strict=True):
            np.testing.assert_array_equal(values, expected.values[part])


def test_a_full_disk_is_one_sentence(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    def full(**arguments: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    labels = CorpusLabels.join([some_labels(rng, "binary", 100, may_miss=False)])
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with pytest.raises(HypothesisError, match="cannot write the labels of 100 characters to .*No space left on device"):
        LabelsOnDisk(labels)


@given(seed=st.integers(0, 2**32 - 1), may_miss=st.booleans())
def test_classes_and_bins_are_computed_when_they_are_read(seed: int, may_miss: bool) -> None:
    rng = np.random.default_rng(seed)
    named = some_labels(rng, "categorical", 50, may_miss=may_miss)
    index = rng.integers(0, 50, 20)
    for class_index in range(3):
        expected = Labels(named.values == class_index, "binary", named.missing)
        assert_same(ClassLabels(named, class_index), expected, slice(None))
        assert_same(ClassLabels(named, class_index), expected, index)
    numbers = some_labels(rng, "numeric", 50, may_miss=may_miss)
    starts = np.array([-100.0, -0.5, 0.5, 100.0])
    bins = np.clip(np.digitize(numbers.values, starts) - 1, 0, None).astype(np.int32)
    binned = BinnedLabels(numbers, starts, tuple("abcd"))
    assert_same(binned, Labels(bins, "categorical", numbers.missing, tuple("abcd")), index)
    spelled = Labels(bins, "categorical", numbers.missing, tuple("abcd"))[:5].tolist()
    assert binned[:5].tolist() == spelled


def test_a_disk_that_is_full_at_the_end_says_so_once(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    """What did not fit is not written again when the file is closed."""

    def full(*, prefix: str, buffering: int = -1) -> IO[bytes]:
        return open("/dev/full", "wb", buffering)  # noqa: PTH123

    labels = CorpusLabels.join([some_labels(rng, "binary", 100, may_miss=False)])
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    with pytest.raises(HypothesisError, match="No space left on device"):
        LabelsOnDisk(labels)
    gc.collect()
    assert not unraisable


def test_without_a_temporary_folder_there_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    labels = CorpusLabels.join([some_labels(rng, "binary", 100, may_miss=False)])
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/dev/null/none"])
    with pytest.raises(HypothesisError, match="to a temporary folder: No usable temporary directory found"):
        LabelsOnDisk(labels)


def test_partial_reads_of_the_system_are_continued(monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    """It gives 2 GiB at most."""
    expected = some_labels(rng, "numeric", 5_000, may_miss=True)
    actual = LabelsOnDisk(CorpusLabels.join([expected]))
    preadv = os.preadv
    monkeypatch.setattr(os, "preadv", lambda file, into, offset: preadv(file, [memoryview(into[0])[:999]], offset))
    assert_same(actual, expected, slice(None))
    assert_same(actual, expected, slice(10, 4_000, 3))


@pytest.mark.parametrize("index", [slice(5, None, 2), np.arange(5, 200_000, 2), np.zeros(20_000, np.int64)])
def test_neighbouring_labels_are_read_together(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator, index: Any
) -> None:
    expected = some_labels(rng, "numeric", 200_000, may_miss=False)
    actual = LabelsOnDisk(CorpusLabels.join([expected]))
    sizes = []
    preadv = os.preadv

    def counted(file: int, into: Any, offset: int) -> int:
        sizes.append(len(into[0]))
        return preadv(file, into, offset)

    monkeypatch.setattr(os, "preadv", counted)
    assert_same(actual, expected, index)
    assert len(sizes) <= 2 * 4
    assert max(sizes) <= 8 << 16
