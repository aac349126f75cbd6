"""Gram matrices are those of the rows, however far these are from 0, and give scikit-learn's ridge regressions."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from planting import Arrays, drifting, in_runs
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from activations.units import Site
from analyses.collecting.collect import collect
from analyses.collecting.statistic import BlockLabels
from analyses.errors import AnalysisError
from analyses.statistics.autocorrelations import Autocorrelations
from analyses.statistics.gram_matrices import GramMatrices, GramsOfLabel
from analyses.statistics.passages import ActivePassages
from analyses.targets.labelling import target
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target

HIDDEN, CELL = Site.of(0, "hidden"), Site.of(0, "cell")
N_CHARS = 6_000


class World:
    """Two sites, of which one is far from 0, and labels of each kind, some of them missing."""

    def __init__(self) -> None:
        rng = np.random.default_rng(1)
        self.x = drifting(rng, N_CHARS, 9, 8).astype(np.float64)
        self.x[:, 5:] += 1e5
        hidden, cell = self.x[:, :5].astype(np.float16), self.x[:, 5:].astype(np.float32)
        self.x = np.hstack([hidden, cell]).astype(np.float64)
        self.source = Arrays({HIDDEN: hidden, CELL: cell})
        missing = rng.random(N_CHARS) < 0.2
        binary = in_runs(rng, N_CHARS, 30)
        numbers = self.x[:, 0] + rng.normal(size=N_CHARS) + 1e4
        classes = rng.choice(["a", "b", "c"], N_CHARS)
        self.numeric = self._asked([None if gone else each for gone, each in zip(missing, numbers, strict=True)])
        self.binary = self._asked(binary.tolist())
        self.classes = self._asked(classes.tolist())
        [self.of_numeric, self.of_binary, self.of_classes] = self.collected()

    def _asked(self, labels: list[object]) -> Target:
        return target(self.source.corpus, lambda text: labels)

    def collected(self) -> list[GramsOfLabel]:
        [found] = collect(self.source, [GramMatrices(self.source, [self.numeric, self.binary, self.classes])])
        return list(found)

    def rows(self, asked: Target, part: int | None, fold: int | None = None) -> NDArray[np.bool_]:
        folds = asked.split.folds(asked.split.n_folds)
        parts = (asked.split.only_fold if fold is None else folds[fold]).parts_of(np.arange(N_CHARS))
        return asked.labels.present & ((parts == part) if part is not None else True)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def test_sums_are_those_of_the_rows_of_each_part_and_fold(world: World) -> None:
    y_of_classes = (world.classes.labels.values[:, None] == np.arange(3)).astype(float)
    for asked, found, y in (
        (world.numeric, world.of_numeric, world.numeric.labels.values[:, None]),
        (world.binary, world.of_binary, world.binary.labels.values[:, None].astype(float)),
        (world.classes, world.of_classes, y_of_classes),
    ):
        for part, number in (("all", None), ("train", TRAIN), ("test", TEST)):
            for fold in (None, *range(5)):
                gram = found.of(part, fold)  # type: ignore[arg-type]
                rows = world.rows(asked, number, fold)
                x, own = world.x[rows], y[rows]
                dx, dy = x - x.mean(axis=0), own - own.mean(axis=0)
                assert gram.n == rows.sum()
                np.testing.assert_allclose(gram.x_mean, x.mean(axis=0), rtol=1e-12, atol=1e-12)
                np.testing.assert_allclose(gram.y_mean, own.mean(axis=0), rtol=1e-12)
                for products, a, b in ((gram.xx, dx, dx), (gram.xy, dx, dy), (gram.yy, dy, dy)):
                    size = np.sqrt(np.outer((a**2).sum(axis=0), (b**2).sum(axis=0)))
                    np.testing.assert_allclose(products / size, a.T @ b / size, rtol=0, atol=1e-9)
    assert world.of_classes.names == ("a", "b", "c")
    assert [str(each) for each in world.of_binary.units[4:6]] == ["0/hidden/4", "0/cell/0"]


@pytest.mark.parametrize("n_shards", [1, 3, 40])
def test_shards_of_units_far_from_0_merge_to_one_pass(world: World, rng: np.random.Generator, n_shards: int) -> None:
    shards = [GramMatrices(world.source, [world.numeric, world.binary, world.classes]) for _ in range(n_shards)]
    for block in rng.permutation(np.array(list(world.source.blocks(n_chars=100)), object)):
        shards[rng.integers(n_shards)].update(block, BlockLabels(block))
    [merged, *others] = shards
    for each in others:
        merged.merge(each)
    for found, expected in zip(merged.result(), world.collected(), strict=True):
        one, other = found.of("train"), expected.of("train")
        size = np.sqrt(np.outer(np.diagonal(other.xx), np.diagonal(other.xx)))
        np.testing.assert_allclose(one.xx / size, other.xx / size, rtol=0, atol=1e-11)
        np.testing.assert_allclose(one.x_mean, other.x_mean, rtol=1e-14, atol=1e-12)


def test_ridge_is_scikit_learns_on_standardised_units(world: World) -> None:
    rows = world.rows(world.numeric, TRAIN)
    x, y = world.x[rows], world.numeric.labels.values[rows]
    scaler = StandardScaler().fit(x)
    reference = Ridge(alpha=30.0).fit(scaler.transform(x), y)
    gram = world.of_numeric.of("train")
    weights, intercept = gram.ridge(30.0)
    np.testing.assert_allclose(weights[:, 0], reference.coef_ / scaler.scale_, rtol=1e-6)
    np.testing.assert_allclose(world.x @ weights + intercept, reference.predict(scaler.transform(world.x))[:, None])
    held_out = world.rows(world.numeric, TEST)
    r2 = r2_score(world.numeric.labels.values[held_out], reference.predict(scaler.transform(world.x[held_out])))
    np.testing.assert_allclose(world.of_numeric.of("test").r2(weights, intercept), r2, rtol=1e-6)
    np.testing.assert_allclose(gram.deviation, scaler.scale_, rtol=1e-9)
    np.testing.assert_allclose(gram.correlation[:, 0], [np.corrcoef(each, y)[0, 1] for each in x.T], atol=1e-9)


def test_products_with_a_label_are_the_first_gradient_of_a_logistic_regression(world: World) -> None:
    rows = world.rows(world.binary, TRAIN)
    x, y = world.x[rows], world.binary.labels.values[rows]
    gram = world.of_binary.of("train")
    gradient = (x - x.mean(axis=0)).T @ (y.mean() - y)
    np.testing.assert_allclose(-gram.xy[:, 0], gradient, rtol=1e-9, atol=1e-6)


def test_there_are_three_sums_for_each_fold(world: World) -> None:
    arrays = GramMatrices(world.source, [world.binary, world.classes]).arrays()
    n_sums = 15 - 2  # nothing lies before the first of five stretches, and nothing behind the last
    assert arrays["0/products"].shape == (n_sums, 13, 13)  # 9 units, and columns for True and three classes
    assert len(arrays) == 3


def test_a_unit_that_never_changes_has_no_weight() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2_000, 3)).astype(np.float32)
    x[:, 1] = 0.1
    source = Arrays({CELL: x})
    asked = target(source.corpus, lambda text: x[:, 0] > 0)
    [[found]] = collect(source, [GramMatrices(source, [asked])])
    weights, _ = found.of("train").ridge(1.0)
    assert weights[1, 0] == 0
    assert weights[0, 0] > 0.1
    with pytest.raises(AnalysisError, match="the penalty is 0; it must be a number above 0"):
        found.of("train").ridge(0)


def test_what_is_not_a_number_is_refused() -> None:
    x = np.zeros((2_000, 2), np.float32)
    hidden, cell = x.copy(), x.copy()
    cell[1_000, 1] = np.inf
    source = Arrays({HIDDEN: hidden, CELL: cell})
    statistic = GramMatrices(source, [lambda text: np.arange(len(text)) % 2 == 0])
    with pytest.raises(AnalysisError, match="some activations of 0/cell are not numbers"):
        collect(source, [statistic])


def test_constant_columns_have_no_correlation_and_no_explained_variance() -> None:
    """This holds even where a mean in floating point differs from the number itself."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3_000, 3)).astype(np.float32)
    x[:, 1] = 0.1
    numbers = rng.normal(size=3_000)
    source = Arrays({CELL: x})
    split = target(source.corpus, lambda text: numbers).split
    numbers[split.folds(5)[0].parts_of(np.arange(3_000)) == TEST] = 0.1  # of another fold than that of the split
    [[found]] = collect(source, [GramMatrices(source, [target(source.corpus, lambda text: numbers)])])
    assert np.isnan(found.of("train").correlation[:, 0]).tolist() == [False, True, False]
    constant = found.of("test", 0)
    assert np.isnan(constant.correlation).all()
    assert np.isnan(constant.r2(*found.of("train", 0).ridge(1.0))).all()


def test_invalid_penalties_are_refused() -> None:
    x = np.random.default_rng(0).normal(size=(2_000, 1)).astype(np.float32)
    source = Arrays({CELL: np.hstack([x, x, x])})
    [[found]] = collect(source, [GramMatrices(source, [lambda text: (x[:, 0] > 0).tolist()])])
    gram = found.of("train")
    with pytest.raises(AnalysisError, match="a penalty of 1e-30 is too small for units that depend on each other"):
        gram.ridge(1e-30)
    with pytest.raises(AnalysisError, match="the penalty is inf; it must be a number above 0"):
        gram.ridge(np.inf)


@pytest.mark.filterwarnings("error")
def test_what_is_not_a_number_is_refused_in_one_sentence_among_many_units() -> None:
    """Their products are added up by several threads."""
    x = np.random.default_rng(0).normal(size=(2_000, 600)).astype(np.float32)
    x[::2] = 0
    x[1_000, 3] = np.inf
    source = Arrays({CELL: x})
    statistic = GramMatrices(source, [lambda text: np.arange(len(text)) % 2 == 0])
    with pytest.raises(AnalysisError, match="some activations of 0/cell are not numbers"):
        collect(source, [statistic])


@pytest.mark.parametrize(
    "make",
    [
        lambda source, sites: GramMatrices(source, [lambda text: np.arange(len(text)) % 2 == 0], sites),
        Autocorrelations,
        ActivePassages,
    ],
)
def test_unknown_sites_are_refused(make: Callable[..., Any]) -> None:
    source = Arrays({CELL: np.zeros((2_000, 2), np.float32), HIDDEN: np.zeros((2_000, 1), np.float16)})
    assert list(make(source, [HIDDEN, CELL, HIDDEN]).sites) == [CELL, HIDDEN]  # in the order of the source
    with pytest.raises(AnalysisError, match="there is no site 7/cell here; there are 0/cell, 0/hidden"):
        make(source, [Site.of(7, "cell")])
