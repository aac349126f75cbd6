"""Arrays for models of a user's own: rows, labels and splits, and estimators of scikit-learn fitted to them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planting import PLANTED, SITES, Arrays, random_model
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_score

from activations.errors import ActivationError
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from activations.units import Site
from analyses.design_matrices import ActivationMatrix, design, labels
from analyses.targets.labelling import target
from analyses.targets.splits import Split

CELL, HIDDEN = Site("1/cell"), Site("0/hidden")
N_CHARS, N_UNITS = 20_000, 3


def source(selection: Selection | None = None) -> tuple[Arrays, np.ndarray[Any, Any]]:
    """A source whose values say which row and unit they are of, and the values of its rows."""
    values = np.arange(N_CHARS * N_UNITS, dtype=np.float32).reshape(N_CHARS, N_UNITS)
    arrays = Arrays({CELL: values[:, :1], HIDDEN: values[:, 1:]}, selection=selection)
    used = arrays.selection
    return arrays, values[used.start : used.stop : used.every]


@given(st.data())
def test_rows_are_those_of_the_array_for_every_kind_of_index(data: st.DataObject) -> None:
    every = data.draw(st.sampled_from([1, 3]))
    arrays, expected = source(Selection(100, N_CHARS - 7, every))
    matrix = ActivationMatrix(arrays)
    assert matrix.shape == expected.shape == np.asarray(matrix).shape
    n_rows = len(expected)
    number = st.integers(-n_rows, n_rows - 1)
    edge = st.none() | st.integers(-n_rows - 5, n_rows + 5)
    key = data.draw(
        st.one_of(
            number,
            st.builds(slice, edge, edge, st.none() | st.sampled_from([1, 2, 100, -1])),
            st.lists(number, max_size=50).map(lambda rows: np.array(rows, np.int64)),
            st.integers(0, 99).map(lambda seed: np.random.default_rng(seed).random(n_rows) < 0.01),
        )
    )
    np.testing.assert_array_equal(matrix[key], expected[key])
    np.testing.assert_array_equal(matrix[key, ...], expected[key, ...])
    np.testing.assert_array_equal(matrix[key, 1:], expected[key][..., 1:])


def test_a_matrix_is_float32_and_says_what_it_holds(planted: Path) -> None:
    matrix = ActivationMatrix(planted, ["1/cell", "0/hidden"])
    n_chars = matrix.source.selection.n_chars
    assert matrix[:5].dtype == matrix.dtype == np.float32
    assert [unit.site for unit in matrix.units] == [HIDDEN] * SITES[HIDDEN] + [CELL] * SITES[CELL]
    assert repr(matrix) == f"<ActivationMatrix: {n_chars:,} rows × 14 units of 0/hidden, 1/cell>"
    with pytest.raises(ActivationError, match="there is no site 'cel' here; there are 0/hidden"):
        ActivationMatrix(planted, "cel")


def test_labels_and_parts_are_those_of_the_target(planted: Path) -> None:
    with Recording(planted) as recording:
        split = Split.of(len(recording.corpus))
        expected = target(recording.corpus, "in_quotes")
        found = labels(recording, "in_quotes")
        np.testing.assert_array_equal(found.values, expected.labels.values)
        np.testing.assert_array_equal(found.parts, expected.parts_of_used)
        np.testing.assert_array_equal(found.stretches, split.stretch(np.arange(len(recording.corpus))))
        assert not set(found.stretches[found.train]) & set(found.stretches[found.test])
        assert (len(found.train), len(found.test)) == expected.sizes()[:2]
        row = found.rows()[found.test[0]]
        assert row["part"] == "test"
        assert row["label"] is bool(found.values[found.test[0]])
        assert str(found).startswith(f"binary labels of in_quotes at {len(found):,} characters")
        shifted = Split(n_chars=split.n_chars, n_stretches=split.n_stretches, gap=split.gap, fold=0)
        other = labels(recording, target(recording.corpus, "in_quotes", shifted))
        assert not np.array_equal(other.test, found.test)


def test_missing_labels_are_in_no_part() -> None:
    def numbers(text: str) -> list[float | None]:
        return [None if n % 7 == 0 else float(n % 5) for n in range(len(text))]

    found = labels(source()[0], numbers)
    missing = np.arange(N_CHARS) % 7 == 0
    assert np.isnan(found.values[missing]).all()
    assert np.isfinite(found.values[~missing]).all()
    assert not missing[found.train].any()
    assert not missing[found.test].any()
    assert found.rows()[0] == {"position": 0, "label": None, "part": "missing", "stretch": 0}


def test_estimators_of_scikit_learn_find_the_planted_unit(planted: Path) -> None:
    found = design(planted, "hidden", "in_comment")
    model = LogisticRegression(max_iter=1000).fit(found.X[found.train], found.y[found.train])
    assert roc_auc_score(found.y[found.test], model.decision_function(found.X[found.test])) > 0.95
    assert found.X.units[np.abs(model.coef_[0]).argmax()] == PLANTED["in_comment"]
    folds = GroupKFold(5)
    scores = cross_val_score(model, found.X, found.y, groups=found.groups, cv=folds, scoring="roc_auc")
    assert scores.min() > 0.95


def test_a_model_learns_from_some_rows_after_another(planted: Path) -> None:
    found = design(planted, None, "in_comment")
    model = SGDClassifier(loss="log_loss", random_state=0)
    for rows in np.array_split(np.random.default_rng(0).permutation(found.train), 20):
        model.partial_fit(found.X[rows], found.y[rows], classes=[False, True])
    assert roc_auc_score(found.y[found.test], model.decision_function(found.X[found.test])) > 0.95


def test_a_live_source_gives_the_rows_of_its_reading(code_text: str) -> None:
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text[:8000]]), n_lanes=1)
    [site] = [site for site in live.sites if site == "0/hidden"]
    expected = live.read([site])[site]
    rows = np.array([5000, 10, 7999, 11])
    np.testing.assert_allclose(design(live, site, "in_quotes").X[rows], expected[rows], atol=1e-6)


@pytest.mark.parametrize("key", [N_CHARS, [0, -N_CHARS - 1], "a", 0.5, [True, False], np.zeros((2, 2), int)])
def test_what_is_no_index_of_rows_is_one_sentence(key: Any) -> None:
    with pytest.raises(IndexError, match=r"give a slice, row numbers, or a mask|is not among the 20,000 rows"):
        ActivationMatrix(source()[0])[key]
