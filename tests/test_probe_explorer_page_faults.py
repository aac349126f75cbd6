"""The explorer's page in Chromium, where something is wrong, late or different: it says so, and shows what is true."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from explorer_pages import ExplorerPage, known_recording, known_text, pages
from explorer_standin import RefusalError, StandIn

pytestmark = pytest.mark.slow  # Chromium draws the page some twenty times
Open = Callable[..., ExplorerPage]
FOCUSED = "(document.activeElement.dataset.key ?? document.activeElement.className)"


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    with pages(browser) as opener:
        yield opener


def chips(opened: ExplorerPage) -> list[str]:
    return [str(name) for name in opened.page.locator(".chip-name").all_inner_texts()]


# ---- Addresses


def test_an_address_of_nothing_that_there_is_shows_what_there_is(open_page: Open) -> None:
    """Put into an open page or opened: each value that this server does not have is replaced, and the page goes on."""
    opened = open_page(known_recording("a.h5"), known_recording("b.h5"), fragment="#u=0/cell/3")
    for fragment, name, value in (
        ("#h=in_comment", "unit", "0/cell/0"),
        ("#u=0/cell/999999", "unit", "0/cell/0"),
        ("#u=<img src=x>", "unit", "0/cell/0"),
        ("#r=7", "recordings", [0]),
        ("#r=0,0", "recordings", [0]),
        ("#r=1,0,1", "recordings", [1, 0]),
        ("#panel=none", "panel", "ask"),
        ("#theme=blue", "theme", "auto"),
        ("#full=none", "full", ""),
        ("#size=0", "size", 10),
        ("#size=999", "size", 32),
        ("#p=999999999", "position", 39_999),
        ("#v=999999999:0", "place", None),
    ):
        opened.run("(fragment) => void (location.hash = fragment)", fragment)
        opened.ready()
        if name != "place":
            assert opened.state(name) == value, fragment
        assert opened.run("() => app.seen[0]") < 40_000, fragment
        assert opened.page.locator(".tab[aria-selected=true]").count() == 1, fragment
        assert opened.page.locator(".pane").count() == len(opened.state("recordings")), fragment
        assert opened.run("() => app.panes.view.size") == opened.state("size"), fragment
        unit = opened.state("unit")
        opened.press("]")
        assert opened.state("unit") != unit and opened.tracks()[0] == opened.state("unit"), fragment
    opened.run("() => void (location.hash = '#u=0/cell/77')")
    opened.wait("document.querySelector('.said').textContent.includes('no unit 0/cell/77')")
    opened.page.goto("about:blank")
    opened.open("#r=1,1&size=0&panel=none&theme=blue")
    assert opened.state("recordings") == [1] and opened.page.locator(".pane").count() == 1
    assert opened.run("() => app.panes.view.size") == 10


def test_a_fault_in_one_place_stops_no_other(open_page: Open) -> None:
    """Neither what else listens, nor what else was asked, nor is it taken for a server that is gone."""
    opened = open_page(known_recording())
    opened.run("() => { globalThis.banners = 0; app.on('gone', () => (banners += 1)); }")
    opened.run("""() => {
        const wrong = new AbortController();
        app.on('hypothesis', () => { throw new Error('wrong listener'); }, wrong.signal);
        app.on('hypothesis', (text) => (globalThis.heard = text));
        globalThis.listenNoMore = () => wrong.abort();
    }""")
    opened.run("() => void (location.hash = '#u=0/cell/4&h=in_comment&theme=dark')")
    opened.wait("app.labelsOf(0)?.name === 'in_comment' && document.documentElement.dataset.theme === 'dark'")
    opened.ready()
    assert opened.run("() => heard") == "in_comment" and opened.tracks()[0] == "0/cell/4"
    assert "wrong listener" in opened.mishaps[0]
    opened.run("() => listenNoMore()")
    opened.wait("document.querySelector('.controls .control')")
    answers = ['{"result": {"rows": [null]}}', '{"progress": [1, 2]}\n{"quick": []}']
    n_asked = []

    def answer(route: Any) -> None:
        n_asked.append(route.request.url)
        route.fulfill(status=200, body=answers[0] + "\n", content_type="application/x-ndjson")

    opened.page.route("**/api/rank", answer)
    for hypothesis, sentence in (("in_quotes", "null"), ("in_word", "before it was whole")):
        n_asked.clear()
        opened.run("(hypothesis) => void app.ask(hypothesis)", hypothesis)
        opened.wait(f"document.querySelector('.panel-ask .stage').textContent.includes({json.dumps(sentence)})")
        opened.page.wait_for_timeout(500)
        assert len(n_asked) == 1 and opened.run("() => banners") == 0
        answers.pop(0)
    opened.page.unroute("**/api/rank")
    opened.run("() => app.on('back', () => { throw new Error('wrong at back'); })")
    opened.stand_in.stop()
    opened.page.keyboard.press("]")
    opened.wait("!document.getElementById('banner').hidden")
    opened.stand_in.start()
    opened.wait("document.getElementById('banner').hidden")
    opened.wait("app.panes.view.header.tracks[app.panes.view.panels[0].tracks[0]].name === '0/cell/5'")
    assert opened.run("() => banners") == 1 and "wrong at back" in opened.mishaps[-1]
    opened.mishaps.clear()


# ---- Labels


def test_labels_stand_under_no_name_but_theirs(open_page: Open) -> None:
    """Those of a hypothesis before go with one that cannot be read, and keep their name while the next are awaited."""
    recording = known_recording()
    opened = open_page(recording, fragment="#u=0/cell/3&h=in_comment")
    opened.wait("app.panes.view.panels[0].tracks.length === 2")
    opened.stand_in.delay = lambda path, query: 0.8 if query.get("hypothesis") == "in_quotes" else 0.0
    opened.run("() => void (location.hash = '#u=0/cell/3&h=in_quotes')")
    opened.page.wait_for_timeout(200)
    assert chips(opened) == ["0/cell/3", "in_comment"] == opened.tracks()
    opened.run("() => app.labels.renew()")  # while others are awaited
    opened.wait("app.labelsOf(0)?.name === 'in_quotes'")
    opened.ready()
    assert chips(opened) == ["0/cell/3", "in_quotes"] == opened.tracks()
    opened.wait("document.querySelector('.controls .control')")
    opened.run("() => void (location.hash = '#u=0/cell/3&h=nonsense')")
    opened.wait("document.querySelector('.said.error')")
    opened.ready()
    assert opened.run("() => app.labelsOf(0) ?? null") is None
    assert chips(opened) == opened.tracks() == ["0/cell/3"]
    opened.wait("document.querySelector('.panel-ask').textContent.includes('follow them are listed here')")


def test_a_pattern_that_is_typed_is_one_step_back(open_page: Open) -> None:
    opened = open_page(fragment="#h=in_comment")
    opened.wait("app.labelsOf(0)")
    n_before = opened.run("() => history.length")
    opened.press("a", "Control+A")
    for n in range(1, 4):
        opened.page.keyboard.type("/a" if n == 1 else "b")
        opened.wait(f"app.labelsOf(0)?.name === \"regex:'a{'b' * (n - 1)}'\"")
        opened.page.wait_for_timeout(1050)
    opened.press("Enter")
    assert opened.run("() => history.length") == n_before + 1
    opened.page.go_back()
    opened.wait("app.labelsOf(0)?.name === 'in_comment'")
    opened.page.get_by_role("tab", name="Ask").focus()
    opened.press("End")
    assert (
        opened.page.locator(".tab[aria-selected=true]").inner_text()
        == "Class"
        == opened.run("() => document.activeElement.textContent")
    )
    opened.press("Home")
    assert opened.state("panel") == "ask"


# ---- What is on its way


def test_a_track_that_is_awaited_is_marked_and_the_focus_stays(open_page: Open) -> None:
    """The chip of a unit whose colours are not those of the text yet says so; chips drawn anew keep the focus."""
    opened = open_page(fragment="#u=0/cell/0&h=in_comment")
    opened.wait("app.panes.view.panels[0].tracks.length === 2")
    awaited = "() => [...document.querySelectorAll('.chip.absent .chip-name')].map((chip) => chip.textContent)"
    assert opened.run(awaited) == []
    opened.stand_in.delay = lambda path, query: 0.8 if query.get("unit") == "0/cell/1" else 0.0
    opened.page.keyboard.press("]")
    opened.page.wait_for_timeout(250)
    assert opened.tracks()[0] == "0/cell/0" and opened.run(awaited) == ["0/cell/1"]
    assert opened.page.locator(".pane .chips").get_attribute("aria-busy") == "true"
    opened.wait("app.panes.view.header.tracks[app.panes.view.panels[0].tracks[0]].name === '0/cell/1'")
    opened.ready()
    assert opened.run(awaited) == [] and opened.page.locator(".pane .chips").get_attribute("aria-busy") == "false"
    opened.page.get_by_role("button", name="in_comment", exact=True).focus()
    opened.press("Enter")
    assert opened.tracks() == ["in_comment", "0/cell/1"]
    assert opened.run(f"() => {FOCUSED}") == "labels"
    opened.page.get_by_role("button", name="+ loss").focus()
    opened.press("Enter")
    assert opened.run(f"() => {FOCUSED}") == "loss"  # which is in its place
    opened.page.get_by_role("button", name="Take loss away").focus()
    opened.press("Enter")
    assert opened.run(f"() => {FOCUSED}") == "+ keep unit"
    opened.stand_in.refuses = lambda path, query: RefusalError(400, "broken") if path == "levels" else None
    opened.press("]")
    assert opened.run(awaited) == ["0/cell/2"] and opened.tracks()[1] == "0/cell/1"
    assert opened.page.locator(".pane .chips").get_attribute("aria-busy") == "false"


def test_each_thing_that_is_awaited_is_said_until_it_is_there(open_page: Open) -> None:
    """In the strip, whatever else has come; and what the server prepares, whenever that begins or fails."""
    first, second = known_recording("a.h5"), known_recording("b.h5")
    sidecar: dict[str, object] = {"state": "none", "sentence": "", "progress": None}
    facts = second.facts
    second.facts = lambda: facts() | {"sidecar": sidecar}  # type: ignore[method-assign]
    opened = open_page(first, second)
    message = opened.page.locator(".overview-message")
    opened.stand_in.delay = lambda path, query: (
        1.5 if path == "overview" and query.get("unit") == "0/cell/1" else 0.5 if path == "labels" else 0.0
    )
    opened.page.keyboard.press("]")
    opened.run("() => void app.ask('in_comment')")
    opened.wait("document.querySelector('.overview-message').textContent === 'reading the whole text …'")
    opened.wait("app.labelsOf(0)")
    opened.page.wait_for_timeout(300)
    assert message.inner_text() == "reading the whole text …"
    opened.ready()
    assert message.inner_text() == ""
    prepared, said = opened.page.locator(".prepared"), opened.page.locator(".said")
    assert prepared.inner_text() == ""
    sidecar |= {"state": "making", "progress": [1, 2]}
    opened.run("() => app.state.set({ recordings: [1] })")
    opened.wait("document.querySelector('.prepared').textContent === 'preparing 50 %'")
    sidecar |= {"state": "failed", "sentence": "the disk is full", "progress": None}
    opened.wait("document.querySelector('.said').textContent === 'the disk is full'")
    assert prepared.inner_text() == ""
    opened.run("() => app.say('')")
    opened.stand_in.stop()
    opened.page.keyboard.press("]")
    opened.wait("!document.getElementById('banner').hidden")
    sidecar |= {"state": "making", "sentence": "", "progress": [3, 4]}
    opened.stand_in.start()
    opened.wait("document.querySelector('.prepared').textContent === 'preparing 75 %'")
    sidecar |= {"state": "ready", "progress": None}
    opened.wait("!document.querySelector('.prepared').textContent")
    assert said.inner_text() == ""


# ---- Two recordings


def test_places_are_of_the_recording_that_is_meant(open_page: Open) -> None:
    """Of two different texts each strip moves its own, and the address has the place in the one that is asked."""
    recordings = known_recording("a.h5"), known_recording("b.h5", text=known_text()[20_000:])
    opened = open_page(*recordings, fragment="#r=0,1&u=0/cell/3&p=500")
    carets = "() => app.panes.views.map(({ caret }) => caret.position)"
    assert opened.run(carets) == [500, 0]
    strips = opened.page.locator(".overview")
    box = strips.nth(1).bounding_box()
    opened.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    opened.ready()
    first, second = opened.run(carets)
    assert first == 500 and second == pytest.approx(10_000, abs=30)
    assert opened.state("position") == 500 == opened.run("() => app.position")
    shown = [int(strips.nth(n).get_attribute("aria-valuenow")) for n in range(2)]
    assert shown[0] < 500 and 8_000 < shown[1] <= second
    assert shown == opened.run("() => [0, 1].map((number) => app.seenOf(number)[0])")
    assert opened.run("() => app.seen") == opened.run("() => app.seenOf(0)")
    strips.nth(1).focus()
    opened.press("Home")
    assert opened.run(carets) == [500, 0]
    text = opened.page.locator(".pane").nth(1).locator(".scroller").bounding_box()
    opened.page.mouse.move(text["x"] + 120, text["y"] + 60)
    opened.ready()
    assert opened.run("() => [app.pointed, app.panes.views[1].pointed !== null]") == [None, True]
    opened.run("() => app.goTo(30000)")  # of the recording that is asked, wherever the pointer is
    opened.ready()
    assert opened.run(carets) == [30_000, 0]
    opened.page.mouse.click(text["x"] + 120, text["y"] + 60)
    opened.press("ArrowDown")
    first, second = opened.run(carets)
    assert first == 30_000 == opened.state("position") and second > 0
    address = opened.run("() => app.state.write()")
    opened.page.goto("about:blank")
    opened.open(f"#{address.partition('#')[2]}")
    assert opened.run(carets) == [30_000, 0]
    opened.run("() => app.state.set({ recordings: [1] })")  # which is shorter
    opened.ready()
    assert opened.run(carets) == [19_999] == [opened.state("position")]


# ---- Small windows


def test_messages_move_nothing_and_little_room_is_used_well(open_page: Open) -> None:
    """Messages lie over the page; in a low window the page scrolls, and a finger finds what it has to touch."""
    stand_in = StandIn(known_recording())
    opened = open_page(stand_in=stand_in, size=(900, 700), fragment="#h=in_comment")
    opened.wait("document.querySelector('.controls .control')")
    top = "() => document.getElementById('panes').getBoundingClientRect().top"
    before = opened.run(top)
    opened.run("() => app.say('a sentence that is rather long and says what went wrong '.repeat(4), { isError: true })")
    opened.run("() => (app.prepared.textContent = 'preparing 12 %')")
    assert opened.run(top) == before
    said = opened.page.locator(".said").bounding_box()
    assert said["x"] >= 0 and said["x"] + said["width"] <= 900 and said["y"] + said["height"] <= 700
    opened.press("Escape")
    assert opened.page.locator(".said").inner_text() == ""
    opened.page.set_viewport_size({"width": 640, "height": 400})
    opened.ready()
    assert opened.run("() => [document.documentElement.scrollWidth, innerWidth]") == [640, 640]
    assert opened.run("() => document.documentElement.scrollHeight") > 400
    assert opened.run("() => app.panes.view.scroller.clientHeight") > 200
    assert opened.page.locator("#panels").bounding_box()["height"] > 200
    assert not opened.page.locator(".pane .side").is_visible()
    buttons = ".chip-away, .chip-name, .step, .quiet, .tab"
    sizes = f"""() => [...document.querySelectorAll('{buttons}')].filter((one) => one.checkVisibility())
        .map((one) => one.getBoundingClientRect()).map(({{ width, height }}) => Math.min(width, height))"""
    assert min(opened.run(sizes)) >= 24
    opened.page.context.new_cdp_session(opened.page).send(
        "Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 1}
    )
    opened.wait("matchMedia('(pointer: coarse)').matches")
    assert min(opened.run(sizes)) >= 31.9
