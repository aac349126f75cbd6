"""Pictures of a text view: where each character stands, on which colour, and what the legends say."""

import warnings
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

from analyses.errors import AnalysisError
from probe.pictures.figures import figure_of, save_figure
from probe.plots import plot_text
from probe.viewer import scales
from probe.viewer.cells import UNPRINTABLE, WIDTH, cells_of, lay_out
from probe.viewer.colours import PAPER, Theme, colours, ink_on
from probe.viewer.drawing import glyphs
from probe.viewer.drawing.glyphs import glyph_of
from probe.viewer.picture import draw_view, figure_of_view
from probe.viewer.scales import MISSING, Scale
from probe.viewer.text_view import DocumentStart, Guesses, Panel, TextView, Track, TrackKind

HOSTILE = '<script>alert("$x$ \\alpha")</script> \x1b[31m[red]\x00 '
HOSTILE += "שלום مرحبا \u202eabc\u202c 漢字 e\u0301 👩\u200d👧 🇫🇷\t\r\n"
ROW_PITCH_WITH_STRIP = 1 + 10 / 22 + 9 / 22


def track(values: NDArray[np.float64], name: str = "0/cell/7", middle: float = 0.0) -> Track:
    levels, scale = scales.diverging(values, middle)
    return Track(name=name, kind="unit", levels=levels, scale=scale, quantity="activation")


def labels(values: list[int], names: tuple[str, ...], name: str = "kind", kind: TrackKind = "labels") -> Track:
    levels, scale = scales.classes(np.array(values), np.array(values) >= 0, names)
    return Track(name=name, kind=kind, levels=levels, scale=scale)


def view(text: str, *panels: Panel | Track, **attributes: object) -> TextView:
    made = tuple(panel if isinstance(panel, Panel) else Panel(tracks=(panel,)) for panel in panels)
    return TextView(text=text, cells=cells_of(text), start=0, panels=made, **attributes)  # type: ignore[arg-type]


def boxes(axes: Axes, label: str) -> dict[tuple[float, float], str]:
    """The colour of each box of a track by its left upper corner, in columns and rows."""
    [collection] = [made for made in axes.collections if made.get_label() == label]
    assert isinstance(collection, PolyCollection)
    corners = [np.round(np.asarray(path.vertices)[0], 6).tolist() for path in collection.get_paths()]
    face_colours = np.asarray(collection.get_facecolor())
    return {(x, y): to_hex(tuple(colour)) for (x, y), colour in zip(corners, face_colours, strict=True)}


def rows(axes: Axes, label: str) -> list[float]:
    return sorted({row for _, row in boxes(axes, label)})


def words(axes: Axes) -> list[Text]:
    """The texts inside the rows of text: those that are not smaller."""
    largest = max(text.get_fontsize() for text in axes.texts if text.get_fontfamily()[0] == glyphs.MONO)
    return [text for text in axes.texts if text.get_fontsize() == largest and text.get_fontweight() == "normal"]


def expected_colours(made: Track, theme: Theme = "light") -> list[str]:
    table = colours(made.scale.kind, theme)
    return [to_hex(table[index % len(table)] / 255) for index in made.scale.colours(made.levels)]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_character_stands_on_the_colour_of_its_value(theme: Theme) -> None:
    text = 'ab "c"\n\t$x$\n'
    made = track(np.linspace(-1, 1, len(text)), middle=0.25)
    axes = draw_view(view(text, made), theme=theme)
    drawn = boxes(axes, "0/cell/7")
    layout = lay_out(text, cells_of(text), None)
    [top, _] = rows(axes, "0/cell/7")
    places = [(float(x), round(float(top + row), 6)) for x, row in zip(layout.left, layout.rows, strict=True)]
    assert [drawn[place] for place in places] == expected_colours(made, theme)
    assert to_hex(figure_of(axes).get_facecolor()) == PAPER[theme]
    shown = {(text.get_text(), *np.round(text.get_position(), 6).tolist()) for text in axes.texts}
    base, next_base = round(float(top) + 0.7, 6), round(float(top) + 1.7, 6)
    assert {("ab", 0, base), ('"c"', 3, base), ("$x$", 1, next_base)} <= shown
    signs = {text.get_text(): text.get_position() for text in axes.texts if text.get_text() in "→↵"}
    assert signs["→"] == pytest.approx((0, next_base), abs=1e-6)
    assert signs["↵"] == pytest.approx((4, next_base), abs=1e-6)


def test_text_can_be_read_on_every_cell() -> None:
    text = "abcdefghij" * 3
    made = track(np.linspace(-1, 1, len(text)))
    axes = draw_view(view(text, made))
    drawn = boxes(axes, made.name)
    inks = [ink_on(np.array(to_rgb(drawn[place])) * 255) for place in sorted(drawn)]
    shown: dict[int, str] = {}
    for word in words(axes):
        start = round(word.get_position()[0])
        shown |= {start + index: str(word.get_color()) for index in range(len(word.get_text()))}
    assert [shown[column] for column in range(len(text))] == inks
    assert set(inks) == {"#000000", "#ffffff"}


def test_a_text_without_line_ends_is_wrapped() -> None:
    axes = plot_text("acgt" * 500, np.sin(np.arange(2000.0)))
    [left, right], [bottom, _] = axes.get_xlim(), axes.get_ylim()
    assert (left, right) == (0, 80)
    assert len(rows(axes, "activation")) == 25
    width, height = (inches * 144 for inches in figure_of(axes).get_size_inches())
    assert width == pytest.approx(80 * 10 + 40)
    assert height == pytest.approx(bottom * 22 + 40)
    assert height < 800
    unwrapped = plot_text("acgt" * 500, np.zeros(2000), columns=None)
    assert unwrapped.get_xlim() == (0, 2000)


def test_further_tracks_are_strips_below_each_row() -> None:
    text = "one\ntwo\n"
    first = labels([0, 0, 0, 0, 1, 1, 1, 1], ("even", "odd"))
    second, third = track(np.arange(8.0), "1/hidden/3"), track(-np.arange(8.0), "2/hidden/4")
    axes = draw_view(view(text, Panel(tracks=(first, second, third))))
    top, next_top = rows(axes, "kind")
    pitch = ROW_PITCH_WITH_STRIP + 10 / 22
    assert next_top - top == pytest.approx(pitch)
    assert rows(axes, "1/hidden/3") == pytest.approx([top + 1 + 1 / 22, next_top + 1 + 1 / 22])
    assert rows(axes, "2/hidden/4") == pytest.approx([top + 1 + 11 / 22, next_top + 1 + 11 / 22])
    assert list(boxes(axes, "1/hidden/3").values()) == expected_colours(second)
    beside = {text.get_text(): text.get_position() for text in axes.texts if text.get_horizontalalignment() == "right"}
    assert {name: y for name, (x, y) in beside.items() if x < 0} == {
        "kind": pytest.approx(top + 0.7),
        "1/hidden/3": pytest.approx(top + 1 + 8.5 / 22),
        "2/hidden/4": pytest.approx(top + 1 + 18.5 / 22),
    }


def test_classes_can_be_told_apart_in_grey_by_lines_and_numbers() -> None:
    kinds = labels([0, 0, 0, 2, 2, 2, 1, 1, 1], ("code", "comment", "string"))
    axes = draw_view(view("a = # 'x'", Panel(tracks=(track(np.zeros(9)), kinds))))
    assert [x for x, _ in boxes(axes, "changes of kind")] == [3, 6]
    [top] = rows(axes, "kind")
    numbers = {t.get_text(): t.get_position()[0] for t in axes.texts if top < t.get_position()[1] < top + 9 / 22}
    assert numbers == {"1": pytest.approx(0.3), "3": pytest.approx(3.3), "2": pytest.approx(6.3), "kind": -0.6}
    legend = [text.get_text() for text in axes.texts]
    assert {"1 code", "2 comment", "3 string"} <= set(legend)
    alone = [text.get_text() for text in draw_view(view("a = # 'x'", kinds)).texts]
    assert {"code", "comment", "string"} <= set(alone)


def test_units_come_first_where_they_are_to_colour_the_characters() -> None:
    kinds = labels([0, 1], ("a", "b"))
    probed, unit, other = labels([0, 1], ("a", "b"), "p", "probe"), track(np.zeros(2)), track(np.ones(2), "0/cell/8")
    shown = view("ab", Panel(tracks=(kinds, probed, unit, other), title="one")).units_first()
    assert [made.name for made in shown.panels[0].tracks] == ["0/cell/7", "0/cell/8", "kind", "p"]
    assert shown.panels[0].title == "one"


def test_panels_stand_one_below_the_other() -> None:
    one, two = track(np.arange(4.0), "0/cell/1"), track(-np.arange(4.0), "0/cell/2")
    axes = draw_view(view("a\nb\n", Panel(tracks=(one,), title="first.h5"), Panel(tracks=(two,), title="second.h5")))
    headings = {text.get_text(): text.get_position()[1] for text in axes.texts if text.get_fontweight() == "bold"}
    assert headings["first.h5"] < rows(axes, "0/cell/1")[0] < rows(axes, "0/cell/1")[1] + 1 < headings["second.h5"]
    assert headings["second.h5"] < rows(axes, "0/cell/2")[0]
    assert axes.get_ylim()[0] == pytest.approx(rows(axes, "0/cell/2")[1] + 1)
    assert len([word for word in words(axes) if word.get_text() == "b"]) == 2


def test_a_track_in_two_panels_has_a_picture_in_each() -> None:
    made = track(np.arange(3.0))
    axes = draw_view(view("abc", made, made))
    assert len([one for one in axes.collections if one.get_label() == made.name]) == 2


def test_guesses_stand_below_each_row_shaded_by_their_probability() -> None:
    text = "abab"
    characters = ("a", "b", "\n", "漢", "c")
    ids = np.array([[1, 0, 2, 3, 4], [0, 1, 2, 3, 4], [4, 1, 2, 3, 0], [0, 1, 2, 3, 4]], np.uint16)
    levels = np.array([[204, 30, 10, 5, 0], [255, 0, 0, 0, 0], [128, 64, 32, 16, 8], [0, 0, 0, 0, 0]], np.uint8)
    axes = draw_view(view(text, track(np.zeros(4)), guesses=Guesses(characters=characters, ids=ids, levels=levels)))
    [top] = rows(axes, "0/cell/7")
    table = colours("sequential", "light")
    first = boxes(axes, "guess 1")
    assert list(first) == [(column, round(top + 1, 6)) for column in range(3)]  # the last has no prediction
    assert list(first.values()) == [to_hex(table[index] / 255) for index in (203, 254, 127)]
    assert rows(axes, "guess 5") == [round(top + 1 + 4 * 16 / 22, 6)]
    below = [text for text in axes.texts if text.get_position()[1] > top + 1]
    at = {(int(t.get_position()[0] + 0.01), round((t.get_position()[1] - top - 1) * 22)): t for t in below}
    assert {place: text.get_text() for place, text in at.items()} == {
        (0, 12): "b", (0, 28): "a", (0, 44): "↵", (0, 60): "漢", (1, 12): "a",
        (2, 12): "c", (2, 28): "b", (2, 44): "↵", (2, 60): "漢", (2, 76): "a",
    }  # fmt: skip
    right = [(int(x), round((y - top - 1) * 22 - 14.4)) for x, y in boxes(axes, "right guesses")]
    assert right == [(0, 0), (1, 0), (2, 16)]


def test_clusters_stay_in_their_cells() -> None:
    text = "漢字e\u0301x👩\u200d👧שלום مرحبا❤\ufe0fｆ🇫🇷नमस्ते😀"
    axes = draw_view(view(text, track(np.zeros(len(text)))))
    figure_of(axes).draw_without_rendering()
    layout = lay_out(text, cells_of(text), None)
    starts = [index for index in range(len(text)) if cells_of(text)[index] & WIDTH]
    ends = [*starts[1:], len(text)]
    cells = [
        (layout.left[start], layout.left[start] + layout.width[start:end].sum())
        for start, end in zip(starts, ends, strict=True)
    ]
    [top] = rows(axes, "0/cell/7")
    drawn = sorted(
        (
            axes.transData.inverted().transform(t.get_window_extent())[:, 0]
            for t in axes.texts
            if t.get_position()[1] > top
        ),
        key=lambda ends: float(ends[0]),
    )
    assert len(drawn) == len([start for start in starts if text[start] != " "])
    for left, right in drawn:
        assert any(cell_left - 0.15 <= left and right <= cell_right + 0.15 for cell_left, cell_right in cells)


def test_a_character_that_no_font_has_is_a_box(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(glyphs, "_families", lambda: (glyphs.MONO, glyphs.SANS))
    glyph_of.cache_clear()
    try:
        assert glyph_of("𓀀").text == "□"
        assert glyph_of("\x1b").text == "^["
        assert glyph_of("👩\u200d👧").text == "□"
        figure = figure_of_view(view("a𓀀b", track(np.zeros(3))))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            figure.canvas.draw()
        assert [word.get_text() for word in words(figure.axes[0])] == ["a", "□", "b"]
    finally:
        glyph_of.cache_clear()


@pytest.mark.parametrize("usetex", [False, True])
def test_what_is_in_a_text_is_drawn_and_never_obeyed(tmp_path: Path, usetex: bool) -> None:
    made = track(np.arange(float(len(HOSTILE))), name="<b>$\\frac$\x1b[31m")
    documents = (DocumentStart(name="a\x00<i>.txt", position=0),)
    shown = view(HOSTILE, made, title="$x$ <script>\n\x1b", notes=("[red]\x07",), documents=documents)
    with matplotlib.rc_context({"text.usetex": usetex}):
        save_figure(figure_of_view(shown), tmp_path / "a.svg")
    tree = ElementTree.fromstring((tmp_path / "a.svg").read_text(encoding="utf-8"))
    tags = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert not tags & {"script", "b", "i", "foreignObject"}
    drawn = [element.text or "" for element in tree.iter() if element.tag.endswith("}text")]
    assert {"$x$ <script>↵^[", "<b>$\\frac$^[[31m", "[red]^G"} <= set(drawn)
    letters = "".join(drawn)
    assert letters.isprintable()
    for word in ('<script>alert("$x$', '\\alpha")</script>', "[31m[red]", "abc", "漢", "字", "é", "ש"):
        assert word in letters


def test_legends_have_the_numbers_of_the_colours() -> None:
    values = np.concatenate([np.linspace(-2, 2, 100), [10.0]])
    axes = draw_view(view("a" * 101, track(values, middle=0.5)))
    scale = track(values, middle=0.5).scale
    assert scale.full == pytest.approx(np.quantile(np.abs(values - 0.5), 0.9))
    shown = [text.get_text() for text in axes.texts]
    assert shown[:2] == ["0/cell/7", "activation"]
    numbers = [text for text in axes.texts if float(text.get_fontsize()) < 6.2]
    assert [text.get_text() for text in numbers] == [
        f"≤ −{scale.full - 0.5:.1f}", "0.5", f"≥ {scale.full + 0.5:.1f}",
    ]  # fmt: skip
    legend = list(boxes(axes, "legend of 0/cell/7").items())
    left, right = legend[0][0][0], legend[-1][0][0]
    assert [text.get_position()[0] for text in numbers] == pytest.approx([left, left + 7.5, left + 15])
    assert right == pytest.approx(left + 15 * 254 / 255)
    assert [legend[index][1] for index in (0, 127, 254)] == [
        to_hex(colour / 255) for colour in colours("diverging", "light")[[0, 127, 254]]
    ]


def test_missing_values_are_hatched_and_named() -> None:
    values = np.array([0.5, np.nan, -0.5])
    axes = draw_view(view("abc", track(values)))
    [top] = rows(axes, "0/cell/7")
    assert [x for x, _ in boxes(axes, "0/cell/7")] == [0, 2]
    assert list(boxes(axes, "missing of 0/cell/7")) == [(1, top)]
    [hatched] = [made for made in axes.collections if made.get_label() == "missing of 0/cell/7"]
    assert hatched.get_hatch()
    assert "no value" in [text.get_text() for text in axes.texts]
    none = draw_view(view("abc", labels([0, -1, 0], ("a",))))
    assert "no label" in [text.get_text() for text in none.texts]


def test_a_long_name_or_many_classes_stay_within_the_picture() -> None:
    names = tuple(f"class {number}" for number in range(40))
    many = labels(list(range(40)), names, name="blocks.3.mlp." + "x" * 200)
    axes = draw_view(view("a" * 40, Panel(tracks=(many, track(np.zeros(40), "y" * 300)))))
    shown = [text.get_text() for text in axes.texts]
    assert "and 16 more" in shown
    assert any(name.startswith("y") and name.endswith("…") for name in shown)
    figure = figure_of(axes)
    figure.draw_without_rendering()
    width = figure.bbox.width
    for text in axes.texts:
        box = text.get_window_extent()
        assert box.x0 >= -1, text.get_text()
        assert box.x1 <= width + 1, text.get_text()


@pytest.mark.parametrize(
    ("title", "place"),
    [
        ("A title", "from line 12 of b.txt, characters 1,200 to 1,204 of the text"),
        ("b.txt, characters 1,200 to 1,204", "from line 12"),
    ],
)
def test_the_passage_says_where_it_is(title: str, place: str) -> None:
    text = "abc\n"
    documents = (DocumentStart(name="b.txt", position=0, line=12, column=3),)
    made = TextView(
        text=text, cells=cells_of(text), start=1200, panels=(), documents=documents, title=title, notes=("A note.",)
    )
    shown = [text.get_text() for text in draw_view(made).texts]
    assert shown == [title, place, "abc", "↵", "A note."]


def test_a_line_stands_where_a_document_begins() -> None:
    documents = tuple(DocumentStart(name=name, position=position) for name, position in (("a", 0), ("b", 3)))
    axes = draw_view(view("one two", track(np.zeros(7)), documents=documents))
    [(x, y)] = boxes(axes, "documents")
    assert x == pytest.approx(2.9)
    assert y == rows(axes, "0/cell/7")[0]
    assert axes.texts[-1].get_text() == "b begins where there is an upright line"


def test_a_view_is_drawn_on_axes_of_any_size() -> None:
    made = view("ab\nc", track(np.zeros(4)))
    alone = draw_view(made)
    figure = Figure(figsize=tuple(figure_of(alone).get_size_inches()))
    axes = figure.add_axes((0.1, 0.1, 0.4, 0.8))
    assert draw_view(made, axes) is axes
    assert len(figure.axes) == 1
    size = {text.get_text(): text.get_fontsize() for text in axes.texts}["ab"]
    width, height = figure.get_size_inches() * 144
    scale = min(0.4 * width / 480, 0.8 * height / (axes.get_ylim()[0] * 22))
    assert size == pytest.approx({text.get_text(): text.get_fontsize() for text in alone.texts}["ab"] * scale)
    assert plot_text(made, axes=figure.add_axes((0.5, 0.1, 0.4, 0.8))) is figure.axes[1]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_picture_is_the_same_every_time_and_has_no_date(tmp_path: Path, ending: str) -> None:
    made = view(HOSTILE, track(np.arange(float(len(HOSTILE)))))
    for name in ("a", "b"):
        save_figure(figure_of_view(made), tmp_path / f"{name}.{ending}")
    first = (tmp_path / f"a.{ending}").read_bytes()
    assert first == (tmp_path / f"b.{ending}").read_bytes()
    assert not [word for word in (b"CreationDate", b"<dc:date>") if word in first]


def test_an_empty_passage_and_a_panel_without_tracks_can_be_drawn(tmp_path: Path) -> None:
    for made in (view("", track(np.zeros(0))), view("abc", Panel(tracks=())), view("abc")):
        save_figure(figure_of_view(made), tmp_path / "a.png")


def test_what_cannot_be_drawn_is_said_in_a_sentence() -> None:
    made = view("a" * 3000, track(np.zeros(3000)))
    with pytest.raises(AnalysisError, match=r"a picture of 3,000 characters would be .* pixels; draw fewer of them"):
        draw_view(made, columns=2)
    with pytest.raises(AnalysisError, match="give 2 or more"):
        draw_view(made, columns=1)
    with pytest.raises(AnalysisError, match="has 2 values for 3 characters"):
        plot_text("abc", np.zeros(2))
    with pytest.raises(AnalysisError, match="without values"):
        plot_text("abc")
    with pytest.raises(AnalysisError, match="own values"):
        plot_text(made, np.zeros(3000))


def test_labels_of_plot_text_are_a_strip() -> None:
    axes = plot_text("abc", np.array([-1.0, 0.0, 1.0]), np.array([False, True, False]), title="planted")
    table = [to_hex(colour / 255) for colour in colours("binary", "light")]
    assert list(boxes(axes, "label").values()) == [table[0], table[1], table[0]]
    assert axes.texts[0].get_text() == "planted"


def test_signs_are_paler_than_text() -> None:
    axes = draw_view(view("a\tb", track(np.zeros(3))))
    drawn = {text.get_text(): str(text.get_color()) for text in words(axes)}
    assert drawn["a"] == "#000000"
    assert drawn["→"] == "#000000a0"
    assert cells_of("\t")[0] & UNPRINTABLE
    assert Scale(kind="binary").colours(np.array([MISSING], np.uint8)).tolist() == [0]
