"""Quick rankings from levels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from analyses.errors import AnalysisError
from probe.explorer.questions.quick_ranking import quick_aucs, sampled_rows

missing = 255


@given(
    levels=arrays(np.uint8, st.tuples(st.integers(1, 5), st.integers(2, 60)), elements=st.integers(0, 255)),
    data=st.data(),
)
def test_quick_aucs_are_those_of_scikit_learn(levels: NDArray[np.uint8], data: st.DataObject) -> None:
    n_rows = levels.shape[1]
    labels = data.draw(arrays(np.bool_, n_rows))
    present = data.draw(st.none() | arrays(np.bool_, n_rows))
    is_labelled = np.ones(n_rows, bool) if present is None else present
    for of_unit, score in zip(levels, quick_aucs(levels, labels, present=present), strict=True):
        counted = is_labelled & (of_unit != missing)
        if len(np.unique(labels[counted])) < 2:
            assert np.isnan(score)
        else:
            assert score == pytest.approx(roc_auc_score(labels[counted], of_unit[counted]), abs=1e-12)


def test_quick_aucs_of_many_units_come_in_their_order(rng: np.random.Generator) -> None:
    labels = rng.random(5000) < 0.2
    levels = rng.integers(0, 255, (300, 5000), np.uint8)
    levels[137, labels] = 254
    levels[201, labels] = 0
    aucs = quick_aucs(levels, labels)
    assert aucs.argmax() == 137 and aucs.argmin() == 201
    assert aucs[137] == pytest.approx(1, abs=0.01) and aucs[201] == pytest.approx(0, abs=0.01)
    expected = [roc_auc_score(labels, of_unit) for of_unit in levels]
    np.testing.assert_allclose(aucs, expected, atol=1e-12)


def test_only_the_chosen_rows_are_counted(rng: np.random.Generator) -> None:
    levels, labels = rng.integers(0, 256, (70, 1000), np.uint8), rng.random(1000) < 0.5
    rows = [slice(3, 10), slice(500, 777)]
    chosen = np.concatenate([np.arange(stretch.start, stretch.stop) for stretch in rows])
    np.testing.assert_array_equal(
        quick_aucs(levels, labels, rows=rows), quick_aucs(np.ascontiguousarray(levels[:, chosen]), labels[chosen])
    )


def test_a_long_text_is_sampled_in_evenly_spaced_stretches(rng: np.random.Generator) -> None:
    rows = sampled_rows(1_000_000)
    assert sum(stretch.stop - stretch.start for stretch in rows) == pytest.approx(100_000, rel=0.02)
    assert rows[0].start == 0 and rows[-1].stop == 1_000_000 and len(rows) == 97
    assert sampled_rows(200_000) == [slice(0, 200_000)]
    levels, labels = rng.integers(0, 255, (2, 300_000), np.uint8), rng.random(300_000) < 0.5
    np.testing.assert_array_equal(quick_aucs(levels, labels), quick_aucs(levels, labels, rows=sampled_rows(300_000)))


def test_labels_that_do_not_fit_are_refused() -> None:
    with pytest.raises(AnalysisError, match="3 labels do not fit 4 rows; give one for each row"):
        quick_aucs(np.zeros((2, 4), np.uint8), np.zeros(3, bool))


def test_levels_mapped_from_a_file_are_counted_too(
    rng: np.random.Generator, tmp_path_factory: pytest.TempPathFactory
) -> None:
    levels, labels = rng.integers(0, 256, (3, 500), np.uint8), rng.random(500) < 0.5
    path = tmp_path_factory.mktemp("levels") / "levels.npy"
    np.save(path, levels)
    np.testing.assert_array_equal(quick_aucs(np.load(path, mmap_mode="r"), labels), quick_aucs(levels, labels))
