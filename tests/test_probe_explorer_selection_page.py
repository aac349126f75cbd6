"""The explorer's page in Chromium, with its server: passages are painted, compared, found elsewhere, and kept."""

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asked_pages import AskedPage, asked_pages
from commands import Command, rows
from planting import PLANTED

pytestmark = pytest.mark.slow  # Chromium draws the page some twenty times
Open = Callable[..., AskedPage]
COMMENT = str(PLANTED["in_comment"])


@pytest.fixture
def open_page(browser: Any, planted: Path, tmp_path: Path) -> Iterator[Open]:
    """Open pages of a recording that has a folder of its own."""
    path = tmp_path / "activations.h5"
    path.symlink_to(planted)
    with asked_pages(browser, path) as opener:
        yield opener


def comments(opened: AskedPage, n: int = 12) -> list[list[int]]:
    """Where some comments are, all over the text."""
    spans, position = [], 0
    while (position := opened.text.find("#", position)) >= 0:
        stop = opened.text.find("\n", position)
        spans.append([position, len(opened.text) if stop < 0 else stop])
        position = spans[-1][1]
    return spans[:: len(spans) // n][:n]


def frames(opened: AskedPage) -> list[dict[str, float]]:
    boxes: list[dict[str, float]] = opened.run(
        "() => [...document.querySelectorAll('.painted')].map((one) => one.getBoundingClientRect().toJSON())"
    )
    return boxes


def test_passages_are_painted_and_unpainted_with_the_pointer(open_page: Open) -> None:
    """What is dragged over is framed in the text; dragging with the other brush, or a click, un-paints it."""
    opened = open_page("#panel=selection&u=1/cell/7")
    x, y = opened.corners_of_text()
    line = next(match.start() for match in re.finditer("[^\n]{20}", opened.text) if 200 < y[match.start()] < 700)

    def drag(start: int, stop: int) -> None:
        opened.page.mouse.move(x[start] + 1, y[start] + 6)
        opened.page.mouse.down()
        opened.page.mouse.move(x[stop - 1] + 6, y[stop - 1] + 6, steps=4)
        opened.page.mouse.up()
        opened.settle()

    drag(line + 2, line + 12)
    assert opened.state("painted") == [[line + 2, line + 12]]
    assert opened.state("selection") == []
    [frame] = frames(opened)
    width = x[line + 3] - x[line + 2]
    assert frame["left"] == pytest.approx(x[line + 2], abs=2) and frame["width"] == pytest.approx(10 * width, abs=3)
    drag(line + 14, line + 19)
    assert len(frames(opened)) == 2
    assert "2 passages are painted, 15 characters" in opened.panel.inner_text()
    assert opened.panel.locator(".painted-list mark").all_inner_texts() == [
        opened.text[line + 2 : line + 12], opened.text[line + 14 : line + 19],
    ]  # fmt: skip
    opened.panel.get_by_role("button", name="Un-paint", exact=True).click()
    drag(line + 5, line + 8)
    assert opened.state("painted") == [[line + 2, line + 5], [line + 8, line + 12], [line + 14, line + 19]]
    opened.page.mouse.click(x[line + 16] + 2, y[line + 16] + 6)
    opened.settle()
    assert opened.state("painted") == [[line + 2, line + 5], [line + 8, line + 12]]
    opened.panel.locator(".painted-list .chip-away").first.click()
    opened.settle()
    assert opened.state("painted") == [[line + 8, line + 12]] and len(frames(opened)) == 1
    opened.panel.get_by_role("button", name="Off").click()
    drag(line + 2, line + 6)
    assert opened.state("painted") == [[line + 8, line + 12]] and opened.state("selection") == [[line + 2, line + 6]]
    opened.panel.get_by_role("button", name="Un-paint all").click()
    opened.settle()
    assert frames(opened) == [] and "Drag over some of the text" in opened.panel.inner_text()


def test_passages_are_painted_and_unpainted_with_keys(open_page: Open) -> None:
    opened = open_page("#p=40")
    opened.press(*["Shift+ArrowRight"] * 5, "m")
    opened.settle()
    assert opened.state("painted") == [[40, 45]] and opened.state("panel") == "selection"
    assert len(frames(opened)) == 1
    opened.press("ArrowRight", "ArrowRight", *["Shift+ArrowRight"] * 3, "m")
    opened.settle()
    assert opened.state("painted") == [[40, 45], [47, 50]]
    opened.press(*["ArrowLeft"] * 2, "m")  # the caret is in the second one
    opened.settle()
    assert opened.state("painted") == [[40, 45]]


def test_the_focus_stays_in_a_list_that_is_drawn_anew(open_page: Open) -> None:
    opened = open_page("#panel=selection&paint=10-20,40-50,80-90")
    focused = "document.activeElement"
    opened.wait("document.querySelectorAll('.painted-list .chip-away').length === 3")
    opened.page.locator(".painted-list .passage").nth(2).focus()
    opened.run("() => app.painting.paint([120, 130])")
    opened.wait("document.querySelectorAll('.painted-list li').length === 4")
    assert opened.run(f"() => {focused}.title") == "Characters 80 to 90"
    opened.page.locator(".painted-list .chip-away").nth(1).focus()
    for n_left in (3, 2, 1):
        opened.page.keyboard.press("Enter")
        opened.wait(f"document.querySelectorAll('.painted-list li').length === {n_left}")
        assert opened.run(f"() => {focused}.className") == "chip-away"
    opened.page.keyboard.press("Enter")
    opened.wait("document.querySelectorAll('.painted-list li').length === 0")
    assert opened.run(f"() => {focused}.id") == "panel-selection"


def test_painted_passages_stay_framed_wherever_the_text_is(open_page: Open) -> None:
    """Over rows and lines, after scrolling away and back, and with larger type and more tracks."""
    opened = open_page("#panel=selection&paint=100-260,9000-9010")
    opened.settle()

    def covered() -> str:
        opened.ready()
        shown: str = opened.run("""() => [...document.querySelectorAll('.painted')].map((frame) => {
            const view = app.panes.view, box = frame.getBoundingClientRect();
            const first = view.under({ x: box.left + 2, y: box.top + box.height / 2 }).position;
            const last = view.under({ x: box.right - 2, y: box.top + box.height / 2 }).position;
            return `${first}-${last + 1}`;
        }).join()""")
        return shown

    def joined(shown: str) -> tuple[int, int]:
        ends = [tuple(map(int, part.split("-"))) for part in shown.split(",")]
        assert all(before[1] == after[0] for before, after in itertools.pairwise(ends))
        return ends[0][0], ends[-1][1]

    assert joined(covered()) == (100, 260)
    opened.press("+", "+", "k", "]")
    assert joined(covered()) == (100, 260)
    opened.run("() => app.goTo(9000)")
    opened.settle()
    assert joined(covered()) == (9000, 9010)
    opened.run("() => app.goTo(0)")
    opened.settle()
    assert joined(covered()) == (100, 260)
    opened.press("w")
    assert joined(covered())[0] == 100


def test_the_units_that_switch_are_listed_with_warnings(open_page: Open, run: Command, planted: Path) -> None:
    """One passage has no interval, and says so; many have one. A click shows the unit."""
    opened = open_page("#panel=selection")
    spans = comments(opened)
    opened.run("(span) => app.painting.paint(span)", spans[0])
    opened.settle()
    assert "this is one passage, from which nothing follows about others" in opened.panel.inner_text()
    assert "nothing is held out" in opened.panel.inner_text()
    assert "no interval" in opened.panel.locator(".interval-bar").first.get_attribute("aria-label")
    opened.run("(spans) => spans.forEach((span) => app.painting.paint(span))", spans)
    opened.settle()
    told = opened.ask("selection", {"recording": 0, "spans": spans})
    contrast = next(line["contrast"] for line in told if "contrast" in line)
    table = opened.panel.get_by_role("table", name="compared with the text around")
    shown = table.locator("tbody tr")
    for number, unit in enumerate(contrast["units"][:12]):
        row = shown.nth(number)
        turned = unit["auc"] if unit["direction"] > 0 else 1 - unit["auc"]
        assert row.locator("th").inner_text() == unit["unit"]
        assert row.locator(".score").inner_text() == f"{turned:.3f}"
        assert row.locator(".switch").inner_text() == ("on" if unit["direction"] > 0 else "off")
        assert f"{unit['n_agreeing']}/12" in row.inner_text()
    assert shown.first.locator("th").inner_text() == COMMENT
    assert contrast["notes"][0] in opened.panel.get_by_role("list", name="Warnings").inner_text()
    assert f"p = {contrast['p_best']:.3f} for the best" in opened.panel.inner_text()
    shown.nth(1).get_by_role("button").click()
    opened.ready()
    assert opened.state("unit") == contrast["units"][1]["unit"] and shown.nth(1).get_attribute("aria-current")


def test_elsewhere_lists_passages_and_a_click_goes_there(open_page: Open) -> None:
    opened = open_page("#panel=selection")
    spans = comments(opened, 6)
    opened.run("(spans) => spans.forEach((span) => app.painting.paint(span))", spans)
    opened.settle()
    group = opened.panel.get_by_role("group", name="Units to look for")
    assert group.get_by_role("button").all_inner_texts() == [COMMENT, "the first 3 together"]
    for choice, n_units in ((0, 1), (1, 3)):
        group.get_by_role("button").nth(choice).click()
        opened.settle()
        units = (
            opened.panel.get_by_role("table", name="compared with the text around")
            .locator("tbody th")
            .all_inner_texts()
        )
        asked = {"recording": 0, "spans": spans, "units": units[:n_units]}
        result = opened.ask("selection/elsewhere", asked)[-1]["result"]
        items = opened.panel.get_by_role("list", name="Similar passages").get_by_role("listitem")
        assert items.count() == len(result["passages"]) > 3
        assert items.first.locator("mark").inner_text() == result["passages"][0]["text"].replace("\n", "↵")
        assert f"{result['n_found']:,} other passages" in opened.panel.inner_text()
        assert result["notes"][0] in opened.panel.inner_text()
    items.nth(1).get_by_role("button").click()
    opened.ready()
    assert opened.state("position") == result["passages"][1]["start"]


def test_a_selection_is_kept_and_the_command_line_reads_it(open_page: Open, run: Command, tmp_path: Path) -> None:
    """Beside the recording, under a name that is asked for; never over a file without being told to."""
    opened = open_page("#panel=selection")
    spans = comments(opened)
    opened.run("(spans) => spans.forEach((span) => app.painting.paint(span))", spans)
    opened.settle()
    opened.panel.get_by_label("Labels of this selection").fill("comments.csv")
    opened.panel.get_by_role("button", name="Save").click()
    opened.wait("document.querySelector('.kept').textContent")
    assert f"Saved as {tmp_path / 'comments.csv'}" in opened.panel.inner_text()
    command = opened.panel.locator(".command").inner_text()
    assert command == f'probe rank --hypothesis "labels:{tmp_path / "comments.csv"}" activations.h5'
    hypothesis = f"labels:{tmp_path / 'comments.csv'}"
    recording = tmp_path / "activations.h5"
    status, out, err = run("rank", recording, "--hypothesis", hypothesis, "--sites", "hidden,cell", "--json")
    assert status == 0, err
    lines = opened.panel.get_by_role("table", name="from the whole text").locator("tbody tr")
    for number, row in enumerate(rows(out)[:12] if lines.count() > 10 else rows(out)):
        assert lines.nth(number).locator("th").inner_text() == row["unit"]
        assert lines.nth(number).locator(".score").inner_text() == f"{row['held_out_auc']:.3f}"
        interval = "no interval" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
        assert lines.nth(number).locator(".interval-bar").get_attribute("aria-label") == interval
    opened.run("() => app.painting.paint([3, 9])")
    opened.settle()
    before = (tmp_path / "comments.csv").read_text()
    opened.panel.get_by_role("button", name="Save").click()
    opened.wait("document.querySelector('.kept').textContent")
    assert "there is a file" in opened.panel.inner_text() and (tmp_path / "comments.csv").read_text() == before
    opened.panel.get_by_role("button", name="Replace it").click()
    opened.wait("document.querySelector('.command')")
    assert (tmp_path / "comments.csv").read_text() != before


def test_a_folder_that_cannot_be_written_offers_a_download(
    open_page: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("probe.explorer.routes.selecting.os.access", lambda path, mode: False)
    opened = open_page("#panel=selection&paint=10-20,30-40")
    opened.settle()
    opened.panel.get_by_role("button", name="Save").click()
    with opened.page.expect_download() as downloading:
        opened.panel.get_by_role("link", name="Download selection.csv").click()
    content = Path(downloading.value.path()).read_text()
    assert downloading.value.suggested_filename == "selection.csv"
    assert "first.py,10,20,True" in content and not (tmp_path / "selection.csv").exists()


def test_a_link_has_what_is_painted_and_what_was_asked(open_page: Open) -> None:
    opened = open_page("#panel=selection&paint=30-40,50-60&brush=erase")
    opened.settle()
    opened.panel.get_by_role("button", name="the first 3 together").click()
    opened.settle()
    opened.page.wait_for_timeout(400)
    address = opened.page.url
    assert "paint=30-40,50-60" in address and "else=3" in address and "brush=erase" in address
    second = open_page("#" + address.partition("#")[2])
    second.settle()
    second.wait("document.querySelector('.elsewhere [role=status]').textContent.includes('other passages')")
    second.settle()
    assert second.panel.inner_text() == opened.panel.inner_text()
    assert frames(second) == frames(opened)
    opened.page.go_back()
    opened.settle()


def test_a_selection_that_is_overtaken_is_dropped(open_page: Open) -> None:
    """Another passage ends the question about the first; what is shown is of what is painted."""
    opened = open_page("#panel=selection")
    opened.run("() => app.painting.paint([100, 110])")
    opened.page.wait_for_timeout(300)
    opened.run("() => app.painting.paint([200, 230])")
    opened.settle()
    told = opened.ask("selection", {"recording": 0, "spans": [[100, 110], [200, 230]]})
    contrast = next(line["contrast"] for line in told if "contrast" in line)
    table = opened.panel.get_by_role("table", name="compared with the text around")
    assert table.locator("tbody th").all_inner_texts() == [unit["unit"] for unit in contrast["units"][:12]]


def test_an_address_with_passages_beyond_the_text_opens(open_page: Open) -> None:
    opened = open_page("#panel=selection&paint=9-5,40-30,10-20,15-25,999999999-9999999999&brush=x&else=99")
    opened.settle()
    assert opened.state("painted") == [[10, 25]] and opened.state("brush") == "paint"


def test_axe_has_nothing_to_say(open_page: Open) -> None:
    """In light and in dark, with passages painted and compared."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    opened = open_page("#panel=selection")
    opened.run("(spans) => spans.forEach((span) => app.painting.paint(span))", comments(opened))
    opened.wait("document.querySelector('.panel-selection tbody tr')")
    for theme in ("light", "dark"):
        opened.run("(theme) => app.state.set({ theme })", theme)
        opened.settle()
        results = axe.Axe().run(opened.page)
        assert results.violations_count == 0, theme + results.generate_report()
