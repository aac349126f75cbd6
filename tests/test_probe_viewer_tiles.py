"""The container of a text view: what is read back from its bytes, as its description says, is what went in."""

import base64
import json
import struct

import numpy as np
import pytest
from viewing import two_tiles

from probe.viewer.cells import TILE_CHARS, cells_of
from probe.viewer.colours import colours
from probe.viewer.page.tiles import container_of
from probe.viewer.text_view import Panel, TextView

N_CHARS = TILE_CHARS + 5


@pytest.fixture(scope="module")
def view() -> TextView:
    return two_tiles()


def parts_of(container: bytes) -> tuple[dict[str, object], memoryview]:
    """Read a container as its description says."""
    (length,) = struct.unpack_from("<I", container)
    start = 4 + length + -(4 + length) % 8
    return json.loads(container[4 : 4 + length]), memoryview(container)[start:]


def joined(places: list[list[int]], parts: memoryview, dtype: str) -> np.ndarray:
    assert all(offset % 8 == 0 for offset, _ in places)
    return np.concatenate([np.frombuffer(parts[offset : offset + length], dtype) for offset, length in places])


def test_tiles_hold_what_the_view_holds(view: TextView) -> None:
    header, parts = parts_of(container_of(view))
    places = header["parts"]
    assert isinstance(places, dict)
    assert view.guesses is not None
    assert [length for _, length in places["text"]] == [4 * TILE_CHARS, 4 * 5]
    assert [chr(code) for code in joined(places["text"], parts, "<u4")] == list(view.text)
    assert (joined(places["cells"], parts, "u1") == view.cells).all()
    for track, tiles in zip(view.tracks, places["tracks"], strict=True):
        assert (joined(tiles, parts, "u1") == track.levels).all()
    assert (joined(places["guess_ids"], parts, "<u2").reshape(-1, 5) == view.guesses.ids).all()
    assert (joined(places["guess_levels"], parts, "u1").reshape(-1, 5) == view.guesses.levels).all()


def test_the_header_says_what_the_levels_mean(view: TextView) -> None:
    header, _ = parts_of(container_of(view))
    unit, labels = view.tracks
    assert header["panels"] == [{"title": "first", "tracks": [0, 1]}, {"title": "", "tracks": [1]}]
    tracks = header["tracks"]
    assert isinstance(tracks, list)
    assert [track["name"] for track in tracks] == ["0/cell/3", "word"]
    assert [track["has_missing"] for track in tracks] == [False, True]
    scale = tracks[0]["scale"]
    assert scale["offset"] + scale["pivot"] * scale["step"] == pytest.approx(unit.scale.middle)
    assert scale["gain"] == unit.scale.gain
    assert tracks[1]["scale"]["classes"] == list(labels.scale.classes)
    assert header["guesses"] == {"characters": ["a", "</script>", "漢"]}
    assert header["signs"] == {"9": "→", "10": "↵", "27": "␛", str(0xDC80): "·"}
    assert (header["start"], header["n_chars"], header["title"], header["notes"]) == (
        1000, N_CHARS, "A title", ["A note."],
    )  # fmt: skip


def test_a_tile_knows_the_line_and_column_of_its_first_character(view: TextView) -> None:
    header, _ = parts_of(container_of(view))
    before = view.text[100:TILE_CHARS]
    line, column = 1 + before.count("\n"), 1 + len(before) - (before.rfind("\n") + 1)
    assert header["tile_places"] == [[7, 3], [line, column]]


def test_colours_come_from_the_tables_of_every_output(view: TextView) -> None:
    header, _ = parts_of(container_of(view))
    themes = header["colours"]
    assert isinstance(themes, dict)
    for theme in ("light", "dark"):
        table = np.frombuffer(base64.b64decode(themes[theme]["diverging"]["colours"]), np.uint8).reshape(-1, 3)
        assert (table == colours("diverging", theme)).all()
        inks = np.frombuffer(base64.b64decode(themes[theme]["diverging"]["inks"]), np.uint8)
        assert inks[127] == (theme == "dark")


def test_an_empty_passage_has_no_tiles() -> None:
    header, parts = parts_of(container_of(TextView(text="", cells=cells_of(""), start=0, panels=(Panel(tracks=()),))))
    assert header["parts"] == {"text": [], "cells": [], "tracks": [], "guess_ids": [], "guess_levels": []}
    assert len(parts) == 0
