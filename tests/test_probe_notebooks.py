"""What notebooks show of results, sources and texts: intervals drawn, pictures, and texts that stay texts."""

import math
import os
import subprocess
import sys
from base64 import b64decode
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from shown_html import Page, missing_numbers

import probe
from activations.lazy_activations import LazyActivations, NamedActivations
from activations.results import Result, Row
from probe import notebook_formatters
from probe.html.interval_bars import BarAxis, Measured, interval_bar
from probe.html.tables import table, text_html
from probe.notebooks.pictures import plots_by_kind
from probe.notebooks.rows import measured_row, rows_html

HOSTILE = "<script>alert(1)</script> [red] \x1b[31m \u202ecba $x^2$ & \"quoted'"


def shown(value: Any) -> str:
    html = probe.notebooks.html_of(value)
    assert html is not None
    return html


def test_the_ends_of_a_bar_are_where_the_interval_ends() -> None:
    column = [Measured(value=0.9, low=0.8, high=1.0, chance=0.5), Measured(value=0.6, low=0.5, high=0.7, chance=0.5)]
    axis = BarAxis.of(column)
    assert (axis.low, axis.high) == (0.5, 1.0)
    chance, interval = [attrs for name, attrs in Page(interval_bar(column[0], axis, "0.9")).elements if name == "line"]
    [dot] = [attrs for name, attrs in Page(interval_bar(column[0], axis, "0.9")).elements if name == "circle"]
    left, right = (float(str(chance["x1"])), float(str(interval["x2"])))  # .5 and 1 are the ends of the axis
    assert float(str(interval["x1"])) == pytest.approx(left + 0.6 * (right - left), abs=0.1)
    assert float(str(dot["cx"])) == pytest.approx(left + 0.8 * (right - left), abs=0.1)


def test_a_number_without_an_interval_is_a_dot_and_says_so() -> None:
    one = Measured(value=0.25, low=math.nan, high=math.nan, chance=None)
    page = Page(interval_bar(one, BarAxis.of([one]), "0.250 (no interval)"))
    assert [name for name, _ in page.elements] == ["svg", "circle"]
    assert "0.250 (no interval)" in table({"effect": [one]})
    nothing = Measured(value=math.nan, low=math.nan, high=math.nan)
    assert "circle" not in table({"effect": [nothing]})


@pytest.mark.parametrize(
    ("row", "name", "chance"),
    [
        ({"held_out_auc": 0.9, "low": 0.8, "high": 0.95}, "held_out_auc", 0.5),
        ({"held_out_r": 0.9, "low": 0.8, "high": 0.95}, "held_out_r", 0.0),
        ({"measure": "r", "held_out": 0.9, "low": 0.8, "high": 0.95}, "held_out", 0.0),
        ({"auc": 0.9, "average_precision": 0.2, "log_loss": 0.1, "low": 0.8, "high": 0.95}, "auc", 0.5),
        ({"r2": 0.9, "r": 0.2, "r_within_position_groups": 0.1, "low": 0.8, "high": 0.95}, "r2", 0.0),
        ({"remaining": 0.9, "remaining_low": 0.8, "remaining_high": 0.95}, "remaining", None),
        ({"auc": 0.6, "control_score": 0.9, "control_low": 0.8, "control_high": 0.95}, "control_score", 0.5),
        ({"effect": 0.9, "low": 0.8, "high": 0.95}, "effect", 0.0),
        ({"unit": "1/cell/3", "held_out": 0.9, "low": 0.8, "high": 0.95}, "held_out", None),
        ({"value": 0.9, "low": 0.8, "high": 0.95, "p": 0.1}, "value", 0.0),
    ],
)
def test_the_interval_of_a_row_is_with_its_number(row: dict[str, Any], name: str, chance: float | None) -> None:
    cells = measured_row(row)
    assert cells[name] == Measured(value=0.9, low=0.8, high=0.95, chance=chance)
    assert not {"low", "high"} & set(cells)


def test_rows_beyond_the_first_are_counted() -> None:
    rows: list[Row] = [{"name": f"unit {n}", "value": n} for n in range(40)]
    html = rows_html(rows)
    assert "unit 11" in html
    assert "unit 12" not in html
    assert "… and 28 more" in html
    assert "… and 988 more" in rows_html(rows[:12], 1000)
    assert rows_html([]) == ""


def test_a_text_stays_a_text() -> None:
    page = Page(text_html(HOSTILE))
    assert page.names == {"bdi", "span"}
    assert "".join(page.text.split("\n")) == HOSTILE.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")
    corpus = probe.Corpus.from_texts([HOSTILE + "\n" + HOSTILE])
    scores = {"auc": 0.9, "low": 0.8, "high": 1.0}
    names: list[Row] = [{"hypothesis": HOSTILE, "unit": f"{HOSTILE}{n}", **scores} for n in range(12)]
    for html in (shown(corpus), rows_html(names), table({HOSTILE: [HOSTILE]})):
        assert Page(html).names.isdisjoint({"script", "img", "iframe"})
        assert "\u202e" not in html
        assert "\x1b" not in html


def test_a_list_of_rankings_shows_the_best_unit_of_each(planted: Path) -> None:
    rankings = probe.rank_all(planted, ["in_quotes", "in_comment"])
    html = shown(rankings)
    for ranking in rankings:
        assert f"<bdi>{ranking.units[0].unit}</bdi>" in html
        assert f"<bdi>{ranking.hypothesis}</bdi>" in html
    assert missing_numbers(html, [ranking.rows(1)[0] for ranking in rankings]) == {}
    assert len([name for name, _ in Page(html).elements if name == "svg"]) >= 2


def test_a_ranking_shows_its_first_units_and_how_many_there_are(planted: Path) -> None:
    ranking = probe.rank(planted, "in_quotes")
    html = shown(ranking)
    assert f"<bdi>{ranking.units[11].unit}</bdi>" in html
    assert f"<bdi>{ranking.units[12].unit}</bdi>" not in html
    assert f"… and {len(ranking.units) - 12:,} more" in html


def test_curves_are_pictures_on_white_paper(planted: Path) -> None:
    curve = probe.curve(planted, "in_quotes", most=2, options=probe.FitOptions(penalty=100.0))
    for html in (shown(curve), shown({"$x$ <b>": curve})):
        [image] = [attributes for name, attributes in Page(html).elements if name == "img"]
        source = str(image["src"])
        picture = b64decode(source.removeprefix("data:image/svg+xml;base64,")).decode()
        assert "<svg" in picture
        assert "best units together" in picture
        assert "background: white" in str(image["style"])
        assert image["alt"]
        assert missing_numbers(html, [{"units": 1, "auc": curve.points[0].auc}]) == {}


def test_a_picture_of_a_result_is_the_one_whose_function_takes_it() -> None:
    kinds = {"Curve", "Impulse", "OrderComparison", "Perturbation", "Steering", "Story", "Sweep"}
    assert kinds <= set(plots_by_kind())
    assert all(plots_by_kind()[kind].__name__.startswith("plot_") for kind in kinds)
    assert plots_by_kind()["Story"] is probe.plots.plot_story


def test_sources_and_texts_show_what_they_are_of(planted: Path) -> None:
    recording = probe.Recording(planted)
    n_chars = f"{len(recording.corpus):,}"
    with probe.Session(recording) as session:
        for html in (shown(recording), shown(session)):
            assert n_chars in html
            assert all(f"<bdi>{site}</bdi>" in html for site in recording.sites)
    assert f"{n_chars} × {recording.sites[probe.Site('1/cell')]}" in shown(recording["1/cell"])
    assert "<bdi>1/cell/3</bdi>" in shown(recording["1/cell/3"])
    assert n_chars in shown(recording.corpus)


def test_a_view_shows_itself_in_a_frame(planted: Path) -> None:
    view = probe.views.text_view(probe.Recording(planted), units="1/cell/7", span=(0, 200))
    [frame] = [attributes for name, attributes in Page(shown(view)).elements if name == "iframe"]
    assert frame["sandbox"] == "allow-scripts"


@pytest.mark.parametrize("other", [3, [], {}, [3], {"a": 3}, "text", (1, 2), np.arange(3)], ids=repr)
def test_other_objects_are_left_alone(other: Any) -> None:
    assert probe.notebooks.html_of(other) is None


def test_ipython_shows_results_lists_and_sources(planted: Path) -> None:
    formatters = pytest.importorskip("IPython.core.formatters")
    formatter = formatters.HTMLFormatter()
    formatter.for_type(list, lambda value: "earlier" if value == [1] else None)
    notebook_formatters.register_with(formatter)
    ranking = probe.rank(planted, "in_quotes")
    assert formatter(ranking) == shown(ranking)
    assert formatter([ranking, ranking]) == shown([ranking, ranking])
    assert formatter((ranking.units[0],)) == shown((ranking.units[0],))
    recording = probe.Recording(planted)
    assert formatter(recording) == shown(recording)
    assert formatter(recording["1/cell"]) == shown(recording["1/cell"])
    assert formatter(recording.corpus) == shown(recording.corpus)
    assert (formatter([1]), formatter([2]), formatter({"a": 1})) == ("earlier", None, None)


def test_importing_probe_registers_in_a_running_shell_and_loads_nothing_else() -> None:
    pytest.importorskip("IPython")
    code = """
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_cell("import probe")
formatter = shell.display_formatter.formatters["text/html"]
print(("activations.results", "Result") in formatter.deferred_printers, list in formatter.type_printers)
print(*{"matplotlib", "torch", "h5py", "probe.notebooks.showing"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines() == ["True True", ""], done.stderr
    code = "import sys, probe; print('IPython' in sys.modules, 'probe.notebooks' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False", "False"], done.stderr


def test_marimo_asks_results_themselves(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    monkeypatch.setitem(sys.modules, "marimo", SimpleNamespace(running_in_notebook=lambda: True))
    for kind in (Result, NamedActivations, LazyActivations, probe.Corpus, probe.views.TextView):
        monkeypatch.setattr(kind, "_repr_html_", None, raising=False)
    notebook_formatters.register_formatters()
    recording = probe.Recording(planted)
    objects: list[Any] = [probe.rank(planted, "in_quotes"), recording, recording["1/cell"], recording.corpus]
    for value in objects:
        assert value._repr_html_() == shown(value)


@pytest.mark.slow  # starts marimo
def test_marimo_shows_results_and_sources(planted: Path, tmp_path: Path) -> None:
    pytest.importorskip("marimo", reason="marimo is not installed; make test-all installs it")
    cells = [
        "import marimo\n\napp = marimo.App()\n",
        f"@app.cell\ndef _():\n    import probe\n    recording = probe.Recording({str(planted)!r})\n"
        "    return probe, recording\n",
        "@app.cell\ndef _(recording):\n    recording\n    return\n",
        "@app.cell\ndef _(probe, recording):\n    probe.rank(recording, 'in_quotes')\n    return\n",
    ]
    (tmp_path / "shown.py").write_text("\n\n".join(cells))
    command = [sys.executable, "-m", "marimo", "-q", "export", "html", "shown.py", "-o", "shown.html"]
    environment = os.environ | {"XDG_CONFIG_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "shown.html").read_text(encoding="utf-8")
    assert page.count('class=\\"char-probe\\"') == 2
