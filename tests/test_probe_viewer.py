"""The view of a text: where characters stand, and what their levels and colours mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.viewer.cells import TILE_CHARS, UNPRINTABLE, WIDTH, cells_of, lay_out
from probe.viewer.colours import N_COLOURS, Theme, colours, ink_on
from probe.viewer.drawing.legends import numbers_of
from probe.viewer.scales import MISSING, binary, classes, diverging, probabilities, sequential

NUMBERS = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=1, max_size=50).map(np.array)


@pytest.mark.parametrize(
    ("text", "widths"),
    [
        ("ab", [1, 1]),
        ("漢字", [2, 2]),
        ("e\u0301x", [1, 0, 1]),
        ("👩\u200d👩\u200d👧!", [2, 0, 0, 0, 0, 1]),
        ("🇫🇷", [2, 0]),
        ("❤\ufe0f", [2, 0]),
        ("\r\n", [1, 1]),
        ("שלום", [1, 1, 1, 1]),
    ],
)
def test_characters_have_the_columns_that_terminals_give_them(text: str, widths: list[int]) -> None:
    assert (cells_of(text) & WIDTH).tolist() == widths


def test_signs_stand_for_characters_that_move_the_cursor() -> None:
    text = "a\t\n\x1b\u202eb\x7f"
    assert ((cells_of(text) & UNPRINTABLE) > 0).tolist() == [False, True, True, True, True, False, True]


def test_rows_wrap_where_a_cluster_no_longer_fits() -> None:
    text = "abc漢e\u0301\nx"
    layout = lay_out(text, cells_of(text), 4)
    assert layout.rows.tolist() == [0, 0, 0, 1, 1, 1, 1, 2]
    assert layout.left.tolist() == [0, 1, 2, 0, 2, 2.5, 3, 0]
    assert layout.width.tolist() == [1, 1, 1, 2, 0.5, 0.5, 1, 1]


def test_a_tile_begins_a_row() -> None:
    text = "a" * (TILE_CHARS + 1)
    layout = lay_out(text, cells_of(text), None)
    assert layout.rows[-2:].tolist() == [0, 1]
    assert layout.left[-2:].tolist() == [TILE_CHARS - 1, 0]


@given(st.text(max_size=60), st.integers(2, 9))
def test_no_two_characters_overlap_and_no_row_is_too_long(text: str, columns: int) -> None:
    layout = lay_out(text, cells_of(text), columns)
    right = layout.left + layout.width
    assert (right <= columns + 1e-9).all()
    is_next = np.diff(layout.rows) == 0
    assert np.allclose(right[:-1][is_next], layout.left[1:][is_next])
    assert (layout.left[1:][~is_next] == 0).all()


@given(NUMBERS, st.floats(-1e6, 1e6))
def test_values_of_levels_are_within_half_a_step(values: np.ndarray, middle: float) -> None:
    for levels, scale in (diverging(values, middle), sequential(values)):
        assert np.abs(scale.values(levels) - values).max() <= scale.step * 0.5001 + 1e-9
    levels, scale = diverging(values, middle)
    assert scale.middle == pytest.approx(middle, abs=1e-6 * (1 + abs(scale.offset)))


def test_a_tenth_of_the_values_has_the_full_colour() -> None:
    levels, scale = diverging(np.linspace(-1.0, 1.0, 2001), 0.0)
    assert scale.full == pytest.approx(0.9, abs=1e-3)
    indices = scale.colours(levels)
    assert np.mean((indices == 0) | (indices == N_COLOURS - 1)) == pytest.approx(0.1, abs=0.01)
    assert indices[1000] == N_COLOURS // 2


def test_missing_values_have_a_level_of_their_own() -> None:
    values = np.array([0.5, np.nan, -1.0])
    for levels, scale in (diverging(values, 0.0), sequential(values)):
        assert (levels == MISSING).tolist() == [False, True, False]
        assert np.isnan(scale.values(levels)).tolist() == [False, True, False]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_probability_looks_like_the_label_that_it_is_sure_of(theme: Theme) -> None:
    levels, scale = probabilities(np.array([0.0, 0.5, 1.0, np.nan]))
    assert levels.tolist() == [0, 127, 254, MISSING]
    shown = colours(scale.kind, theme)[scale.colours(levels[:3])].astype(int)
    of_false, of_true = colours("binary", theme).astype(int)
    assert (shown[0] == of_false).all() and (shown[2] == of_true).all()
    assert np.abs(shown[1] - (of_false + of_true) / 2).max() <= 1


def test_few_whole_numbers_are_exact_and_each_has_a_colour() -> None:
    depths = np.array([0.0] * 50 + [1.0] * 40 + [2.0, 3.0, np.nan])
    levels, scale = sequential(depths)
    assert scale.is_whole and scale.digits == 0 and scale.full == pytest.approx(3)
    np.testing.assert_array_equal(scale.values(levels), depths)
    assert scale.colours(np.unique(levels[:-1])).tolist() == [0, 85, 169, 254]
    assert numbers_of(scale) == ("0", "1.5", "3")
    assert not sequential(depths + 0.25)[1].is_whole
    many = np.arange(1000.0)
    assert not sequential(many)[1].is_whole  # 255 levels are too few for them
    lengths = np.append(np.arange(100.0), 200.0)
    assert sequential(lengths)[1].full == pytest.approx(90)  # outliers do not leave the others pale


def test_labels_are_levels_of_the_classes_that_occur() -> None:
    levels, scale = classes(np.array([7, 3, 7, 0]), np.array([True, True, True, False]), tuple("abcdefgh"))
    assert scale.classes == ("d", "h")
    assert levels.tolist() == [1, 0, 1, MISSING]
    levels, _ = binary(np.array([True, False, True]), np.array([True, True, False]))
    assert levels.tolist() == [1, 0, MISSING]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["diverging", "sequential", "probability", "binary", "classes"])
def test_text_can_be_read_on_every_colour(kind: str, theme: Theme) -> None:
    for colour in colours(kind, theme):
        assert _contrast(colour, ink_on(colour)) >= 4.5


def _contrast(colour: np.ndarray, ink: str) -> float:
    """Return the contrast ratio of WCAG 2.2, from its definition."""
    ink_channels = [int(ink[i : i + 2], 16) for i in (1, 3, 5)]
    luminances = []
    for channels in (colour.tolist(), ink_channels):
        linear = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in channels]
        luminances.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(luminances) + 0.05) / (min(luminances) + 0.05)
