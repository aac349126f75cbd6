"""The explorer's panels Keep and Class in Chromium, with the real server: notes, commands, files, tour, quiz."""

import json
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from asked_pages import asked_pages
from commands import Command, rows
from explorer_clients import Client, explored
from explorer_pages import ExplorerPage

from activations.units import Unit
from probe.explorer.notes import ListChange, NotesFile, TextChange
from probe.explorer.server import page_files

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe (pip install char-probe[dev])")
pytestmark = pytest.mark.slow  # Chromium draws the page some twenty times
Open = Callable[..., ExplorerPage]


@pytest.fixture
def client(planted: Path, tmp_path: Path) -> Iterator[Client]:
    path = Path(shutil.copy(planted, tmp_path / "activations.h5"))
    NotesFile(path).change(ListChange("comments", Unit.parse("1/hidden/5"), True))
    with explored(path, page=dict(page_files())) as client:
        yield client


@pytest.fixture
def open_page(browser: Any, client: Client) -> Iterator[Open]:
    """Opens tabs of one browser, in which nothing may go wrong, and which ask nobody else."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    tabs: list[ExplorerPage] = []

    def open_tab(fragment: str = "", theme: str = "light") -> ExplorerPage:
        page = context.new_page()
        page.set_default_timeout(120_000)
        page.emulate_media(color_scheme=theme)
        tab = ExplorerPage(page, SimpleNamespace(address=client.address.url))  # type: ignore[arg-type]
        tabs.append(tab)
        return tab.open(fragment)

    yield open_tab
    for tab in tabs:
        assert tab.mishaps == []
        assert [url for url in tab.requests if not url.startswith((f"http://{client.host}/", "blob:"))] == []
    context.close()


def type_into(tab: ExplorerPage, label: str, text: str) -> None:
    field = tab.page.get_by_label(label, exact=True)
    field.focus()
    tab.page.keyboard.press("Control+A")
    tab.page.keyboard.type(text)


def guess_that(tab: ExplorerPage, guess: str) -> None:
    """Type a guess into the quiz, and wait until it is scored."""
    tab.page.get_by_role("combobox", name="Your guess").focus()
    tab.page.keyboard.press("Control+A")
    tab.page.keyboard.type(guess)
    tab.page.keyboard.press("Escape")
    tab.page.keyboard.press("Enter")
    name = guess if guess[0] != "/" else "regex:'#.*'"
    tab.wait(f"document.querySelector('.quiz-guesses tbody th')?.textContent === {json.dumps(name)}")


def clipboard(tab: ExplorerPage) -> str:
    text: str = tab.run("() => navigator.clipboard.readText()")
    return text


# ---- Keep


def test_names_notes_and_lists_are_kept_and_names_stand_beside_units(open_page: Open, client: Client) -> None:
    tab = open_page("#u=1/hidden/5&panel=keep&h=in_comment")
    type_into(tab, "Name", "in comments")
    tab.press("Tab")
    tab.page.keyboard.type("high after #")
    tab.press("Tab")
    tab.wait("app.notes.of('1/hidden/5').note")
    type_into(tab, "Lists", "to show")
    tab.press("Enter")
    tab.wait("app.notes.listsOf('1/hidden/5').length === 2")
    kept = json.loads(NotesFile(client.exploration.recordings[0].path).path.read_text(encoding="utf-8"))
    assert kept["units"] == {"1/hidden/5": {"name": "in comments", "note": "high after #"}}
    assert kept["lists"] == {"comments": ["1/hidden/5"], "to show": ["1/hidden/5"]}
    assert tab.page.locator(".panel-keep h2").inner_text() == "1/hidden/5in comments"
    assert tab.page.locator(".unit-choice .unit-name").inner_text() == "in comments"
    assert tab.page.locator(".pane .chip .unit-name").inner_text() == "in comments"
    tab.press("Escape", "1")
    tab.wait("document.querySelector('#panel-ask tr[data-unit=\"1/hidden/5\"] .unit-name')")
    again = open_page("#panel=keep&u=1/hidden/5")
    again.wait("document.querySelector('#keep-name').value === 'in comments'")
    assert again.page.locator(".panel-keep .lists .chip-name").all_inner_texts() == ["comments", "to show"]
    again.press("u")
    again.page.keyboard.type("in comm")
    assert again.page.locator("#bar [role=option]").all_text_contents() == ["1/hidden/5in comments"]
    again.press("Escape", "Escape")


def test_two_tabs_do_not_lose_each_others_notes(open_page: Open, client: Client) -> None:
    """What another tab keeps appears at once; two changes of the same note are both shown, and one is chosen."""
    first, second = open_page("#panel=keep&u=1/cell/7"), open_page("#panel=keep&u=1/cell/7")
    type_into(first, "Name", "column")
    first.press("Tab")
    second.wait("document.querySelector('#keep-name').value === 'column'")
    second.run("() => { document.querySelector('#keep-note').value = 'mine' }")  # typed, and not yet kept
    type_into(first, "Note", "theirs")
    first.press("Tab")
    second.wait("app.notes.of('1/cell/7').note === 'theirs'")
    assert second.page.get_by_label("Note", exact=True).input_value() == "mine"
    second.page.get_by_label("Note", exact=True).press("End")
    second.page.keyboard.type("!")
    second.press("Tab")
    second.wait("!document.querySelector('.conflict').hidden || !document.querySelectorAll('.conflict')[1].hidden")
    said = second.page.get_by_role("alert").filter(has_text="Changed in another tab").inner_text()
    assert "There it says: theirs" in said
    assert NotesFile(client.exploration.recordings[0].path).read().units["1/cell/7"].note == "theirs"
    second.page.get_by_role("button", name="Keep mine").click()
    second.wait("app.notes.of('1/cell/7').note === 'mine!'")
    first.wait("document.querySelector('#keep-note').value === 'mine!'")


@pytest.fixture
def open_pair(browser: Any, planted: Path, tmp_path: Path) -> Iterator[Open]:
    """Opens pages of two recordings, `a.h5` and `b.h5`; a unit of the first has a name."""
    paths = [Path(shutil.copy(planted, tmp_path / name)) for name in ("a.h5", "b.h5")]
    NotesFile(paths[0]).change(TextChange(Unit.parse("1/hidden/5"), "name", "", "comments"))
    with asked_pages(browser, *paths) as opener:
        yield opener


def test_a_note_is_kept_for_the_recording_and_the_unit_that_it_was_typed_for(open_pair: Open, tmp_path: Path) -> None:
    tab = open_pair("#u=1/hidden/5&panel=keep&tour=5")
    tab.wait("document.querySelector('#keep-name').value === 'comments'")
    assert tab.state("tour") == 5  # the name was there before
    sent: list[Any] = []

    def hold_the_first(route: Any) -> None:
        if route.request.method == "PUT":
            sent.append(route)
        if sent != [route]:
            route.continue_()

    tab.page.route("**/api/notes", hold_the_first)
    type_into(tab, "Note", "ab")
    tab.page.wait_for_timeout(900)  # it is sent, and not answered
    tab.page.keyboard.type("c")
    tab.page.wait_for_timeout(900)
    assert len(sent) == 1
    sent[0].continue_()
    tab.wait("app.notes.of('1/hidden/5').note === 'abc'")
    assert not tab.page.locator(".conflict").filter(visible=True).count()
    type_into(tab, "Note", "of the first")
    tab.run("() => app.state.set({ recordings: [1] })")
    tab.page.wait_for_timeout(900)
    tab.ready()
    assert NotesFile(tmp_path / "a.h5").read().units["1/hidden/5"].note == "of the first"
    assert NotesFile(tmp_path / "b.h5").read().units == {}
    assert tab.page.get_by_label("Note", exact=True).input_value() == ""
    for name in ("one", "two"):
        type_into(tab, "Lists", name)
        tab.press("Enter")
        tab.wait(f"app.notes.listsOf('1/hidden/5').includes('{name}')")
    for focused in ("[aria-label='Take 1/hidden/5 out of two']", "#panel-keep"):
        tab.page.locator(".panel-keep .lists .chip-away").first.press("Enter")
        tab.wait(f'document.activeElement.matches("{focused}")')
    assert tab.page.locator(".panel-keep h2").inner_text() == "1/hidden/5"
    tab.run("() => app.state.set({ recordings: [1, 0], panel: 'selection' })")
    tab.ready()
    assert tab.page.locator(".panel-selection h2").inner_text() == "Selection in b"


def test_a_folder_that_is_read_only_is_said_in_the_panel(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("probe.explorer.notes.NotesFile._is_writable", lambda file: False)
    tab = open_page("#panel=keep")
    tab.wait("document.querySelector('.panel-keep .problem')")
    assert "is read-only, so that no notes can be kept" in tab.page.locator(".panel-keep .problem").inner_text()
    assert tab.run("() => document.querySelector('#keep-name').readOnly")


def test_the_ranking_is_copied_as_a_command_that_prints_the_numbers_of_the_page(open_page: Open, run: Command) -> None:
    tab = open_page("#h=in_comment")
    tab.wait("document.querySelector('#panel-ask .interval-bar')")
    shown = tab.page.locator("#panel-ask tbody tr")
    of_page = [(one.locator("th button").inner_text(), one.locator(".score").inner_text()) for one in shown.all()]
    tab.press("y")
    tab.wait("document.querySelector('.said').textContent.startsWith('copied')")
    words = shlex.split(clipboard(tab))
    assert words[:4] == ["probe", "rank", "-H", "in_comment"]
    status, out, err = run(*words[1:], "--json")
    assert status == 0, err
    assert [(row["unit"], f"{row['held_out_auc']:.3f}") for row in rows(out)] == of_page
    tab.run("() => { document.querySelector('.said').textContent = '' }")
    tab.press("Y")
    tab.wait("document.querySelector('.said').textContent.startsWith('copied')")
    assert clipboard(tab).startswith("import probe\n")
    tab.page.get_by_role("tab", name="Keep").press("Enter")
    tab.page.get_by_role("button", name="Copy the link").click()
    tab.wait("document.querySelector('.said').textContent === 'copied the link'")
    assert clipboard(tab) == tab.page.url and "h=in_comment" in tab.page.url


def test_the_text_on_the_screen_is_saved_as_files(open_page: Open, client: Client) -> None:
    tab = open_page("#panel=keep&u=1/cell/7&h=in_quotes&s=300-500")
    tab.wait("document.querySelector('.panel-keep').textContent.includes('characters 300 to 500')")
    for button, ending, start in (("PNG", "png", b"\x89PNG"), ("SVG", "svg", b"<?xml"), ("HTML page", "html", b"<!do")):
        with tab.page.expect_download() as saved:
            tab.page.get_by_role("button", name=button, exact=True).click()
        assert saved.value.suggested_filename == f"activations 1-cell-7 300-500.{ending}"
        assert Path(saved.value.path()).read_bytes().startswith(start)


# ---- Class


def test_the_tour_goes_on_as_its_steps_are_done(open_page: Open) -> None:
    """By the keyboard alone: each step says what to do, and that it is done; the address begins it."""
    tab = open_page("#tour=1")
    title = "document.querySelector('#tour-title').textContent"
    assert tab.page.locator("#tour-title").inner_text() == "1 of 5 · Read"
    tab.press("]")
    tab.wait(f"{title} === '2 of 5 · Ask'")
    assert "That is another unit." in tab.page.locator(".tour").inner_text()
    tab.press("a")
    tab.page.keyboard.type("in_comment")
    tab.press("Enter")
    tab.wait(f"{title} === '3 of 5 · Choose'")
    tab.wait("document.querySelector('#panel-ask tbody tr .link')")
    tab.page.locator("#panel-ask tbody tr .link").first.focus()
    tab.press("Enter")
    tab.wait(f"{title} === '4 of 5 · Look'")
    tab.page.keyboard.press("Escape")
    tab.press(".")
    tab.wait(f"{title} === '5 of 5 · Keep'")
    tab.page.get_by_role("tab", name="Keep").press("Enter")
    type_into(tab, "Name", "comments")
    tab.press("Tab")
    tab.wait(f"{title} === 'That is all'")
    tab.page.get_by_role("button", name="Close").press("Enter")
    assert not tab.page.locator(".tour").is_visible() and tab.state("tour") == 0


def test_a_step_of_the_tour_that_has_been_done_before_is_not_asked_again(open_page: Open) -> None:
    tab = open_page("#tour=1&h=in_comment")
    tab.wait("app.labelsOf(0)")
    tab.press("]")
    tab.wait("document.querySelector('#tour-title').textContent === '3 of 5 · Choose'")


def test_the_tour_can_be_left_and_its_steps_skipped(open_page: Open) -> None:
    tab = open_page("#panel=class")
    tab.page.get_by_role("button", name="Start the tour").press("Enter")
    for number in range(2, 6):
        tab.page.get_by_role("button", name="Skip").press("Enter")
        assert tab.page.locator("#tour-title").inner_text().startswith(f"{number} of 5")
    tab.page.get_by_role("button", name="Leave the tour").press("Enter")
    assert not tab.page.locator(".tour").is_visible()


def test_the_quiz_scores_guesses_and_says_the_unit_on_demand(open_page: Open, client: Client, run: Command) -> None:
    tab = open_page("#panel=class")
    tab.wait("document.querySelectorAll('.quiz select option').length === 2")
    tab.page.get_by_label("Units that are asked for").select_option("comments")
    tab.page.get_by_role("button", name="New question").press("Enter")
    tab.wait("document.querySelectorAll('.quiz-passage').length === 8")
    assert "1/hidden/5" not in tab.page.locator(".quiz").inner_text()
    coloured = "(cells) => new Set(cells.map((cell) => cell.style.backgroundColor)).size"
    assert tab.page.locator(".quiz-passage .cell").evaluate_all(coloured) > 10
    first, second = (tab.page.locator(".quiz-passage .cell").nth(number).bounding_box() for number in (0, 1))
    assert first["y"] == second["y"] and abs(second["x"] - first["x"] - first["width"]) < 0.5  # a text, without gaps
    for guess in ("in_quotes", "/#.*/", "in_comment"):
        guess_that(tab, guess)
    path = client.exploration.recordings[0].path
    _, out, _ = run("rank", "-H", "in_comment", str(path), "--units", "all", "--intervals", "all", "--json")
    [row] = [row for row in rows(out) if row["unit"] == "1/hidden/5"]
    first = tab.page.locator(".quiz-guesses tbody tr").first
    assert first.locator(".score").inner_text() == f"{row['held_out_auc']:.3f}"
    assert first.locator(".ends").inner_text() == f"{row['low']:.3f} to {row['high']:.3f}"
    assert tab.page.locator(".quiz-guesses tbody tr").count() == 3
    marked = tab.page.locator(".quiz-guesses tbody tr.current")
    assert marked.locator("th").all_inner_texts() == ["in_comment"]
    guess_that(tab, "chars_since_same")
    assert marked.locator("th").all_inner_texts() == ["chars_since_same", "in_comment"]  # the best of each measure
    tab.page.get_by_role("button", name="Which unit is it?").press("Enter")
    tab.wait("document.querySelector('.revealed').textContent === 'It is 1/hidden/5'")
    tab.page.get_by_role("button", name="Show it in the text").press("Enter")
    tab.wait("app.unit === '1/hidden/5' && app.labelsOf(0)")
    again = open_page(re.sub(r"^[^#]*", "", tab.page.url))
    again.wait("document.querySelectorAll('.quiz-passage').length === 8")
    assert again.page.locator(".quiz-passage").all_inner_texts() == tab.page.locator(".quiz-passage").all_inner_texts()


def test_an_answer_to_the_question_before_is_not_shown(open_page: Open) -> None:
    tab = open_page("#panel=class&quiz=5,comments")
    tab.wait("document.querySelectorAll('.quiz-passage').length === 8")
    held: list[Any] = []
    tab.page.route("**/api/quiz/reveal", lambda route: held.append(route))
    tab.page.get_by_role("button", name="Which unit is it?").press("Enter")
    tab.run("() => app.state.set({ quiz: ['6', 'comments'] })")
    tab.wait("document.querySelectorAll('.quiz-passage').length === 8")
    tab.page.wait_for_timeout(200)
    for route in held:
        route.continue_()
    tab.ready()
    assert tab.page.locator(".revealed").inner_text() == ""
    assert tab.page.get_by_role("button", name="Which unit is it?").is_visible()


def test_large_type_is_one_button(open_page: Open) -> None:
    tab = open_page("#panel=class")
    large = tab.page.get_by_role("button", name="Large type")
    large.press("Enter")
    assert tab.state("size") == 24 and large.get_attribute("aria-pressed") == "true"
    assert tab.run("() => getComputedStyle(document.documentElement).fontSize") == "24px"
    large.press("Enter")
    assert tab.state("size") == 15


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_panels_can_be_used_by_everybody(open_page: Open, client: Client, theme: str) -> None:
    """axe-core finds no violation in Keep, with a name and a list, nor in Class, with the tour and a question."""
    put = {"recording": 0, "unit": "1/cell/7", "field": "name", "before": "", "after": "column"}
    headers = {"Origin": f"http://{client.host}", "Content-Type": "application/json"}
    client.ask("PUT", "/api/notes", json.dumps(put).encode(), headers=headers)
    for fragment, ready in (
        ("#panel=keep&u=1/cell/7&h=in_quotes", ".command-row"),
        ("#panel=class&tour=1&quiz=3,comments", ".quiz-passage"),
    ):
        tab = open_page(fragment, theme)
        tab.wait(f"document.querySelector('{ready}')")
        found = axe.Axe().run(tab.page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "best-practice"]})
        assert found.response["violations"] == [], found.generate_report()
