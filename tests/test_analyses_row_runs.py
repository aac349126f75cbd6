"""Runs of rows, and ranks of held-out characters, equal what is computed for each row by itself."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from analyses.intervals.long_run import N_GROUPS
from analyses.probing.controls import TASKS, control_labels, control_task
from analyses.probing.scoring.ranking_metrics import RankingAccumulator
from analyses.targets.labelling import target_of_labels
from analyses.targets.row_runs import atoms_of_rows, parts_of_rows, value_counts
from analyses.targets.splits import Split
from hypotheses.labels import Labels


@st.composite
def splits(draw: st.DrawFn) -> tuple[Split, Selection]:
    start, n_folds = draw(st.integers(0, 50)), draw(st.integers(2, 6))
    n_stretches, gap = draw(st.integers(n_folds, 20)), draw(st.integers(0, 7))
    n_chars = draw(st.integers(n_stretches * (2 * gap + 1), n_stretches * (2 * gap + 1) + 600))
    split = Split(
        n_chars=n_chars, n_stretches=n_stretches, n_folds=n_folds, fold=draw(st.integers(0, n_folds - 1)), gap=gap,
        start=start,
    )  # fmt: skip
    return split, Selection(start, start + n_chars, draw(st.integers(1, 9)))


@given(splits(), st.data())
def test_runs_say_of_each_row_what_its_place_says(drawn: tuple[Split, Selection], data: st.DataObject) -> None:
    split, selection = drawn
    places = np.arange(selection.start, selection.stop, selection.every)
    folds = split.folds(data.draw(st.none() | st.integers(2, split.n_folds)))
    if data.draw(st.booleans()):
        folds = [fold.within_training() for fold in folds]
    parts, atoms = parts_of_rows(folds, selection), atoms_of_rows(split, selection)
    first, last = sorted(data.draw(st.integers(0, len(places))) for _ in range(2))
    rows = slice(first, last, data.draw(st.integers(1, 5)))
    expected = np.stack([fold.parts_of(places) for fold in folds])
    np.testing.assert_array_equal(parts[rows], expected[:, rows])
    np.testing.assert_array_equal(atoms[rows], split.atom(places)[rows])
    np.testing.assert_array_equal(parts.are(1).any()[:], (expected == 1).any(axis=0))
    assert len(parts) == len(atoms) == len(places)


@given(st.lists(st.lists(st.integers(-3, 9)), min_size=1))
def test_values_are_counted_in_pieces_as_at_once(pieces: list[list[int]]) -> None:
    known, n = value_counts(np.array(piece, np.int64) for piece in pieces)
    expected = np.unique(np.concatenate([np.array(piece, np.int64) for piece in pieces]), return_counts=True)
    np.testing.assert_array_equal(known, expected[0])
    np.testing.assert_array_equal(n, expected[1])


LOGITS = st.sampled_from([0.0, -0.0, 1e-30, -1e-30, 1.0, -1.0, 3e38, -3e38, 1e-45]) | st.floats(-9, 9, width=32)


@given(
    st.lists(st.tuples(LOGITS, st.booleans(), st.integers(0, 20)), min_size=1, max_size=80),
    st.booleans(),
    st.integers(1, 4),
)
def test_ranks_are_those_of_pairs_of_characters(
    characters: list[tuple[float, bool, int]], is_share: bool, n_pieces: int
) -> None:
    said = np.array([each for each, *_ in characters], np.float32)
    is_it, cell = (np.array(column) for column in list(zip(*characters, strict=True))[1:])
    if is_share:
        said = np.round(1 / (1 + np.exp(-np.clip(said.astype(np.float64), -9, 9))), 9)
    group = np.arange(21) * N_GROUPS // 21
    ranking = RankingAccumulator(len(said), 21)
    for rows in np.array_split(np.arange(len(said)), n_pieces):
        ranking.add(said[rows], is_it[rows], cell[rows])
    found = ranking.metrics(group)
    higher = (said[is_it][:, None] > said[~is_it]) + 0.5 * (said[is_it][:, None] == said[~is_it])
    alike = group[cell[is_it]][:, None] == group[cell[~is_it]]
    sizes = np.maximum(np.bincount(group[cell], minlength=N_GROUPS)[group[cell[is_it]]], 1)
    assert found.within[0] == pytest.approx(((higher * alike).sum(axis=1) / sizes).sum())
    if is_it.all() or not is_it.any():
        assert np.isnan(found.auc) and np.isnan(found.average_precision) and not found.influence.any()
        return
    auc = roc_auc_score(is_it, said.astype(np.float64))
    assert found.auc == pytest.approx(auc, abs=1e-12)
    assert found.average_precision == pytest.approx(average_precision_score(is_it, said), abs=1e-12)
    influence = np.zeros(21)
    np.add.at(influence, cell[is_it], (higher.mean(axis=1) - auc) / is_it.sum())
    np.add.at(influence, cell[~is_it], (higher.mean(axis=0) - auc) / (~is_it).sum())
    np.testing.assert_allclose(found.influence, influence, atol=1e-12)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("kind", ["binary", "categorical", "numeric", "half"])
@pytest.mark.parametrize("is_missing", [False, True])
def test_control_tasks_are_the_same_in_pieces_of_any_length(
    name: str, kind: str, is_missing: bool, rng: np.random.Generator
) -> None:
    corpus = Corpus.from_texts(["".join(rng.choice(list("abc"), n)) for n in (2, 700, 3, 300, 495)])
    n_chars = len(corpus)
    values = {
        "binary": rng.random(n_chars) < 0.3,
        "categorical": rng.integers(0, 3, n_chars).astype(np.int32),
        "numeric": rng.integers(-2, 300, n_chars).astype(np.float64),
        "half": rng.normal(size=n_chars),
    }[kind]
    names = ("x", "y", "z") if kind == "categorical" else ()
    missing = rng.random(n_chars) < 0.2 if is_missing else None
    labels = Labels(values, "numeric" if kind == "half" else kind, missing, names)  # type: ignore[arg-type]
    asked = target_of_labels(corpus, "made up", labels, selection=Selection(20, 1400, 3))
    found = control_task(name, asked, corpus, seed=5).labels.values
    for piece_rows in (1, 7, 300):
        in_pieces = control_labels(name, asked, corpus, seed=5, piece_rows=piece_rows)
        np.testing.assert_array_equal(in_pieces, found[20:1400])
    present = np.ones(1380, bool) if missing is None else ~missing[20:1400]
    made, own = found[20:1400][present], values[20:1400][present]
    if name == "runs":
        np.testing.assert_array_equal(np.sort(made), np.sort(own))
    else:
        assert set(made.tolist()) <= set(own.tolist())
    np.testing.assert_array_equal(found[:20], values[:20])
