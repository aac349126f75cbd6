"""Pictures of many hypotheses, of units and of weights have the numbers of the results, and can be read in grey."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from activations.units import Site, Unit
from analyses.errors import AnalysisError
from analyses.matrix import HypothesisMatrix, MatrixCell
from analyses.probing.results import ProbeResult
from analyses.ranking.results import RankedUnit, Ranking
from hypotheses.labels import Kind
from probe.pictures.figures import literal
from probe.pictures.heat_maps import paper_to_blue
from probe.plots import figure_of, new_axes, plot_matrix, plot_ranking, plot_weights, save_figure

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


def ranked(index: int, held_out: float, reach: float = 0.1, direction: int = 1, label: str | None = None) -> RankedUnit:
    return RankedUnit(
        unit=Unit(Site.of(0, "cell"), index), score=held_out, held_out_score=held_out, overall=held_out,
        held_out=held_out, low=held_out - reach, high=held_out + reach, within_position_groups=held_out - 0.05, p=NAN,
        q=NAN, tie_probability=0.0, direction=direction, label=label,
    )  # fmt: skip


def ranking(*units: RankedUnit, method: str = "auc", measure: str = "auc", hypothesis: str = "a") -> Ranking:
    return Ranking(
        hypothesis=hypothesis, method=method, measure=measure, units=units, n_train=1, n_test=1, auc_error=0.0,
        prevalence=None, n_test_runs=None,
    )  # fmt: skip


def test_a_ranking_has_the_scores_and_intervals_of_its_best_units() -> None:
    units = (ranked(7, 0.9), ranked(3, 0.8, direction=-1), ranked(5, 0.7, reach=NAN), ranked(1, 0.6))
    axes = plot_ranking(ranking(*units), top=3)
    drawn = [(np.asarray(line.get_xydata()).tolist(), line) for line in axes.get_lines()]
    intervals = [points for points, _ in drawn if len(points) == 2 and points[0][1] == points[1][1]]
    np.testing.assert_allclose(intervals, [[[0.8, 0], [1.0, 0]], [[0.7, 1], [0.9, 1]]])
    scores = {points[0][1]: (points[0][0], line) for points, line in drawn if line.get_marker() in ("^", "v")}
    assert {row: score for row, (score, _) in scores.items()} == {0: 0.9, 1: 0.8, 2: 0.7}
    assert [scores[row][1].get_marker() for row in (0, 1, 2)] == ["^", "v", "^"]
    assert [scores[row][1].get_markerfacecolor() == "white" for row in (0, 1, 2)] == [False, False, True]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["0/cell/7", "0/cell/3", "0/cell/5"]
    within = next(np.asarray(line.get_xdata()).tolist() for line in axes.get_lines() if line.get_marker() == "|")
    np.testing.assert_allclose(within, [0.85, 0.75, 0.65])
    chance = next(line for line in axes.get_lines() if line.get_label() == "chance")
    assert set(np.asarray(chance.get_xdata())) == {0.5}
    assert "open: no interval" in axes.get_xlabel()
    figure_of(axes).draw_without_rendering()


def test_a_ranking_names_its_method_its_classes_and_the_measure_of_numbers() -> None:
    own = new_axes()
    assert plot_ranking(ranking(ranked(1, 0.9, label="$noun$"), method="f1"), own) is own
    assert "in the order of f1" in own.get_title()
    assert own.get_yticklabels()[0].get_text() == r"0/cell/1 (\$noun\$)"
    axes = plot_ranking(ranking(ranked(1, 0.9), method="r", measure="r"))
    assert "held-out r" in axes.get_xlabel()
    assert [set(np.asarray(line.get_xdata())) for line in axes.get_lines() if line.get_label() == "chance"] == [{0.0}]
    with pytest.raises(AnalysisError, match="no unit has a score"):
        plot_ranking(ranking(ranked(1, NAN)))


def weighted(weights: list[list[float]], site_sizes: dict[str, int], kind: Kind = "binary") -> ProbeResult:
    units = tuple(Unit(Site(site), index) for site, n in site_sizes.items() for index in range(n))
    return ProbeResult(hypothesis="a $b$ $c$", kind=kind, site="x", units=units, weights=np.array(weights))


def test_weights_are_drawn_over_their_units_and_the_largest_are_named() -> None:
    """Twenty units of two sites: the largest weights are those of the units 3 and 12."""
    weights = [[0.01 * place] for place in range(20)]
    weights[3], weights[12] = [-2.0], [1.0]
    of_two, of_classes = (
        weighted(weights, {"0/cell": 12, "1/cell": 8}),
        weighted([[3.0, 4.0], [0.0, -1.0]], {"0/cell": 2}, "categorical"),
    )
    first, second = plot_weights([of_two, of_classes])
    [lines] = first.collections
    assert isinstance(lines, LineCollection)
    ends = [segment[1].tolist() for segment in lines.get_segments()]
    np.testing.assert_allclose(ends, [[place, weight] for place, [weight] in enumerate(weights)])
    names = [text.get_text() for text in first.texts]
    assert names[:2] == ["0/cell/3", "1/cell/0"]
    assert [label.get_text() for label in first.get_xticklabels()] == ["0/cell (12)", "1/cell (8)"]
    np.testing.assert_allclose(first.get_xticks(), [5.5, 15.5])
    assert isinstance(second.collections[0], LineCollection)
    norms = [segment[1, 1] for segment in second.collections[0].get_segments()]
    np.testing.assert_allclose(norms, [5.0, 1.0])
    assert "no intervals" in first.get_title()
    assert "norm" in second.get_ylabel()
    figure_of(first).draw_without_rendering()
    own = new_axes()
    assert plot_weights(of_two, [own]) == [own]


def test_a_probe_without_weights_is_refused() -> None:
    with pytest.raises(AnalysisError, match="has no weights of units"):
        plot_weights(ProbeResult(hypothesis="a", kind="binary", site="last 5 characters", control="chars"))


def test_names_of_weights_do_not_cover_each_other() -> None:
    weights = [[0.0]] * 100
    weights[50], weights[51], weights[52], weights[80] = [3.0], [2.0], [-1.0], [0.5]
    [axes] = plot_weights(weighted(weights, {"0/cell": 100}))
    names = [text.get_text() for text in axes.texts]
    assert names[:3] == ["0/cell/50", "0/cell/52", "0/cell/80"]
    assert "0/cell/51" not in names
