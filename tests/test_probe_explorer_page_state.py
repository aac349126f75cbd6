"""The explorer's page in Chromium, all around the text: the address, keys, looks, and a server that comes and goes."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from explorer_pages import ExplorerPage, known_recording, known_text, pages, wait_until
from explorer_standin import POLICY, RefusalError, StandIn

from probe.explorer.server import page_files
from probe.viewer.colours import PAPER, Theme

Open = Callable[..., ExplorerPage]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    with pages(browser) as opener:
        yield opener


# ---- The address


def test_a_link_shows_the_identical_state(open_page: Open) -> None:
    """Another window that opens the address looks the same: place, tracks, selection, theme, size and all."""
    text = known_text()
    stand_in = StandIn(known_recording("first.h5", 0, text), known_recording("second.h5", 1, text))
    opened = open_page(stand_in=stand_in, fragment="#r=1,0&u=0/cell/5")
    opened.run("() => app.ask('regex:\\'a|\"b, %\\'')")
    opened.press("k", "]", "t", "t", "+", "+")
    opened.run("() => app.goTo(20000)")
    opened.press("ArrowDown", "Home", "Shift+ArrowDown", "Shift+ArrowRight")
    opened.page.mouse.move(300, 500)
    opened.page.mouse.wheel(0, 137)
    opened.page.wait_for_timeout(300)
    opened.page.mouse.move(2, 2)
    opened.wait("document.querySelector('.controls .control')")
    opened.ready()
    opened.page.wait_for_timeout(400)
    address = opened.page.url
    expected = {
        "r": "1,0", "u": "0/cell/6", "t": "unit,labels,0/cell/5", "theme": "dark", "size": "18",
        "h": "regex:%27a%7C%22b,%20%25%27",
    }  # fmt: skip
    said = dict(part.split("=") for part in address.partition("#")[2].split("&"))
    assert {key: said[key].replace("'", "%27") for key in expected} == expected
    assert set(said) == {*expected, "p", "v", "s"}
    second = open_page(stand_in=stand_in, fragment="#" + address.partition("#")[2])
    second.wait("document.querySelector('.controls .control')")
    second.page.wait_for_timeout(400)
    second.ready()
    assert second.page.url == address
    before, after = opened.pixels(), second.pixels()
    differences = np.abs(before.astype(int) - after)
    assert differences.max() <= 25, np.argwhere(differences.max(axis=2) > 25)[:5]  # round corners are smoothed anew
    assert (differences > 0).any(axis=2).sum() < 100


def test_the_browser_goes_back_and_forward(open_page: Open) -> None:
    opened = open_page(fragment="#u=0/cell/3")
    opened.page.wait_for_timeout(1100)
    opened.run("() => app.showUnit('1/cell/2')")
    opened.ready()
    opened.page.wait_for_timeout(1100)
    opened.run("() => app.ask('in_quotes')")
    opened.wait("app.labelsOf(0)")
    opened.ready()
    opened.page.go_back()
    opened.ready()
    assert (opened.state("hypothesis"), opened.tracks()) == ("", ["1/cell/2"])
    opened.page.go_back()
    opened.ready()
    assert opened.tracks() == ["0/cell/3"]
    opened.page.go_forward()
    opened.page.go_forward()
    opened.wait("app.labelsOf(0)?.name === 'in_quotes'")
    opened.ready()
    assert opened.tracks() == ["1/cell/2", "in_quotes"]


def test_an_address_that_is_pasted_is_followed(open_page: Open) -> None:
    opened = open_page()
    opened.run("() => { location.hash = '#u=1/cell/3&p=25000&h=in_comment&theme=dark&later=7'; }")
    opened.wait("app.labelsOf(0) && app.panes.view.caret.position === 25000")
    opened.ready()
    assert opened.tracks() == ["1/cell/3", "in_comment"]
    start, stop = opened.run("() => app.seen")
    assert start < 25_000 < stop
    assert opened.run("() => document.documentElement.dataset.theme") == "dark"
    opened.page.wait_for_timeout(400)
    assert opened.page.url.endswith("&later=7")  # of a panel that this page does not have


@pytest.mark.parametrize(
    "fragment", ["#u=9/cell/999", "#u=<b>&r=7&p=x&v=1&t=%ZZ&theme=blue&size=1e9&panel=none&full=x&s=3-", "#%&=&===&u"]
)
def test_an_address_that_says_nothing_sensible_opens(open_page: Open, fragment: str) -> None:
    opened = open_page(fragment=fragment)
    assert opened.tracks() == ["0/cell/0"]
    assert opened.run("() => parseFloat(getComputedStyle(document.documentElement).fontSize)") <= 32
    if "999" in fragment:
        said = opened.page.locator(".said").inner_text()
        assert said == "this recording has no unit 9/cell/999; shown is 0/cell/0"


def test_a_place_behind_the_end_is_the_end(open_page: Open) -> None:
    opened = open_page(fragment="#p=99999999&v=99999999:0")
    assert opened.state("position") == 39_999


def test_a_hypothesis_of_an_address_that_fails_is_said(open_page: Open) -> None:
    opened = open_page(fragment="#h=in_nothing")
    opened.wait("document.querySelector('.said.error')")
    assert opened.page.locator(".said").inner_text().startswith("no hypothesis named 'in_nothing'")
    assert opened.tracks() == ["0/cell/0"]


def test_what_is_selected_is_in_the_address(open_page: Open) -> None:
    opened = open_page()
    opened.press("Home", "ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight")
    assert opened.state("selection") == [[1, 4]]
    opened.page.wait_for_timeout(400)
    assert "s=1-4" in opened.page.url
    opened.press("Escape")
    assert opened.state("selection") == []


# ---- Keys


def test_everything_is_reached_by_keyboard(open_page: Open) -> None:
    text = known_text()
    opened = open_page(
        known_recording("a.h5", 0, text),
        known_recording("b.h5", 1, text),
        fragment="#h=in_comment&t=unit,labels,0/cell/1",
    )
    opened.wait("document.querySelector('.controls .control')")
    reached = []
    for _ in range(60):
        opened.page.keyboard.press("Tab")
        focused = "document.activeElement"
        reached.append(opened.run(f"() => [{focused}.ariaLabel || {focused}.textContent, {focused}.id]"))
    names = {name for name, _ in reached}
    assert {
        "Recordings", "Site", "Unit", "Unit before ([)", "Next unit (])", "Hypothesis or /pattern/", "Larger type",
        "Theme: auto", "Help", "Place in a.h5", "in_comment", "Take in_comment away", "+ loss", "Find in the passage",
        "Wrap lines", "Character and legend of a.h5", "Ask", "0/cell/3",
    } <= names  # fmt: skip
    assert any(name.startswith("Passage of 40,000") for name in names)
    assert list(dict.fromkeys(identity for _, identity in reached if identity.startswith("panel-"))) == ["panel-ask"]
    seen = opened.run("() => getComputedStyle(document.activeElement).outlineStyle")
    assert seen == "solid"


def test_keys_do_what_the_help_says(open_page: Open) -> None:
    recording = known_recording()
    opened = open_page(recording, fragment="#h=in_comment&u=0/cell/3")
    opened.wait("app.panes.view.panels[0].tracks.length === 2")
    starts = [match.start() for match in re.finditer("#[^\n]*", recording.text)]
    for keys, condition in (
        ([">"], f"app.position === {starts[0]}"),
        ([">", ">"], f"app.position === {starts[1]}"),
        (["<", "<"], f"app.position === {starts[0]}"),
        (["w"], "!app.panes.view.wraps && !app.state.get('wraps')"),
        (["w"], "app.panes.view.wraps"),
        (["u"], "document.activeElement.ariaLabel === 'Unit'"),
        (["Escape", "Escape"], "document.activeElement.className === 'scroller'"),
        (["a"], "document.activeElement.ariaLabel.startsWith('Hypothesis')"),
        (["Escape"], "document.activeElement.className === 'scroller'"),
        (["g"], f"document.activeElement.value === '@{starts[0]}'"),
        (["1", "2", "3", "Enter"], "app.position === 123"),
        (["Escape", "/"], "document.activeElement.type === 'search'"),
        (["Escape", "f"], "document.body.className === 'full-text'"),
        (["Escape"], "document.body.className === ''"),
        (["?"], "app.keys.dialog.open"),
        (["]"], "app.unit === '0/cell/3'"),  # not while the help is open
        (["Escape", "]"], "!app.keys.dialog.open && app.unit === '0/cell/4'"),
    ):
        opened.press(*keys)
        assert opened.run(f"() => {condition}"), (keys, condition, opened.run("() => app.position"))
    opened.press("/")
    opened.page.keyboard.type("quoted")
    opened.press("Enter")
    assert opened.state("position") == recording.text.index("quoted", 124)
    opened.press("Escape", "?")
    listed = opened.page.locator("dialog kbd").all_inner_texts()
    assert {"[", "]", "{", "}", "u", "k", "a", "/", "g", "<", ">", "w", "1", "f", "Esc", "t", "+", "−", "?"} <= set(
        listed
    )


def test_letters_type_in_fields_and_commands_are_the_browsers(open_page: Open) -> None:
    opened = open_page()
    opened.press("a")
    opened.page.keyboard.type("k]}f?t")
    opened.press("Escape")
    assert opened.page.get_by_role("combobox", name="Hypothesis").input_value() == "k]}f?t"
    assert opened.state("unit") == "0/cell/0" and opened.state("full") == "" and opened.state("theme") == "auto"
    opened.press("Escape", "Control+k", "Alt+f")
    assert opened.state("tracks") == ["unit", "labels"] and opened.state("full") == ""


# ---- Panels

NEW_PANEL = """
import { make } from "../view.js";

export function panel(app) {
  app.state.define("note", { key: "note", kind: "text", initial: "" });
  const log = [];
  for (const name of ["unit", "labels", "pointed", "window"]) app.on(name, (value) => log.push([name, value]));
  app.keys.add("New", ["z"], "z", "say something", () => app.state.set({ note: "said" }));
  globalThis.newPanel = { log, seen: [] };
  const element = make("p", "", {}, `of ${app.facts.recordings[app.recording].name}`);
  return { title: "New", element, show: () => newPanel.seen.push("show"), hide: () => newPanel.seen.push("hide") };
}
"""


def test_a_panel_is_registered_by_its_name(open_page: Open) -> None:
    """It hears what happens, keeps a value in the address, has a key, and is told when it is opened and left."""
    stand_in = StandIn(known_recording())
    main, media_type = stand_in.files["main.js"]
    assert main.count(b'const PANELS = ["ask"') == 1
    with_new = main.replace(b'const PANELS = ["ask"', b'const PANELS = ["new", "ask"')
    stand_in.files["main.js"] = with_new, media_type
    stand_in.files["panels/new.js"] = NEW_PANEL.encode(), media_type
    opened = open_page(stand_in=stand_in, fragment="#note=a%20note&panel=new")
    assert opened.state("note") == "a note"
    assert opened.page.get_by_role("tabpanel", name="New").inner_text() == "of activations.h5"
    assert opened.run("() => newPanel.seen") == ["show"]
    opened.press("2")
    assert opened.run("() => newPanel.seen") == ["show", "hide"]
    assert opened.page.get_by_role("tabpanel", name="Ask").is_visible()
    opened.press("1", "z", "]")
    assert opened.run("() => newPanel.seen") == ["show", "hide", "show"]
    opened.run("() => app.ask('in_comment')")
    opened.ready()
    log = opened.run("() => newPanel.log")
    assert ["unit", "0/cell/1"] in log and ["labels", opened.run("() => app.labelsOf(0)")] in log
    assert any(name == "window" for name, _ in log)
    assert "note=said" in opened.run("() => app.state.write()")
    opened.press("?")
    assert "z" in opened.page.locator("dialog kbd").all_inner_texts()
    opened.press("Escape")
    opened.page.get_by_role("tab", name="New").focus()
    opened.press("ArrowRight")
    assert opened.page.get_by_role("tab", name="Ask").get_attribute("aria-selected") == "true"
    assert opened.state("panel") == "ask"


# ---- Looks


def test_any_panel_and_the_text_have_the_full_screen(open_page: Open) -> None:
    opened = open_page(fragment="#h=in_comment")
    text, panel, strip = (opened.page.locator(name) for name in ("#panes", "#side", ".overview"))
    opened.press("f")
    assert text.is_visible() and strip.is_visible() and not panel.is_visible()
    assert text.bounding_box()["width"] == 1280
    opened.press("Escape")
    assert panel.is_visible() and opened.state("full") == ""
    panel.get_by_role("tab", name="Ask").focus()
    opened.press("f")
    assert panel.is_visible() and not text.is_visible() and not strip.is_visible()
    assert panel.bounding_box()["width"] == 1280
    address = opened.run("() => app.state.write()")
    assert "full=panel" in address
    opened.press("Escape")
    assert text.is_visible() and panel.is_visible()
    opened.check_colours(opened.stand_in.recordings[0], ["0/cell/0", "in_comment"])


def test_the_theme_follows_the_system_until_one_is_chosen(open_page: Open) -> None:
    opened = open_page(fragment="#u=0/cell/3")

    def check(theme: Theme) -> None:
        opened.ready()
        paper = [int(PAPER[theme][i : i + 2], 16) for i in (1, 3, 5)]
        pixels = opened.pixels()
        assert pixels[790, 1270].tolist() == pixels[3, 3].tolist() == pixels[790, 8].tolist() == paper
        opened.check_colours(opened.stand_in.recordings[0], ["0/cell/3"], theme)

    opened.page.locator("#tabs [aria-selected=true]").focus()  # from the text, whose frame is at the edge
    check("light")
    opened.page.emulate_media(color_scheme="dark")
    check("dark")
    opened.press("t")
    check("light")
    opened.press("t")
    check("dark")
    opened.page.emulate_media(color_scheme="light")
    check("dark")
    opened.press("t")
    check("light")


@pytest.mark.parametrize(
    ("size", "type_size"),
    [((1280, 800), 15), ((900, 700), 15), ((1280, 800), 24), ((1920, 1080), 32), ((600, 800), 15)],
)
@pytest.mark.parametrize("shown", ["0", "0,1"])
def test_the_page_fits_its_window(open_page: Open, size: tuple[int, int], type_size: int, shown: str) -> None:
    """Only the text and the panel scroll, there is room for both, and nothing is cut off."""
    text = known_text()
    recordings = known_recording("activations.h5", 0, text), known_recording("epoch_12.h5", 1, text)
    opened = open_page(*recordings, fragment=f"#r={shown}&h=in_comment&size={type_size}", size=size)
    whole = opened.run("() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert tuple(whole) == size
    assert opened.run("() => app.panes.view.size") == type_size
    assert opened.run("() => app.panes.view.scroller.clientHeight / app.panes.view.geometry.rowHeight") > 2
    assert opened.page.locator("#panels").bounding_box()["height"] > 80
    opened.wait("document.querySelector('.controls .control')")
    assert opened.run(
        "() => document.getElementById('panel-ask').scrollWidth <= document.getElementById('panel-ask').clientWidth"
    )
    is_cut = (
        "(one) => one.checkVisibility() && !one.closest('.options') && one.getBoundingClientRect().right > innerWidth"
    )
    assert opened.run(f"() => [...document.querySelectorAll('#bar *, #tabs *')].filter({is_cut}).length") == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_has_nothing_to_say(open_page: Open, theme: Theme) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    text = known_text()
    stand_in = StandIn(known_recording("a.h5", 0, text), known_recording("b.h5", 1, text))
    stand_in.warnings = ["few"]
    opened = open_page(stand_in=stand_in, theme=theme, fragment="#r=0,1&h=in_comment&u=0/cell/3")
    opened.wait("document.querySelector('.controls .control')")

    def check(state: str) -> None:
        opened.ready()
        results = axe.Axe().run(opened.page)
        assert results.violations_count == 0, state + results.generate_report()

    check("two recordings and a ranking")
    opened.press("a", "Control+A")
    opened.page.keyboard.type("in_")
    opened.press("ArrowDown")
    check("a list of hypotheses")
    opened.press("Escape", "Escape", "?")
    check("help")
    opened.press("Escape", "f")
    check("full screen")


# ---- The server


def test_a_server_that_stops_is_waited_for(open_page: Open) -> None:
    """A banner says so; what was asked meanwhile is answered when the server is back, and the banner goes."""
    recording = known_recording()
    opened = open_page(recording, fragment="#u=0/cell/3&h=in_comment")
    opened.wait("document.querySelector('.controls .control')")
    banner = opened.page.locator("#banner")
    assert not banner.is_visible()
    opened.stand_in.stop()
    opened.page.keyboard.press("]")
    opened.page.keyboard.press("Control+End")
    opened.wait("!document.getElementById('banner').hidden")
    assert banner.inner_text().startswith("The explorer does not answer")
    opened.page.keyboard.press("]")
    opened.page.wait_for_timeout(700)
    assert opened.tracks()[0] == "0/cell/3" and banner.is_visible()
    recording.labels.clear()  # as of another process
    opened.stand_in.start()
    opened.wait("document.getElementById('banner').hidden")
    opened.wait("app.panes.view.header.tracks[app.panes.view.panels[0].tracks[0]].name === '0/cell/5'")
    opened.ready()
    assert recording.text.endswith(opened.page.locator(".row").all_text_contents()[-1])
    opened.press("Control+Home")
    opened.check_colours(recording, ["0/cell/5", "in_comment"])
    assert opened.page.locator(".pane .message").inner_text() == ""


def test_a_ranking_that_was_cut_off_is_asked_again(open_page: Open) -> None:
    stand_in = StandIn(known_recording())
    opened = open_page(stand_in=stand_in)
    opened.page.route("**/api/rank", lambda route: route.abort("connectionreset"), times=1)
    opened.run("() => app.ask('in_comment')")
    opened.wait("document.querySelector('.controls .control')")
    assert not opened.page.locator("#banner").is_visible()


def test_a_server_that_was_started_anew_says_what_to_do(open_page: Open) -> None:
    opened = open_page()
    opened.stand_in.refuses = lambda path, query: RefusalError(
        403, "This address lacks the token; open the printed one."
    )
    opened.page.keyboard.press("]")
    opened.wait("!document.getElementById('banner').hidden")
    assert opened.page.locator("#banner").inner_text() == "This address lacks the token; open the printed one."
    opened.stand_in.refuses = lambda path, query: None
    opened.wait("document.getElementById('banner').hidden")
    opened.ready()
    assert opened.tracks() == ["0/cell/1"]


def test_a_server_with_another_recording_is_begun_with_anew(open_page: Open) -> None:
    opened = open_page(known_recording("old.h5"), fragment="#u=0/cell/3")
    opened.stand_in.stop()
    opened.page.keyboard.press("]")
    opened.wait("!document.getElementById('banner').hidden")
    opened.stand_in.recordings = (known_recording("new.h5", text=known_text()[::-1]),)
    opened.stand_in.start()
    opened.page.wait_for_timeout(1500)
    wait_until(
        opened.page, "globalThis.app?.facts?.recordings[0].name === 'new.h5' && app.panes.view.panels[0].tracks.length"
    )
    opened.ready()
    assert opened.tracks() == ["0/cell/4"]


def test_other_failures_are_said(open_page: Open) -> None:
    opened = open_page()
    opened.stand_in.refuses = lambda path, query: RefusalError(400, "this tile is broken") if path == "levels" else None
    opened.press("]")
    assert "this tile is broken" in opened.page.locator(".pane .message").inner_text()
    opened.stand_in.refuses = lambda path, query: None
    opened.press("]")
    assert opened.tracks() == ["0/cell/2"]


def test_what_the_server_prepares_is_said(open_page: Open) -> None:
    stand_in = StandIn(known_recording())
    [recording] = stand_in.recordings
    facts = recording.facts
    sidecar: dict[str, object] = {"state": "making", "sentence": "preparing 12 MB", "progress": [1, 4]}
    recording.facts = lambda: facts() | {"sidecar": sidecar}  # type: ignore[method-assign]
    opened = open_page(stand_in=stand_in)
    prepared = opened.page.locator(".prepared")
    assert prepared.inner_text() == "preparing 25 %" and prepared.get_attribute("title") == "preparing 12 MB"
    sidecar |= {"state": "ready", "progress": None}
    opened.wait("!document.querySelector('.prepared').textContent")


# ---- Safe


def test_names_and_sentences_of_others_stay_text(open_page: Open) -> None:
    """Markup in the name of a recording, a document or a hypothesis, or in a warning, does nothing."""
    hostile = "<img src=x onerror=alert(1)><b>"
    stand_in = StandIn(known_recording(f"{hostile}.h5", text=f"{hostile} # {hostile}\n" * 500))
    stand_in.warnings = [hostile]
    opened = open_page(stand_in=stand_in, fragment="#h=in_comment")
    opened.wait("document.querySelector('.controls .control')")
    opened.run("() => app.say('<b>said</b>')")
    assert opened.page.locator("img, b, #page script").count() == 0
    assert opened.page.locator("h1").inner_text() == f"{hostile}.h5"
    assert opened.page.locator(".warnings li").first.inner_text() == hostile


def test_the_page_keeps_a_strict_policy() -> None:
    """No script and no style stands in the HTML, nothing is loaded from elsewhere, and nothing is written as HTML."""
    files = {name: content.decode() for name, (content, _) in page_files().items()}
    assert {"explorer.html", "explorer.css", "main.js", "state.js", "view.js", "view.css", "panels/ask.js"} <= set(
        files
    )
    assert "unsafe" not in POLICY
    html = files["explorer.html"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=|https?://", html)
    for name, content in files.items():
        if name.endswith(".js"):
            content = content.replace("http://www.w3.org/2000/svg", "")  # the name of a namespace, which is not loaded
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|https?://", content
            ), name
            assert not re.search(r"setAttribute\(\"style|style: ", content), name
            targets = re.findall(r'^import .* from "([^"]+)"|import\(`([^`]+)`\)', content, re.M)
            assert all("".join(target).startswith(("./", "../")) for target in targets), (name, targets)
        if name.endswith(".css"):
            assert not re.search(r"@import|url\(", content), name
