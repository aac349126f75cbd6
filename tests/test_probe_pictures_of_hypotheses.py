"""Pictures of many hypotheses, of units and of weights have the numbers of the results, and can be read in grey."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from analyses.errors import AnalysisError
from analyses.matrix import HypothesisMatrix, MatrixCell
from probe.pictures.figures import literal
from probe.pictures.heat_maps import paper_to_blue
from probe.plots import figure_of, new_axes, plot_matrix, save_figure

NAN = float("nan")
HOSTILE = ["$x$ and $y$", "[red]a[/red]", "<script>alert(1)</script>", "\x1b[31m", "a\u202eb", "שלום", "a\nb", "%s {0}"]


def cell(
    hypothesis: str, panel: str, column: str, score: float, measure: str = "auc", reach: float = 0.1
) -> MatrixCell:
    return MatrixCell(
        hypothesis=hypothesis,
        panel=panel,
        column=column,
        measure=measure,
        score=score,
        low=score - reach,
        high=score + reach,
    )


def matrix(*, has_units: bool = True) -> HypothesisMatrix:
    """Two hypotheses, one of numbers, from two sites and three units; one score is missing."""
    return HypothesisMatrix(
        hypotheses=("quotes", "position"),
        sites=("0/hidden", "0/cell"),
        units=("0/cell/1", "0/cell/2", "0/cell/3") if has_units else (),
        of_sites=(
            (cell("quotes", "sites", "0/hidden", 0.75), cell("quotes", "sites", "0/cell", 0.55)),
            (cell("position", "sites", "0/hidden", 0.25, "r2"), cell("position", "sites", "0/cell", NAN, "r2")),
        ),
        of_text=(cell("quotes", "text", "last 5 characters", 1.0), cell("position", "text", "position", -0.5, "r2")),
        of_units=(
            tuple(cell("quotes", "units", f"0/cell/{n}", 0.5 + n / 10, reach=NAN) for n in (1, 2, 3)),
            tuple(cell("position", "units", f"0/cell/{n}", n / 4, "r") for n in (1, 2, 3)),
        )
        if has_units
        else ((), ()),
    )


def coloured(image: AxesImage) -> Any:
    """The numbers that colour cells, NaN where there is none."""
    return np.ma.filled(np.ma.masked_array(image.get_array()), NAN)


def drawn(axes: Axes) -> dict[tuple[float, float], tuple[str, str]]:
    """What is written in each cell, and in which style, by column and row."""
    return {(x, y): (text.get_text(), text.get_fontstyle()) for text in axes.texts for x, y in [text.get_position()]}


def test_a_matrix_is_drawn_with_its_scores_and_colours() -> None:
    sites, units = plot_matrix(matrix())
    of_sites, of_text = map(coloured, sites.get_images())
    np.testing.assert_allclose(of_sites, [[0.5, 0.1], [0.5, NAN]])
    np.testing.assert_allclose(of_text, [[1.0], [0.0]])
    [of_units] = map(coloured, units.get_images())
    np.testing.assert_allclose(of_units, [[0.2, 0.4, 0.6], [0.25, 0.5, 0.75]])
    for image in (*sites.get_images(), *units.get_images()):
        assert image.get_clim() == (0.0, 1.0)
    text = sites.get_xticks()[-1]
    assert drawn(sites) == {
        (0, 0): (".75", "normal"),
        (1, 0): ("(.55)", "normal"),
        (0, 1): (".25", "normal"),
        (text, 0): ("1.0", "normal"),
        (text, 1): ("−.50", "normal"),
    }
    [missing] = [patch for patch in sites.patches if isinstance(patch, Rectangle) and patch.get_hatch()]
    assert (missing.get_x(), missing.get_y()) == (0.5, 0.5)
    assert [drawn(units)[column, 0] for column in range(3)] == [(".60", "italic"), (".70", "italic"), (".80", "italic")]
    assert [label.get_text() for label in sites.get_xticklabels()] == ["0/hidden", "0/cell", "text alone"]
    assert [label.get_text() for label in sites.get_yticklabels()] == ["quotes", "position (R²)"]
    assert [label.get_text() for label in units.get_yticklabels()] == ["quotes", "position (r)"]
    figure_of(sites).draw_without_rendering()


def test_a_matrix_may_lack_units_or_be_drawn_into_ones_own_axes() -> None:
    assert len(plot_matrix(matrix(has_units=False))) == 1
    own = new_axes()
    assert plot_matrix(matrix(), [own], panels=["units"]) == [own]
    assert len(own.get_images()) == 1
    with pytest.raises(AnalysisError, match="no sites and no units"):
        plot_matrix(matrix(has_units=False), panels=["units"])


@pytest.mark.parametrize(
    ("score", "written"),
    [(0.996, ".996"), (1.0, "1.0"), (0.9996, "1.0"), (0.914, ".91"), (-8.876, "−8.9"), (-0.001, ".00"), (-0.4, "−.40")],
)
def test_scores_are_short_and_are_not_rounded_to_1(score: float, written: str) -> None:
    only = cell("a", "sites", "0/cell", score, "r2", reach=0.01)
    one = HypothesisMatrix(
        hypotheses=("a",), sites=("0/cell",), units=(), of_sites=((only,),), of_text=(only,), of_units=((),)
    )
    assert plot_matrix(one)[0].texts[0].get_text().strip("()") == written


def test_colours_are_paper_at_chance_and_darker_the_further_from_it() -> None:
    colours = paper_to_blue()(np.linspace(0, 1, 20))[:, :3]
    assert colours[0].tolist() == [1, 1, 1]
    assert (np.diff(colours @ [0.299, 0.587, 0.114]) < 0).all()


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_text(name: str, tmp_path: Path) -> None:
    probes = cell(name, "sites", "0/cell", 0.9)
    hostile = HypothesisMatrix(
        hypotheses=(name,), sites=("0/cell",), units=(), of_sites=((probes,),), of_text=(probes,), of_units=((),)
    )
    [axes] = plot_matrix(hostile)
    save_figure(figure_of(axes), tmp_path / "a.svg")
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "<script>" not in svg
    assert not any(ord(char) < 32 and char not in "\n\t" for char in svg)
    assert literal("$x$ and $y$") == r"\$x\$ and \$y\$"
    if name.startswith("$"):
        assert "$x$ and $y$" in svg
    assert math.isclose(len(literal("a" * 100, 20)), 20)
