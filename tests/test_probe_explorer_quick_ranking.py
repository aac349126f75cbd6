"""Quick rankings from levels."""

import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer_clients import explored
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from planting import PLANTED
from sklearn.metrics import roc_auc_score

from activations.units import Site, Unit
from analyses.errors import AnalysisError
from analyses.ranking.ranking import rank
from analyses.session import Session
from analyses.targets.labelling import target
from analyses.targets.splits import TEST, TRAIN
from probe.explorer.questions.quick_ranking import quick_aucs, sampled_rows
from probe.explorer.questions.rankings import ranking as ranking_module
from probe.explorer.questions.rankings.quick_rows import quick_rows
from probe.explorer.sidecar.unit_levels import UnitLevels

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
    assert rows[0].start == 0 and rows[-1].stop == 1_000_000 and len(rows) == 24
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


def test_quick_rows_have_their_order_from_training_and_their_score_from_held_out_characters(planted: Path) -> None:
    """As the ranking has them, to the precision of a level; a direction that does not hold has a score below chance."""
    with Session(planted) as session:
        labels = target(session.corpus, "in_comment", selection=session.selection)
        scales = UnitLevels(session)
        sites = {Site(name): session.sites[Site(name)] for name in ("0/hidden", "1/cell")}
        levels = {
            site: np.stack([scales.levels(Unit(site, index)) for index in range(n_units)])
            for site, n_units in sites.items()
        }
        rows = quick_rows(list(sites), lambda site, rows: (levels[site], list(rows)), labels, 9)
        ranking = rank(session, labels, sites=list(sites), shifts=0, n_intervals=0).rows(9)
    assert [row["unit"] for row in rows][:3] == [row["unit"] for row in ranking][:3]
    all_rows = labels.all_rows
    for row in rows:
        unit = Unit.parse(row["unit"])
        train, held_out = (
            roc_auc_score(
                all_rows.labels[all_rows.parts == part], levels[unit.site][unit.index][all_rows.parts == part]
            )
            for part in (TRAIN, TEST)
        )
        assert row["direction"] == (1 if train >= 0.5 else -1)
        assert row["held_out_auc"] == pytest.approx(held_out if train >= 0.5 else 1 - held_out, abs=1e-12)


def test_the_quick_look_is_the_same_with_the_levels_beside_the_recording_and_without(
    planted: Path, tmp_path: Path
) -> None:
    path = tmp_path / "activations.h5"
    path.symlink_to(planted)
    looks = []
    for sidecar_bytes, state in ((0, "none"), (1 << 30, "ready")):
        with explored(path, sidecar_bytes=sidecar_bytes) as client:
            until = time.monotonic() + 60
            while client.get("/api/facts").json["recordings"][0]["sidecar"]["state"] != state:
                assert time.monotonic() < until
                time.sleep(0.05)
            labels = client.post("/api/labels", {"recording": 0, "hypothesis": "in_comment"}).json["id"]
            lines = client.post("/api/rank", {"recording": 0, "labels": labels}).lines
        [quick] = [line["quick"] for line in lines if "quick" in line]
        looks.append(quick)
        best = lines[-1]["result"]["rows"][0]
        assert set(quick[0]) == {"unit", "held_out_auc", "direction"}
        assert quick[0]["unit"] == best["unit"] == str(PLANTED["in_comment"])
        assert quick[0]["held_out_auc"] == pytest.approx(best["held_out_auc"], abs=0.01)
    assert looks[0] == looks[1]


def test_one_whole_ranking_goes_on_at_a_time(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes all cores and much memory; one that waits is given up as others are."""
    going_on: list[int] = []
    n_now = 0

    def slow(*arguments: Any, **options: Any) -> Any:
        nonlocal n_now
        n_now += 1
        going_on.append(n_now)
        time.sleep(0.3)
        n_now -= 1
        raise AnalysisError("it is slow")

    monkeypatch.setattr(ranking_module, "rank", slow)
    with explored(planted, sidecar_bytes=0) as client, ThreadPoolExecutor(2) as threads:
        labels = client.post("/api/labels", {"recording": 0, "hypothesis": "in_comment"}).json["id"]
        ask = partial(client.post, "/api/rank", {"recording": 0, "labels": labels})
        answers = [threads.submit(ask) for _ in range(2)]
        assert [answer.result().lines[-1]["error"] for answer in answers] == ["it is slow"] * 2
    assert going_on == [1, 1]
