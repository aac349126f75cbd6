"""Pictures show what they are given."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from planting import PLANTED

from activations.store import Recording
from analyses.curves import curve_over_units
from analyses.errors import AnalysisError
from analyses.probes import BinaryProbeResult
from probe.plots import figure_of, new_axes, plot_curve, plot_text, save_figure


def test_a_curve_has_its_scores_and_its_chance(planted: Path) -> None:
    with Recording(planted) as recording:
        curve = curve_over_units(recording, "in_quotes", most=4)
        numeric = curve_over_units(recording, "position_in_line", most=4)
    axes = plot_curve(curve)
    accuracy, auc, majority = axes.get_lines()
    points = [point for point in curve.points if isinstance(point, BinaryProbeResult)]
    assert list(np.asarray(accuracy.get_xdata())) == curve.sizes
    assert list(np.asarray(accuracy.get_ydata())) == [point.accuracy for point in points]
    assert list(np.asarray(auc.get_ydata())) == [point.auc for point in points]
    assert set(np.asarray(majority.get_ydata())) == {points[0].majority}
    assert str(PLANTED["in_quotes"]) in axes.get_xlabel()
    assert len({line.get_linestyle() for line in axes.get_lines()}) == 3  # told apart in grey
    own = new_axes()
    assert plot_curve(numeric, own) is own


def test_a_text_has_each_character_in_its_place_and_colour() -> None:
    text = 'ab "c"\n\t$x$\n'
    values = np.linspace(-1, 1, len(text))
    axes = plot_text(text, values, np.array([char == "c" for char in text]), title="planted")
    [image] = axes.get_images()
    grid: NDArray[np.float64] = np.ma.getdata(np.ma.asarray(image.get_array()))
    assert grid[0, :7].tolist() == values[:7].tolist()
    assert grid[1, :5].tolist() == values[7:12].tolist()
    assert np.isnan(grid[0, 7:]).all()
    assert [line.get_text() for line in axes.texts] == ['ab "c"', "→$x$", ""]
    low, high = (np.asarray(image.cmap(image.norm(value)))[:3] for value in (values[0], values[-1]))
    assert low[2] > low[0]  # blue
    assert high[0] > high[2]  # red
    assert image.get_clim() == (-np.quantile(np.abs(values), 0.9), np.quantile(np.abs(values), 0.9))
    assert to_rgb("black") == (0, 0, 0)


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "PNG"])
def test_pictures_are_written_by_their_ending(tmp_path: Path, ending: str) -> None:
    axes = plot_text("日本 €\0\r\n", np.arange(7.0))
    save_figure(figure_of(axes), tmp_path / f"a.{ending}")
    assert (tmp_path / f"a.{ending}").stat().st_size > 1000
    assert len(list(tmp_path.iterdir())) == 1


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match="end its name in .png"):
        save_figure(figure_of(new_axes()), tmp_path / "a.gif")
