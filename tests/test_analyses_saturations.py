"""Saturation: exact numbers of characters near the ends of a unit's range, compared with a plain loop."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from planting import Arrays, drifting, random_model
from profiles import n_examples

from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from activations.units import Site
from analyses.collecting.collect import collect
from analyses.errors import AnalysisError
from analyses.gate_saturation import gate_saturation
from analyses.intervals.estimates import mean_interval
from analyses.statistics.saturations import Saturation, Saturations

FORGET, HIDDEN, CELL = Site.of(0, "forget_gate"), Site.of(0, "hidden"), Site.of(0, "cell")
NEAR_THE_ENDS = [0.0, 0.05, 0.1, 0.100001, 0.5, 0.899999, 0.9, 0.95, 1.0]


def saturation(values: dict[Site, NDArray[Any]], selection: Selection | None = None) -> dict[Site, Saturation]:
    source = Arrays(values, selection=selection)
    [by_site] = collect(source, [Saturations(source)])
    found: dict[Site, Saturation] = by_site
    return found


def counted(values: NDArray[Any], of_range: str) -> tuple[list[int], list[int]]:
    """How many values of each unit are near the lower end, and near the upper, one value after another."""
    left, right = [0] * values.shape[1], [0] * values.shape[1]
    for row in values:
        for unit, value in enumerate(map(float, row)):
            seen = math.tanh(value) if of_range == "cell" else value
            left[unit] += seen < (0.1 if of_range == "gate" else -0.9)
            right[unit] += seen > 0.9
    return left, right


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@given(seed=st.integers(0, 2**32), n_units=st.integers(1, 70), every=st.integers(1, 3))
@settings(max_examples=n_examples(10))
def test_counts_are_those_of_a_plain_loop(dtype: str, seed: int, n_units: int, every: int) -> None:
    rng = np.random.default_rng(seed)
    gates = rng.choice(NEAR_THE_ENDS, (300, n_units)).astype(dtype)
    hidden = (rng.choice(NEAR_THE_ENDS, (300, n_units)) * rng.choice([-1, 1], (300, n_units))).astype(dtype)
    cells = rng.choice([-30, -1.473, -1.472, 0, 0.9, 1.472, 1.473, 2], (300, n_units)).astype(dtype)
    used = Selection.of(300, 20, 280, every)
    found = saturation({FORGET: gates, HIDDEN: hidden, CELL: cells}, used)
    for site, values, of_range in ((FORGET, gates, "gate"), (HIDDEN, hidden, "signed"), (CELL, cells, "cell")):
        left, right = counted(values[20:280:every], of_range)
        assert found[site].n_left.tolist() == left
        assert found[site].n_right.tolist() == right
        assert found[site].n_chars == used.n_chars
        np.testing.assert_array_equal(found[site].left, np.array(left) / used.n_chars)
        np.testing.assert_array_equal(found[site].right, np.array(right) / used.n_chars)


def test_a_share_has_the_interval_of_a_mean(rng: np.random.Generator) -> None:
    values = (drifting(rng, 40_000, 3, 30) > 4).astype(np.float32)
    found = saturation({FORGET: values})[FORGET]
    low, high = found.right_interval
    assert ((low < found.right) & (found.right < high)).all()
    for unit in range(3):
        expected = mean_interval(values[:, unit])
        assert high[unit] - low[unit] == pytest.approx(expected[1] - expected[0], rel=0.05)  # symmetric, there
    np.testing.assert_allclose(found.left_interval, 1 - found.right_interval[::-1])


def test_an_interval_covers_the_share_in_endless_text(rng: np.random.Generator) -> None:
    """Of 200 units that are on in half of an endless text, about 190 have .5 in their interval."""
    values = (drifting(rng, 40_000, 200, 30) > 0).astype(np.float32)
    low, high = saturation({FORGET: values})[FORGET].right_interval
    assert 180 <= int(((low < 0.5) & (high > 0.5)).sum()) <= 198


def test_a_unit_that_leaves_its_range_has_no_share() -> None:
    """As a unit of ReLU: it has no upper end."""
    values = np.zeros((200, 2), np.float32)
    values[5, 1] = 1.5
    found = saturation({HIDDEN: values})[HIDDEN]
    assert found.left.tolist()[0] == 0 and np.isnan(found.left[1]) and np.isnan(found.right[1])
    assert np.isnan(found.right_interval[:, 1]).all()
    assert found.n_outside.tolist() == [0, 1]
    assert "of 1 units" in str(found)


def test_sites_without_a_range_are_left_out_or_refused() -> None:
    source = Arrays({Site("features/pca"): np.zeros((200, 2), np.float32), FORGET: np.ones((200, 2), np.float32)})
    assert Saturations(source).sites == [FORGET]
    with pytest.raises(AnalysisError, match="the range of features/pca is not known"):
        Saturations(source, "features")
    with pytest.raises(AnalysisError, match="no site here has a known range, among features/pca"):
        Saturations(Arrays({Site("features/pca"): np.zeros((200, 2), np.float32)}))


def test_what_is_no_number_is_refused() -> None:
    values = np.zeros((200, 2), np.float32)
    values[7, 0] = np.nan
    with pytest.raises(AnalysisError, match="some activations of 0/forget_gate are not numbers"):
        saturation({FORGET: values})


@pytest.mark.parametrize(
    ("cell", "gates"),
    [("lstm", ["input_gate", "forget_gate", "output_gate"]), ("gru", ["reset_gate", "update_gate"])],
)
def test_gates_of_a_model_and_of_its_recording(code_text: str, tmp_path: Path, cell: str, gates: list[str]) -> None:
    corpus = Corpus.from_texts([code_text[:3_000]])
    live = LiveActivations(random_model(code_text, gain=6, cell=cell, n_layers=2, n_units=5), corpus, n_lanes=1)
    found = gate_saturation(live)
    assert found.gates == gates
    assert [str(each.site) for each in found.of_gate(gates[0])] == [f"{layer}/{gates[0]}" for layer in (0, 1)]
    assert len(found.rows()) == 2 * 5 * len(gates)
    extract(live, tmp_path / "a.h5", sites=live.sites)
    with Recording(tmp_path / "a.h5") as recording:
        again = gate_saturation(recording).sites
        assert sum(int(each.n_left.sum()) for each in again) > 100
        for each, of_recording in zip(found.sites, again, strict=True):
            np.testing.assert_array_equal(each.left_interval, of_recording.left_interval)
            assert of_recording.n_right.tolist() == each.n_right.tolist()
            left, right = counted(recording.read([each.site])[each.site], "gate")
            assert (each.n_left.tolist(), each.n_right.tolist()) == (left, right)


def test_an_open_gate_is_right_saturated(code_text: str) -> None:
    """Large biases open or close a gate for good, under its right name."""
    model = random_model(code_text, cell="lstm", n_layers=1, n_units=4)
    biases = dict(model.rnn.named_parameters())["bias_ih_l0"].data  # in PyTorch's order: i, f, g, o
    biases[:4], biases[4:8] = -50.0, 50.0
    found = gate_saturation(LiveActivations(model, Corpus.from_texts([code_text[:500]])))
    by_gate = {each.site.signal: (each.left.tolist(), each.right.tolist()) for each in found.sites}
    assert by_gate["input_gate"] == ([1.0] * 4, [0.0] * 4)
    assert by_gate["forget_gate"] == ([0.0] * 4, [1.0] * 4)


def test_a_gru_whose_update_gate_is_open_keeps_its_state(code_text: str) -> None:
    """Which the documents say of our GRU, since papers differ."""
    model = random_model(code_text, cell="gru", n_layers=1, n_units=4)
    dict(model.rnn.named_parameters())["bias_ih_l0"].data[4:8] = 50.0  # in PyTorch's order: r, z, n
    live = LiveActivations(model, Corpus.from_texts([code_text[:500]]))
    [update] = gate_saturation(live).of_gate("update_gate")
    assert update.right.tolist() == [1.0] * 4
    hidden = live.read("0/hidden", 0, 500)[Site("0/hidden")]
    assert np.abs(hidden - hidden[0]).max() < 1e-3


def test_without_gates_there_is_a_way_out() -> None:
    source = Arrays({HIDDEN: np.zeros((200, 2), np.float32)})
    with pytest.raises(AnalysisError, match=r"no gates here, but 0/hidden; record them with `probe extract --sites"):
        gate_saturation(source)
