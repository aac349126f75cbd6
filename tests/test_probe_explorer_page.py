"""The explorer's page in Chromium, reading: what is drawn, chosen, asked and jumped to is what the server has."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command
from explorer_clients import explored
from explorer_pages import ExplorerPage, known_recording, known_text, pages, wait_until
from explorer_standin import Recording, StandIn

from activations.recordings.recording import Recording as RecordingFile
from probe.explorer.server import page_files
from probe.viewer.colours import Theme, colours
from probe.viewer.making import text_view

Open = Callable[..., ExplorerPage]


@pytest.fixture
def open_page(browser: Any) -> Iterator[Open]:
    with pages(browser) as opener:
        yield opener


# ---- The text


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_text_has_the_colours_of_its_tracks(open_page: Open, theme: Theme) -> None:
    recording = known_recording()
    opened = open_page(recording, fragment="#u=0/cell/3&h=in_comment&t=unit,labels,1/cell/2,loss", theme=theme)
    opened.wait("app.panes.view.panels[0].tracks.length === 4")
    opened.ready()
    assert opened.tracks() == ["0/cell/3", "in_comment", "1/cell/2", "loss"]
    opened.check_colours(recording, ["0/cell/3", "in_comment", "1/cell/2", "loss"], theme)


def test_a_text_of_any_length_is_read_in_tiles(open_page: Open) -> None:
    """Of two million characters only what is near the screen is asked for, and the last can be reached."""
    n_chars = 2_000_000
    rng = np.random.default_rng(4)
    text = "".join(map(chr, np.where(rng.random(n_chars) < 0.03, 10, rng.integers(97, 123, n_chars))))
    unit = rng.normal(size=(n_chars, 2)).astype(np.float32)
    opened = open_page(Recording("long.h5", text, {"0/cell": unit}))
    assert "2,000,000" in opened.run("() => app.panes.view.scroller.ariaLabel")
    opened.press("Control+End")
    opened.wait("app.panes.view.inspector.code.textContent.startsWith('U+')")
    assert f"position {n_chars - 1:,}" in opened.page.locator(".side").inner_text()
    shown = opened.page.locator(".row").all_text_contents()
    assert text.endswith(shown[-1])
    opened.run("() => app.goTo(1234567)")
    opened.ready()
    assert f"U+{ord(text[1_234_567]):04X}" in opened.page.locator(".side").inner_text()
    asked = {(query.get("kind"), query["tile"]) for query in opened.stand_in.asked_of("tile")}
    assert len(asked) < 40
    assert len(asked) == len(opened.stand_in.asked_of("tile"))  # each once


def test_fast_scrolling_overtakes_what_it_passes(open_page: Open) -> None:
    """With a slow server, tiles that were passed are not waited for, and the place where it ends is drawn."""
    n_chars = 3_000_000
    rng = np.random.default_rng(4)
    text = "".join(map(chr, np.where(rng.random(n_chars) < 0.03, 10, rng.integers(97, 123, n_chars))))
    opened = open_page(Recording("long.h5", text, {"0/cell": np.zeros((n_chars, 1), np.float32)}))
    opened.stand_in.delay = lambda path, query: 0.15
    before = len(opened.stand_in.asked_of("tile"))
    opened.run("""async () => {
        const { scroller } = app.panes.view;
        for (let n = 1; n <= 120; n++) {
            scroller.scrollTop = (n / 120) * scroller.scrollHeight;
            await new Promise((done) => requestAnimationFrame(done));
        }
    }""")
    opened.wait("[...document.querySelectorAll('.row')].some((row) => row.textContent)")
    opened.ready()
    assert text.endswith(opened.page.locator(".row").all_text_contents()[-1])
    assert len(opened.stand_in.asked_of("tile")) - before < 100  # 183 tiles were passed, each with two parts


def test_the_character_under_the_pointer_is_inspected(open_page: Open) -> None:
    recording = known_recording()
    opened = open_page(recording, fragment="#u=0/cell/3&h=in_comment")
    opened.wait("app.panes.view.panels[0].tracks.length === 2")
    x, y = opened.corners(recording)
    opened.page.mouse.move(x[70] + 3, y[70] + 4)
    opened.wait("app.pointed === 70")
    said = opened.page.locator(".pane .side").inner_text()
    assert f"U+{ord(recording.text[70]):04X}" in said and "position 70" in said and "one.py" in said
    levels, scale = recording.levels({"unit": "0/cell/3"})
    value = opened.page.locator(".card .value").first.inner_text().replace("−", "-")
    assert float(value) == pytest.approx(scale.values(levels)[70], abs=2 * scale.step)


def test_the_inspector_has_the_exact_values_once_the_pointer_stays(open_page: Open) -> None:
    """Of every unit shown, in both recordings, with six digits; values of characters that were passed never stay."""
    text = known_text()
    first, second = known_recording("a.h5", 0, text), known_recording("b.h5", 1, text)
    opened = open_page(first, second, fragment="#r=0,1&u=0/cell/3&t=unit,1/cell/2")
    x, y = opened.corners(first)
    opened.page.mouse.move(x[70] + 3, y[70] + 4)
    opened.wait("app.pointed === 70")
    for view, recording in enumerate((first, second)):
        for card, unit in enumerate(("0/cell/3", "1/cell/2")):
            exact = f"{float(f'{recording.values(unit)[70]:.6g}'):.15g}".replace("-", "−")
            shown = f"document.querySelectorAll('.pane')[{view}].querySelectorAll('.card .value')[{card}].textContent"
            opened.wait(f"{shown} === '{exact}'")
    for place in range(71, 78):
        opened.page.mouse.move(x[place] + 3, y[place] + 4)
    opened.wait("app.pointed === 77")
    unit = "0/cell/3"
    exact = f"{float(f'{first.values(unit)[77]:.6g}'):.15g}".replace("-", "−")
    opened.wait(f"document.querySelector('.card .value').textContent === '{exact}'")


# ---- Units, sites and tracks


def test_units_and_sites_are_stepped_by_key(open_page: Open) -> None:
    recording = known_recording()
    opened = open_page(recording)
    assert opened.state("unit") == "0/cell/0"  # the first cell
    for key, unit in (
        ("]", "0/cell/1"),
        ("]", "0/cell/2"),
        ("}", "0/input_gate/2"),
        ("}", "1/cell/2"),
        ("{", "0/input_gate/2"),
        ("{", "0/cell/2"),
        ("[", "0/cell/1"),
    ):
        opened.press(key)
        assert opened.state("unit") == unit
        assert opened.tracks() == [unit]
        assert opened.page.get_by_role("combobox", name="Unit").input_value() == unit
    opened.check_colours(recording, ["0/cell/1"])
    opened.press("[", "[")
    assert opened.state("unit") == "0/hidden/8"  # on into the site before
    opened.press("{")
    assert opened.page.locator(".said").inner_text() == "this is the first site"
    opened.run("() => app.showUnit('1/cell/5')")
    opened.press("]")
    assert opened.page.locator(".said").inner_text() == "this is the last unit"


def test_a_unit_is_chosen_by_its_name_with_completion(open_page: Open) -> None:
    opened = open_page()
    opened.press("u")
    options = opened.page.locator("#bar [role=option]")
    opened.page.keyboard.type("1/ce")
    assert options.all_inner_texts() == [f"1/cell/{number}" for number in range(6)]
    opened.press("ArrowDown", "ArrowDown", "Enter")
    assert opened.state("unit") == "1/cell/1"
    assert opened.run("() => document.activeElement.className") == "scroller"
    opened.press("u")
    opened.page.keyboard.type("4")
    assert options.first.inner_text() == "1/cell/4"
    opened.press("Enter")
    assert opened.state("unit") == "1/cell/4"
    opened.page.get_by_role("combobox", name="Site").select_option("0/hidden")
    opened.ready()
    assert opened.state("unit") == "0/hidden/4" and opened.tracks() == ["0/hidden/4"]
    opened.press("u")
    opened.page.keyboard.type("9/cell/1")
    opened.press("Enter")
    assert opened.page.locator(".said").inner_text() == "there is no unit 9/cell/1; units are named like 0/cell/0"
    assert opened.state("unit") == "0/hidden/4"


def test_up_to_four_tracks_are_kept_ordered_and_taken_away(open_page: Open) -> None:
    recording = known_recording()
    opened = open_page(recording, fragment="#h=in_quotes")
    opened.wait("app.panes.view.panels[0].tracks.length === 2")
    opened.press("k", "]", "]")
    assert opened.tracks() == ["0/cell/2", "in_quotes", "0/cell/0"]
    opened.page.get_by_role("button", name="+ loss").click()
    opened.ready()
    assert opened.tracks() == ["0/cell/2", "in_quotes", "0/cell/0", "loss"]
    opened.check_colours(recording, opened.tracks())
    opened.press("k")
    assert opened.page.locator(".said").inner_text() == "four tracks are shown; take one away first"
    opened.page.get_by_role("button", name="in_quotes", exact=True).click()
    opened.ready()
    assert opened.tracks() == ["in_quotes", "0/cell/2", "0/cell/0", "loss"]
    opened.check_colours(recording, opened.tracks())
    opened.page.get_by_role("button", name="Take 0/cell/0 away").click()
    opened.page.get_by_role("button", name="Take in_quotes away").click()
    opened.ready()
    assert opened.tracks() == ["0/cell/2", "loss"]
    assert opened.state("hypothesis") == ""


def test_the_last_unit_is_shown_however_slow_the_server_is(open_page: Open) -> None:
    """Requests for units that were passed are aborted, and none that comes late replaces a later one."""
    recording = known_recording()
    opened = open_page(recording)
    slow = {"0/cell/1": 0.8, "0/cell/2": 0.6, "0/cell/3": 0.5}
    opened.stand_in.delay = lambda path, query: slow.get(query.get("unit", ""), 0.0)
    for _ in range(4):
        opened.page.keyboard.press("]")
        opened.page.wait_for_timeout(40)
    opened.wait("app.panes.view.header.tracks[app.panes.view.panels[0].tracks[0]].name === '0/cell/4'")
    opened.page.wait_for_timeout(900)
    assert opened.tracks() == ["0/cell/4"]
    opened.check_colours(recording, ["0/cell/4"])
    for unit in slow:
        assert any(unit.replace("/", "%2F") in url for url in opened.aborted)


def test_the_old_unit_stays_until_the_next_is_there(open_page: Open) -> None:
    """No frame is empty: the text keeps its colours while the next unit is on its way."""
    recording = known_recording()
    opened = open_page(recording)
    opened.stand_in.delay = lambda path, query: 0.6 if query.get("unit") == "0/cell/1" else 0.0
    opened.page.keyboard.press("]")
    opened.page.wait_for_timeout(200)
    assert opened.state("unit") == "0/cell/1"
    opened.check_colours(recording, ["0/cell/0"])
    opened.wait("app.panes.view.header.tracks[app.panes.view.panels[0].tracks[0]].name === '0/cell/1'")
    opened.ready()
    opened.check_colours(recording, ["0/cell/1"])


# ---- Two recordings


def test_two_recordings_stay_at_the_same_place(open_page: Open) -> None:
    text = known_text()
    recordings = [known_recording(name, seed, text) for seed, name in enumerate(("first.h5", "second.h5"))]
    opened = open_page(*recordings, fragment="#u=0/cell/3&h=in_comment")
    choice = opened.page.get_by_role("combobox", name="Recordings")
    assert choice.input_value() == "0"
    choice.select_option("0,1")
    opened.wait("app.panes.views.length === 2 && app.panes.views.every((view) => view.panels[0].tracks.length === 2)")
    opened.ready()
    for number, recording in enumerate(recordings):
        assert opened.tracks(number) == ["0/cell/3", "in_comment"]
        opened.check_colours(recording, ["0/cell/3", "in_comment"], view=number)
    places = "() => app.panes.views.map(({ place }) => [place.position, Math.round(place.below)])"
    opened.page.mouse.move(200, 500)
    opened.page.mouse.wheel(0, 3333)
    opened.page.wait_for_timeout(300)
    [first, second] = opened.ready().run(places)
    assert first == second and first[0] > 500
    opened.page.mouse.move(800, 500)
    opened.page.mouse.wheel(0, 9000)
    opened.page.wait_for_timeout(300)
    [first, after] = opened.ready().run(places)
    assert first == after and after[0] > second[0]
    opened.page.mouse.click(800, 500)
    opened.ready()
    carets = opened.run("() => app.panes.views.map(({ caret }) => caret.position)")
    assert carets[0] == carets[1] == opened.state("position") > 500
    x, y = opened.run("""() => {
        const view = app.panes.views[1];
        const box = view.scroller.getBoundingClientRect();
        return [box.left + view.gutter + 3, box.top + box.height / 2];
    }""")
    opened.page.mouse.move(x, y - 20)
    opened.page.mouse.move(x, y)
    opened.wait("app.pointed !== null")
    opened.ready()
    pointed = opened.run("() => app.panes.views.map(({ pointed }) => pointed.position)")
    assert pointed[0] == pointed[1]
    sides = [re.search(r"position ([\d,]+)", text)[1] for text in opened.page.locator(".pane .side").all_inner_texts()]  # type: ignore[index]
    assert sides[0] == sides[1] == f"{pointed[0]:,}"
    opened.run("() => app.goTo(30000)")
    opened.ready()
    [first, second] = opened.run(places)
    assert first == second and abs(first[0] - 30_000) < 3000
    assert opened.page.locator(".overview").count() == 2


def test_recordings_of_different_texts_keep_their_places(open_page: Open) -> None:
    recordings = known_recording("first.h5"), known_recording("second.h5", text=known_text()[::-1])
    opened = open_page(*recordings, fragment="#r=0,1&u=0/cell/3")
    opened.page.mouse.move(200, 500)
    opened.page.mouse.wheel(0, 3333)
    opened.page.wait_for_timeout(300)
    first, second = opened.ready().run("() => app.panes.views.map(({ place }) => place.position)")
    assert first > 500 and second == 0
    assert "these texts differ" in opened.page.locator(".pane .message").first.inner_text()


def test_a_recording_without_the_unit_says_so(open_page: Open) -> None:
    small = known_recording("small.h5")
    small.sites = {"0/cell": small.sites["0/cell"][:, :2]}
    opened = open_page(known_recording("large.h5"), small, fragment="#r=0,1&u=0/cell/7")
    opened.ready()
    assert opened.tracks(0) == ["0/cell/7"] and opened.tracks(1) == []
    assert opened.page.locator(".pane .message").nth(1).inner_text() == "there is no unit 0/cell/7 in small.h5"


# ---- The whole text


def test_the_strip_has_the_extremes_of_the_unit_and_the_labels(open_page: Open) -> None:
    recording = known_recording()
    opened = open_page(recording, fragment="#u=0/cell/3&h=in_comment")
    opened.wait("app.labelsOf(0)")
    opened.ready()
    box = opened.page.locator(".overview canvas").bounding_box()
    pixels = opened.pixels()
    levels, _ = recording.levels({"unit": "0/cell/3"})
    n = round(box["width"])
    assert opened.stand_in.asked_of("overview")[0]["bins"] == str(n)
    height = round(box["height"]) - 5
    table = colours("diverging", "light")
    high, low = table[round(255 * 0.88)].tolist(), table[round(255 * 0.12)].tolist()
    middle = round((254 - 127) / 254 * (height - 1))
    n_labelled = 0
    for i, part in enumerate(np.array_split(levels, n)):
        column = pixels[round(box["y"]) : round(box["y"]) + height, round(box["x"]) + i]
        if 30 < i < n - 5 and i % 9 == 0 and abs(i - n // 3) > 3:
            top = round((254 - int(part.max())) / 254 * (height - 1))
            bottom = round((254 - int(part.min())) / 254 * (height - 1))
            if top < middle - 1:
                assert column[top].tolist() == high and column[top - 1].tolist() not in (high, low), i
            if bottom > middle + 1:
                assert column[bottom].tolist() == low and column[bottom + 1].tolist() not in (high, low), i
            is_true = np.array_split(recording.labels["in_comment"][0], n)[i].any()
            green = pixels[round(box["y"]) + height + 3, round(box["x"]) + i].tolist()
            assert (green == colours("binary", "light")[1].tolist()) == is_true, i
            n_labelled += int(is_true)
    assert n_labelled > 5


def test_the_strip_shows_where_the_loss_is_high_while_the_loss_colours_the_characters(open_page: Open) -> None:
    recording = known_recording()
    opened = open_page(recording, fragment="#u=0/cell/3&t=unit,loss")
    opened.page.get_by_role("button", name="loss", exact=True).click()
    opened.ready()
    assert [query.get("loss") for query in opened.stand_in.asked_of("overview")] == [None, "1"]
    box = opened.page.locator(".overview canvas").bounding_box()
    levels, _ = recording.levels({"loss": "1"})
    n, height = round(box["width"]), round(box["height"])
    highest = np.array([part.max() for part in np.array_split(levels, n)])
    bar = colours("sequential", "light")[round(255 * 0.88)].tolist()
    pixels = opened.pixels()
    for i in range(40, n - 5, 9):
        column = pixels[round(box["y"]) : round(box["y"]) + height, round(box["x"]) + i].tolist()
        top = round((254 - int(highest[i])) / 254 * (height - 1))
        assert column[top] == bar, i
        assert top == 0 or column[top - 1] != bar or abs(i - n // 3) < 4, i
    opened.page.get_by_role("button", name="0/cell/3", exact=True).click()
    opened.ready()
    assert opened.stand_in.asked_of("overview")[-1]["unit"] == "0/cell/3"


def test_the_strip_says_that_it_is_a_sample_until_the_levels_are_prepared(open_page: Open) -> None:
    opened = open_page(known_recording(), fragment="#u=0/cell/3")
    strip = opened.page.locator(".overview")
    assert strip.get_attribute("data-sample") == ""
    opened.stand_in.is_sampled = True
    opened.page.keyboard.press("]")
    opened.page.wait_for_selector(".overview[data-sample='a sample']")
    n_asked = len(opened.stand_in.asked_of("overview"))
    opened.stand_in.is_sampled = False
    opened.run("() => app.emit('prepared')")
    opened.page.wait_for_selector(".overview[data-sample='']")
    assert len(opened.stand_in.asked_of("overview")) == n_asked + 1


def test_the_strip_jumps_and_marks_the_window(open_page: Open) -> None:
    recording = known_recording()
    opened = open_page(recording)
    n_chars = len(recording.text)
    strip = opened.page.locator(".overview")
    box = strip.bounding_box()

    def check_mark() -> None:
        mark = opened.page.locator(".overview-window").bounding_box()
        start, stop = opened.run("() => app.seen")
        assert mark["x"] == pytest.approx(box["x"] + start / n_chars * box["width"], abs=3)
        assert mark["width"] == pytest.approx(max((stop - start) / n_chars * box["width"], 5), abs=3)

    check_mark()
    for share in (0.7, 0.25):
        opened.page.mouse.click(box["x"] + share * box["width"], box["y"] + 9)
        opened.page.wait_for_timeout(150)
        opened.ready()
        assert opened.state("position") == pytest.approx(share * n_chars, abs=n_chars / 500)
        start, stop = opened.run("() => app.seen")
        assert start <= opened.state("position") < stop
        check_mark()
    opened.page.mouse.move(box["x"] + 100, box["y"] + 9)
    opened.page.mouse.down()
    opened.page.mouse.move(box["x"] + 500, box["y"] + 30, steps=5)
    opened.page.mouse.up()
    opened.ready()
    assert opened.state("position") == pytest.approx(500 / box["width"] * n_chars, abs=n_chars / 300)
    strip.focus()
    assert strip.get_attribute("role") == "slider"
    for key, position in (("Home", 0), ("PageUp", 2000), ("PageUp", 4000), ("PageDown", 2000), ("End", n_chars - 1)):
        opened.press(key)
        assert abs(opened.state("position") - position) < 1500, key
    opened.press("Home")
    assert opened.state("position") == 0
    stop = opened.run("() => app.seen[1]")
    opened.press("ArrowRight")
    assert opened.state("position") == pytest.approx(stop, abs=100)
    assert "of 40,000" in strip.get_attribute("aria-valuetext")


# ---- Questions


def test_a_typed_pattern_is_drawn_at_once_and_ranks_the_units(open_page: Open) -> None:
    """Labels and quick rows come while the rest is on its way, then intervals, controls, warnings; rows show units."""
    recording = known_recording()
    stand_in = StandIn(recording)
    stand_in.hold_ranking.clear()
    stand_in.warnings = ["True only rarely"]
    opened = open_page(stand_in=stand_in)
    opened.press("a")
    opened.page.keyboard.type("/#[^\\n]*/")
    opened.wait("document.querySelectorAll('.ranking tbody tr').length > 5")
    hypothesis = "regex:'#[^\\n]*'"
    opened.press("Escape")  # the list
    assert opened.tracks() == ["0/cell/0", hypothesis]
    opened.check_colours(recording, ["0/cell/0", hypothesis])
    panel = opened.page.get_by_role("tabpanel", name="Ask")
    assert panel.locator("h2").inner_text() == hypothesis
    n_true = int(recording.labels[hypothesis][0].sum())
    assert f"True at {n_true:,} of 40,000 characters, {n_true / 400:.1f}\u00a0%" in panel.inner_text()
    rows = panel.locator("tbody tr")
    assert {rows.nth(n).locator("th").inner_text() for n in range(2)} == {"0/cell/3", "0/hidden/3"}
    assert rows.count() == 24 and "input_gate" not in panel.inner_text()
    assert panel.locator(".interval-bar").count() == 0
    assert panel.get_by_role("listitem").all_inner_texts() == ["True only rarely"]
    assert panel.locator("progress").get_attribute("value") == "0.25"
    stand_in.hold_ranking.set()
    opened.wait("document.querySelector('.controls .control')")
    assert rows.count() == 33 and "input_gate" in panel.inner_text()
    assert panel.get_by_role("listitem").all_inner_texts() == ["True only rarely", "few runs are held out"]
    assert not panel.locator("progress").is_visible()
    first = rows.first
    score = float(first.locator(".score").inner_text())
    assert score > 0.99
    assert first.locator(".interval-bar").get_attribute("aria-label") == f"{score - 0.02:.3f} to 1.000"
    assert first.locator(".control-mark").count() == 2
    assert panel.locator(".control").all_inner_texts() == ["chars\n0.710 (0.690 to 0.730)", "position\n0.550"]
    rows.nth(1).get_by_role("button").click()
    opened.ready()
    unit = rows.nth(1).locator("th").inner_text()
    assert opened.state("unit") == unit and opened.tracks()[0] == unit
    assert rows.nth(1).get_attribute("aria-current") == "true" and first.get_attribute("aria-current") is None


def test_hypotheses_are_completed_and_combined(open_page: Open) -> None:
    opened = open_page()
    opened.press("a")
    opened.page.keyboard.type("in_c")
    names = opened.page.locator("#bar [role=option] .name")
    assert names.all_inner_texts() == ["in_comment", "/in_c/"]
    opened.press("ArrowDown", "Enter")
    opened.wait("app.labelsOf(0)?.name === 'in_comment'")
    opened.press("a", "End")
    opened.page.keyboard.type(" & in_q")
    assert names.all_inner_texts()[0] == "in_quotes"
    opened.press("ArrowDown", "Tab")
    assert opened.page.get_by_role("combobox", name="Hypothesis").input_value() == "in_comment & in_quotes"
    opened.press("a", "Control+A")
    opened.page.keyboard.type("reg")
    opened.press("ArrowDown", "Enter")
    assert opened.page.get_by_role("combobox", name="Hypothesis").input_value() == "regex:"  # a pattern is to follow
    opened.page.keyboard.type("a+")
    opened.press("Enter")
    opened.wait("app.labelsOf(0)?.name === 'regex:a+'")
    opened.press("a", "Control+A")
    opened.page.keyboard.type("in the comment")  # what somebody calls it, who does not know its name
    assert names.all_inner_texts() == ["in_comment", "/in the comment/"]
    opened.press("ArrowDown", "Enter")
    opened.wait("app.labelsOf(0)?.name === 'in_comment'")


def test_what_cannot_be_read_is_said_and_the_labels_stay(open_page: Open) -> None:
    opened = open_page(fragment="#h=in_comment")
    opened.wait("app.labelsOf(0)")
    opened.press("a", "Control+A")
    opened.page.keyboard.type("in_quote")
    message = opened.page.locator(".box-message")
    opened.press("Escape")
    opened.wait("document.querySelector('.box-message').textContent")
    assert message.inner_text().startswith("no hypothesis named 'in_quote'") and message.is_visible()
    assert opened.state("hypothesis") == "in_comment"
    assert opened.tracks() == ["0/cell/0", "in_comment"]
    opened.page.keyboard.type("s")
    opened.wait("app.labelsOf(0)?.name === 'in_quotes'")
    assert message.inner_text() == ""


def test_a_question_that_is_overtaken_is_dropped(open_page: Open) -> None:
    """The ranking of the first pattern is aborted when a second is asked, and never shown."""
    recording = known_recording()
    stand_in = StandIn(recording)
    stand_in.hold_ranking.clear()
    opened = open_page(stand_in=stand_in, fragment="#h=in_comment")
    opened.wait("document.querySelector('.ranking tbody tr')")
    opened.run("() => void app.ask('in_quotes')")
    opened.wait("document.querySelector('.panel h2').textContent === 'in_quotes'")
    opened.wait("document.querySelector('.ranking:not(.stale) tbody tr')")
    assert [url.rpartition("/")[2] for url in opened.aborted if "/value?" not in url] == ["rank"]
    stand_in.hold_ranking.set()
    opened.wait("document.querySelector('.controls .control')")
    assert opened.page.locator(".ranking tbody th").first.inner_text() in ("0/cell/5", "0/hidden/5")
    assert opened.page.locator(".ranking .sign").first.inner_text() == "−"


def test_labels_that_the_server_forgot_are_asked_for_again(open_page: Open) -> None:
    recording = known_recording()
    opened = open_page(recording, fragment="#h=in_comment")
    opened.wait("app.panes.view.panels[0].tracks.length === 2")
    n_asked = len(opened.stand_in.asked_of("labels"))
    recording.labels.clear()
    opened.press("Control+End")
    cards = "app.panes.view.inspector.cards.textContent"
    opened.wait(f"{cards}.includes('in_comment') && !{cards}.includes('…')")
    assert len(opened.stand_in.asked_of("labels")) == n_asked + 1
    opened.press("Control+Home")
    opened.check_colours(recording, ["0/cell/0", "in_comment"])


# ---- The server itself


def test_the_page_shows_what_the_commands_say(browser: Any, planted: Path, run: Command) -> None:
    """With the server in place of the stand-in: the ranking, the levels and the labels are those of the commands."""
    status, out, err = run("rank", planted, "--hypothesis", "in_quotes", "--top", 20, "--json")
    assert status == 0, err
    expected = [json.loads(line) for line in out.splitlines()]
    with explored(planted, page=dict(page_files())) as client:
        page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
        mishaps: list[str] = []
        page.on("pageerror", lambda error: mishaps.append(str(error)))
        page.on("console", lambda message: mishaps.append(message.text))
        page.goto(f"{client.address.url}#h=in_quotes&u=1/cell/7")
        wait_until(page, "document.querySelectorAll('.ranking .interval-bar').length >= 20")
        assert page.url.endswith("/#h=in_quotes&u=1/cell/7") or "&v=" in page.url  # without the token
        rows = page.locator(".ranking tbody tr")
        for number, row in enumerate(expected):
            assert rows.nth(number).locator("th").inner_text() == row["unit"]
            assert rows.nth(number).locator(".score").inner_text() == f"{row['held_out_auc']:.3f}"
            interval = "no interval" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}"
            assert rows.nth(number).locator(".interval-bar").get_attribute("aria-label") == interval
        [shown] = [row for row in expected if row["unit"] == "1/cell/7"]
        assert page.locator(".shown-unit").inner_text() == (
            f"1/cell/7: AUC {shown['held_out_auc']:.3f} ({shown['low']:.3f} to {shown['high']:.3f}), "
            f"{'higher' if shown['direction'] > 0 else 'lower'} where the label is True"
        )
        check_controls(page, planted, run)
        with RecordingFile(planted) as recording:
            span = (0, len(recording.corpus))
            view = text_view(recording, units=["1/cell/7"], hypotheses=["in_quotes"], span=span)
        tracks = {track.name: track for track in view.tracks}
        unit, labels = tracks["1/cell/7"], tracks["in_quotes"]
        shown = page.evaluate("""() => {
            const { provider, panels, header } = app.panes.view;
            const levels = (track) => Array.from(provider.tile("tracks", track, 0));
            return panels[0].tracks.map((track) => [header.tracks[track].scale, levels(track)]);
        }""")
        assert shown[1][1] == labels.levels[: len(shown[1][1])].tolist()
        values = shown[0][0]["offset"] + np.array(shown[0][1]) * shown[0][0]["step"]
        steps = shown[0][0]["step"] + unit.scale.step
        assert np.abs(values - unit.values[: len(values)]).max() < steps
        page.context.close()
    assert mishaps == []


def check_controls(page: Any, planted: Path, run: Command) -> None:
    """What is said beside the ranking without the model is what `fit` prints."""
    status, out, err = run("fit", "in_quotes", planted, "--sites", "1/cell", "--controls", "chars,position", "--json")
    assert status == 0, err
    printed = [row for row in map(json.loads, out.splitlines()) if row["control"]]
    wait_until(page, "document.querySelector('.controls .control')")
    intervals = ["" if row["low"] is None else f" ({row['low']:.3f} to {row['high']:.3f})" for row in printed]
    scores = [as_shown(row["auc"]) for row in printed]
    expected = [
        f"{row['site']}\n{score}{interval}" for row, score, interval in zip(printed, scores, intervals, strict=True)
    ]
    assert page.locator(".controls .control").all_inner_texts() == expected and len(expected) == 4
    marks = page.locator(".ranking tbody tr").first.locator(".control-mark")
    titles = [mark.get_attribute("title") for mark in marks.all()]
    assert titles == [f"{row['site']} {score}" for row, score in zip(printed, scores, strict=True)]


def as_shown(score: float) -> str:
    """A score as the page has it: one that is not quite 1 is not written as 1."""
    return "> 0.999" if 0.9995 <= score < 1 else f"{score:.3f}"
