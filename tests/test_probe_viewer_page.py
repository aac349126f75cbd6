"""The page of a text view in Chromium: what is drawn, said and copied is what the view holds."""

import base64
import io
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from viewing import PIECES

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from view import SCROLL, synthetic_page

from probe.viewer.cells import cells_of, lay_out
from probe.viewer.colours import INK, PAPER, Theme, colours
from probe.viewer.page.page import file_text, page_of
from probe.viewer.page.tiles import container_of
from probe.viewer.scales import binary, classes, diverging, sequential
from probe.viewer.text_view import DocumentStart, Guesses, Panel, TextView, Track

HOSTILE = (
    "<script>alert(1)</script> [red] &amp; </script> \x1b[31mred\x1b[0m\n"
    "שלום עולם \u202eabc\u202c\t👩\u200d👩\u200d👧 漢e\u0301 <!-- -->\r\n"
    "<img src=x onerror=alert(2)>"
)
Page = Any  # playwright's, which may not be installed


def wait_until(page: Page, condition: str) -> None:
    """Wait for a condition; `wait_for_function` evaluates strings in the page, whose policy forbids that."""
    page.evaluate(f"""async () => {{
        const end = performance.now() + 30_000;
        while (!({condition})) {{
            if (performance.now() > end) throw new Error("waited for 30 seconds");
            await new Promise((done) => setTimeout(done, 10));
        }}
    }}""")


class Opened:
    """A page that has been opened, and what happened in it that must not."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.address = ""
        self.mishaps: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.mishaps.append(str(error)))
        page.on("console", lambda message: self.mishaps.append(message.text))
        page.on("dialog", lambda dialog: self.mishaps.append(dialog.message))
        page.on("request", lambda request: self.requests.append(request.url))

    def ready(self) -> "Opened":
        """Wait until all frames that are due have been drawn."""
        wait_until(self.page, "globalThis.view?.painter")
        self.page.evaluate("() => new Promise((done) => setTimeout(() => requestAnimationFrame(done), 60))")
        return self

    def run(self, script: str, argument: object = None) -> Any:
        result = self.page.evaluate(script, argument)
        self.ready()
        return result

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.ready()

    def pixels(self) -> np.ndarray:
        """(height, width, 3) what is on the screen."""
        return np.asarray(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB"))

    def corners(self, view: TextView, panel: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """(n_chars,) where, on the screen, each cell of a short text begins: from the left, and from the top."""
        columns, gutter, width, left, top = self.run("""() => {
            const box = view.scroller.getBoundingClientRect();
            const [left, top] = [box.x - view.scroller.scrollLeft, box.y - view.scroller.scrollTop];
            return [view.columns, view.gutter, view.cellWidth, left, top];
        }""")
        layout = lay_out(view.text, view.cells, columns)
        tops = self.run(
            "([n, panel]) => Array.from({ length: n }, (_, row) => view.geometry.rowTop(0, row, panel))",
            [layout.n_rows, panel],
        )
        return left + gutter + layout.left * width, top + np.array(tops, float)[layout.rows]

    def point_at(self, view: TextView, position: int, panel: int = 0) -> None:
        """Move the pointer to the middle of a character."""
        x, y = self.middle(view, position, panel)
        self.page.mouse.move(x, y)
        self.ready()

    def middle(self, view: TextView, position: int, panel: int = 0) -> tuple[float, float]:
        x, y = self.corners(view, panel)
        layout = lay_out(view.text, view.cells, self.run("() => view.columns"))
        width = layout.width[position] * self.run("() => view.cellWidth")
        return float(x[position]) + width / 2, float(y[position]) + 5

    def pasted(self) -> str:
        """What is on the clipboard."""
        self.page.evaluate(
            "() => document.body.append(Object.assign(document.createElement('textarea'), { id: 'paste' }))"
        )
        self.page.locator("#paste").focus()
        self.page.keyboard.press("Control+V")
        return str(
            self.page.evaluate(
                "() => { const area = document.getElementById('paste'); area.remove(); return area.value; }"
            )
        )

    def said(self) -> str:
        """What stands beside the text, in one line."""
        return re.sub(r"\s+", " ", self.page.locator(".side").inner_text())


Open = Callable[..., Opened]


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Opens a view from a file, with the network off; nothing may go wrong in it."""
    opened: list[Opened] = []

    def open_view(
        view: TextView | str, theme: Theme = "light", size: tuple[int, int] = (1280, 720), **more: Any
    ) -> Opened:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=theme, offline=True, **more
        )
        path = tmp_path / f"{len(opened)}.html"
        path.write_text(view if isinstance(view, str) else page_of(view), encoding="utf-8")
        page = Opened(context.new_page())
        opened.append(page)
        page.address = path.as_uri()
        page.page.goto(page.address)
        return page.ready()

    yield open_view
    for page in opened:
        assert page.mishaps == []
        assert [url for url in page.requests if not url.startswith("blob:")] == [page.address]
        page.page.context.close()


def known_view(text: str, n_panels: int = 1, seed: int = 0) -> TextView:
    """A view of a text with a unit, labels, a probe and the loss, each with a missing value at 3."""
    rng = np.random.default_rng(seed)
    n = len(text)
    is_there = np.arange(n) != 3
    guessed = sorted({*text, "x", "\x1b"})
    guesses = Guesses(
        characters=tuple(guessed),
        ids=rng.integers(0, len(guessed), (n, 5)).astype(np.uint16),
        levels=np.tile(np.array([128, 64, 26, 3, 1], np.uint8), (n, 1)),
    )
    panels = []
    for number in range(n_panels):
        unit, scale = diverging(np.where(is_there, rng.normal(size=n), np.nan), 0.0)
        labels, label_scale = binary(rng.random(n) < 0.3, is_there)
        words, word_scale = classes(rng.integers(0, 4, n), is_there, ("red", "<b>green</b>", "blue", "x\ty"))
        loss, loss_scale = sequential(np.where(is_there, rng.exponential(size=n), np.nan), 0.0)
        panels.append(
            Panel(
                tracks=(
                    Track(name=f"0/cell/{number}", kind="unit", levels=unit, scale=scale, quantity="activation"),
                    Track(name="in_quotes", kind="labels", levels=labels, scale=label_scale),
                    Track(name="word", kind="labels", levels=words, scale=word_scale),
                    Track(name="loss", kind="loss", levels=loss, scale=loss_scale, quantity="nats"),
                ),
                title=f"panel {number}" if n_panels > 1 else "",
            )
        )
    documents = (
        DocumentStart(name="first.py", position=0, line=12, column=3),
        *([DocumentStart(name="<b>second</b>", position=50)] if n > 50 else []),
    )
    return TextView(
        text=text,
        cells=cells_of(text),
        start=1000,
        panels=tuple(panels),
        guesses=guesses,
        documents=documents,
        title="A <b>title</b>",
        notes=("A note: [red]</script>.",),
    )


def mixed_text(n_chars: int = 600, seed: int = 1) -> str:
    rng = np.random.default_rng(seed)
    return "".join(rng.choice([*"abcdefgh  ", "\n", *PIECES], n_chars))


def colour_of(track: Track, position: int, theme: Theme) -> list[int]:
    table = colours(track.scale.kind, theme)
    index = int(track.scale.colours(track.levels[position : position + 1])[0])
    return [int(channel) for channel in table[index % len(table)]]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_cell_and_strip_has_its_colour_at_its_place(open_page: Open, theme: Theme) -> None:
    """Pixels of the screen, at the places that Python's layout gives, are the colours of Python's tables."""
    view = known_view(mixed_text())
    opened = open_page(view, theme)
    x, y = opened.corners(view)
    width = lay_out(view.text, view.cells, None).width
    pixels = opened.pixels()
    cell, strip, between = opened.run("() => [view.painter.cellHeight, view.painter.stripHeight, view.painter.between]")
    n_seen = 0
    for position in np.flatnonzero((y + 3 * cell < 720) & (width >= 0.5)).tolist():
        if position <= 3 or position == 50:  # the caret, what is missing, and the beginning of a document
            continue
        for number, track in enumerate(view.panels[0].tracks):
            below = 0 if number == 0 else cell + between + (number - 1) * (strip + between)
            corner = pixels[round(y[position] + below), round(x[position]) + 1]  # which no glyph reaches
            assert corner.tolist() == colour_of(track, position, theme), (position, number)
            n_seen += 1
    assert n_seen > 600


def test_a_line_is_before_the_beginning_of_a_document(open_page: Open) -> None:
    view = known_view("abcdefgh" * 8)
    opened = open_page(view)
    x, y = opened.corners(view)
    pixels = opened.pixels()
    ink = [int(INK["light"][i : i + 2], 16) for i in (1, 3, 5)]
    is_line = [pixels[round(top) + 2, round(left)].tolist() == ink for left, top in zip(x, y, strict=True)]
    assert [position for position in np.flatnonzero(is_line) if position > 1] == [50]  # the caret has lines, too


def test_a_missing_value_is_hatched_and_named(open_page: Open) -> None:
    view = known_view("abcdefgh")
    opened = open_page(view)
    x, y = opened.corners(view)
    strip = opened.pixels()[round(y[3]) : round(y[3]) + 20, round(x[3]) : round(x[4])].reshape(-1, 3)
    paper = [int(PAPER["light"][i : i + 2], 16) for i in (1, 3, 5)]
    assert len(np.unique(strip, axis=0)) > 3
    assert np.abs(strip.astype(int) - paper).max(axis=1).min() < 20
    opened.point_at(view, 3)
    assert opened.said().count("no value") >= 4 + 4  # the values, and the legends
    assert "D" not in opened.said()


def test_guesses_stand_below_their_character_shaded_by_probability(open_page: Open) -> None:
    """In a page that is asked for them; the colours are those of the probabilities, the most probable first."""
    view = known_view("abcdefgh" * 8)
    assert view.guesses is not None
    opened = open_page(page_of(view, shows_guesses=True))
    x, y = opened.corners(view)
    top, height = opened.run("() => [view.painter.guessTop, view.painter.guessHeight]")
    pixels = opened.pixels()
    shades = colours("sequential", "light")
    for position in (5, 20, 40):
        for rank, level in enumerate(view.guesses.levels[position]):
            corner = pixels[round(y[position] + top + rank * height), round(x[position]) + 1]
            assert corner.tolist() == shades[level].tolist()
    opened.press("g")
    assert opened.run("() => view.showsGuesses") is False


def test_pointing_at_a_character_says_all_about_it(open_page: Open) -> None:
    view = known_view("one two\nthree \u05e9e\u0301 " * 4)
    opened = open_page(view)
    for position in (1, 4, 7, 11, 15, 16, 52, 58):
        opened.point_at(view, position)
        said = opened.said()
        start, line, column = (50, 1, 1) if position >= 50 else (0, 12, 3)
        before = view.text[start:position]
        line += before.count("\n")
        column = position - start - before.rfind("\n") if "\n" in before else column + position - start
        assert f"U+{ord(view.text[position]):04X}" in said
        assert f"position {1000 + position:,}" in said
        assert f"line {line}, column {column} " in said
        assert ("<b>second</b>" if position >= 50 else "first.py") in said
        cards = opened.page.locator(".card")
        for number, track in enumerate(view.panels[0].tracks):
            value = cards.nth(number).locator(".value").inner_text()
            if track.scale.classes:
                assert value == track.scale.classes[track.levels[position]].replace("\t", "→")
            else:
                assert float(value.replace("−", "-")) == pytest.approx(track.values[position], abs=2 * track.scale.step)
        guesses = opened.page.locator(".guesses li")
        assert view.guesses is not None
        for rank, (guess, share) in enumerate(
            zip(view.guesses.ids[position], ("50", "25", "10", "1", "< 1"), strict=True)
        ):
            char = view.guesses.characters[guess]
            shown = {"\n": "↵", "\x1b": escape_sign(), " ": "␣"}.get(char, char)
            assert guesses.nth(rank).inner_text().split() == [shown, *f"{share} %".split()]


def escape_sign() -> str:
    """Return what a page shows for an escape: its sign, or ^[ where no installed font has that."""
    fonts = subprocess.run(["fc-list", ":charset=241b"], check=True, stdout=subprocess.PIPE).stdout
    return "␛" if fonts else "^["


def test_the_legend_has_the_numbers_of_the_scale(open_page: Open) -> None:
    view = known_view("abcdefgh" * 30)
    opened = open_page(view)
    unit, _, words, loss = view.panels[0].tracks
    texts = [" ".join(text.split()) for text in opened.page.locator(".card").all_inner_texts()]
    for track, text, ends in (
        (unit, texts[0], (-unit.scale.full, unit.scale.full)),
        (loss, texts[3], (0.0, loss.scale.full)),
    ):
        numbers = [
            float(number.replace("−", "-"))
            for number in re.findall(r"−?\d+(?:\.\d+)?", text.partition("≤" if "≤" in text else "nats")[2])
        ]
        assert (numbers[0], numbers[2]) == pytest.approx(ends, abs=track.scale.step)
        assert "≥" in text
    assert all(name.replace("\t", "→") in texts[2] for name in words.scale.classes)


def test_numbers_of_a_narrow_legend_stand_in_one_line_side_by_side(open_page: Open) -> None:
    levels, scale = diverging(np.linspace(-2.34, 2.34, 240), 0.0)  # numbers such as ≤ −2.11
    tracks = [Track(name=f"0/cell/{unit}", kind="unit", levels=levels, scale=scale) for unit in range(6)]
    text = "abcdefgh" * 30
    panels = tuple(Panel(tracks=(track,)) for track in tracks)
    opened = open_page(TextView(text=text, cells=cells_of(text), start=0, panels=panels), size=(800, 600))
    bars = opened.run(
        "() => [...document.querySelectorAll('.card .ticks')].map((bar) => [...bar.children].map((number) => {"
        " const range = document.createRange(); range.selectNodeContents(number);"
        " const { left, right, top, bottom } = range.getBoundingClientRect(); return [left, right, top, bottom]; }))"
    )
    assert len(bars) == 6
    for (_, first_right, *first), (left, right, *middle), (last_left, _, *last) in bars:
        assert first == middle == last
        assert first_right < left and right < last_left


def test_a_focused_text_has_a_frame_on_all_sides(open_page: Open) -> None:
    opened = open_page(known_view("abcdefgh" * 30))
    style = "() => getComputedStyle(document.querySelector('.body'), '::before')"
    opened.press("ArrowRight")
    widths = opened.run(f"() => ({style})().borderWidth")
    assert widths == "2px"
    [body, frame] = opened.run(f"() => [document.querySelector('.body').clientWidth, parseFloat(({style})().width)]")
    assert frame == pytest.approx(body, abs=5)


@pytest.mark.parametrize("by_line", [False, True])
def test_a_hostile_text_stays_text(open_page: Open, by_line: bool) -> None:
    """Neither markup, nor escapes, nor marks of direction do anything: not in the text, nor in names and guesses."""
    opened = open_page(known_view(HOSTILE))
    if by_line:
        opened.press("w")
    opened.press("g", "Control+End")
    assert "".join(opened.page.locator(".row").all_text_contents()) == HOSTILE
    assert opened.page.locator("h1, [role=heading]").inner_text() == "A <b>title</b>"
    assert opened.page.locator(".note").inner_text() == "A note: [red]</script>."
    assert opened.page.locator("b, img, main script").count() == 0


def test_text_that_is_selected_lies_on_its_cells(open_page: Open) -> None:
    """What the browser would mark is where the character is drawn, left to right, also of wide and Hebrew ones."""
    view = known_view("ab שלום 漢字 e\u0301 👩\u200d👩\u200d👧|\x1b\t|Привет")
    opened = open_page(view)
    x, _ = opened.corners(view)
    boxes = opened.run("""() => {
        const boxes = [];
        const walker = document.createTreeWalker(view.content.querySelector(".rows"), NodeFilter.SHOW_TEXT);
        for (let text = walker.nextNode(); text; text = walker.nextNode()) {
            const range = document.createRange();
            range.selectNodeContents(text);
            const holder = text.parentNode.className === "row" ? range : text.parentNode;
            boxes.push([text.first, holder.getBoundingClientRect().x]);
        }
        return boxes;
    }""")
    assert len(boxes) > 10
    for position, left in boxes:
        assert left == pytest.approx(x[position], abs=1.0), position


def test_copying_gives_the_text_itself(open_page: Open) -> None:
    """By keyboard and by pointer, over several rows: tabs and newlines as they are, and none where a row wraps."""
    text = "tab\there " * 30 + "\n" + HOSTILE
    view = known_view(text)
    opened = open_page(view)
    opened.press("Control+A", "Control+C")
    assert opened.pasted() == text.replace("\r\n", "\n")  # as an area of text keeps newlines
    opened.page.locator(".scroller").focus()
    opened.press("Home", "ArrowRight", "Shift+ArrowDown", "Shift+ArrowRight", "Control+C")
    columns = opened.run("() => view.columns")
    position = opened.run("() => view.caret.position")
    start = position - columns - 1
    assert opened.pasted() == text[start:position]
    from_x, from_y = opened.middle(view, 20)
    to_x, to_y = opened.middle(view, columns + 30)
    opened.page.mouse.move(from_x - 2, from_y + 3)
    opened.page.mouse.down()
    opened.page.mouse.move(to_x - 60, to_y + 3)
    opened.page.mouse.move(to_x - 2, to_y + 3, steps=3)
    opened.page.mouse.up()
    opened.press("Control+C")
    assert opened.pasted() == text[20 : columns + 30]


def test_a_selection_outlives_its_rows(open_page: Open) -> None:
    """What is scrolled out of sight, and taken away, is still copied."""
    text = "".join(f"line {number}\n" for number in range(900))
    opened = open_page(known_view(text))
    opened.run("() => view.selection.set(3, 8000)")
    opened.run("() => view.goTo(7000)")
    assert opened.run("() => document.querySelectorAll('.row').length") < 300
    opened.press("Control+C")
    assert opened.pasted() == text[3:8000]


def test_everything_can_be_done_by_keyboard(open_page: Open) -> None:
    view = known_view("The quick brown fox\njumps over\n" * 40)
    opened = open_page(view)
    caret = "() => view.caret.position"
    assert opened.run("() => document.activeElement.className") == "scroller"
    for keys, position in (
        (["ArrowRight", "ArrowRight"], 2),
        (["ArrowDown"], 22),
        (["End"], 30),
        (["ArrowUp"], 10),
        (["ArrowUp"], 10),  # the first row
        (["Home"], 0),
        (["Control+End"], len(view.text) - 1),
        (["ArrowRight"], len(view.text) - 1),
        (["Control+Home"], 0),
    ):
        opened.press(*keys)
        assert opened.run(caret) == position, keys
    opened.press("PageDown")
    after = opened.run(caret)
    assert after % 31 in (0, 20) and after > 100
    opened.press("PageUp")
    assert opened.run(caret) == 0
    levels = view.panels[0].tracks[1].levels
    changes = [i for i in range(1, len(levels)) if levels[i] != levels[i - 1]]
    opened.press("]", "]")
    assert opened.run(caret) == changes[1]
    opened.press("[")
    assert opened.run(caret) == changes[0]
    opened.press("/")
    opened.page.keyboard.type("over")
    opened.press("Enter")
    assert opened.run(caret) == view.text.index("over")
    opened.press("Enter")
    assert opened.run(caret) == view.text.index("over", 30)
    opened.press("Shift+Enter", "Escape")
    assert opened.run("() => [document.activeElement.className, view.caret.position]") == [
        "scroller",
        view.text.index("over"),
    ]
    opened.press("/", "Control+A")
    opened.page.keyboard.type("nowhere")
    opened.press("Enter")
    assert opened.page.locator("[role=status]").inner_text() == "not found in the passage"
    opened.press("Control+A")
    opened.page.keyboard.type("@1,040")
    opened.press("Enter", "Escape")
    assert opened.run(caret) == 40
    for key, state in (
        ("g", "view.showsGuesses"),
        ("w", "!view.wraps"),
        ("+", "view.size > 15"),
        ("?", "view.toolbar.help.open"),
    ):
        opened.press(key)
        assert opened.run(f"() => {state}") is True, key
    opened.press("Escape", "t", "t")
    assert opened.run("() => [view.toolbar.help.open, view.root.dataset.theme]") == [False, "dark"]
    reached = set()
    for _ in range(16):
        opened.page.keyboard.press("Shift+Tab")
        reached.add(opened.page.evaluate("() => document.activeElement.ariaLabel ?? ''"))
    assert {
        "Find in the passage",
        "Tracks",
        "Guesses",
        "Wrap lines",
        "Smaller",
        "Larger",
        "Theme: dark",
        "Help",
    } <= reached


def test_the_caret_is_said_aloud(open_page: Open) -> None:
    view = known_view("ab\ncd")
    opened = open_page(view)
    opened.press("ArrowRight", "ArrowRight")
    spoken = opened.page.locator("[aria-live=polite]").first.text_content()
    label = view.panels[0].tracks[1].scale.classes[view.panels[0].tracks[1].levels[2]]
    assert spoken.startswith("newline, position 1,002, line 12, column 5, 0/cell/0 ")
    assert f"in_quotes {label}" in spoken


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_has_nothing_to_say(open_page: Open, theme: Theme) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    for view in (known_view(HOSTILE * 20), known_view("two panels\n" * 99, n_panels=2)):
        opened = open_page(view, theme)
        opened.press("g")
        opened.page.get_by_role("button", name="Tracks").click()
        for state in ("the menu", "help"):
            results = axe.Axe().run(opened.page)
            assert results.violations_count == 0, state + results.generate_report()
            opened.press("Escape", "?")


def test_panels_stand_one_below_the_other_and_share_the_caret(open_page: Open) -> None:
    view = known_view("some words of a text\n" * 30, n_panels=3)
    opened = open_page(view)
    x, y = opened.corners(view, panel=1)
    opened.page.mouse.click(x[45] + 3, y[45] + 3)
    opened.ready()
    assert opened.run("() => [view.caret.position, view.caret.panel]") == [45, 1]
    carets = opened.page.locator(".mark.caret")
    seen = [(carets.nth(i).bounding_box()["x"], carets.nth(i).bounding_box()["y"]) for i in range(carets.count())]
    assert len(seen) == 3
    for panel in range(3):
        x, y = opened.corners(view, panel)
        assert any(abs(left - x[45]) < 1 and abs(top - y[45]) < 1 for left, top in seen), panel
    opened.press("ArrowRight")
    pixels = opened.pixels()
    for panel in range(2):
        x, y = opened.corners(view, panel)
        for position in (5, 26):
            colour = colour_of(view.panels[panel].tracks[0], position, "light")
            assert pixels[round(y[position]), round(x[position]) + 1].tolist() == colour
    opened.press("}")
    assert opened.run("() => view.caret.panel") == 2
    titles = opened.page.locator(".panel-title")
    assert titles.all_inner_texts()[:3] == ["panel 0", "panel 1", "panel 2"]
    titles.nth(1).click()
    opened.ready()
    assert opened.run("() => view.panels.map((panel) => panel.title)") == ["panel 1"]


def test_tracks_to_show_can_be_chosen(open_page: Open) -> None:
    view = known_view("abcdefgh" * 20)
    opened = open_page(view)
    opened.page.get_by_role("button", name="Tracks").click()
    for name in ("0/cell/0", "loss"):
        opened.page.get_by_label(name).uncheck()
    opened.page.get_by_label("loss").check()
    opened.ready()
    assert opened.page.locator(".card .name").all_inner_texts() == ["in_quotes", "word", "loss"]
    x, y = opened.corners(view)
    colour = colour_of(view.panels[0].tracks[1], 9, "light")
    assert opened.pixels()[round(y[9]), round(x[9]) + 1].tolist() == colour


def test_a_long_line_is_scrolled_sideways(open_page: Open) -> None:
    view = known_view("short\n" + "0123456789" * 500 + "\nend")
    opened = open_page(view)
    opened.press("w")
    opened.run("() => view.goTo(4006)")
    assert opened.run("() => view.scroller.scrollLeft") > 30_000
    x, y = opened.corners(view)
    pixels = opened.pixels()
    for position in range(3990, 4005):
        colour = colour_of(view.panels[0].tracks[0], position, "light")
        assert pixels[round(y[position]), round(x[position]) + 1].tolist() == colour
    opened.point_at(view, 4000)
    assert "position 5,000" in opened.said() and "U+0034" in opened.said()


@pytest.mark.parametrize(
    ("size", "type_size"), [((1280, 720), 15), ((1280, 720), 28), ((800, 600), 15), ((1920, 1080), 40)]
)
def test_the_page_fits_its_window(open_page: Open, size: tuple[int, int], type_size: int) -> None:
    """Nothing is scrolled but the text, and there is some room for it."""
    opened = open_page(known_view(mixed_text()), size=size)
    opened.run(f"() => {{ view.size = {type_size}; view.resize(0); }}")
    whole = opened.run("() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert tuple(whole) == size
    assert opened.run("() => view.scroller.clientHeight / view.geometry.rowHeight") > 2
    assert opened.run("() => view.scroller.scrollWidth <= view.scroller.clientWidth")


def test_the_theme_follows_the_system_until_one_is_chosen(open_page: Open) -> None:
    opened = open_page(known_view("abc"))
    theme = "() => view.root.dataset.theme"
    assert opened.run(theme) == "light"
    opened.page.emulate_media(color_scheme="dark")
    assert opened.ready().run(theme) == "dark"
    opened.press("t")
    assert opened.run(theme) == "light"


def test_colours_of_the_data_stay_where_colours_are_forced(open_page: Open) -> None:
    view = known_view("abcdefgh")
    opened = open_page(view, forced_colors="active")
    x, y = opened.corners(view)
    assert opened.pixels()[round(y[5]), round(x[5]) + 1].tolist() == colour_of(view.panels[0].tracks[0], 5, "light")


def test_paper_has_the_whole_passage_in_light_colours(open_page: Open, tmp_path: Path) -> None:
    view = known_view("a b\tc\n" + "0123456789" * 30)
    opened = open_page(view, "dark")
    opened.page.emulate_media(media="print", color_scheme="dark")
    opened.page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    assert "".join(opened.page.locator(".printed .line").all_text_contents()) == view.text.replace("\t", "→").replace(
        "\n", "↵"
    )
    cells = opened.page.locator(".printed .line span")
    for position in (0, 2, 100, 250):
        colour = "rgb({}, {}, {})".format(*colour_of(view.panels[0].tracks[0], position, "light"))
        assert cells.nth(position).evaluate("(cell) => getComputedStyle(cell).backgroundColor") == colour
    assert not opened.page.locator(".toolbar").is_visible() and not opened.page.locator(".scroller").is_visible()
    assert opened.page.locator(".sheet .card").count() == 4
    opened.page.evaluate("() => window.dispatchEvent(new Event('afterprint'))")
    opened.page.emulate_media(media="screen")
    opened.page.pdf(path=tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    assert opened.page.locator(".sheet").count() == 0


def test_an_empty_passage_says_so(open_page: Open) -> None:
    opened = open_page(TextView(text="", cells=cells_of(""), start=0, panels=()))
    assert opened.page.get_by_text("The passage has no characters.").is_visible()
    opened.press("ArrowRight", "PageDown", "]", "g", "w")


def test_a_text_without_tracks_is_text(open_page: Open) -> None:
    opened = open_page(TextView(text="plain", cells=cells_of("plain"), start=0, panels=(Panel(tracks=()),)))
    assert opened.page.locator(".row").all_text_contents() == ["plain"]
    assert (opened.pixels()[:, :1000] < 100).any()
    opened.press("]")
    assert opened.page.locator("[role=status]").inner_text() == "no track of labels is shown"


def test_a_page_whose_data_are_cut_says_so(open_page: Open, tmp_path: Path) -> None:
    page = page_of(known_view("abc"))
    data = re.search(r'id="data">([^<]+)<', page)
    assert data
    broken = page.replace(data[1], data[1][:200])
    (tmp_path / "broken.html").write_text(broken)
    opened = open_page(known_view("abc"))
    another = opened.page.context.new_page()
    another.goto((tmp_path / "broken.html").as_uri())
    another.get_by_text("This page cannot be shown").wait_for(timeout=3000)


def test_a_long_text_is_held_in_bounded_memory(open_page: Open) -> None:
    """Of 5,000,000 characters there are only some tiles, canvases and elements, wherever one goes."""
    opened = open_page(synthetic_page(5_000_000, guesses=False))
    script = (
        """() => [tiles.nBytes, document.querySelectorAll('canvas').length, document.querySelectorAll('*').length]"""
    )
    for position in (2_500_000, 4_999_999, 16_384 * 100, 0):
        opened.run("(position) => view.goTo(position)", position)
        wait_until(opened.page, "view.content.querySelector('.mark.caret.main')?.isConnected")
        opened.ready()
        assert opened.run("() => view.caret.position") == position
        tile, i = divmod(position, 16_384)
        code = opened.run("([tile, i]) => view.provider.tile('text', 0, tile)[i]", [tile, i])
        assert f"U+{code:04X}" in opened.said() and f"position {position:,} " in opened.said()
        box = opened.page.locator(".mark.caret.main").bounding_box()
        assert 60 < box["y"] < 700
    opened.run(SCROLL, ["jumps", 40])
    for _ in range(30):
        opened.page.mouse.wheel(0, 500)
    n_bytes, n_canvases, n_elements = opened.run(script)
    assert n_bytes <= 17 << 20
    assert n_canvases < 60
    assert n_elements < 2000


def test_no_frame_waits_for_data(open_page: Open) -> None:
    """While tiles are on their way the view is drawn and obeys; what they bring is drawn when they come."""
    opened = open_page(synthetic_page(200_000, guesses=True))
    opened.run("""() => {
        view.destroy();
        const waiting = [];
        const later = (...tile) => new Promise((done) => waiting.push(() => tiles.request(...tile).then(done)));
        globalThis.release = () => waiting.splice(0).forEach((one) => one());
        globalThis.nWaiting = () => waiting.length;
        const slow = new tiles.constructor(tiles.header, later);
        globalThis.view = new view.constructor(document.getElementById("view"), slow, {});
    }""")
    assert opened.run("() => [nWaiting() > 0, document.querySelectorAll('.block').length]") == [True, 0]
    assert "…" in opened.said()
    size = opened.run("() => view.size")
    opened.page.locator(".scroller").focus()
    opened.press("+")
    assert opened.run("() => view.size") > size
    for _ in range(4):
        opened.run("release")
    assert opened.run("() => document.querySelectorAll('.block').length") > 3
    assert "…" not in opened.said()


def test_a_text_too_high_for_the_browser_is_scrolled_to_every_row(open_page: Open) -> None:
    """Browsers have a greatest height: then a wheel's steps are steps, and the bar's ends are the text's."""
    text = "".join(f"{number:5d}\n" for number in range(4000))
    opened = open_page(known_view(text))
    opened.run("() => { view.scroll.mostPixels = 5000; view.resize(0); }")
    assert opened.run("() => [view.scroll.isScaled, view.content.clientHeight]") == [True, 5000]
    row_height = opened.run("() => view.geometry.rowHeight")

    def first_seen() -> int:
        rows = opened.run("""() => {
            const top = view.scroller.getBoundingClientRect().top;
            const y = (row) => row.getBoundingClientRect().top;
            const rows = [...view.content.querySelectorAll('.row')].filter((row) => y(row) >= top);
            return rows.sort((a, b) => y(a) - y(b))[0].textContent;
        }""")
        return int(rows)

    assert first_seen() == 0
    opened.page.mouse.move(300, 300)
    for step in range(1, 4):
        opened.page.mouse.wheel(0, 4 * row_height)
        opened.page.wait_for_timeout(300)
        opened.ready()
        assert first_seen() == pytest.approx(4 * step, abs=1)
    opened.run("() => { view.scroller.scrollTop = view.scroller.scrollHeight; }")
    assert opened.page.get_by_text("3999").count() == 1
    opened.run("() => { view.scroller.scrollTop = 0.5 * (view.scroller.scrollHeight - view.scroller.clientHeight); }")
    assert first_seen() == pytest.approx(2000, abs=20)
    opened.run("() => view.goTo(6 * 1234)")
    assert abs(first_seen() - 1234) < 20
    opened.press("Control+Home")
    assert first_seen() == 0


def test_the_widget_draws_its_container_and_follows_it(browser: Any) -> None:
    """As anywidget uses it: the module from a blob, `render` with a model, and the clean-up that it returns."""
    page = browser.new_page()
    containers = [base64.b64encode(container_of(known_view(text))).decode() for text in ("first text", "second")]
    page.evaluate(
        """async ([source, style, containers]) => {
            document.head.append(Object.assign(document.createElement("style"), { textContent: style }));
            const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
            const widget = (await import(url)).default;
            const bytes = containers.map((one) => Uint8Array.from(atob(one), (char) => char.charCodeAt(0)));
            const handlers = new Set();
            globalThis.model = {
                value: new DataView(bytes[0].buffer),
                get: (name) => (name === "container" ? model.value : { size: 20 }),
                on: (name, handler) => handlers.add(handler),
                off: (name, handler) => handlers.delete(handler),
            };
            globalThis.change = () => {
                model.value = new DataView(bytes[1].buffer);
                handlers.forEach((one) => one());
            };
            globalThis.nHandlers = () => handlers.size;
            globalThis.clean = widget.render({ model, el: document.body });
        }""",
        [file_text("view.js"), file_text("view.css"), containers],
    )
    wait_until(page, "document.querySelector('.row')?.textContent === 'first text'")
    assert page.evaluate("document.querySelector('.char-probe-view').style.fontSize") == "20px"
    page.emulate_media(color_scheme="dark")
    page.evaluate("() => { document.body.dataset.jpThemeLight = 'true'; }")
    wait_until(page, "document.querySelector('.char-probe-view').dataset.theme === 'light'")
    page.evaluate("() => { document.body.dataset.jpThemeLight = 'false'; }")
    wait_until(page, "document.querySelector('.char-probe-view').dataset.theme === 'dark'")
    page.evaluate("change")
    wait_until(page, "document.querySelector('.row')?.textContent === 'second'")
    assert page.locator(".char-probe-view").count() == 1
    page.evaluate("clean")
    assert page.evaluate("[nHandlers(), document.body.children.length]") == [0, 0]
    page.close()


def test_twenty_thousand_characters_of_sixteen_units_are_less_than_a_megabyte() -> None:
    """Also where no level tells anything about the next."""
    rng = np.random.default_rng(0)
    text = "".join(rng.choice(list("etaoin shrdlu\n"), 20_000))
    tracks = []
    for unit in range(16):
        levels, scale = diverging(np.tanh(rng.normal(size=20_000)), 0.0)
        tracks.append(Track(name=f"0/cell/{unit}", kind="unit", levels=levels, scale=scale))
    view = TextView(text=text, cells=cells_of(text), start=0, panels=tuple(Panel(tracks=(track,)) for track in tracks))
    assert len(page_of(view).encode()) < 1_000_000
