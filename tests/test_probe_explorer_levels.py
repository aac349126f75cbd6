"""Levels of units: scales, passages, overviews, histograms and extremes, with a sidecar and without."""

import itertools
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exploring import write_recording
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from activations.texts.selection import Selection
from activations.units import Site, Unit
from analyses.errors import AnalysisError
from analyses.session import Session
from probe.explorer.sidecar import unit_levels
from probe.explorer.sidecar.level_loops import write_extremes, write_levels
from probe.explorer.sidecar.recent import Recent
from probe.explorer.sidecar.sidecar import Sidecar
from probe.explorer.sidecar.site_scales import site_scales
from probe.explorer.sidecar.stretches import stretches
from probe.explorer.sidecar.unit_levels import UnitLevels
from probe.viewer.scales import MISSING, Scale, diverging

N_ROWS = 12_000
TEXTS = ["ab" * 3000, "c" * 1000, "d" * 5000]
HIDDEN, CELL, GATE = Site("0/hidden"), Site("0/cell"), Site("0/forget_gate")


def values_of(n_rows: int = N_ROWS) -> dict[str, NDArray[np.floating]]:
    """Units that are noise, constant, in part no numbers, only NaN, and rarely far off."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(0, 0.3, (n_rows, 4)).clip(-1, 1)
    hidden[:, 1] = 0.25
    cell = rng.normal(0, 2, (n_rows, 5))
    cell[::7, 1] = np.nan
    cell[::11, 1] = np.inf
    cell[:, 2] = np.nan
    cell[:, 3] = 1e30
    cell[n_rows // 3, 4] = -1e6
    gate = rng.random((n_rows, 3)) ** 0.1
    return {str(HIDDEN): hidden.astype("f2"), str(CELL): cell.astype("f4"), str(GATE): gate.astype("f4")}


SELECTIONS = {"all": Selection(0, N_ROWS), "range": Selection(500, 9001), "every": Selection(100, 11_950, 3)}


@pytest.fixture(params=SELECTIONS)
def selection(request: pytest.FixtureRequest) -> Selection:
    return SELECTIONS[request.param]


@pytest.fixture
def recording(tmp_path: Path, selection: Selection) -> Path:
    return write_recording(
        tmp_path / "activations.h5",
        values_of(selection.n_chars),
        TEXTS,
        selection=selection,
        codings={str(GATE): "near_one"},
        ranges={str(HIDDEN): (-1, 1), str(GATE): (-1, 1)},
    )


@contextmanager
def both(path: Path) -> Iterator[tuple[UnitLevels, UnitLevels]]:
    """Levels with a whole sidecar, and without one."""
    with Session(path) as session, Session(path) as plain:
        sidecar = Sidecar(session, budget=10**9)
        sidecar.start()
        assert sidecar.wait(60).state == "ready"
        yield UnitLevels(session, sidecar), UnitLevels(plain)
        sidecar.close()


def all_units(levels: UnitLevels) -> list[Unit]:
    return [Unit(site, index) for site, n_units in levels.session.sites.items() for index in range(n_units)]


def spread(levels: UnitLevels, unit: Unit) -> NDArray[np.uint8]:
    """The levels of a unit at all characters, from the values of the recording and the unit's scale."""
    selection = levels.session.selection
    expected = np.full(N_ROWS, MISSING, np.uint8)
    values = levels.session.read([unit.site])[unit.site][:, unit.index]
    expected[selection.start : selection.stop : selection.every] = levels.scale(unit).levels(values)
    return expected


def test_levels_are_the_values_of_the_recording_quantised_by_their_scale(recording: Path) -> None:
    with both(recording) as (stored, read):
        for unit in all_units(read):
            expected = spread(read, unit)
            assert read.scale(unit) == stored.scale(unit)
            for start, stop in [
                (0, None),
                (499, 502),
                (8990, 9100),
                (8191, 8193),
                (700, 700),
                (N_ROWS, N_ROWS),
                (0, 50),
            ]:
                np.testing.assert_array_equal(read.levels(unit, start, stop), expected[start:stop])
                np.testing.assert_array_equal(stored.levels(unit, start, stop), expected[start:stop])


def test_values_that_are_no_numbers_are_missing_and_constant_ones_have_one_level(recording: Path) -> None:
    with both(recording) as (stored, _):
        row = stored.session.selection.start
        assert stored.levels(Unit(CELL, 1), row, row + 1) == MISSING
        assert set(stored.levels(Unit(CELL, 2)).tolist()) == {MISSING}
        for unit in (Unit(CELL, 3), Unit(HIDDEN, 1)):
            levels = set(stored.levels(unit).tolist()) - {MISSING}
            assert len(levels) == 1
            [value] = stored.scale(unit).values(np.array(list(levels), np.uint8))
            [exact] = stored.session.read([unit.site], row, row + 1)[unit.site][:, unit.index].tolist()
            assert value == pytest.approx(exact, abs=stored.scale(unit).step / 2)


def brute_overview(levels: NDArray[np.uint8], n_bins: int) -> NDArray[np.uint8]:
    """The slow twin of `overview`."""
    borders = np.arange(n_bins + 1) * len(levels) // n_bins
    parts = [levels[a:b][levels[a:b] != MISSING] for a, b in itertools.pairwise(borders)]
    return np.array([[part.min() if len(part) else MISSING for part in parts],
                     [part.max() if len(part) else MISSING for part in parts]], np.uint8)  # fmt: skip


def test_an_overview_has_the_lowest_and_the_highest_level_of_each_part(recording: Path) -> None:
    with both(recording) as (stored, read):
        for unit in all_units(read):
            expected = spread(read, unit)
            for n_bins, start, stop in [(7, 0, None), (1200, 0, None), (13, 450, 9500), (60, 100, 130), (3, 5, 5)]:
                overview = brute_overview(expected[start:stop], n_bins)
                np.testing.assert_array_equal(stored.overview(unit, n_bins, start, stop), overview)
                np.testing.assert_array_equal(read.overview(unit, n_bins, start, stop), overview)
                assert stored.is_overview_whole(unit.site, start, stop) and read.is_overview_whole(unit.site)


def test_an_overview_of_much_without_a_sidecar_is_a_sample(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unit_levels, "_SAMPLED_BYTES", 10 * 128 * 4 * 5)  # ten stretches of the cell's five units
    unit = Unit(CELL, 0)
    with both(recording) as (stored, read):
        whole, sample = stored.overview(unit, 24), read.overview(unit, 24)
        assert stored.is_overview_whole(CELL) and not read.is_overview_whole(CELL)
        assert read.is_overview_whole(CELL, 600, 800)
        present = sample[0] != MISSING
        assert 7 <= present.sum() <= 10
        assert (whole[0, present] <= sample[0, present]).all() and (sample[1, present] <= whole[1, present]).all()
        assert (sample[0, present] <= sample[1, present]).all() and (sample[1, ~present] == MISSING).all()


def brute_extremes(values: NDArray[np.floating], n: int, *, lowest: bool) -> list[int]:
    """The slow twin of `extremes`, in rows: the best of each bin of 64, then the best that are far enough apart."""
    keys = np.where(np.isfinite(values), values if lowest else -values.astype(float), np.inf)
    firsts = range(0, len(keys), 64)
    best = sorted(
        (float(keys[first : first + 64].min()), first + int(keys[first : first + 64].argmin())) for first in firsts
    )
    rows: list[int] = []
    for key, row in best:
        if len(rows) < n and key < np.inf and all(abs(row - chosen) >= 64 for chosen in rows):
            rows.append(row)
    return rows


@pytest.mark.parametrize("lowest", [False, True])
def test_extremes_are_the_highest_and_the_lowest_values_in_different_passages(recording: Path, lowest: bool) -> None:
    with both(recording) as (stored, read):
        selection = read.session.selection
        for unit in all_units(read):
            values = read.session.read([unit.site])[unit.site][:, unit.index]
            expected = brute_extremes(values, 6, lowest=lowest)
            for levels in (stored, read):
                rows = (levels.extremes(unit, 6, lowest=lowest) - selection.start) // selection.every
                assert rows.tolist() == expected, unit
        farthest = stored.extremes(Unit(CELL, 4), 1, lowest=True)
        assert farthest.tolist() == [selection.start + selection.n_chars // 3 * selection.every]
        assert stored.extremes(Unit(CELL, 2), 5).tolist() == []


def test_extremes_that_are_equal_everywhere_come_from_all_over_a_long_text(tmp_path: Path) -> None:
    values = {str(HIDDEN): np.ones((70_000, 1), "f2")}
    with both(write_recording(tmp_path / "a.h5", values, ["a" * 70_000])) as (stored, read):
        positions = stored.extremes(Unit(HIDDEN, 0), 5)
        np.testing.assert_array_equal(read.extremes(Unit(HIDDEN, 0), 5), positions)
        assert len(positions) == 5 and (np.diff(positions) >= 64).all()


def test_scales_are_those_of_the_view_where_all_values_are_sampled(rng: np.random.Generator) -> None:
    signed, positive = rng.normal(1, 2, (500, 3)).astype("f4"), rng.gamma(2, 1, (500, 3)).astype("f4")
    for values in (signed, positive):
        scales = site_scales(values)
        for unit in range(3):
            column = values[:, unit]
            _, scale = diverging(column, 0.0 if values is signed else float(np.median(column.astype(float))))
            ours = scales.of(unit)
            assert ours.kind == "diverging" and ours.middle == pytest.approx(scale.middle, abs=1e-9)
            assert ours.full == pytest.approx(scale.full)  # the same colours
            assert ours.step == pytest.approx(1.25 * scale.step)  # which reach beyond the sample


def test_scales_do_not_reach_beyond_what_units_can_have(rng: np.random.Generator) -> None:
    values = np.stack([rng.uniform(-1, 1, 900), rng.uniform(-0.1, 0.1, 900)], axis=1)
    bounded, free = site_scales(values, (-1, 1)), site_scales(values)
    assert bounded.of(0).offset == pytest.approx(-1) and bounded.of(0).step == pytest.approx(1 / 127)
    assert free.of(0).offset == pytest.approx(-1.25, rel=0.01)
    assert bounded.of(1) == free.of(1) and free.of(1).offset == pytest.approx(-0.125, rel=0.01)
    gate = rng.uniform(0, 1, (900, 1))
    middle = float(np.median(gate))
    reach = max(middle, 1 - middle)
    assert site_scales(gate, (0, 1)).of(0).offset == pytest.approx(middle - reach)
    beyond = site_scales(3 * values, (-1, 1))  # which the file declares wrongly
    assert beyond.of(0).offset == pytest.approx(-3 * np.abs(values[:, 0]).max())


def test_values_that_are_no_numbers_do_not_count_for_scales(rng: np.random.Generator) -> None:
    values = rng.normal(0, 1, (400, 3))
    expected = site_scales(values[::2])
    values[1::2] = [[np.nan, np.inf, -np.inf]]
    scales = site_scales(values)
    for name in ("offsets", "steps", "gains"):
        np.testing.assert_array_equal(getattr(scales, name), getattr(expected, name))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nothing = site_scales(np.full((10, 2), np.nan))
    assert (nothing.steps > 0).all() and np.isfinite(nothing.offsets).all() and (nothing.gains > 0).all()


def test_the_scale_of_a_long_text_is_found_from_excerpts_of_all_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_rows = 50_000
    values = np.linspace(0, 1, n_rows, dtype="f4")[:, np.newaxis]
    path = write_recording(tmp_path / "a.h5", {str(CELL): values}, ["a" * n_rows])
    n_read = 0
    with Session(path) as session:
        plain = session.read

        def counted(*arguments: Any) -> Any:
            nonlocal n_read
            values = plain(*arguments)
            n_read += len(values[CELL])
            return values

        monkeypatch.setattr(session, "read", counted)
        scale = UnitLevels(session).scale(Unit(CELL, 0))
    assert n_read == 64 * 64
    assert scale.middle == pytest.approx(0.5, abs=1e-3) and scale.step * 127 == pytest.approx(1.25 / 2, rel=1e-3)
    assert scale.full == pytest.approx(0.45, rel=0.02)


def test_site_levels_are_those_of_all_units(recording: Path) -> None:
    with both(recording) as (stored, read):
        for site in read.session.sites:
            mapped = stored.site_levels(site)
            assert mapped is not None and read.site_levels(site) is None
            rows = slice(read.session.selection.start, read.session.selection.stop, read.session.selection.every)
            for index, of_unit in enumerate(mapped):
                np.testing.assert_array_equal(of_unit, spread(read, Unit(site, index))[rows])
            chosen = [slice(10, 30), slice(1000, 1777)]
            expected = np.concatenate([mapped[:, part] for part in chosen], axis=1)
            np.testing.assert_array_equal(stored.sampled_levels(site, chosen), expected)
            np.testing.assert_array_equal(read.sampled_levels(site, chosen), expected)


@pytest.mark.parametrize(
    "ask, sentence",
    [
        (lambda levels: levels.levels(Unit(CELL, 5)), "there is no unit 0/cell/5; the units of 0/cell are 0 to 4"),
        (lambda levels: levels.scale(Unit(Site("9/cell"), 0)), "there is no site 9/cell; there are 0/hidden, 0/cell"),
        (lambda levels: levels.levels(Unit(CELL, 0), 5, 3), "the passage 5:3 is not in the text"),
        (lambda levels: levels.levels(Unit(CELL, 0), -1, 3), "the passage -1:3 is not in the text"),
        (lambda levels: levels.overview(Unit(CELL, 0), 5, 0, N_ROWS + 1), "passages are within 0:12000"),
        (lambda levels: levels.overview(Unit(CELL, 0), 0), "cannot be shown in 0 parts; ask for one or more"),
    ],
)
def test_what_is_not_there_is_said(recording: Path, ask: Callable[[UnitLevels], Any], sentence: str) -> None:
    with Session(recording) as session, pytest.raises(AnalysisError) as caught:
        ask(UnitLevels(session))
    assert sentence in str(caught.value)


def test_the_levels_of_a_scale_are_the_nearest() -> None:
    scale = Scale(kind="diverging", offset=-1.0, step=0.5)
    values = np.array([-9, -1, -0.76, -0.75, 0.2, 126, 127, np.nan, np.inf, -np.inf], np.float32)
    assert scale.levels(values).tolist() == [0, 0, 0, 1, 2, 254, 254, MISSING, MISSING, MISSING]
    _, made = diverging(values[:6], 0.0)
    np.testing.assert_array_equal(made.levels(values[:6]), diverging(values[:6], 0.0)[0])


numbers = st.floats(width=32)


@given(values=arrays(np.float32, st.tuples(st.integers(1, 40), st.just(3)), elements=numbers), data=st.data())
def test_the_loop_for_levels_is_the_scales_own_way(values: NDArray[np.float32], data: st.DataObject) -> None:
    offsets = data.draw(arrays(np.float64, 3, elements=st.floats(-1e6, 1e6)))
    steps = data.draw(arrays(np.float64, 3, elements=st.floats(1e-6, 1e6)))
    levels = np.empty((3, len(values)), np.uint8)
    write_levels(values, offsets, steps, levels)
    for unit in range(3):
        scale = Scale(kind="diverging", offset=float(offsets[unit]), step=float(steps[unit]))
        np.testing.assert_array_equal(levels[unit], scale.levels(values[:, unit]))


@given(
    values=arrays(
        np.float16,
        st.tuples(st.integers(500, 1200), st.just(40)),
        elements=st.floats(-1, 1, width=16),
        fill=st.just(0.25),
    )
)
def test_the_loop_for_levels_takes_any_number_of_rows_and_units(values: NDArray[np.float16]) -> None:
    scales = site_scales(values)
    levels = np.empty((40, len(values)), np.uint8)
    write_levels(values, scales.offsets, scales.steps, levels)
    np.testing.assert_array_equal(levels, [scales.of(unit).levels(values[:, unit]) for unit in range(40)])


@given(levels=arrays(np.uint8, st.integers(0, 300)), data=st.data())
def test_the_loop_for_extremes_is_that_of_numpy(levels: NDArray[np.uint8], data: st.DataObject) -> None:
    inner = data.draw(st.lists(st.integers(0, len(levels)), max_size=5).map(sorted))
    edges = np.array([0, *inner, len(levels)], np.int64)
    low, high = np.empty(len(edges) - 1, np.uint8), np.empty(len(edges) - 1, np.uint8)
    write_extremes(levels, edges, low, high)
    for number, (start, stop) in enumerate(itertools.pairwise(edges)):
        present = levels[start:stop][levels[start:stop] != MISSING]
        expected = (present.min(), present.max()) if len(present) else (MISSING, MISSING)
        assert (low[number], high[number]) == expected


@given(n_rows=st.integers(1, 5000), n_wanted=st.integers(1, 500), length=st.integers(1, 100))
def test_stretches_are_evenly_spaced_and_do_not_overlap(n_rows: int, n_wanted: int, length: int) -> None:
    chosen = stretches(n_rows, n_wanted, length)
    if len(chosen) == 1:
        assert chosen == [slice(0, n_rows)] or chosen[0].stop - chosen[0].start == length
        return
    starts = np.array([stretch.start for stretch in chosen])
    assert all(stretch.stop - stretch.start == length for stretch in chosen)
    assert (np.diff(starts) >= length).all() and np.ptp(np.diff(starts)) <= 1
    assert starts[0] == 0 and chosen[-1].stop == n_rows and len(chosen) == n_wanted // length


def test_arrays_that_were_used_last_are_kept() -> None:
    recent: Recent[NDArray[np.uint8]] = Recent(100)
    for key in ("a", "b"):
        recent.get_or_make(key, lambda: np.zeros(40, np.uint8))
    assert recent.get("a") is not None
    recent.get_or_make("c", lambda: np.zeros(40, np.uint8))
    assert recent.get("b") is None and recent.get("a") is not None and recent.n_bytes == 80
    recent.get_or_make("large", lambda: np.zeros(400, np.uint8))
    assert recent.get("large") is not None and recent.n_bytes == 400
