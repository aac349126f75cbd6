"""A text view in the terminal: what is asserted are the cells that are printed, and their colours."""

import unicodedata
from io import StringIO
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.text import Text

from probe.viewer.cells import cells_of
from probe.viewer.colours import INK, PAPER, Theme, colours, ink_on
from probe.viewer.scales import MISSING, Scale, binary, classes, diverging, sequential
from probe.viewer.terminal import number_of, show_view, theme_of_terminal
from probe.viewer.text_view import Guesses, Panel, TextView, Track, TrackKind

HOSTILE = "\x1b[31m[red]</script>\u202eשלום\u200b\x9b1m\x07:smile:\te\u0301漢👩\u200d👧\r\n\u0301x\x00\x7f"


def track(
    levels_and_scale: tuple[Any, Scale], name: str = "track", kind: TrackKind = "unit", quantity: str = ""
) -> Track:
    levels, scale = levels_and_scale
    return Track(name=name, kind=kind, levels=levels, scale=scale, quantity=quantity)


def view_of(text: str, *tracks: Track, **facts: Any) -> TextView:
    panels = facts.pop("panels", (Panel(tracks=tracks),))
    return TextView(text=text, cells=cells_of(text), start=0, panels=panels, **{"title": "title", **facts})


def printed(
    view: TextView, colour_system: Any = "truecolor", *, width: int = 80, theme: Theme = "dark", **options: Any
) -> list[Text]:
    """The lines that a terminal gets, with their styles; without a colour system, those of a pipe."""
    file = StringIO()
    options = {"force_terminal": colour_system is not None, "color_system": colour_system, **options}
    show_view(view, Console(file=file, width=width, highlight=False, **options), theme)
    return [Text.from_ansi(line) for line in file.getvalue().splitlines()]


def plain(view: TextView, **options: Any) -> list[str]:
    return [line.plain for line in printed(view, None, **options)]


def style_at(line: Text, column: int) -> Style:
    return line.get_style_at_offset(Console(), column)


def ground(line: Text, column: int) -> tuple[int, ...] | None:
    colour = style_at(line, column).bgcolor
    return None if colour is None else tuple(colour.get_truecolor())


def ink(line: Text, column: int) -> tuple[int, ...] | None:
    colour = style_at(line, column).color
    return None if colour is None else tuple(colour.get_truecolor())


def rgb(name: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(name[1:]))


def line_of(lines: list[Text], start: str) -> int:
    return next(number for number, line in enumerate(lines) if line.plain.startswith(start))


# Colours


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_characters_stand_on_the_colours_of_their_levels(theme: Theme) -> None:
    values = np.array([-1.0, -0.5, 0.0, 0.5, 1.0, np.nan])
    made = track(diverging(values, 0.0))
    lines = printed(view_of("abcdef", made), theme=theme)
    line = lines[line_of(lines, "abcdef")]
    table = colours("diverging", theme)
    for column, index in enumerate(made.scale.colours(made.levels)[:5].tolist()):
        assert ground(line, column) == tuple(table[index].tolist())
    assert ground(line, 0) == tuple(table[0].tolist()) and ground(line, 4) == tuple(table[254].tolist())
    assert ground(line, 2) == ground(line, 5) == rgb(PAPER[theme])
    assert ink(line, 2) == rgb(INK[theme]) != ink(line, 5)
    assert ink(line, 0) == rgb(ink_on(table[0]))


def test_further_tracks_are_halves_of_cells_below() -> None:
    levels = [np.array(levels, np.uint8) for levels in ([0, 1, 1], [1, 0, 1], [0, 1, MISSING], [MISSING, 0, 1])]
    scale = Scale(kind="binary", classes=("False", "True"))
    tracks = [track((of_track, scale)) for of_track in levels]
    lines = printed(view_of("a\u6f22c", *tracks))
    first = line_of(lines, "a漢c")
    no, yes = (tuple(colour.tolist()) for colour in colours("binary", "dark"))
    assert [ground(lines[first], column) for column in range(3)] == [no, yes, yes]
    assert lines[first + 1].plain == "▀▀▀▀"  # of which the wide character has two
    assert [ink(lines[first + 1], column) for column in range(4)] == [yes, no, no, yes]
    assert [ground(lines[first + 1], column) for column in range(4)] == [no, yes, yes, None]
    assert lines[first + 2].plain == "░▀▀▀"
    assert [ink(lines[first + 2], column) for column in (1, 2, 3)] == [no, no, yes]
    assert [ground(lines[first + 2], column) for column in range(4)] == [None] * 4


def test_a_value_below_a_missing_one_is_the_lower_half() -> None:
    scale = Scale(kind="binary", classes=("False", "True"))
    tracks = [track((np.array(levels, np.uint8), scale)) for levels in ([0], [MISSING], [1])]
    lines = printed(view_of("a", *tracks))
    below = lines[line_of(lines, "a") + 1]
    assert (below.plain, ink(below, 0), ground(below, 0)) == ("▄", (31, 125, 92), None)


def test_256_colours_tell_low_middle_and_high_apart() -> None:
    made = track(sequential(np.array([0.2, 0.6, 1.0]), 0.0))
    lines = printed(view_of("abc", made), "256", theme="light")  # rich keeps the codes of colours of other tests
    line = lines[line_of(lines, "abc")]
    numbers = [style_at(line, column).bgcolor for column in range(3)]
    assert all(colour is not None and colour.number is not None and colour.number >= 16 for colour in numbers)
    assert len({colour.number for colour in numbers if colour is not None}) == 3


@pytest.mark.parametrize(
    ("variable", "theme"), [("15;0", "dark"), ("0;15", "light"), ("0;default;7", "light"), ("", "dark"), ("x", "dark")]
)
def test_the_ground_is_that_of_the_terminal(monkeypatch: pytest.MonkeyPatch, variable: str, theme: Theme) -> None:
    monkeypatch.setenv("COLORFGBG", variable)
    assert theme_of_terminal() == theme


def test_a_legend_has_the_numbers_of_the_scale() -> None:
    values = np.linspace(-2.0, 2.0, 21)
    unit = track(diverging(values, 0.0), "0/cell/3", quantity="activation")
    loss = track(sequential(np.append(np.linspace(0, 5, 20), np.nan), 0.0), "loss", "loss", "nats")
    lines = printed(view_of("a" * 21, unit, loss))
    shown = lines[line_of(lines, "characters 0/cell/3")].plain
    full = number_of(unit.scale, unit.scale.full)
    assert shown == f"characters 0/cell/3  -{full} {' ' * 8} 0.00 {' ' * 8} {full} and beyond, activation"
    at = shown.index(full) + len(full) + 1
    line = lines[line_of(lines, "characters 0/cell/3")]
    table = colours("diverging", "dark")
    assert ground(line, at) == tuple(table[0].tolist())
    assert ground(line, shown.index(" and beyond") - len(full) - 2) == tuple(table[254].tolist())
    below = lines[line_of(lines, "below      loss")].plain
    assert below.startswith("below      loss  0.00 ") and below.endswith("and beyond, nats  ░ no value")


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize("system", [None, "truecolor"])
def test_legends_titles_and_notes_fit_the_terminal(system: Any, width: int) -> None:
    values = np.linspace(-2.0, 2.0, 21)
    unit = track(diverging(values, 0.0), "0/cell/3", quantity="activation")
    loss = track(sequential(np.append(np.linspace(0, 5, 20), np.nan), 0.0), "loss", "loss", "nats")
    title, note = "what this is about, " * 5, "what is not shown, " * 6
    view = view_of("a" * 21, unit, loss, title=title, notes=(note,))
    lines = [line.plain for line in printed(view, system, width=width, force_terminal=True)]
    assert max(map(cell_len, lines)) <= width
    words = " ".join(lines).split()
    assert " ".join(words).startswith(title.strip()) and " ".join(words).endswith(note.strip())
    assert {"0/cell/3", "beyond,", "activation", "nats"} <= {word.rstrip(":") for word in words} | {"nats"}


def test_a_legend_names_the_classes() -> None:
    names = tuple(f"class {n}" for n in range(30))
    made = track(classes(np.arange(30), np.ones(30, bool), names), "kinds", "labels")
    line = printed(view_of("a" * 30, made), width=400)[2]
    assert line.plain.startswith("characters kinds   class 0   class 1  ") and line.plain.endswith("and 6 others")
    table = colours("classes", "dark")
    assert ground(line, line.plain.index("class 1 ")) == tuple(table[1].tolist())
    assert ground(line, line.plain.index("class 13 ")) == tuple(table[1].tolist())
    flags = printed(view_of("ab", track(binary(np.array([True, False]), np.array([True, True])))))[2]
    assert flags.plain == "characters track   False   True  "


# Marks


@pytest.mark.parametrize("options", [{}, {"force_terminal": True, "color_system": "standard"}, {"no_color": True}])
def test_marks_stand_below_the_characters_without_colours(options: dict[str, Any]) -> None:
    made = track(binary(np.array([False, True, True, False]), np.array([True, True, True, False])), "is_b", "labels")
    system = "truecolor" if "no_color" in options else None
    lines = [line.plain for line in printed(view_of("ab\nc", made), system, **options)]
    assert lines == ["title", "", "is_b: x True, . False, ? no value", "", "ab↵", ".xx", "c", "?"]
    assert not any(span.style for line in printed(view_of("ab\nc", made), system, **options)[2:] for span in line.spans)


def test_several_tracks_have_numbered_lines_of_marks() -> None:
    unit = track(diverging(np.linspace(-1, 1, 9), 0.0), "0/cell/3", quantity="activation")
    kinds = track(classes(np.arange(9) % 2, np.ones(9, bool), ("upper", "lower")), "kinds", "labels")
    assert plain(view_of("abcdefghi", unit, kinds))[2:] == [
        "1 0/cell/3: ▁ -1.00, ▄▅ 0.00, █ 1.00 activation",
        "2 kinds: u upper, l lower",
        "",
        "  abcdefghi",
        "1 ▁▂▃▃▄▅▆▇█",
        "2 ululululu",
    ]


def test_long_lines_wrap_and_wide_characters_keep_their_columns() -> None:
    text = "ab漢字e\u0301🇫🇷x" * 3
    made = track(diverging(np.arange(len(text)) * 1.0, 5.0))
    for width in (8, 11, 80):
        lines = printed(view_of(text, made), width=width)
        lines = lines[line_of(lines, "ab") :]
        assert "".join(line.plain for line in lines) == text
        assert all(cell_len(line.plain) <= width for line in lines)
    rows = plain(view_of(text * 9, made_for(text * 9)), width=80)[4:]
    for shown, marks in zip(rows[::2], rows[1::2], strict=True):
        assert sum(int(n) & 3 for n in cells_of(shown)) == len(marks) <= 120  # a pipe has no width


def made_for(text: str) -> Track:
    return track(diverging(np.arange(len(text)) * 1.0, 5.0))


def test_a_cell_has_the_value_of_its_last_character() -> None:
    made = track(binary(np.array([False, True, False]), np.ones(3, bool)))
    assert plain(view_of("e\u0301x", made))[4:] == ["e\u0301x", "x."]


def test_a_sign_fills_the_columns_of_a_wide_blank() -> None:
    made = track(binary(np.array([False, True]), np.ones(2, bool)))
    assert plain(view_of("\u3000x", made))[4:] == ["· x", ". x"]


# Hostile texts


@pytest.mark.parametrize("system", [None, "256", "truecolor"])
def test_a_hostile_text_stays_text(system: str | None) -> None:
    made = track(classes(np.zeros(len(HOSTILE), int), np.ones(len(HOSTILE), bool), (HOSTILE,)), HOSTILE, "labels")
    guesses = Guesses(
        characters=("\x1b", "\u202e", "漢"),
        ids=np.tile(np.array([0, 1, 2, 0, 0], np.uint16), (len(HOSTILE), 1)),
        levels=np.full((len(HOSTILE), 5), 99, np.uint8),
    )
    view = view_of(HOSTILE, made, title=HOSTILE, notes=(HOSTILE,), guesses=guesses)
    file = StringIO()
    show_view(view, Console(file=file, width=60, force_terminal=system is not None, color_system=system))  # type: ignore[arg-type]
    lines = [Text.from_ansi(line).plain if system else line for line in file.getvalue().split("\n")]
    for line in lines:
        allowed = "\u200d\u0301"  # which join and combine with printed characters
        assert all(char.isprintable() or char in allowed for char in line), line.encode()
        assert not any(unicodedata.category(char) == "Cc" for char in line)
    text = "\n".join(lines)
    assert "␛[31m[red]</script>·שלום" in text and ":smile:→" in text and "👩\u200d👧␍↵" in text
    assert "\n◌\u0301x␀␡" in text


def test_escapes_are_only_those_of_colours() -> None:
    import re

    file = StringIO()
    show_view(view_of(HOSTILE, made_for(HOSTILE)), Console(file=file, force_terminal=True, color_system="truecolor"))
    assert "\x1b" not in re.sub(r"\x1b\[[\d;]*m", "", file.getvalue())


# Guesses, panels, notes


def guesses_of(text: str) -> Guesses:
    ids = np.tile(np.array([0, 1, 2, 3, 4], np.uint16), (len(text), 1))
    levels = np.tile(np.array([200, 40, 13, 12, 0], np.uint8), (len(text), 1))
    return Guesses(characters=("a", "\n", "漢", "<eos>", "b"), ids=ids, levels=levels)


def test_guesses_stand_below_the_characters_shaded_by_probability() -> None:
    lines = printed(view_of("xy", guesses=guesses_of("xy")))
    first = line_of(lines, "xy")
    assert [line.plain for line in lines[first + 1 : first + 6]] == ["aa", "↵↵", "··", "··", "  "]
    table = colours("sequential", "dark")
    for rank, level in enumerate((200, 40, 13, 12)):
        assert ground(lines[first + 1 + rank], 1) == tuple(table[level].tolist())
    assert ground(lines[first + 5], 0) is None


def test_guesses_without_colours_are_those_of_five_percent() -> None:
    lines = plain(view_of("x漢", guesses=guesses_of("x漢")))
    assert lines[2:] == [
        "below: guesses of the next character of at least 5 %, the most probable first",
        "",
        "x漢",
        "aa",
        "↵↵",
        "·漢",
        "",
    ]


def test_panels_stand_one_below_the_other_with_their_titles() -> None:
    panels = (Panel(tracks=(made_for("ab"),), title="before"), Panel(tracks=(), title="after"))
    lines = plain(view_of("ab", panels=panels, notes=("a note", "another")))
    assert lines == [
        "title", "", "before", lines[3], "", "ab", lines[6], "", "after", "", "ab", "", "a note", "another",
    ]  # fmt: skip


@pytest.mark.parametrize("is_terminal", [False, True])
def test_an_empty_text_has_a_legend_and_no_rows(is_terminal: bool) -> None:
    levels, scale = diverging(np.empty(0), 0.0)
    track = Track(name="unit", kind="unit", levels=levels, scale=scale)
    view = TextView(text="", cells=cells_of(""), start=0, panels=(Panel(tracks=(track,)),))
    with StringIO() as file:
        show_view(view, Console(file=file, force_terminal=is_terminal, width=80))
        lines = [Text.from_ansi(line).plain.strip() for line in file.getvalue().splitlines()]
    assert "unit" in lines[0] and not any(lines[1:])


def test_numbers_have_the_digits_of_the_step() -> None:
    for step, value, shown in ((0.004, -0.001, "0.00"), (0.7, 12345.678, "12,346"), (1e-9, 1.5e-8, "1.5e-08")):
        assert number_of(Scale(kind="sequential", step=step), value) == shown
