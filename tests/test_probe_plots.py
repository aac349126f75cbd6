"""Pictures show what they are given."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import NDArray
from planting import PLANTED
from shown_html import missing_numbers

from activations.models.training.results import TrainingRow
from activations.recordings.recording import Recording
from activations.units import Site, Unit
from analyses.curves import CURVES, Curve, curve
from analyses.errors import AnalysisError
from analyses.fewest_units import FewestUnits
from analyses.intervals.estimates import Estimate
from analyses.probing.options import FitOptions
from analyses.probing.results import ProbeResult
from probe.notebooks import html_of
from probe.plots import figure_of, new_axes, plot_curves, plot_losses, plot_sweep, plot_text, save_figure
from probe.training.swept_models import Sweep, SweptModel


def test_a_curve_has_its_scores_its_control_and_their_bands(planted: Path) -> None:
    with Recording(planted) as recording:
        found = curve(recording, "in_quotes", "penalty", options=FitOptions(folds=5))
        numeric = curve(recording, "position_in_line", most=4)
    axes = plot_curves(found)
    scores, control, chance = axes.get_lines()
    assert list(np.asarray(scores.get_xdata())) == list(found.values)
    assert list(np.asarray(scores.get_ydata())) == [point.auc for point in found.points]
    assert list(np.asarray(control.get_ydata())) == [each.auc for each in found.controls]
    assert set(np.asarray(chance.get_ydata())) == {0.5}
    for band, points in zip(axes.collections, (found.points, found.controls), strict=True):
        ends = [end for point in points for end in point.interval]
        box = band.get_datalim(axes.transData)
        np.testing.assert_allclose([box.ymin, box.ymax], [min(ends), max(ends)])
    own = new_axes()
    assert plot_curves(numeric, own) is own
    assert str(PLANTED["position_in_line"]) in own.get_xlabel()


def test_sites_of_several_models_stand_over_their_names(planted: Path) -> None:
    with Recording(planted) as recording:
        options = FitOptions(penalty=1.0)
        some = curve(recording, "in_quotes", "sites", sites=list(recording.sites)[1:], options=options)
        every = curve(recording, "in_quotes", "sites", options=options)
    axes = plot_curves({"some": some, "every": every})
    names = [label.get_text() for label in axes.get_xticklabels()]
    for line, found in zip(axes.get_lines()[::2], (some, every), strict=False):
        assert [names[int(place)] for place in np.asarray(line.get_xdata())] == list(found.values)


@pytest.mark.parametrize("over", list(CURVES))
def test_several_curves_are_told_apart_in_grey(planted: Path, over: str) -> None:
    with Recording(planted) as recording:
        curves = {name: curve(recording, name, over, options=FitOptions(penalty=100.0)) for name in PLANTED}
    axes = plot_curves(curves)
    figure_of(axes).draw_without_rendering()
    lines = [line for line in axes.get_lines() if not str(line.get_label()).startswith("_")]
    assert len(lines) == 2 * len(PLANTED)
    solid = [line for line in lines if line.get_markerfacecolor() != "white"]
    assert len({line.get_marker() for line in solid}) == len(PLANTED)
    darkness = sorted(float(np.dot(to_rgb(line.get_color()), (0.299, 0.587, 0.114))) for line in solid)
    assert min(np.diff(darkness)) > 0.05
    assert {line.get_linestyle() for line in solid} == {"-"}
    assert all(line.get_linestyle() != "-" for line in lines if line not in solid)


def test_a_curve_over_units_has_the_probe_of_all_and_the_fewest_that_suffice() -> None:
    """Bars stand at 95 and 99 % of what all units know above chance."""

    def point(n_units: int, auc: float) -> ProbeResult:
        units = tuple(Unit(Site.of(0, "cell"), index) for index in range(n_units))
        estimate = Estimate(value=auc, influence=np.linspace(-0.001, 0.001, 20), n_atoms=20)
        return ProbeResult(hypothesis="a", kind="binary", site="", units=units, auc=auc, estimates={"auc": estimate})

    shares = [(0.95, 5, 3, 8), (0.99, None, 9, 100)]
    fewest = [
        FewestUnits(share=share, n_units=n, low=low, high=high, most=8, n_all=100, score_of_all=0.9)
        for share, n, low, high in shares
    ]
    points = tuple(point(n, 0.5 + n / 20) for n in (1, 2, 4, 8))
    over_units = Curve(
        hypothesis="a $b$ $c$", over="units", values=(1, 2, 4, 8), points=points, controls=points,
        units=points[-1].units, all_units=point(100, 0.9), fewest=tuple(fewest),
    )  # fmt: skip
    axes = plot_curves(over_units)
    drawn = [np.asarray(line.get_xydata()).tolist() for line in axes.get_lines()]
    assert [[100, 0.9]] in drawn
    levels = [0.5 + share * 0.4 for share, *_ in shares]
    assert [[3, levels[0]], [8, levels[0]]] in drawn
    assert [[5, levels[0]]] in drawn
    assert [[9, levels[1]], [100, levels[1]]] in drawn
    labels = axes.get_legend_handles_labels()[1]
    assert "95 % of all: 5 (3 to 8)" in labels
    assert "all 100 units" in labels
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "4", "8", "100"]
    several = plot_curves({"one": over_units, "other": replace(over_units, controls=points[::-1])})
    figure_of(several).draw_without_rendering()
    assert [[5, levels[0]]] in [np.asarray(line.get_xydata()).tolist() for line in several.get_lines()]


def test_the_last_step_of_a_training_is_within_the_axes() -> None:
    points = tuple(ProbeResult(hypothesis="a", kind="binary", site="0/cell", auc=auc) for auc in (0.5, 0.6, 0.9))
    axes = plot_curves(
        Curve(hypothesis="a", over="steps", values=(0, 100, 4000), points=points, controls=points, units=())
    )
    first, last = axes.transData.transform([(0, 0.5), (4000, 0.9)])[:, 0]
    drawn = axes.get_window_extent()
    assert drawn.x0 + 5 < first < last < drawn.x1 - 5  # pixels: half of a mark
    figure_of(axes).draw_without_rendering()
    assert "1,000" in [label.get_text() for label in axes.get_xticklabels()]


def test_curves_over_different_things_have_no_axis_in_common(planted: Path) -> None:
    with Recording(planted) as recording:
        curves = {over: curve(recording, "in_quotes", over, most=2) for over in ("units", "sites")}
    with pytest.raises(AnalysisError, match="over different things"):
        plot_curves(curves)


def test_losses_stand_over_the_epochs_and_the_best_is_named() -> None:
    rows = [
        TrainingRow(1, 0.5, 3.0, None),
        TrainingRow(2, 1.0, 2.5, 2.25),
        TrainingRow(3, 1.5, 2.0, None),
        TrainingRow(4, 2.0, 1.5, 2.75),
    ]
    own = new_axes()
    assert plot_losses(rows, own) is own
    training, held_out = own.get_lines()
    assert np.asarray(training.get_xydata()).tolist() == [[0.5, 3], [1, 2.5], [1.5, 2], [2, 1.5]]
    assert np.asarray(held_out.get_xydata()).tolist() == [[1, 2.25], [2, 2.75]]
    assert training.get_linestyle() != held_out.get_linestyle()
    legend = own.get_legend()
    assert legend is not None
    assert [label.get_text() for label in legend.get_texts()] == ["training", "held out"]
    [best] = own.texts
    assert (best.get_text(), getattr(best, "xy", None)) == ("2.250", (1, 2.25))
    [bits] = own.child_axes
    figure_of(own).draw_without_rendering()
    np.testing.assert_allclose(bits.get_ylim(), np.array(own.get_ylim()) / np.log(2))
    assert (own.get_ylabel(), bits.get_ylabel()) == ("nats per character", "bits per character")


def test_losses_before_the_end_of_the_first_epoch_are_drawn(tmp_path: Path) -> None:
    axes = plot_losses([TrainingRow(1, 0.1, 3.0, None), TrainingRow(2, 0.2, 2.0, None)])
    save_figure(figure_of(axes), tmp_path / "losses.png")
    assert len(axes.get_lines()) == 1


def swept(cell: str, layers: int, hidden: int, test: float) -> SweptModel:
    return SweptModel(
        cell=cell,
        n_layers=layers,
        n_units=hidden,
        n_parameters=1,
        train_nats_per_char=9.0,
        validation_nats_per_char=8.0,
        test_nats_per_char=test,
        test_accuracy=0.5,
        share_uniquely_correct=0.0,
        training_s=1.0,
        model=Path(f"{cell}-{layers}x{hidden}.pt"),
    )


def test_old_names_of_a_swept_models_scores_work_and_warn() -> None:
    model = swept("lstm", 2, 64, 1.5)
    for old, expected in {
        "layers": 2, "hidden": 64, "parameters": 1, "train": 9.0, "validation": 8.0, "test": 1.5, "accuracy": 0.5,
        "alone": 0.0, "seconds": 1.0,
    }.items():  # fmt: skip
        with pytest.warns(DeprecationWarning, match=rf"SweptModel\.{old} is now called"):
            assert getattr(model, old) == expected


def luminance(colour: NDArray[np.float64]) -> float:
    """Relative luminance of sRGB, as WCAG has it."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrasts(axes: Axes) -> list[float]:
    """Of each number in a heat map with its own colour, from 1 to 21; WCAG asks for 4.5."""
    [image] = axes.get_images()
    found = []
    for text in axes.texts:
        column, row = (round(place) for place in text.get_position())
        assert image.get_alpha() is None
        shade = np.array(image.cmap(image.norm(np.ma.asarray(image.get_array())[row, column])))[:3]
        dark, light = sorted((luminance(shade), luminance(np.array(to_rgb(text.get_color())))))
        found.append((light + 0.05) / (dark + 0.05))
    return found


def test_a_sweep_has_each_loss_in_its_row_and_column() -> None:
    """Two rows of cells and layers, three columns of units, whose order in the sweep is another."""
    losses = {
        ("lstm", 2, 64): 1.5,
        ("lstm", 2, 32): 1.75,
        ("lstm", 2, 128): 1.25,
        ("gru", 1, 64): 1.625,
        ("gru", 1, 32): 1.875,
        ("gru", 1, 128): 1.375,
    }
    models = tuple(swept(*shape, test) for shape, test in losses.items())
    sweep = Sweep(models=models, overlap=np.zeros((6, 6)))
    axes = plot_sweep(sweep)
    assert missing_numbers(str(html_of(sweep)), sweep.rows()) == {}
    figure_of(axes).draw_without_rendering()
    columns = [label.get_text() for label in axes.get_xticklabels()]
    rows = [label.get_text() for label in axes.get_yticklabels()]
    assert (rows, columns) == (["lstm, 2 layers", "gru, 1 layer"], ["32", "64", "128"])
    assert (list(axes.get_xticks()), list(axes.get_yticks())) == ([0, 1, 2], [0, 1])
    [image] = axes.get_images()
    grid: NDArray[np.float64] = np.ma.getdata(np.ma.asarray(image.get_array()))
    assert len(axes.texts) == 6
    for text in axes.texts:
        column, row = (round(place) for place in text.get_position())
        cell, layers = rows[row].split(", ")
        expected = losses[cell, int(layers.split()[0]), int(columns[column])]
        assert text.get_text() == f"{expected:.3f}"
        assert grid[row, column] == expected
        assert (text.get_fontweight() == "bold") == (expected == 1.25)


@pytest.mark.parametrize("tests", [(2.0,), (1.5, 1.75, 1.25, 1.625, 1.875, 1.375)])
def test_every_loss_of_a_sweep_can_be_read(tests: tuple[float, ...]) -> None:
    models = tuple(swept("gru", 1, hidden, test) for hidden, test in enumerate(tests, start=1))
    axes = plot_sweep(Sweep(models=models, overlap=np.zeros((len(tests), len(tests)))))
    figure_of(axes).draw_without_rendering()
    assert [text.get_text() for text in axes.texts] == [f"{test:.3f}" for test in tests]
    assert min(contrasts(axes)) > 4.5


@pytest.mark.parametrize("ending", ["png", "svg", "pdf", "PNG"])
def test_pictures_are_written_by_their_ending(tmp_path: Path, ending: str) -> None:
    axes = plot_text("日本 €\0\r\n", np.arange(7.0))
    save_figure(figure_of(axes), tmp_path / f"a.{ending}")
    assert (tmp_path / f"a.{ending}").stat().st_size > 1000
    assert len(list(tmp_path.iterdir())) == 1


def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match="end its name in .png"):
        save_figure(figure_of(new_axes()), tmp_path / "a.gif")
