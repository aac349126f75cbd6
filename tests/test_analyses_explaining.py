"""An explanation names what was planted, in its order, and nothing that is merely correlated with it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from planting import Arrays, drifting, in_runs
from scipy.stats import binom

from activations.texts.selection import Selection
from activations.units import Site, Unit
from analyses.errors import AnalysisError
from analyses.ranking.explaining.explanation import Explanation, explain
from analyses.ranking.explaining.one_unit import OneUnit
from analyses.ranking.explaining.tuning import tune
from analyses.targets.classes import classes_of
from analyses.targets.labelling import target_of_labels
from analyses.targets.target import Target
from hypotheses.labels import Labels

N_CHARS = 20_000
HIDDEN = Site.of(0, "hidden")


def labelled(source: Arrays, name: str, values: NDArray[np.generic]) -> Target:
    return target_of_labels(source.corpus, name, Labels(values, "binary" if values.dtype == bool else "numeric"))


def planted(seed: int) -> Explanation:
    """A unit that follows a number, and a label less; and further labels that resemble these, or nothing."""
    rng = np.random.default_rng(seed)
    position = np.arange(N_CHARS) % 60.0
    inside, other = in_runs(rng, N_CHARS, 40), in_runs(rng, N_CHARS, 40)
    values = drifting(rng, N_CHARS, 3, 5)
    values[:, 1] += 0.15 * position + 3 * inside
    source = Arrays({HIDDEN: values})
    like_inside = inside ^ (rng.random(N_CHARS) < 0.2)
    targets: dict[str, NDArray[Any]] = {"other": other, "like inside": like_inside, "inside": inside}
    targets |= {"late": position > 30, "position": position}
    return explain(source, Unit(HIDDEN, 1), [labelled(source, *each) for each in targets.items()], n_passages=3)


@pytest.mark.parametrize("seed", range(5))
def test_what_a_unit_knows_is_named_in_order(seed: int) -> None:
    found = planted(seed)
    assert [each.hypothesis for each in found.answers if each.added_r2 is not None] == ["position", "inside"]
    assert [each.hypothesis for each in found.tunings] == ["position", "inside"]
    adds = {each.hypothesis: each.added_r2 for each in found.answers}
    assert adds["like inside"] is None and adds["late"] is None and adds["other"] is None
    assert found.explained == pytest.approx(adds["position"] + adds["inside"])  # type: ignore[operator]
    by_name = {each.hypothesis: each.ranked for each in found.answers}
    assert by_name["late"].q < 1e-6 < by_name["other"].q
    assert by_name["inside"].unit == Unit(HIDDEN, 1)
    assert "position" in str(found)


def test_adds_is_a_share_of_the_held_out_variance(rng: np.random.Generator) -> None:
    """A signal explains half of itself plus noise of the same variance."""
    inside = in_runs(rng, N_CHARS, 30)
    values = (2 * inside + rng.normal(size=N_CHARS))[:, None]
    source = Arrays({HIDDEN: values.astype(np.float32)})
    found = explain(source, Unit(HIDDEN, 0), [labelled(source, "inside", inside)])
    share = inside.var() * 4 / (inside.var() * 4 + 1)
    assert found.explained == pytest.approx(share, abs=0.03)
    assert found.tunings[0].eta2 == pytest.approx(found.explained, abs=0.001)


def test_passages_are_where_the_unit_is_most_and_least_active() -> None:
    values = np.zeros((N_CHARS, 1), np.float32)
    values[[500, 510, 9000, 15_000], 0] = [5, 4.9, 4, -3]
    text = "".join(chr(ord("a") + t % 26) for t in range(N_CHARS))
    source = Arrays({HIDDEN: values}, text)
    found = explain(source, Unit(HIDDEN, 0), [], n_passages=2)
    assert [(each.position, each.value) for each in found.most] == [(500, 5.0), (9000, 4.0)]
    assert found.least[0].position == 15_000 and found.least[0].value == -3
    first = found.most[0]
    assert first.before + first.character + first.after == text[440:530]


def test_a_tuning_curve_has_the_means_and_the_period_of_a_wave(rng: np.random.Generator) -> None:
    position = np.arange(N_CHARS) % 50.0
    source = Arrays({HIDDEN: np.zeros((N_CHARS, 1), np.float32)})
    asked = labelled(source, "position", position)
    wave = np.sin(2 * np.pi * position / 7) + 0.02 * position + rng.normal(size=N_CHARS)
    found = tune(wave, asked, classes_of(asked))
    np.testing.assert_allclose(found.means, [wave[position == place].mean() for place in range(50)])
    np.testing.assert_allclose(found.deviations, [wave[position == place].std() for place in range(50)])
    assert found.median == np.median(wave)
    assert found.period == pytest.approx(7, abs=0.15) and found.wave_p is not None and found.wave_p < 1e-3
    assert tune(0.1 * position + rng.normal(size=N_CHARS), asked, classes_of(asked)).period is None
    assert tune(rng.normal(size=N_CHARS), asked, classes_of(asked)).eta2 < 0.01


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        (Unit(HIDDEN, 3), "0/hidden has 2 units, 0 to 1, and so no 3"),
        (Unit(Site.of(0, "cell"), 0), "there is no site 0/cell here; there are 0/hidden"),
        (Unit(HIDDEN, 1), "0/hidden/1 is 0 at every character, so that nothing can explain it"),
    ],
)
def test_units_that_cannot_be_explained_are_refused(rng: np.random.Generator, unit: Unit, message: str) -> None:
    values = np.stack([rng.normal(size=N_CHARS), np.zeros(N_CHARS)], axis=1)
    with pytest.raises(AnalysisError, match=message):
        explain(Arrays({HIDDEN: values}), unit, [])


def test_a_unit_by_itself_is_a_source_of_one_column(rng: np.random.Generator) -> None:
    values = rng.normal(size=(5000, 3)).astype(np.float32)
    source = Arrays({HIDDEN: values}, selection=Selection.of(5000, 100, 4000, 7))
    one = OneUnit(source, Unit(HIDDEN, 2))
    for start, stop in ((0, None), (900, 3001), (3990, 5000), (8, 8), (2000, 1000)):
        np.testing.assert_array_equal(
            one.read([HIDDEN], start, stop)[HIDDEN], source.read([HIDDEN], start, stop)[HIDDEN][:, 2:]
        )


def test_a_part_of_a_text_is_explained_as_that_part_alone(rng: np.random.Generator) -> None:
    """The selection is every third character in the middle of the text."""
    inside = in_runs(rng, N_CHARS, 30)
    values = (2 * inside + rng.normal(size=N_CHARS))[:, None].astype(np.float32)
    source = Arrays({HIDDEN: values}, selection=Selection(3000, 15_000, 3))
    asked = target_of_labels(source.corpus, "inside", Labels(inside, "binary"), selection=source.selection)
    found = explain(source, Unit(HIDDEN, 0), [asked])
    share = inside.var() * 4 / (inside.var() * 4 + 1)
    assert found.explained == pytest.approx(share, abs=0.05)
    assert found.tunings[0].n.sum() == 4000
    assert all(3000 <= each.position < 15_000 for each in (*found.most, *found.least))


def test_a_wave_explains_a_unit_among_many_weak_labels(rng: np.random.Generator) -> None:
    position = np.arange(N_CHARS) % 70.0
    weak = {f"weak {n}": in_runs(rng, N_CHARS, 30) for n in range(20)}
    values = 2 * np.sin(2 * np.pi * (position + 1.7) / 7) + rng.normal(size=N_CHARS)
    values = (values + 0.1 * np.sum(list(weak.values()), axis=0))[:, None].astype(np.float32)
    source = Arrays({HIDDEN: values})
    targets = [labelled(source, *each) for each in (weak | {"position": position}).items()]
    found = explain(source, Unit(HIDDEN, 0), targets)
    assert found.answers[0].hypothesis == "position" and found.explained > 0.6
    assert found.tunings[0].eta2 == pytest.approx(found.answers[0].added_r2, abs=0.01)
    assert found.tunings[0].period == pytest.approx(7, abs=0.15)
    row = found.answers[0].row()
    assert (row["period"], row["wave_p"]) == (found.tunings[0].period, found.tunings[0].wave_p)


Curve = Callable[[NDArray[Any], np.random.Generator], NDArray[Any]]
SMOOTH: dict[str, Curve] = {
    "nothing": lambda z, rng: 0 * z,
    "monotone": lambda z, rng: rng.choice([-3, 3]) * z ** rng.uniform(0.3, 3),
    "saturating": lambda z, rng: 3 * (1 - np.exp(-rng.uniform(2, 40) * z)),
    "a bump": lambda z, rng: 3 * np.exp(-(((z - rng.uniform(0, 1)) / rng.uniform(0.02, 0.4)) ** 2)),
    "a dip": lambda z, rng: -3 * np.exp(-(((z - rng.uniform(0, 1)) / rng.uniform(0.02, 0.4)) ** 2)),
    "a step": lambda z, rng: 3.0 * (z > rng.uniform(0, 0.95)),
}
PLACES: dict[str, Callable[[np.random.Generator], NDArray[Any]]] = {
    "lines of 60": lambda rng: np.arange(N_CHARS) % 60.0,
    "lines of many lengths": lambda rng: in_lines(rng, 30),
    "long paragraphs": lambda rng: in_lines(rng, 700),
    "few places": lambda rng: np.minimum(in_lines(rng, 10), rng.integers(8, 24)),
}


def in_lines(rng: np.random.Generator, mean: float) -> NDArray[Any]:
    """The place of each character in lines whose lengths are geometric."""
    lengths = rng.geometric(1 / mean, N_CHARS)
    return np.concatenate([np.arange(float(length)) for length in lengths[: int(3 * N_CHARS / mean)]])[:N_CHARS]


def noisy(rng: np.random.Generator, slowness: float) -> NDArray[np.float64]:
    """A unit of variance 1 that knows nothing and forgets slowly."""
    noise = drifting(rng, N_CHARS, 1, slowness)[:, 0].astype(np.float64)
    return np.asarray(noise / noise.std())


@pytest.mark.parametrize("of", PLACES)
@pytest.mark.parametrize("kind", SMOOTH)
def test_a_curve_that_goes_up_and_down_once_is_no_wave(kind: str, of: str) -> None:
    """This holds for slow units, too. By chance, p may be .05 or less in one curve of 20."""
    n_sure, n_named, n_curves = 0, 0, 40
    source = Arrays({HIDDEN: np.zeros((N_CHARS, 1), np.float32)})
    for seed in range(n_curves):
        rng = np.random.default_rng(seed)
        place = PLACES[of](rng)
        asked = labelled(source, "place", place)
        curve = SMOOTH[kind](place / np.quantile(place, 0.98), rng)
        found = tune(noisy(rng, rng.choice([1, 10, 100, 3000])) + curve, asked, classes_of(asked))
        n_sure += found.wave_p is not None and found.wave_p <= 0.05
        n_named += found.period is not None
    assert n_sure <= binom.isf(1e-4, n_curves, 0.05)
    assert n_named <= binom.isf(1e-4, n_curves, 0.01)


@pytest.mark.parametrize("period", [3.0, 9.0, 24.0])
@pytest.mark.parametrize("slope", [0.0, 0.01])
def test_a_wave_is_found_in_a_slow_unit(period: float, slope: float) -> None:
    """The wave has the height of a standard deviation of the noise, and may be on a slope."""
    source = Arrays({HIDDEN: np.zeros((N_CHARS, 1), np.float32)})
    for seed in range(10):
        rng = np.random.default_rng(seed)
        place = np.arange(N_CHARS) % 60.0
        wave = np.sin(2 * np.pi * (place / period + rng.random())) + slope * place
        asked = labelled(source, "place", place)
        found = tune(noisy(rng, rng.choice([1, 10, 100, 3000])) + wave, asked, classes_of(asked))
        assert found.period == pytest.approx(period, rel=0.03), seed
        assert found.wave_p is not None and found.wave_p < 0.01


def test_only_repeated_numbers_can_make_waves(rng: np.random.Generator) -> None:
    source = Arrays({HIDDEN: np.zeros((N_CHARS, 1), np.float32)})
    wave = np.sin(2 * np.pi * np.arange(N_CHARS) / 2000) + noisy(rng, 10)
    for values in (np.arange(float(N_CHARS)), in_runs(rng, N_CHARS, 30), np.arange(N_CHARS) % 5.0):
        asked = labelled(source, "seen once", values)
        found = tune(wave, asked, classes_of(asked))
        assert (found.period, found.wave_p) == (None, None)
