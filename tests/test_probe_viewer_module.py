"""The module that draws a text view, without a browser: it computes what Python computes, and is small and alone."""

import base64
import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from viewing import random_texts, two_tiles

from probe.viewer.cells import cells_of, lay_out
from probe.viewer.drawing.legends import numbers_of
from probe.viewer.page.page import file_text
from probe.viewer.page.tiles import container_of
from probe.viewer.scales import Scale, classes, diverging, probabilities, sequential

TESTS = Path(__file__).with_name("js")


def test_the_module_agrees_with_python(tmp_path: Path) -> None:
    """`node --test` compares rows, colours, values, tiles and places with those of Python, on texts that are drawn."""
    node = shutil.which("node")
    if not node:
        pytest.skip("needs node (apt-get install nodejs)")
    path = tmp_path / "shared.json"
    path.write_text(json.dumps(_shared()))
    command = [node, "--test", *map(str, sorted(TESTS.glob("*.test.mjs")))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"CHAR_PROBE_SHARED": str(path)})
    assert done.returncode == 0, done.stdout[-6000:]
    assert re.search(r"skipped 0\b", done.stdout), done.stdout[-2000:]


def test_the_module_is_small_and_loads_nothing() -> None:
    """It ships as it is: under 100 kB, without imports, addresses, or text that is written as HTML."""
    module, style = file_text("view.js"), file_text("view.css")
    assert len(module.encode()) < 100_000
    assert not re.search(
        r"^\s*import\b|\bimport\(|\brequire\(|https?://|\bfetch\(|XMLHttpRequest|WebSocket", module, re.M
    )
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", module)
    assert "</script" not in module.lower()
    assert not re.search(r"</style|url\(|@import|https?:", style.lower())


def _shared() -> dict[str, Any]:
    view = two_tiles()
    assert view.guesses is not None
    container = container_of(view)
    return {
        "layouts": [_layout(text, columns) for text in random_texts() for columns in (2, 7, 40, None)],
        "scales": [_scale(scale) for scale in _scales()],
        "container": base64.b64encode(container).decode(),
        "compressed": base64.b64encode(gzip.compress(container)).decode(),
        "title": view.title,
        "text": [ord(char) for char in view.text],
        "levels": view.tracks[1].levels.tolist(),
        "guessIds": view.guesses.ids.ravel().tolist(),
        "places": [_place(view.text, position) for position in (0, 1, 99, 100, 101, 5000, 16_383, 16_384, 16_388)],
    }


def _layout(text: str, columns: int | None) -> dict[str, Any]:
    cells = cells_of(text)
    layout = lay_out(text, cells, columns)
    return {
        "codes": [ord(char) for char in text],
        "cells": cells.tolist(),
        "columns": columns,
        "rows": layout.rows.tolist(),
        "left": layout.left.tolist(),
        "width": layout.width.tolist(),
    }


def _scales() -> list[Scale]:
    rng = np.random.default_rng(5)
    values = rng.standard_cauchy(500)
    labels = rng.integers(0, 20, 500)
    return [
        diverging(values, 0.3)[1],
        diverging(values * 1e-3, 0.0)[1],
        sequential(np.abs(values), 0.0)[1],
        sequential(np.linspace(2, 3, 9))[1],
        sequential(np.arange(8.0) + 3)[1],
        sequential(np.append(np.arange(100.0), 200.0))[1],
        probabilities(np.linspace(0, 1, 9))[1],
        classes(labels, labels < 18, tuple(map(str, range(20))))[1],
    ]


def _scale(scale: Scale) -> dict[str, Any]:
    levels = np.arange(256).astype(np.uint8)
    keys = ("kind", "offset", "step", "gain", "pivot", "classes", "is_whole")
    low = scale.middle - (scale.full if scale.kind == "diverging" else 0)
    return {
        "scale": {key: getattr(scale, key) for key in keys},
        "indices": scale.colours(levels).tolist(),
        "values": scale.values(levels)[:255].tolist(),
        "full": [low, scale.middle + scale.full],
        "numbers": [] if scale.kind == "classes" else numbers_of(scale),
    }


def _place(text: str, position: int) -> dict[str, Any]:
    """Where a character of `two_tiles` is, counted from the beginning of its document."""
    start, line, column, name = (100, 1, 1, "two.py") if position >= 100 else (0, 7, 3, "one.py")
    before = text[start:position]
    n_lines = before.count("\n")
    last = len(before) - before.rfind("\n") if n_lines else column + len(before)
    return {"position": position, "document": name, "line": line + n_lines, "column": last}
