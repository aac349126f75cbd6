"""The page of a report in Chromium: it opens from the disk without network, and its passages are drawn."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from quoting import QuoteModel, quoted_text

from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from analyses.session import Session
from probe.reporting.inputs import Inputs
from probe.reporting.measuring import ReportOptions, make_report
from probe.reporting.page.page import write_report


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    written = tmp_path_factory.mktemp("page") / "report.html"
    corpus = Corpus.from_texts([quoted_text(np.random.default_rng(7), 12_000)], ["marks.txt"])
    with Session(LiveActivations(QuoteModel().model, corpus, n_lanes=1)) as session:
        options = ReportOptions(n_curves=1, n_chars=1000, n_matched=2)
        report = make_report(session, ["in_quotes", "position_in_word"], options=options)
    write_report(report, written, Inputs(source=["--model", "model.pt", "--text", "marks.txt"]))
    return written


@pytest.fixture(scope="module", params=["light", "dark"])
def opened(browser: Any, path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page, and all that it asked for or complained of."""
    page = browser.new_page(color_scheme=request.param)
    page.mishaps = []
    page.on("pageerror", lambda error: page.mishaps.append(str(error)))
    page.on("console", lambda message: page.mishaps.append(message.text))
    page.on("request", lambda asked: page.mishaps.append(asked.url[:60]) if asked.url.startswith("http") else None)
    page.context.set_offline(True)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(path.as_uri())
    yield page
    page.context.close()


def test_passages_are_drawn_without_network(opened: Any) -> None:
    for view in opened.locator(".view").all():
        view.scroll_into_view_if_needed()
        view.locator(".char-probe-view canvas").first.wait_for()
    assert opened.locator(".view").count() == 2
    assert opened.mishaps == []


def test_pictures_are_there_and_have_words(opened: Any) -> None:
    pictures = opened.locator("img.picture").evaluate_all("all => all.map((one) => [one.naturalWidth, one.alt])")
    assert len(pictures) >= 4
    for width, says in pictures:
        assert width > 100
        assert len(says) > 10


def test_links_of_the_contents_lead_somewhere(opened: Any) -> None:
    links = opened.locator("nav a").evaluate_all("all => all.map((one) => one.getAttribute('href'))")
    assert len(links) > 6
    for link in links:
        assert opened.locator(link).count() == 1


def test_a_command_can_be_copied(opened: Any) -> None:
    button = opened.get_by_role("button", name="copy the command").first
    button.click()
    command = opened.locator(".command code").first.text_content()
    button.filter(has_text=re.compile("copied|selected")).wait_for()
    assert opened.evaluate("getSelection().toString() || navigator.clipboard.readText()") == command


def test_axe_has_nothing_to_say(opened: Any) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    results = axe.Axe().run(opened)
    assert results.violations_count == 0, results.generate_report()
