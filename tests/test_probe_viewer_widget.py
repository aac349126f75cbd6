"""`probe.view`: a widget in a notebook, and elsewhere a page that is saved or shows itself."""

import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import probe
from analyses.errors import AnalysisError
from probe.viewer import widget
from probe.viewer.cells import cells_of
from probe.viewer.page.page import file_text, page_of
from probe.viewer.page.tiles import container_of
from probe.viewer.scales import diverging
from probe.viewer.text_view import Guesses, Panel, TextView, Track
from probe.viewer.widget import Page


@pytest.fixture
def made() -> TextView:
    text = "a </iframe><script>\" & '\n"
    levels, scale = diverging(np.arange(float(len(text))), 3.0)
    track = Track(name="0/cell/7", kind="unit", levels=levels, scale=scale)
    return TextView(text=text, cells=cells_of(text), start=0, panels=(Panel(tracks=(track,)),), title='"a" & <b>')


def in_notebook(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Let it look as if a notebook ran this."""
    if kind == "jupyter":
        shell = SimpleNamespace(kernel=object())
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    elif kind == "marimo":
        marimo = SimpleNamespace(running_in_notebook=lambda: True)
        monkeypatch.setitem(sys.modules, "marimo", marimo)


def test_outside_of_notebooks_a_view_is_a_page_that_says_what_to_do(made: TextView) -> None:
    page = probe.view(made)
    assert isinstance(page, Page)
    assert str(page) == repr(page)
    assert str(page) == '"a" & <b>: write it with .save("view.html"), and open that file in a browser'


@pytest.mark.parametrize("kind", ["jupyter", "marimo"])
def test_in_a_notebook_a_view_is_a_widget_of_the_pages_module(
    made: TextView, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    anywidget = pytest.importorskip("anywidget")
    in_notebook(monkeypatch, kind)
    shown: Any = probe.view(made)
    assert isinstance(shown, anywidget.AnyWidget)
    assert shown.container == container_of(made)
    state = shown.get_state()
    assert state["_esm"] == file_text("view.js")
    assert state["_css"] == file_text("view.css")
    assert [name for name, value in state.items() if isinstance(value, bytes | memoryview)] == ["container"]
    assert state["options"] == {"guesses": False}
    shown.save(tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == page_of(made)


def test_guesses_that_are_asked_for_are_shown(made: TextView, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("anywidget")
    shape = (len(made.text), 5)
    guesses = Guesses(characters=("a",), ids=np.zeros(shape, np.uint16), levels=np.full(shape, 51, np.uint8))
    guessed = replace(made, guesses=guesses)
    Page(guessed).save(tmp_path / "a.html")
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == page_of(guessed, shows_guesses=True)
    in_notebook(monkeypatch, "jupyter")
    shown: Any = probe.view(guessed)
    assert shown.options == {"guesses": True}


def test_in_a_notebook_without_anywidget_a_page_shows_itself(made: TextView, monkeypatch: pytest.MonkeyPatch) -> None:
    in_notebook(monkeypatch, "jupyter")
    monkeypatch.setattr(widget, "find_spec", lambda name: None)
    assert isinstance(probe.view(made), Page)


def test_a_page_in_a_notebook_is_in_a_frame_that_reaches_nothing(made: TextView) -> None:
    tags: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append((tag, dict(attrs)))

    Reader().feed(Page(made)._repr_html_())
    [(tag, attributes)] = tags
    assert tag == "iframe"
    assert attributes["sandbox"] == "allow-scripts"
    assert attributes["srcdoc"] == page_of(made)
    assert attributes["title"] == '"a" & <b>'


@pytest.mark.parametrize("name", ["a.html", "a.HTML", "a.png", "a.svg", "a.pdf"])
def test_a_page_is_saved_by_its_ending(made: TextView, tmp_path: Path, name: str) -> None:
    Page(made).save(str(tmp_path / name))
    beginnings = {"html": b"<!doctype html>", "png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    assert (tmp_path / name).read_bytes()[:15].lower().startswith(beginnings[name[2:].lower()].lower())


def test_an_unknown_ending_is_refused(made: TextView, tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match=r"end its name in \.html for a page, or in \.png, \.svg, \.pdf"):
        Page(made).save(tmp_path / "a.gif")
    assert not list(tmp_path.iterdir())


def test_what_is_asked_of_a_view_is_what_its_page_has(planted: Path) -> None:
    page = probe.view(
        planted, units=["1/cell/3"], hypotheses=["in_quotes"], span=(10, 60), title="planted", middle="median"
    )
    assert isinstance(page, Page)
    expected = probe.views.text_view(
        planted, units=["1/cell/3"], hypotheses=["in_quotes"], span=(10, 60), title="planted", middle="median"
    )
    assert container_of(page.view) == container_of(expected)
    assert [track.name for track in page.view.tracks] == ["in_quotes", "1/cell/3"]


def test_importing_probe_loads_no_notebook_and_no_matplotlib() -> None:
    heavy = ("anywidget", "ipywidgets", "traitlets", "jinja2", "matplotlib", "torch", "IPython")
    for use, unneeded in (("probe.__version__", heavy), ("probe.view", (*heavy[:3], *heavy[4:]))):
        code = f"import sys, probe\n{use}\nprint(*{set(unneeded)!r} & set(sys.modules))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, "\n"), done.stderr
