"""Pictures of a text view: its characters on the colours of a track, with strips of further ones below each row."""

from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analyses.errors import AnalysisError
from probe.pictures.figures import DPI, figure_of
from probe.viewer.cells import UNPRINTABLE, WIDTH, Layout, cells_of, lay_out
from probe.viewer.colours import N_COLOURS, Theme, colours, ink_on
from probe.viewer.drawing.glyphs import SANS, printable
from probe.viewer.drawing.legends import LegendPart, columns_of, draw_legends, parts_of
from probe.viewer.drawing.sheet import COLUMN, ROW, SMALL_SIZE, TEXT_SIZE, Boxes, Sheet
from probe.viewer.scales import MISSING, binary, diverging
from probe.viewer.text_view import N_GUESSES, Guesses, Panel, TextView, Track

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLUMNS = 80
"""Columns of a picture, unless others are asked for."""
_MOST_PIXELS = 30_000  # of a picture's height, which PNG readers still open
_FEWEST_COLUMNS = 48  # of a sheet, so that legends have room
_STRIP, _STRIP_GAP, _GUESS, _AFTER_ROW = 9 / ROW, 1 / ROW, 16 / ROW, 9 / ROW  # heights, in rows
_BASE_LINE, _GUESS_BASE_LINE = 0.7, 12 / ROW  # below the tops of these
_GUESS_SIZE = 0.85 * TEXT_SIZE
_CLASS_SIZE, _CLASS_LINE = 0.5 * TEXT_SIZE, 0.1  # of a class' number, and of a line between classes, in columns
_DOCUMENT_LINE = 0.2  # columns
_RIGHT_LINE = 1.6 / ROW
_UNLIKELY = 13  # level of a guess with a probability of 5 %
_BLEED = 0.25  # how far a cell reaches under the next one, in columns, so that no gap shows
_TITLE_SIZE, _HEADING_SIZE, _NOTE_SIZE = 8.5, 7.0, 6.4  # in points
_LINE = 0.85  # height of a line of notes, in rows
_WIDEST_GUTTER = 20.0  # columns
_SIGN_OPACITY = "a0"  # of signs, which stand for what is not seen


def draw_view(
    view: TextView, axes: "Axes | None" = None, *, columns: int | None = COLUMNS, theme: Theme = "light"
) -> "Axes":
    """Draw a text view: each panel below the one before, and in it each row of text above its strips.

    The first track of a panel colours the cells of the characters, and further ones are strips below each row. The
    model's guesses, if there are any, stand below each row of the first panel, shaded by their probability. On the
    axes, x counts columns and y rows downwards, from where the picture begins.

    Args:
        view: What is drawn.
        axes: Where to draw, as large as they are now; None makes a figure of the right size.
        columns: Columns of a row, at least 2; longer lines are wrapped. None never wraps.
        theme: Whether the ground is light or dark.

    Raises:
        AnalysisError: If the picture would be more than 30,000 pixels high or wide.
    """
    if columns is not None and columns < 2:
        raise AnalysisError(f"a row of {columns} columns has no room for wide characters; give 2 or more")
    sheet = _sheet_of(view, columns, theme)
    if max(sheet.pixels) > _MOST_PIXELS:
        width, height = (round(pixels) for pixels in sheet.pixels)
        raise AnalysisError(
            f"a picture of {len(view.text):,} characters would be {width:,} × {height:,} pixels; draw fewer of them, "
            "or fewer units"
        )
    return sheet.draw(axes)


def figure_of_view(view: TextView, *, columns: int | None = COLUMNS, theme: Theme = "light") -> "Figure":
    """Return a figure of a text view that no window shows; see `draw_view`."""
    return figure_of(draw_view(view, columns=columns, theme=theme))


def plot_text(
    text: str | TextView,
    values: NDArray[np.floating] | None = None,
    labels: NDArray[np.bool_] | None = None,
    *,
    center: float = 0.0,
    title: str = "",
    axes: "Axes | None" = None,
    columns: int | None = COLUMNS,
    theme: Theme = "light",
) -> "Axes":
    """Draw a text, each character on the colour of one unit's activation there; or a whole text view.

    Args:
        text: A passage, whose long lines are wrapped; or a view, which has its own values, labels and title.
        values: (n_chars,) activations: orange above `center`, blue below. The tenth of them that are farthest from it
            have the full colour. NaN is hatched.
        labels: (n_chars,) a strip below each row that shows where a label is True; or None.
        center: The activation that has the colour of the paper.
        title: A heading above the picture.
        axes: Where to draw, as large as they are now; None makes a figure of the right size.
        columns: Columns of a row, at least 2; None never wraps.
        theme: Whether the ground is light or dark.

    Raises:
        AnalysisError: If there are not as many values or labels as characters, or a view comes with values or labels.
    """
    if isinstance(text, TextView):
        if values is not None or labels is not None:
            raise AnalysisError("a view has its own values and labels; give either a view, or a text with values")
        return draw_view(text, axes, columns=columns, theme=theme)
    if values is None:
        raise AnalysisError("a text has no colours without values; give one for each character")
    levels, scale = diverging(np.asarray(values, np.float64), center)
    tracks = [Track(name="activation", kind="unit", levels=levels, scale=scale)]
    if labels is not None:
        truths = np.asarray(labels, bool)
        label_levels, label_scale = binary(truths, np.ones(len(truths), bool))
        tracks.append(Track(name="label", kind="labels", levels=label_levels, scale=label_scale))
    view = TextView(text=text, cells=cells_of(text), start=0, panels=(Panel(tracks=tuple(tracks)),), title=title)
    return draw_view(view, axes, columns=columns, theme=theme)


def _sheet_of(view: TextView, columns: int | None, theme: Theme) -> Sheet:
    layout = lay_out(view.text, view.cells, columns)
    widest = float((layout.left + layout.width).max(initial=0.0))
    names = [name for panel in view.panels if len(panel.tracks) > 1 for name in _gutter_names(panel)]
    gutter = max((columns_of(name, SMALL_SIZE) + 1.0 for name in names), default=0.0)
    sheet = Sheet(theme=theme, left=-min(gutter, _WIDEST_GUTTER), right=max(widest, _FEWEST_COLUMNS))
    top = _write_heading(sheet, view)
    for number, panel in enumerate(view.panels or (Panel(tracks=()),)):
        guesses = view.guesses if number == 0 else None
        top = _draw_panel(sheet, view, panel, layout, guesses, top + (0.8 if number else 0.0))
    sheet.height = max(_write_notes(sheet, view, top), 1.0)
    return sheet


def _write_heading(sheet: Sheet, view: TextView) -> float:
    """Write the title, and where the passage is; return the row at which the next thing may begin."""
    top = 0.0
    for line in _wrapped(sheet, view.title, _TITLE_SIZE, 0.72):
        sheet.write(sheet.left, top + 0.65, line, _TITLE_SIZE, font=SANS, weight="bold")
        top += 0.95
    if view.documents:
        for line in _wrapped(sheet, _where(view), _NOTE_SIZE):
            sheet.write(sheet.left, top + 0.5, line, _NOTE_SIZE, sheet.grey, font=SANS)
            top += _LINE
    return top + (0.15 if top else 0.0)


def _where(view: TextView) -> str:
    """Say where the passage is, without the name of the document if the title has it."""
    first = view.documents[0]
    line = f"line {first.line:,}"
    if first.name and first.name in view.title:
        return f"from {line}"
    document = f" of {first.name}" if first.name else ""
    return f"from {line}{document}, characters {view.start:,} to {view.start + len(view.text):,} of the text"


def _write_notes(sheet: Sheet, view: TextView, top: float) -> float:
    """Write the notes, and which documents begin in the passage; return the row at which the picture ends."""
    names = [start.name for start in view.documents[1:]]
    begin = f"{len(names)} documents begin" if len(names) > 1 else f"{''.join(names) or 'a document'} begins"
    for note in (*view.notes, *([f"{begin} where there is an upright line"] if names else [])):
        for line in _wrapped(sheet, note, _NOTE_SIZE):
            top += _LINE
            sheet.write(sheet.left, top - 0.1, line, _NOTE_SIZE, sheet.grey, font=SANS)
    return top


def _draw_panel(
    sheet: Sheet, view: TextView, panel: Panel, layout: Layout, guesses: Guesses | None, top: float
) -> float:
    """Draw the title, the legends and the rows of a panel; return the row at which it ends."""
    for line in _wrapped(sheet, panel.title, _HEADING_SIZE, 0.72):
        sheet.write(sheet.left, top + 0.6, line, _HEADING_SIZE, font=SANS, weight="bold")
        top += 0.9
    legends = [parts_of(track, sheet.theme, is_numbered=number > 0) for number, track in enumerate(panel.tracks)]
    if guesses is not None:
        legends.append([_legend_of_guesses(sheet.theme)])
    top = draw_legends(sheet, legends, top) + (3 / ROW if legends else 0.0)
    further = panel.tracks[1:]
    below = len(further) * (_STRIP + _STRIP_GAP) + (N_GUESSES * _GUESS if guesses is not None else 0.0)
    pitch = 1.0 + below + (_AFTER_ROW if below else 0.0)
    row_tops = top + pitch * layout.rows
    inks = np.full(len(view.text), sheet.ink)
    if panel.tracks:
        inks = _draw_cells(sheet, panel.tracks[0], layout, row_tops, 1.0)
    _write_text(sheet, view, layout, row_tops, inks)
    _mark_documents(sheet, view, layout, row_tops)
    for number, track in enumerate(further):
        offset = 1.0 + _STRIP_GAP + number * (_STRIP + _STRIP_GAP)
        _draw_cells(sheet, track, layout, row_tops + offset, _STRIP)
    if further and layout.n_rows:
        _write_gutter(sheet, panel, top)
    if guesses is not None:
        _draw_guesses(sheet, view, guesses, layout, row_tops + 1.0 + len(further) * (_STRIP + _STRIP_GAP))
    return top + pitch * layout.n_rows - (_AFTER_ROW if below and layout.n_rows else 0.0)


def _draw_cells(
    sheet: Sheet, track: Track, layout: Layout, tops: NDArray[np.floating], height: float
) -> NDArray[np.str_]:
    """Draw a track's colour at each character, and return (n_chars,) the ink that can be read on it."""
    table = colours(track.scale.kind, sheet.theme)
    indices = track.scale.colours(track.levels) % len(table)
    is_missing = track.levels == MISSING
    follows = np.zeros(len(tops), bool)
    follows[:-1] = (np.diff(layout.rows) == 0) & ~is_missing[1:]
    places = np.stack([layout.left, tops, layout.width + _BLEED * follows, np.full(len(tops), height)], axis=1)
    shown = ~is_missing
    sheet.boxes.append(Boxes(places=places[shown], colours=table[indices[shown]], label=track.name))
    if is_missing.any():
        sheet.boxes.append(Boxes(places=places[is_missing], colours=None, label=f"missing of {track.name}"))
    inks = np.where(is_missing, sheet.ink, np.array([ink_on(colour) for colour in table])[indices])
    if track.scale.kind == "classes":
        _mark_classes(sheet, track, layout, tops, height, inks)
    return inks


def _mark_classes(
    sheet: Sheet,
    track: Track,
    layout: Layout,
    tops: NDArray[np.floating],
    height: float,
    inks: NDArray[np.str_],
) -> None:
    """Draw a line where the class changes, and in strips its number in the legend, which can be told apart in grey."""
    is_first = np.ones(len(tops), bool)
    is_first[1:] = (np.diff(layout.rows) != 0) | (np.diff(track.levels.astype(int)) != 0)
    within = is_first & (layout.left > 0)
    n_lines = int(within.sum())
    widths, heights = np.full(n_lines, _CLASS_LINE), np.full(n_lines, height)
    places = np.stack([layout.left[within], tops[within], widths, heights], axis=1)
    paper = np.tile(colours("diverging", sheet.theme)[N_COLOURS // 2], (n_lines, 1))
    sheet.boxes.append(Boxes(places=places, colours=paper, label=f"changes of {track.name}"))
    if height >= 1.0:
        return
    starts = np.flatnonzero(is_first)
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(tops)], strict=True):
        number = str(int(track.levels[start]) + 1)
        width = columns_of(number, _CLASS_SIZE)
        if track.levels[start] != MISSING and float(layout.width[start:stop].sum()) > width + 0.4:
            x, y = float(layout.left[start]) + 0.3, float(tops[start]) + 7.4 / ROW
            sheet.write(x, y, number, _CLASS_SIZE, str(inks[start]))


def _mark_documents(sheet: Sheet, view: TextView, layout: Layout, tops: NDArray[np.floating]) -> None:
    """Draw a line before the first character of each document that begins in the passage."""
    starts = [start.position for start in view.documents[1:]]
    if starts:
        widths, heights = np.full(len(starts), _DOCUMENT_LINE), np.ones(len(starts))
        places = np.stack([layout.left[starts] - _DOCUMENT_LINE / 2, tops[starts], widths, heights], axis=1)
        ink = np.tile(np.frombuffer(bytes.fromhex(sheet.ink[1:]), np.uint8), (len(starts), 1))
        sheet.boxes.append(Boxes(places=places, colours=ink, label="documents"))


def _write_text(
    sheet: Sheet, view: TextView, layout: Layout, tops: NDArray[np.floating], inks: NDArray[np.str_]
) -> None:
    """Write the characters: plain ones of a word and an ink together, so that it stays a word, and others by cells."""
    text, cells = view.text, view.cells
    position = 0
    while position < len(text):
        x, y, ink = float(layout.left[position]), float(tops[position]) + _BASE_LINE, str(inks[position])
        stop = position + 1
        if _is_plain(text, cells, position):
            while (
                stop < len(text)
                and _is_plain(text, cells, stop)
                and layout.rows[stop] == layout.rows[position]
                and inks[stop] == ink
            ):
                stop += 1
            sheet.write(x, y, text[position:stop], TEXT_SIZE, ink)
        else:
            while stop < len(text) and not cells[stop] & WIDTH:
                stop += 1
            n_columns = float(layout.width[position:stop].sum())
            colour = ink + _SIGN_OPACITY if cells[position] & UNPRINTABLE else ink
            if not text[position:stop].isspace() or cells[position] & UNPRINTABLE:
                sheet.write_cell(x, y, text[position:stop], n_columns, colour, TEXT_SIZE)
        position = stop


def _is_plain(text: str, cells: NDArray[np.uint8], position: int) -> bool:
    """Return whether a character is alone in its cell and fills it: printable ASCII that is no space."""
    alone = position + 1 == len(text) or bool(cells[position + 1] & WIDTH)
    return "!" <= text[position] <= "~" and alone


def _draw_guesses(sheet: Sheet, view: TextView, guesses: Guesses, layout: Layout, tops: NDArray[np.floating]) -> None:
    """Draw the five guesses below each character, the most probable first; a line is under one that came true."""
    table = colours("sequential", sheet.theme)
    inks = np.array([ink_on(colour) for colour in table])
    has_some = guesses.levels.any(axis=1)
    right: list[tuple[float, float, float, float]] = []
    for rank in range(N_GUESSES):
        levels, rank_tops = guesses.levels[:, rank], tops + rank * _GUESS
        indices = np.floor(levels * ((N_COLOURS - 1) / 255) + 0.5).astype(int)
        places = np.stack([layout.left, rank_tops, layout.width, np.full(len(tops), _GUESS)], axis=1)[has_some]
        sheet.boxes.append(Boxes(places=places, colours=table[indices[has_some]], label=f"guess {rank + 1}"))
        for position in np.flatnonzero(levels).tolist():
            char = guesses.characters[guesses.ids[position, rank]]
            x, y, n_columns = (float(numbers[position]) for numbers in (layout.left, rank_tops, layout.width))
            ink = sheet.grey if levels[position] < _UNLIKELY else str(inks[indices[position]])
            sheet.write_cell(x, y + _GUESS_BASE_LINE, char, n_columns, ink, _GUESS_SIZE)
            if view.text[position + 1 : position + 2] == char:
                right.append((x + 0.1, y + _GUESS - _RIGHT_LINE, n_columns - 0.2, _RIGHT_LINE))
    ink_colours = np.tile(np.frombuffer(bytes.fromhex(sheet.ink[1:]), np.uint8), (len(right), 1))
    places = np.array(right, float).reshape(-1, 4)
    sheet.boxes.append(Boxes(places=places, colours=ink_colours, label="right guesses"))


def _legend_of_guesses(theme: Theme) -> LegendPart:
    return LegendPart(
        name="guesses",
        quantity="probability; underlined if right",
        colours=colours("sequential", theme),
        numbers=("0", "0.5", "1"),
    )


def _write_gutter(sheet: Sheet, panel: Panel, top: float) -> None:
    """Write the names of the tracks to the left of their first row."""
    for number, name in enumerate(_gutter_names(panel)):
        strip = 1.0 + _STRIP_GAP + (number - 1) * (_STRIP + _STRIP_GAP)
        y = top + (_BASE_LINE if number == 0 else strip + 7.5 / ROW)
        while columns_of(name, SMALL_SIZE) > _WIDEST_GUTTER - 1.0:
            name = name[:-2] + "…"
        sheet.write(-0.6, y, name, SMALL_SIZE, sheet.grey, align="right")


def _gutter_names(panel: Panel) -> list[str]:
    """Return short names of tracks, beside which the legend has the whole ones."""
    n_probes = sum(track.kind == "probe" for track in panel.tracks)
    return ["probe" if track.kind == "probe" and n_probes == 1 else printable(track.name) for track in panel.tracks]


def _wrapped(sheet: Sheet, text: str, size: float, advance: float = 0.6) -> list[str]:
    """Return the lines of a sentence in a proportional font, whose letters are `advance` font sizes wide on average."""
    width = (sheet.right - sheet.left) * COLUMN / (size * DPI / 72 * advance)
    return wrap(printable(text), max(int(width), 10))
