"""`source["1/cell"]`: activations as an array whose rows are read when they are used, also with names on its axes."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from planting import Arrays, random_model

import probe
from activations.errors import ActivationError
from activations.lazy_activations import LazyActivations, NamedActivations
from activations.texts.selection import Selection
from activations.units import Site, Unit

N_CHARS, N_UNITS = 20_000, 7
CELL, HIDDEN = Site("1/cell"), Site("1/hidden")
TEXT = "".join(chr(ord("a") + n % 26) for n in range(N_CHARS))


class Counted(Arrays, NamedActivations):
    """A source that notes which passages are read."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.passages: list[tuple[int, int | None]] = []

    def read(self, sites: Collection[Site], start: int = 0, stop: int | None = None) -> dict[Site, NDArray[Any]]:
        self.passages.append((start, stop))
        return super().read(sites, start, stop)


def source(selection: Selection | None = None) -> Counted:
    """Values that say which character and unit they are of."""
    values = np.arange(N_CHARS * N_UNITS, dtype=np.float32).reshape(N_CHARS, N_UNITS)
    return Counted({HIDDEN: values[:, :3], CELL: values[:, 3:]}, text=TEXT, selection=selection)


def test_a_site_is_an_array_of_which_only_the_rows_that_are_used_are_read() -> None:
    counted = source()
    array = counted["1/cell"]
    assert isinstance(array, LazyActivations)
    assert (array.shape, array.ndim, array.dtype) == ((N_CHARS, 4), 2, np.dtype(np.float32))
    assert counted.passages == []
    np.testing.assert_array_equal(array[100:103, 1], [704.0, 711.0, 718.0])
    np.testing.assert_array_equal(array[-1], [139_996.0, 139_997.0, 139_998.0, 139_999.0])
    assert counted.passages == [(100, 103), (19_999, 20_000)]
    assert np.asarray(array).shape == (N_CHARS, 4)


def test_a_unit_is_an_array_of_one_axis() -> None:
    array = source()["1/cell/2"]
    assert (array.shape, array.units) == ((N_CHARS,), (Unit(CELL, 2),))
    np.testing.assert_array_equal(array[:3], [5.0, 12.0, 19.0])
    np.testing.assert_array_equal(array[[2, 0]], [19.0, 5.0])
    assert float(array[-1]) == 139_998.0
    np.testing.assert_array_equal(source()[Unit(CELL, 2)][:3], array[:3])
    assert repr(array) == "<LazyActivations: 20,000 rows of 1/cell/2>"


def test_a_signal_or_a_layer_stands_for_its_sites() -> None:
    assert source()["cell"].units == source()["1/cell"].units
    assert source()["1"].shape == (N_CHARS, N_UNITS)
    np.testing.assert_array_equal(source()["1"][1], np.arange(7.0, 14.0))


def test_rows_of_a_selection_stand_beside_its_characters() -> None:
    counted = source(Selection(100, 1000, 10))
    array = counted["1/cell"]
    assert len(array) == len(counted.text) == len(array.positions) == 90
    assert counted.text == TEXT[100:1000:10]
    np.testing.assert_array_equal(array[:2, 0], [703.0, 773.0])
    assert array.positions[1] == 110
    assert array.characters(slice(1, 3)) == TEXT[110] + TEXT[120]


def test_iterating_gives_every_row_once_and_ends() -> None:
    array = source()["1/cell/0"]
    np.testing.assert_array_equal(np.array(list(array)), array[:])


@pytest.mark.parametrize("name", ["2/cell", "1/cell/4", "1/cell/x", "nothing", "", ["1/cell", "x"], 3])
def test_what_is_neither_a_site_nor_a_unit_is_one_sentence(name: Any) -> None:
    with pytest.raises(ActivationError, match=r"there is no site|has 4 units, 0 to 3|is not a site") as error:
        source()[name]
    assert "\n" not in str(error.value)


def test_recordings_sessions_and_live_activations_have_the_same(planted: Path, code_text: str) -> None:
    recording = probe.Recording(planted)
    expected = recording.read("1/cell", 500, 520)["1/cell"]  # type: ignore[index]  # a site is equal to its name
    np.testing.assert_array_equal(recording["1/cell"][500:520], expected.astype(np.float32))
    with probe.Session(planted) as session:
        np.testing.assert_array_equal(session["1/cell/3"][500:520], expected[:, 3].astype(np.float32))
        assert session.text == recording.text == recording.corpus.text()
    live = probe.LiveActivations(random_model(code_text), probe.Corpus.from_texts([code_text[:3000]]), n_lanes=1)
    [hidden] = [site for site in live.sites if site == "0/hidden"]
    np.testing.assert_allclose(live["0/hidden"][1000:1010], live.read([hidden], 1000, 1010)[hidden], atol=1e-6)
    assert live.text == code_text[:3000]


def test_a_recording_of_tokens_says_that_its_rows_are_no_characters(planted: Path) -> None:
    recording = probe.Recording(planted)
    recording.tokens = object()  # type: ignore[assignment]
    with pytest.raises(ActivationError, match="the rows of this recording are tokens"):
        recording["1/cell"]
    assert recording.text == recording.corpus.text()


def test_a_data_frame_has_units_as_columns_and_positions_as_its_index() -> None:
    pytest.importorskip("pandas")
    counted = source(Selection(100, 1000, 10))
    frame = counted["1/cell"].to_frame(slice(5, 8))
    assert list(frame.columns) == ["1/cell/0", "1/cell/1", "1/cell/2", "1/cell/3"]
    assert (list(frame.index), frame.index.name) == ([150, 160, 170], "char")
    assert frame.loc[160, "1/cell/1"] == 160 * N_UNITS + 4
    assert counted["1/cell/1"].to_frame(0).shape == (1, 1)


def test_an_xarray_has_names_and_reads_what_is_used() -> None:
    pytest.importorskip("xarray")
    counted = source(Selection(100, 19_000, 2))
    array = counted["1/cell"].to_xarray()
    assert (array.dims, array.shape, array.name) == (("char", "unit"), (9450, 4), "1/cell")
    part = array.sel(char=slice(1000, 1004), unit="1/cell/2")
    assert counted.passages == []
    np.testing.assert_array_equal(part.values, [7005.0, 7019.0, 7033.0])
    assert "".join(part.character.values) == TEXT[1000] + TEXT[1002] + TEXT[1004]
    assert counted.passages == [(1000, 1006)]
    np.testing.assert_array_equal(array.isel(char=[7, 3], unit=[3, 0]).values, array.values[[7, 3]][:, [3, 0]])
    np.testing.assert_array_equal(array.isel(char=-1).values, array.values[-1])
    one = counted["1/cell/2"].to_xarray()
    assert (one.dims, str(one.unit.values)) == (("char",), "1/cell/2")
    assert float(one.sel(char=1002)) == 7019.0
    assert str(one.character.isel(char=3).values) == TEXT[106]


def test_without_xarray_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "xarray", None)
    with pytest.raises(ActivationError, match=r"needs the library xarray, which is an extra; pip install"):
        source()["1/cell"].to_xarray()
