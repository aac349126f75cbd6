"""The picture of a unit: what is drawn are the numbers of its profile."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command, rows
from planting import PLANTED

import probe
from analyses.errors import AnalysisError
from analyses.profiling.unit_profile import UnitProfile
from probe.plots import (
    figure_of,
    new_axes,
    plot_autocorrelation,
    plot_class_means,
    plot_events,
    plot_histogram,
    plot_unit_profile,
    save_figure,
)


@pytest.fixture(scope="module")
def profiles(planted: Path) -> dict[str, UnitProfile]:
    return {
        name: probe.ranking.unit_profile(planted, unit, name)
        for name, unit in (*PLANTED.items(), ("char_class", PLANTED["in_quotes"]))
    }


def test_the_panels_have_the_numbers(profiles: dict[str, UnitProfile]) -> None:
    profile = profiles["in_quotes"]
    panels = plot_unit_profile(profile)
    assert set(panels) == {"histogram", "begins", "ends", "memory", "means"}  # no gates were recorded
    filled: list[Any] = [patch for patch in panels["histogram"].patches if patch.get_fill()]
    for patch, shares in zip(filled, profile.histogram.shares, strict=True):
        np.testing.assert_array_equal(patch.get_data().values, shares)
        np.testing.assert_array_equal(patch.get_data().edges, profile.histogram.edges)
    assert profile.threshold is not None
    assert np.asarray(panels["histogram"].get_lines()[0].get_xdata())[0] == profile.threshold.value
    for average in profile.events:
        line = panels[average.change].get_lines()[0]
        np.testing.assert_array_equal(line.get_xdata(), average.offsets)
        np.testing.assert_array_equal(line.get_ydata(), average.means)
        [band] = panels[average.change].collections
        corners = np.asarray(band.get_paths()[0].vertices)
        assert corners[:, 1].max() == average.high.max() and corners[:, 1].min() == average.low.min()
    line = panels["memory"].get_lines()[0]
    np.testing.assert_array_equal(line.get_ydata(), profile.memory.autocorrelation[:, 0])
    line = panels["means"].get_lines()[0]
    np.testing.assert_array_equal(line.get_xdata(), profile.means.tuning.means)


def test_titles_have_a_minus_like_the_axes(profiles: dict[str, UnitProfile]) -> None:
    profile = profiles["in_quotes"]
    assert profile.threshold is not None
    below = plot_histogram(profile.histogram, replace(profile.threshold, value=-0.25))
    assert "-" not in below.get_title(loc="left") and " −0.25:" in below.get_title(loc="left")
    worse = replace(profile.means, tuning=replace(profile.means.tuning, eta2=-0.125))
    assert "−12.5 % of it explained" in plot_class_means(worse).get_title(loc="left")


def test_a_number_has_a_tuning_curve_and_no_events(profiles: dict[str, UnitProfile]) -> None:
    profile = profiles["position_in_line"]
    panels = plot_unit_profile(profile)
    assert set(panels) == {"histogram", "means", "memory"}
    line = panels["means"].get_lines()[0]
    np.testing.assert_array_equal(line.get_xdata(), profile.means.tuning.places)
    np.testing.assert_array_equal(line.get_ydata(), profile.means.tuning.means)
    assert len([patch for patch in panels["histogram"].patches if patch.get_fill()]) == 3


def test_classes_are_in_the_order_of_their_means(profiles: dict[str, UnitProfile]) -> None:
    profile = profiles["char_class"]
    without = replace(profile.means, low=np.where(profile.means.tuning.n < 2_000, np.nan, profile.means.low))
    panel = plot_class_means(without)
    means = dict(zip(profile.means.tuning.labels, profile.means.tuning.means, strict=True))
    numbers = dict(zip(profile.means.tuning.labels, profile.means.tuning.n, strict=True))
    names = [tick.get_text() for tick in panel.get_yticklabels()]
    assert len(names) > 3 and (np.diff([means[name] for name in names]) > 0).all()
    filled, white = panel.get_lines()
    assert white.get_markerfacecolor() == "white"
    for line, is_sure in ((filled, True), (white, False)):
        shown = [name for name in names if (numbers[name] >= 2_000) == is_sure]
        assert shown
        np.testing.assert_array_equal(line.get_xdata(), [means[name] for name in shown])
        np.testing.assert_array_equal(line.get_ydata(), [names.index(name) for name in shown])


def test_each_panel_can_be_drawn_alone(profiles: dict[str, UnitProfile]) -> None:
    profile = profiles["in_comment"]
    for panel in (
        plot_histogram(profile.histogram, profile.threshold),
        plot_events(profile.events[:1], mean=profile.mean),
        plot_autocorrelation(profile.memory),
        plot_class_means(profile.means),
    ):
        save_figure(figure_of(panel), Path("panel.png"))
    own = {"begins": new_axes(), "means": new_axes()}
    assert plot_unit_profile(profile, own) == own
    assert all(panel.get_lines() for panel in own.values())
    with pytest.raises(AnalysisError, match="where a label begins, and where it ends, have a picture each"):
        plot_events(profile.events)


@pytest.mark.parametrize("name", ["$a_b$ [red]", "<script>\x1b[31m", "\u202eright to left " * 20])
def test_names_stay_text(planted: Path, name: str) -> None:
    def hypothesis(text: str) -> list[str]:
        return [name if char.isalpha() else f"not {name}" for char in text]

    profile = probe.ranking.unit_profile(planted, "0/hidden/3", hypothesis)
    panels = plot_unit_profile(profile)
    save_figure(figure_of(panels["histogram"]), Path("names.svg"))
    drawn = Path("names.svg").read_text(encoding="utf-8")
    assert "\x1b" not in drawn and "\u202e" not in drawn and "<script" not in drawn
    if name.startswith("$"):
        assert "$a_b$ [red]" in drawn


def test_the_command_draws_and_tells(run: Command, planted: Path) -> None:
    unit = str(PLANTED["in_quotes"])
    status, out, err = run("plot", "unit", unit, "-H", "in_quotes", planted)
    assert status == 0, err
    assert f"unit.png: {unit} beside in_quotes" in out and "balanced accuracy" in out
    assert "no gates of layer 0 are here" in err
    assert Path("unit.png").stat().st_size > 10_000
    status, out, _ = run("plot", "unit", unit, "in_quotes", planted, "-o", "u.svg", "--json", "--csv", "u.csv")
    assert status == 0
    expected = probe.ranking.unit_profile(planted, unit, "in_quotes").rows()
    printed = rows(out)
    assert [row["value"] for row in printed] == pytest.approx([row["value"] for row in expected])
    assert Path("u.csv").read_text(encoding="utf-8").count("\n") == len(printed) + 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["0/hidden/3"], "a unit is drawn beside one hypothesis"),
        (["0/hidden/3", "in_quotes", "in_comment"], "a unit is drawn beside one hypothesis"),
        (["0/hidden/99", "in_quotes"], "0/hidden has 6 units, 0 to 5, and so no 99"),
        (["hidden", "in_quotes"], "is not a unit"),
    ],
)
def test_what_cannot_be_drawn_is_a_sentence(run: Command, planted: Path, arguments: list[str], sentence: str) -> None:
    status, out, err = run("plot", "unit", *arguments, planted)
    assert status in (1, 2) and out == ""
    assert sentence in " ".join(err.replace("│", " ").split())
    assert not Path("unit.png").exists()
