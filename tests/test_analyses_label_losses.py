"""Losses by label are means over the characters that have it, and those of the model."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from planting import Arrays, in_runs, random_model

from activations.models.evaluation import losses
from activations.predictions import LOG_PROB
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from activations.units import Site
from analyses.collecting.collect import collect
from analyses.errors import AnalysisError
from analyses.statistics.gram_matrices import GramMatrices
from analyses.statistics.label_losses import ClassLosses, LossesByLabel, NumberLosses
from analyses.targets.labelling import target, targets_for
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target
from hypotheses.labelling.long_labels import LabelsOnDisk
from hypotheses.labels import Labels

CELL = Site.of(0, "cell")
N_CHARS = 8_000


class World:
    """Predictions that are worse where a label is True, and labels of each kind, some of them missing."""

    def __init__(self) -> None:
        rng = np.random.default_rng(2)
        binary, missing = in_runs(rng, N_CHARS, 25), rng.random(N_CHARS) < 0.1
        self.loss = rng.exponential(1.0 + binary).astype(np.float32)
        self.loss[[2_999, 7_999]] = np.nan
        self.source = Arrays(
            {CELL: np.zeros((N_CHARS, 1), np.float32)},
            documents=[3_000, 5_000],
            predictions={LOG_PROB: -self.loss},
        )
        numbers = 1e4 + np.where(np.isnan(self.loss), 0, self.loss) + rng.normal(size=N_CHARS)
        self.binary = self._asked(binary.tolist(), missing)
        self.numeric = self._asked(numbers.tolist(), missing)
        self.classes = self._asked(rng.choice(["a", "b", "c"], N_CHARS).tolist(), np.zeros(N_CHARS, bool))
        asked = [self.classes, self.numeric, self.binary]
        [[self.of_classes, self.of_numeric, self.of_binary]] = collect(self.source, [LossesByLabel(self.source, asked)])

    def _asked(self, labels: list[object], missing: NDArray[np.bool_]) -> Target:
        kept = iter([None if gone else label for gone, label in zip(missing.tolist(), labels, strict=True)])
        return target(self.source.corpus, lambda text: [next(kept) for _ in text])

    def rows(self, asked: Target, part: int | None, fold: int | None) -> NDArray[np.bool_]:
        folds = asked.split.folds(asked.split.n_folds)
        parts = (asked.split.only_fold if fold is None else folds[fold]).parts_of(np.arange(N_CHARS))
        return asked.labels.present & ~np.isnan(self.loss) & ((parts == part) if part is not None else True)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


PARTS = [("all", None, None), ("train", TRAIN, None), ("test", TEST, None), ("train", TRAIN, 1), ("test", TEST, 3)]


@pytest.mark.parametrize(("part", "number", "fold"), PARTS)
def test_losses_of_classes_are_means_over_their_characters(
    world: World, part: str, number: int | None, fold: int | None
) -> None:
    for asked, found in ((world.binary, world.of_binary), (world.classes, world.of_classes)):
        rows = world.rows(asked, number, fold)
        loss, labels = world.loss[rows].astype(np.float64), asked.labels.values[rows].astype(int)
        expected = [loss[labels == each].mean() for each in range(len(found.names))]
        np.testing.assert_allclose(found.mean(part, fold), expected, rtol=1e-12)
    assert world.of_binary.names == ("False", "True")
    assert world.of_classes.names == ("a", "b", "c")


@pytest.mark.parametrize(("part", "number", "fold"), PARTS)
def test_losses_are_correlated_with_numeric_labels(
    world: World, part: str, number: int | None, fold: int | None
) -> None:
    rows = world.rows(world.numeric, number, fold)
    loss, labels = world.loss[rows].astype(np.float64), world.numeric.labels.values[rows]
    assert world.of_numeric.mean(part, fold) == pytest.approx(loss.mean(), rel=1e-12)
    assert world.of_numeric.r(part, fold) == pytest.approx(np.corrcoef(loss, labels)[0, 1], abs=1e-12)


def test_sums_are_kept_of_each_atom(world: World) -> None:
    rows = world.rows(world.binary, None, None)
    atoms = world.binary.split.atom(np.arange(N_CHARS))
    of_atoms = np.zeros((world.binary.split.n_atoms, 2))
    np.add.at(of_atoms, world.of_binary.cells.atoms, world.of_binary.loss)
    expected = [
        [world.loss[rows & (atoms == atom) & (world.binary.labels.values == each)].sum() for each in (False, True)]
        for atom in range(len(of_atoms))
    ]
    np.testing.assert_allclose(of_atoms, expected, rtol=1e-5)
    assert world.of_binary.n.sum() == rows.sum()


def test_results_print_what_they_are(world: World) -> None:
    assert isinstance(world.of_binary, ClassLosses)
    assert isinstance(world.of_numeric, NumberLosses)
    false, true = world.of_binary.mean()
    assert f"\nTrue: {true:.3f} nats per character, of {world.of_binary.n[:, 1].sum():,}" in str(world.of_binary)
    assert true > false + 0.5
    assert f"r = {world.of_numeric.r():.3f}" in str(world.of_numeric)


@pytest.mark.parametrize("every", [1, 3])
def test_losses_are_those_of_the_model_live_and_recorded(code_text: str, tmp_path: Path, every: int) -> None:
    model = random_model(code_text)
    corpus = Corpus.from_texts([code_text[:3000], code_text[3000:8000]])
    nats = losses(model, corpus).nats
    loss = np.full(len(corpus), np.nan)  # of the character after each
    loss[: 3000 - 1], loss[3000 : 8000 - 1] = nats[: 3000 - 1], nats[3000 - 1 :]
    live = LiveActivations(model, corpus, n_lanes=1, selection=Selection.of(len(corpus), 50, 7_800, every))
    extract(live, tmp_path / "a.h5", sites=live.sites)
    with Recording(tmp_path / "a.h5") as recording:
        for source in (live, recording):
            [[found]] = collect(source, [LossesByLabel(source, [lambda text: [char == " " for char in text]])])
            used = np.zeros(len(corpus), bool)
            used[50:7_800:every] = True
            is_space = corpus.codes == ord(" ")
            expected = [np.nanmean(loss[used & (is_space == each)]) for each in (False, True)]
            np.testing.assert_allclose(found.mean(), expected, rtol=1e-5)


def test_predictions_are_needed() -> None:
    source = Arrays({CELL: np.zeros((1_000, 1), np.float32)})
    statistic = LossesByLabel(source, [lambda text: np.arange(len(text)) % 2 == 0])
    with pytest.raises(
        AnalysisError, match="the model's predictions are needed, and there are none: it was recorded without"
    ):
        collect(source, [statistic])


def test_a_number_that_never_changes_in_a_part_has_no_correlation() -> None:
    rng = np.random.default_rng(3)
    numbers = rng.normal(size=N_CHARS)
    source = Arrays({CELL: np.zeros((N_CHARS, 1), np.float32)}, predictions={LOG_PROB: -rng.exponential(1.0, N_CHARS)})
    split = target(source.corpus, lambda text: numbers).split
    numbers[split.folds(5)[0].parts_of(np.arange(N_CHARS)) == TEST] = 0.1
    [[found]] = collect(source, [LossesByLabel(source, [target(source.corpus, lambda text: numbers)])])
    assert np.isnan(found.r("test", 0))
    assert abs(found.r("train", 0)) < 0.1


@pytest.mark.parametrize("make", [LossesByLabel, GramMatrices])
def test_labels_of_one_question_share_the_memory(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels that do not fit are kept in a temporary file."""
    source = Arrays({CELL: np.zeros((N_CHARS, 1), np.float32)})
    names = [lambda text: np.arange(len(text)) % 2 == 0, lambda text: np.arange(len(text)) % 3 == 0]
    module = sys.modules[make.__module__]
    monkeypatch.setattr(module, "targets_for", partial(targets_for, memory_bytes=N_CHARS))
    kinds = {type(each.labels) for each in make(source, names)._targets}
    assert kinds == {LabelsOnDisk}
    assert {type(each.labels) for each in make(source, names[:1])._targets} == {Labels}
