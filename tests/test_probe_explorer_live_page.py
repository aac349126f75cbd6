"""The panels Try and Steer in Chromium, on a real server: what is shown is what the model says."""

import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from commands import Command, rows
from explorer_clients import Client, explored
from explorer_live_pages import LivePage, live_pages
from explorer_models import recorded_model
from explorer_pages import wait_until
from test_probe_explorer_live import TEXT, UNIT, levels_of

from probe.explorer.server import page_files
from probe.viewer.colours import Theme, colours
from probe.viewer.scales import Scale
from probe.viewer.tracks import guesses_of

pytestmark = pytest.mark.slow  # Chromium draws the page some twenty times
Open = Callable[..., LivePage]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    _, path, recording = recorded_model(tmp_path_factory.mktemp("live"))
    with explored(recording, model=path, page=dict(page_files())) as client:
        yield client


@pytest.fixture
def open_page(browser: Any, client: Client) -> Iterator[Open]:
    with live_pages(browser, client) as opener:
        yield opener


def try_at(text: str, more: str = "") -> str:
    return f"#u={UNIT}&panel=try&try={quote(text)}{more}"


def drawn(opened: LivePage, layer: str) -> list[str]:
    """The colour of each character in a layer."""
    names: list[str] = opened.run(
        "(layer) => [...document.querySelectorAll('.typed-marks span:not(.typed-end)')]"
        ".map((span) => span.style.getPropertyValue('--' + layer))",
        layer,
    )
    return names


def with_class(opened: LivePage, name: str) -> list[int]:
    """The positions of the characters that have a class."""
    positions: list[int] = opened.run(
        "(name) => [...document.querySelectorAll('.typed-marks span')]"
        ".flatMap((span, i) => (span.classList.contains(name) ? [i] : []))",
        name,
    )
    return positions


def expected(shown: dict[str, Any], theme: Theme = "light") -> list[str]:
    levels = levels_of(shown)
    scale = Scale(**{key: value for key, value in shown["scale"].items() if key != "pivot"})
    table = colours(scale.kind, theme)
    rows = table[scale.colours(levels) % len(table)]
    return [
        "transparent" if level == 255 else "rgb({}, {}, {})".format(*row)
        for level, row in zip(levels.tolist(), rows.tolist(), strict=True)
    ]


def asked(client: Client, text: str, **more: Any) -> dict[str, Any]:
    answer: dict[str, Any] = client.post("/api/try", {"text": text, "units": [UNIT], "hypothesis": "", **more}).json
    return answer


# ---- Try text


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_typed_text_is_coloured_by_the_unit_the_hypothesis_and_the_loss(
    open_page: Open, client: Client, theme: Theme
) -> None:
    opened = open_page(f"#u={UNIT}&h=in_quotes&panel=try", theme=theme)
    opened.type(TEXT)
    opened.read(len(TEXT))
    answer = asked(client, TEXT, hypothesis="in_quotes")
    assert drawn(opened, "unit") == expected(answer["units"][UNIT], theme)
    assert drawn(opened, "labels") == expected(answer["labels"], theme)
    assert drawn(opened, "loss") == expected(answer["loss"], theme)
    n_asked = sum(url.endswith("/api/try") for url in opened.requests)
    assert 1 <= n_asked <= len(TEXT)
    size = opened.run("() => ['.typed-marks', '.typed-field'].map((name) => document.querySelector(name).scrollHeight)")
    assert size[0] == size[1], "the field lies over its colours"


def test_every_unit_appears_as_it_is_chosen(open_page: Open, client: Client) -> None:
    opened = open_page(try_at(TEXT))
    opened.read(len(TEXT))
    opened.run("() => app.showUnit('0/forget_gate/5')")
    opened.wait("app.state.get('unit') === '0/forget_gate/5'")
    opened.ready()
    shown = asked(client, TEXT, units=["0/forget_gate/5"])["units"]["0/forget_gate/5"]
    assert drawn(opened, "unit") == expected(shown)


def test_five_guesses_and_the_loss_are_shown_at_the_caret(open_page: Open, client: Client) -> None:
    opened = open_page(try_at(TEXT))
    opened.read(len(TEXT))
    opened.page.locator(".typed-field").press("Home")
    opened.page.locator(".typed-field").press("ArrowUp")
    for _ in range(5):
        opened.page.locator(".typed-field").press("ArrowRight")
    opened.wait("document.querySelector('.guesses h3')?.textContent.includes('at 4,')")
    answer = asked(client, TEXT)
    names = {" ": "blank", "\n": "newline"}
    best = [answer["guessed"][number] for number in answer["guess_ids"][4]]
    told = opened.page.locator(".guess .name").all_inner_texts()
    assert told == [names.get(guess, f"“{guess}”") for guess in best]
    shares = opened.page.locator(".guess .number").all_inner_texts()
    percentages = np.array([float(share.rstrip("%\u00a0")) for share in shares])
    levels = np.frombuffer(levels_of({"levels": answer["guess_levels"]}), np.uint8).reshape(-1, 5)
    np.testing.assert_allclose(percentages, levels[4] / 2.55, atol=0.6)
    assert f"{answer['losses'][4]:.3f} nats" in opened.said(".typed-legend")


@pytest.mark.parametrize("by", ["pointer", "caret"])
def test_a_character_shows_which_earlier_ones_the_next_prediction_depends_on(
    open_page: Open, client: Client, by: str
) -> None:
    opened = open_page(try_at(TEXT))
    opened.read(len(TEXT))
    if by == "pointer":
        box = opened.page.locator(".typed-marks span").nth(8).bounding_box()
        opened.page.mouse.move(box["x"] + 3, box["y"] + 4)
    else:
        for key in ("Home", "ArrowUp", *["ArrowRight"] * 9):
            opened.page.locator(".typed-field").press(key)
    opened.wait("document.querySelector('.typed-legend')?.textContent.includes('depends on')")
    opened.ready()
    answer = client.post("/api/depends", {"text": TEXT, "position": 8}).json
    assert drawn(opened, "depends") == expected(answer)
    most = [place for place in np.argsort(answer["norms"])[::-1][:3] if answer["norms"][place] > 0]
    assert [f" at {place}" for place in most] == re.findall(r" at \d+", opened.said(".typed-legend"))
    assert with_class(opened, "place") == [8]
    if by == "pointer":
        opened.page.mouse.move(5, 5)
        opened.wait("!document.querySelector('.typed-legend')?.textContent.includes('at 8')")


def test_one_character_is_changed_and_it_is_seen_what_changes_and_for_how_long(open_page: Open, client: Client) -> None:
    opened = open_page(try_at(TEXT))
    opened.read(len(TEXT))
    for key in ("Home", "ArrowUp", *["ArrowRight"] * 5):
        opened.page.locator(".typed-field").press(key)
    assert opened.said(".change-form label") == "Change “c” at 4 to"
    opened.page.locator(".changed-to").fill("f")
    opened.page.locator(".changed-to").press("Enter")
    opened.wait("document.querySelector('.change-result tbody tr')")
    answer = client.post("/api/change", {"text": TEXT, "position": 4, "character": "f"}).json
    rows = opened.page.locator(".change-result tbody tr")
    assert rows.count() == len(answer["units"])
    for number in (0, 5):
        unit = answer["units"][number]
        cells = rows.nth(number).locator("th, td").all_inner_texts()
        assert cells[0] == unit["unit"]
        assert float(cells[1].replace("−", "-")) == pytest.approx(unit["largest"], abs=0.0051)
        lasts = unit["lasts"]
        assert cells[2] == (f"≥ {answer['n_steps'] - 1}" if lasts is None else str(lasts))
    assert opened.page.locator(".sparkline").count() == len(answer["units"])
    assert with_class(opened, "changed") == [4]
    rows.first.locator("button").click()
    opened.ready()
    assert opened.state("unit") == answer["units"][0]["unit"]
    opened.page.get_by_role("button", name="Use the changed text").click()
    assert opened.page.locator(".typed-field").input_value() == TEXT[:4] + "f" + TEXT[5:]


def test_an_overtaken_text_is_never_shown(open_page: Open, client: Client) -> None:
    opened = open_page(try_at("a"))
    opened.read(1)
    assert opened.said(".panel-try .message") == "type on: the model reads two characters or more"
    field = opened.page.locator(".typed-field")
    for n in range(1, 12):
        field.fill('ab"cd' * n)
        opened.page.wait_for_timeout(45)
    opened.read(55)
    assert drawn(opened, "unit") == expected(asked(client, 'ab"cd' * 11)["units"][UNIT])


def test_the_address_holds_the_text(open_page: Open, client: Client) -> None:
    opened = open_page(f"#u={UNIT}&panel=try&h=in_quotes")
    opened.type(TEXT)
    opened.read(len(TEXT))
    address = opened.run("() => app.state.write()")
    again = open_page("#" + address.partition("#")[2])
    again.read(len(TEXT))
    assert again.page.locator(".typed-field").input_value() == TEXT
    for layer in ("unit", "labels", "loss"):
        assert drawn(again, layer) == drawn(opened, layer)
    opened.page.locator(".typed-field").fill("ab c" * 700)
    opened.read(2800)
    assert "the address holds the first 2,000" in opened.said(".panel-try .message")
    assert len(opened.state("tried")) == 2000


def test_typed_markup_is_text(open_page: Open) -> None:
    nasty = "<img src=x onerror=alert(1)> \u202e\u0007 é🙂"
    opened = open_page(f"#u={UNIT}&panel=try")
    opened.page.locator(".typed-field").fill(nasty)
    opened.read(len(nasty))
    assert opened.page.locator(".panel-try img").count() == 0
    assert "that the model does not know" in opened.said(".panel-try .warnings")
    assert len(drawn(opened, "unit")) == len(nasty)


def test_what_is_wrong_is_said_in_a_sentence(open_page: Open) -> None:
    opened = open_page(try_at(TEXT))
    opened.read(len(TEXT))
    opened.page.locator(".changed-to").fill("c")
    opened.run("() => document.querySelector('.typed-field').setSelectionRange(5, 5)")
    opened.page.locator(".typed-field").press("ArrowLeft")
    opened.page.locator(".changed-to").fill('"')  # the same: position 3 is the quote
    opened.page.locator(".changed-to").press("Enter")
    opened.wait("document.querySelector('.change [role=status]').textContent.includes('take the place')")


def test_without_a_model_the_panels_say_how_to_start_with_one(browser: Any, client: Client, tmp_path: Path) -> None:
    path = client.exploration.recordings[0].session.source.path  # type: ignore[attr-defined]
    with explored(path, page=dict(page_files())) as bare, live_pages(browser, bare) as opener:
        opened = opener("#panel=try")
        opened.wait("document.querySelector('.panel-try .message').textContent.includes('--model model.pt')")
        assert opened.page.locator(".typed-field").is_hidden()
        opened.run("() => app.openPanel('steer')")
        opened.wait("document.querySelector('.panel-steer .message').textContent.includes('--model model.pt')")
        assert opened.page.locator(".steer-slider").is_hidden()


def test_what_is_shown_and_typed_belongs_to_the_recording_and_the_text(
    browser: Any, client: Client, planted: Path
) -> None:
    """A recording without a model hides what that of another says; a refused text has no colours; typing stays."""
    path = client.exploration.recordings[0].path
    model = client.exploration.held.path
    with (
        explored(path, planted, model=model, page=dict(page_files())) as both,
        live_pages(browser, both) as opener,
    ):
        opened = opener(try_at(TEXT))
        opened.read(len(TEXT))
        opened.page.route("**/api/try", lambda route: route.fulfill(status=400, json={"error": "not now"}))
        opened.page.locator(".typed-field").press("x")
        opened.wait("document.querySelector('.panel-try .message').textContent === 'not now'")
        assert set(drawn(opened, "unit")) == {"transparent"}
        opened.run("() => app.openPanel('steer')")
        opened.wait("!document.querySelector('.steer-work').hidden")
        prompt = opened.page.get_by_label("Prompt")
        prompt.press_sequentially("abc")
        opened.run("() => app.state.set({ steerSeed: 3 })")
        opened.ready()
        assert prompt.input_value() == "abc" and opened.page.get_by_label("Seed", exact=True).input_value() == "3"
        for panel in ("steer", "try"):
            opened.run("(panel) => { app.openPanel(panel); app.state.set({ recordings: [0] }); }", panel)
            opened.wait(f"!document.querySelector('.{panel}-work').hidden")
            opened.run("() => app.state.set({ recordings: [1] })")
            opened.wait(f"document.querySelector('.{panel}-work').hidden")


# ---- Steer


def written(opened: LivePage) -> list[str]:
    texts: list[str] = opened.run("() => [...document.querySelectorAll('.written')].map((one) => one.textContent)")
    return texts


def wait_for_texts(opened: LivePage, at: str) -> None:
    opened.wait(f"document.querySelector('.panel-steer').dataset.written === '{at}'")
    opened.ready()


def test_a_slider_holds_a_unit_and_two_continuations_stand_side_by_side(
    open_page: Open, client: Client, run: Command
) -> None:
    """With the numbers that the command prints."""
    opened = open_page("#u=1/hidden/3&h=in_quotes&panel=steer&prompt=ab&seed=5")
    opened.wait("document.querySelector('.panel-steer .message').textContent.startsWith('Move the slider')")
    assert [opened.said(f".slide span:nth-of-type({n})") for n in (1, 2)] == ["−1.00", "1.00"]
    opened.page.locator(".steer-slider").focus()
    opened.page.keyboard.press("End")
    wait_for_texts(opened, "1.000")
    question = {
        "unit": "1/hidden/3", "value": 1, "measured": "in_quotes", "prompt": "ab", "seed": 5, "texts": 10,
        "matched": 10,
    }  # fmt: skip
    answer = client.post("/api/steer", question).lines[-1]["result"]
    assert written(opened) == [answer["unsteered"][0], answer["steered"][0]]
    assert written(opened)[0] != written(opened)[1]
    marks = "".join(opened.page.locator(".written.steered mark").all_text_contents())
    differing = [b for a, b in zip(answer["unsteered"][0], answer["steered"][0], strict=True) if a != b]
    assert marks == "".join(differing)
    assert f"they differ from character {answer['first_differences'][0]} on" in opened.said(".which")
    check_table(opened, answer["rows"])
    status, out, err = run(
        "steer", "in_quotes", "--hold", "1/hidden/3=1", "--model", client.exploration.held.path, "--prompt", "ab",
        "--seed", "5", "--samples", "10", "--json",
    )  # fmt: skip
    assert status == 0, err
    check_table(opened, rows(out))
    check_sides(opened)
    opened.page.get_by_role("button", name="The next pair").click()
    assert written(opened) == [answer["unsteered"][1], answer["steered"][1]]
    for sentence in answer["findings"]:
        assert sentence in opened.said(".steer-summary")


def check_sides(opened: LivePage) -> None:
    """Side by side where there is room, else one below the other."""
    before, after = (opened.page.locator(f".written.{name}").bounding_box() for name in ("unsteered", "steered"))
    assert before["x"] == after["x"] and after["y"] > before["y"] + before["height"]
    opened.press("f")
    before, after = (opened.page.locator(f".written.{name}").bounding_box() for name in ("unsteered", "steered"))
    assert before["y"] == after["y"] and after["x"] > before["x"] + before["width"]
    opened.press("Escape")


def check_table(opened: LivePage, answers: list[dict[str, Any]]) -> None:
    effects = opened.page.locator(".effects tbody")
    assert effects.count() == len(answers)
    for number, row in enumerate(answers):
        cells = effects.nth(number).locator("th, td").all_inner_texts()
        assert cells[0] == row["measure"]
        shown = [float(cell.split("\n")[0].replace("−", "-")) for cell in cells[1:]]
        np.testing.assert_allclose(
            shown, [row["unsteered"], row["steered"], row["effect"], row["matched"]], atol=0.00051
        )


def test_a_direction_of_the_hypothesis_is_added(open_page: Open, client: Client) -> None:
    opened = open_page(f"#u={UNIT}&h=in_quotes&panel=steer")
    opened.page.get_by_label("What is changed").select_option("add")
    opened.page.get_by_label("Site of the direction").select_option("1/hidden")
    opened.wait("document.querySelector('.panel-steer .message').textContent.includes('factor of the direction')")
    opened.page.get_by_label("Value as a number").fill("2")
    opened.page.get_by_label("Value as a number").press("Enter")
    wait_for_texts(opened, "2")
    question = {
        "hypothesis": "in_quotes", "site": "1/hidden", "value": 2, "measured": "in_quotes", "texts": 10, "matched": 10,
    }  # fmt: skip
    answer = client.post("/api/steer", question).lines[-1]["result"]
    assert opened.said(".pair h3.steered") == answer["intervention"] == "in_quotes at 1/hidden × 2"
    assert written(opened) == [answer["unsteered"][0], answer["steered"][0]]
    check_table(opened, answer["rows"])


def test_a_link_shows_the_same_steering(open_page: Open) -> None:
    opened = open_page("#u=1/hidden/3&panel=steer&at=-0.5&seed=2&prompt=ab")
    wait_for_texts(opened, "-0.5")
    address = opened.run("() => app.state.write()")
    again = open_page("#" + address.partition("#")[2])
    wait_for_texts(again, "-0.5")
    assert written(again) == written(opened)
    assert again.said(".steer-summary") == opened.said(".steer-summary")
    assert again.page.locator(".steer-slider").input_value() == "50"


def test_what_is_out_of_range_is_said_in_a_sentence(open_page: Open) -> None:
    opened = open_page("#u=1/hidden/3&panel=steer&at=7")
    opened.wait("document.querySelector('.panel-steer .message').textContent.includes('outside the range')")
    opened.run("() => app.state.set({ steerAt: 'x' })")
    opened.wait("document.querySelector('.panel-steer .message').textContent.includes('must be a number')")
    assert opened.page.locator(".pair").is_hidden()


def test_what_the_model_loses_without_the_unit_is_measured_when_that_is_asked(
    open_page: Open, client: Client, run: Command
) -> None:
    """With the numbers that the command prints, which stands beside them."""
    opened = open_page("#u=1/hidden/3&panel=steer")
    button = opened.page.get_by_role("button", name="Measure", exact=True)
    opened.wait("document.querySelector('.ablation p').textContent.includes('type one above')")
    assert button.is_disabled()
    opened.run("() => app.ask('in_quotes')")
    opened.wait("!document.querySelector('.ablation .button').disabled")
    assert not [url for url in opened.requests if url.endswith("/api/ablate")]
    button.focus()
    opened.page.keyboard.press("Enter")
    wait_until(opened.page, "document.querySelector('.ablation').dataset.measured === '1/hidden/3'")
    program, *words = shlex.split(opened.said(".ablation .command"))
    assert program == "probe"
    status, out, err = run(*words, "--json")
    assert status == 0, err
    check_losses(opened, rows(out))
    width, room = opened.run("() => ['.losses', '.ablation'].map((name) => document.querySelector(name).scrollWidth)")
    assert width <= room
    assert "1/hidden/3: " in opened.said(".ablation-answer")
    opened.run("() => app.showUnit('1/hidden/4')")
    opened.wait("!document.querySelector('.ablation').dataset.measured")
    assert opened.page.locator(".losses").count() == 0
    opened.run("() => app.ask('position_in_line')")
    opened.wait("document.querySelector('.ablation .message').textContent.includes('is not True or False')")
    assert button.is_disabled()


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"[-+]?\d+\.\d+", text.replace("−", "-"))]


def shown(*values: float | None) -> Any:
    return pytest.approx([value for value in values if value is not None], abs=0.000051 + 1e-5)


def check_losses(opened: LivePage, answers: list[dict[str, Any]]) -> None:
    losses = opened.page.locator(".losses tbody")
    assert losses.count() == len(answers) == 6
    for number, row in enumerate(answers):
        name, effect, matched, p = losses.nth(number).locator("th, td").all_inner_texts()
        assert name.startswith(row["where"])
        value, ends = effect.split("\n")
        assert numbers(ends) == shown(row["low"], row["high"])
        assert numbers(value) + numbers(matched) == shown(row["effect"], row["matched"])
        if row["p"] is not None:
            assert p == "< 0.001" if row["p"] < 0.001 else float(p) == pytest.approx(row["p"], abs=0.00051)


def test_both_panels_are_accessible(open_page: Open) -> None:
    """Every field has a name, and everything is reached by the keyboard."""
    opened = open_page(try_at(TEXT))
    opened.read(len(TEXT))
    for panel in ("try", "steer"):
        opened.run("(name) => app.openPanel(name)", panel)
        opened.ready()
        for field in opened.page.locator(f"#panel-{panel} :is(input, select, textarea, button):visible").all():
            name = field.evaluate("(one) => one.ariaLabel || one.labels?.[0]?.textContent || one.textContent")
            assert name.strip()
            assert field.evaluate("(one) => one.tabIndex") >= 0


def test_links_on_pages_of_other_sites_open_the_page(browser: Any, client: Client) -> None:
    """In a mail or a chat: the address with the token, and a link to a place for who has the cookie."""
    addresses = (client.address.url, f"http://{client.host}/#u={UNIT}")
    links = "".join(f'<p><a href="{address}">link</a></p>' for address in addresses)
    context = browser.new_context()
    page = context.new_page()
    page.route("http://mail.example/", lambda route: route.fulfill(body=links, content_type="text/html"))
    try:
        for number in range(len(addresses)):
            page.goto("http://mail.example/")
            page.locator("a").nth(number).click()
            page.wait_for_selector(".overview", timeout=10_000)
            assert page.url.startswith(f"http://{client.host}/")
        asked = f"fetch('http://{client.host}/api/facts', {{credentials: 'include'}}).then(() => 1, () => 0)"
        page.goto("http://mail.example/")
        assert page.evaluate(asked) == 0, "their scripts get nothing"
    finally:
        context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_has_nothing_to_say_of_both_panels(open_page: Open, theme: Theme) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    opened = open_page(try_at(TEXT, "&h=in_quotes&guesses=1"), theme)
    opened.read(len(TEXT))
    results = axe.Axe().run(opened.page)
    assert results.violations_count == 0, results.generate_report()
    opened.run("() => app.state.set({ panel: 'steer', steerAt: 0.5 })")
    opened.wait("!document.querySelector('.pair').hidden")
    opened.page.get_by_role("button", name="Measure", exact=True).click()
    wait_until(opened.page, "document.querySelector('.ablation').dataset.measured")
    opened.ready()
    results = axe.Axe().run(opened.page)
    assert results.violations_count == 0, results.generate_report()


# ---- Guesses of the recording


def test_guesses_of_the_recording_are_shown_by_a_key(open_page: Open, client: Client) -> None:
    """In the inspector always, and after p below each character: those that were recorded, how probable they are."""
    opened = open_page("#p=70")
    guesses = client.exploration.recordings[0].session
    expected = guesses_of(guesses, slice(70, 71))
    assert expected is not None
    signs = opened.run("() => app.panes.view.header.signs")
    names = [expected.characters[number] for number in expected.ids[0].tolist()]
    shown = [signs.get(str(ord(name)), "␣" if name == " " else name) for name in names]
    opened.wait("!document.querySelector('.pane .guesses li').hidden")
    assert opened.page.locator(".pane .guesses .guess").all_inner_texts() == shown
    first = opened.page.locator(".pane .guesses .share").first.inner_text()
    assert first == f"{int(expected.levels[0, 0] / 2.55 + 0.5)} %"
    is_grid = "() => getComputedStyle(document.querySelector('.pane .guess')).display === 'grid'"
    assert not opened.run(is_grid), "the panel's own guesses have columns, in which these would not be seen"
    height = opened.run("() => app.panes.view.geometry.rowHeight")
    opened.page.locator(".scroller").focus()
    opened.press("p")
    opened.wait(f"app.panes.view.geometry.rowHeight > {height}")
    assert opened.state("guesses") and opened.page.get_by_role("button", name="Guesses").is_visible()
