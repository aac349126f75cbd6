"""The picture of an overlap has areas and bars in proportion to the counts."""

import math

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Circle, Rectangle
from numpy.typing import NDArray

from analyses.overlap import CorrectSet, Overlap
from probe.pictures.overlap import circle_distance, common_area
from probe.plots import figure_of, new_axes, plot_overlap

NAN = float("nan")


def overlap_of(counts: dict[tuple[str, ...], int]) -> Overlap:
    """An overlap with these counts, intervals that reach .01 to each side, and .1 if independent."""
    n_chars = sum(counts.values())
    sets = [
        CorrectSet(
            models=models, n_chars=n, share=n / n_chars, low=n / n_chars - 0.01, high=n / n_chars + 0.01,
            if_independent=0.1, above=0.0, above_low=NAN, above_high=NAN,
        )
        for models, n in counts.items()
    ]  # fmt: skip
    names = max(counts, key=len)
    accuracies = np.array([sum(n for models, n in counts.items() if name in models) / n_chars for name in names])
    ends = np.column_stack([accuracies - 0.01, accuracies + 0.01])
    return Overlap(models=names, n_chars=n_chars, sets=tuple(sets), accuracies=accuracies, accuracy_intervals=ends)


def of_two(both: int, only_a: int, only_b: int, neither: int) -> Overlap:
    return overlap_of({("a", "b"): both, ("a",): only_a, ("b",): only_b, (): neither})


def is_inside(circle: Circle, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(n_points,) True for those within a circle."""
    return np.asarray(np.hypot(*(points - np.array(circle.get_center())).T) < circle.get_radius())


def circles_of(axes: Axes) -> list[Circle]:
    return [patch for patch in axes.patches if isinstance(patch, Circle) and patch.get_fill()]


@pytest.mark.parametrize("counts", [(500, 40, 80, 380), (10, 400, 300, 290), (60, 0, 540, 400), (0, 300, 200, 500),
                                    (600, 0, 0, 400)])  # fmt: skip
def test_areas_are_in_proportion_to_the_counts(counts: tuple[int, int, int, int]) -> None:
    """Points drawn at random fall into the parts as often as the counts say."""
    [axes] = plot_overlap(of_two(*counts))
    one, other = circles_of(axes)
    rng = np.random.default_rng(0)
    low, high = -1.0, 2.0
    points = rng.uniform(low, high, (400_000, 2))
    in_one, in_other = is_inside(one, points), is_inside(other, points)
    per_area = (high - low) ** 2 / len(points)
    areas = [per_area * where.sum() for where in (in_one & in_other, in_one & ~in_other, in_other & ~in_one)]
    np.testing.assert_allclose(areas, np.array(counts[:3]) / 1000, atol=0.005)


@pytest.mark.parametrize(("first", "second"), [(0.6, 0.5), (0.9, 0.9), (0.5, 0.02), (0.001, 0.9)])
@pytest.mark.parametrize("share", [0.0, 1e-6, 0.1, 0.5, 0.99, 1.0])
def test_the_distance_of_two_circles_gives_their_common_area(first: float, second: float, share: float) -> None:
    common = share * min(first, second)
    distance = circle_distance(first, second, common)
    radii = math.sqrt(first / math.pi), math.sqrt(second / math.pi)
    assert common_area(*radii, distance) == pytest.approx(common, abs=1e-9)


def test_circles_have_their_counts_and_intervals() -> None:
    own = new_axes()
    assert plot_overlap(of_two(500, 40, 80, 380), [own]) == [own]
    written = "\n".join(text.get_text() for text in own.texts)
    for expected in ("a\n54.0% (53.0 to 55.0) right", "only a:\n40 characters\n4.0%", "only b:\n80 characters\n8.0%",
                     "both:\n500\n50.0%", "neither: 380 characters", "independently, both would be 10.0%"):  # fmt: skip
        assert expected in written
    one, other = (patch for patch in own.patches if isinstance(patch, Circle) and not patch.get_fill())
    assert one.get_linestyle() != other.get_linestyle()  # told apart in grey
    figure_of(own).draw_without_rendering()


def test_three_models_have_a_bar_for_each_set() -> None:
    counts = {("a", "b", "c"): 40, ("a", "b"): 10, ("a", "c"): 5, ("b", "c"): 1, ("a",): 9, ("b",): 8, ("c",): 7,
              (): 20}  # fmt: skip
    bars, points = plot_overlap(overlap_of(counts))
    ordered = sorted(counts, key=lambda models: -counts[models])
    drawn = [patch for patch in bars.patches if isinstance(patch, Rectangle)]
    assert [bar.get_height() for bar in drawn] == [counts[models] / 100 for models in ordered]
    [lines] = bars.collections
    ends = [(float(path.vertices[0, 1]), float(path.vertices[1, 1])) for path in lines.get_paths()]  # type: ignore[index,arg-type]
    np.testing.assert_allclose(ends, [(counts[m] / 100 - 0.01, counts[m] / 100 + 0.01) for m in ordered])
    assert set(np.asarray(bars.get_lines()[0].get_ydata())) == {0.1}
    assert [label.get_text().partition("\n")[0] for label in points.get_yticklabels()] == ["a", "b", "c"]
    filled = points.get_lines()[1::2]
    for line, models in zip(filled, ordered, strict=True):
        assert np.asarray(line.get_ydata()).tolist() == ["abc".index(name) for name in models]
    figure = figure_of(bars)
    figure.draw_without_rendering()
    marks = bars.transData.transform(bars.get_lines()[0].get_xydata())
    for text, bar in zip(bars.texts, drawn, strict=True):  # a number stands on its bar, and no mark in it
        place = text.get_window_extent()
        assert 0 < place.y0 - bar.get_window_extent().y1 < 25
        assert not any(place.x0 <= x <= place.x1 and place.y0 <= y <= place.y1 for x, y in marks)
