"""The units that are best together are found, in their order."""

import numpy as np
import pytest
from planting import Arrays
from sklearn.linear_model import LinearRegression
from sklearn.metrics import roc_auc_score

from activations.units import Site, Unit
from analyses.curves import curve
from analyses.probing.forward_selection import select_units
from analyses.ranking.ranking import rank
from analyses.targets.labelling import target_of_labels
from analyses.targets.splits import TRAIN
from analyses.targets.target import Target
from hypotheses.labels import Labels

FIRST, SECOND = Site.of(0, "hidden"), Site.of(1, "cell")


def planted_together(rng: np.random.Generator, n_chars: int = 20_000) -> tuple[Arrays, Target]:
    """Eight of 40 units share the label's evidence, with noise that cancels in their sum; none tells much alone."""
    labels = rng.random(n_chars) < 0.5
    noise = rng.normal(0, 1, (n_chars, 8))
    noise -= noise.mean(axis=1, keepdims=True)
    informed = noise + (labels[:, None] - 0.5) * 0.4 + rng.normal(0, 0.1, (n_chars, 8))
    source = Arrays(
        {
            FIRST: rng.normal(size=(n_chars, 20)).astype("f2"),
            SECOND: np.hstack([rng.normal(size=(n_chars, 12)), informed]).astype("f4"),
        }
    )
    return source, target_of_labels(source.corpus, "together", Labels(labels, "binary"))


def test_a_combination_is_found_by_a_curve_over_units(rng: np.random.Generator) -> None:
    source, labelled = planted_together(rng)
    together = {Unit(SECOND, index) for index in range(12, 20)}
    over_units = curve(source, labelled, "units", most=16)
    assert set(over_units.units[:8]) == together
    alone = max(
        abs(roc_auc_score(labelled.labels.values, column) - 0.5) + 0.5
        for block in source.blocks(n_chars=20_000)
        for values in block.values.values()
        for column in values.T
    )
    assert alone < 0.7
    assert over_units.points[over_units.values.index(1)].auc < 0.7
    assert over_units.points[over_units.values.index(8)].auc > 0.99
    assert [ranked.unit for ranked in rank(source, labelled, method="sparse").units[:8]] == list(over_units.units[:8])


@pytest.mark.parametrize("kind", ["binary", "numeric", "categorical"])
def test_units_are_chosen_as_by_trying_all(kind: str, rng: np.random.Generator) -> None:
    """By fitting least squares to each set of units that has one more."""
    n_chars = 3000
    x = rng.normal(size=(n_chars, 7)) @ rng.normal(size=(7, 7))
    evidence = x @ [1.0, 0, -2, 0, 0.5, 0, 0] + rng.normal(size=n_chars) * 3
    values, names = {
        "binary": (evidence > 1, ()),
        "numeric": (evidence, ()),
        "categorical": (np.digitize(evidence, [-3, 2]).astype(np.int32), ("low", "middle", "high")),
    }[kind]
    source = Arrays({FIRST: x.astype("f4")})
    labelled = target_of_labels(source.corpus, kind, Labels(values, kind, None, names))  # type: ignore[arg-type]
    selected = select_units(source, labelled, [FIRST], 4)
    train = labelled.split.parts(0, n_chars) == TRAIN
    y = np.eye(3)[values[train]] if kind == "categorical" else values[train].astype(np.float64)[:, None]
    chosen: list[int] = []
    for step in range(4):
        r2 = {}
        for index in set(range(7)) - set(chosen):
            columns = x[train][:, [*chosen, index]]
            residual = y - LinearRegression().fit(columns, y).predict(columns)
            r2[index] = float((1 - residual.var(axis=0) / y.var(axis=0)).mean())
        chosen.append(max(r2, key=lambda index: r2[index]))
        assert selected.r2[step] == pytest.approx(r2[chosen[-1]], abs=1e-4)
    assert [unit.index for unit in selected.units] == chosen


def test_a_unit_that_repeats_others_is_not_chosen(rng: np.random.Generator) -> None:
    x = rng.normal(size=(5000, 3))
    values = np.column_stack([x, x[:, 0], x[:, 0] + x[:, 1]]).astype("f4")
    source = Arrays({FIRST: values})
    labelled = target_of_labels(source.corpus, "sum", Labels(x.sum(axis=1), "numeric"))
    selected = select_units(source, labelled, [FIRST], 5)
    assert len(selected.units) == 3
    assert selected.r2[-1] == pytest.approx(1, abs=1e-4)


def test_where_a_large_number_is_missing_says_nothing(rng: np.random.Generator) -> None:
    """A label far from 0, beside which what stands where it is missing would be all that counts."""
    x = rng.normal(size=(5000, 4))
    missing = rng.random(5000) < 0.2
    labels = Labels(np.where(missing, 0.0, 1e10 + x[:, 2]), "numeric", missing)
    source = Arrays({FIRST: x.astype("f4")})
    selected = select_units(source, target_of_labels(source.corpus, "far", labels), [FIRST], 1)
    assert selected.units == (Unit(FIRST, 2),)
    assert selected.r2[0] == pytest.approx(1, abs=1e-4)
