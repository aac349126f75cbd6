"""The explorer's page in Chromium, with its server: what it says of a unit is what commands and weights say."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from asked_pages import AskedPage, asked_pages
from commands import Command, rows
from planting import PLANTED, random_model

from activations.models.checkpoints import save_model
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus

pytestmark = pytest.mark.slow  # Chromium draws the page some twenty times
Open = Callable[..., AskedPage]
COMMENT = str(PLANTED["in_comment"])
"""1/hidden/5"""


@pytest.fixture(scope="module")
def opened(browser: Any, planted: Path) -> Iterator[AskedPage]:
    """The unit that follows comments, with all that is said of it."""
    with asked_pages(browser, planted) as open_page:
        page = open_page(f"#panel=unit&u={COMMENT}&h=in_comment")
        page.wait("document.querySelector('.unit-answers tbody tr') && document.querySelector('.unit-profile .chart')")
        page.settle()
        yield page


def part(opened: AskedPage, name: str) -> Any:
    return opened.panel.locator(f".unit-{name}")


def told(opened: AskedPage, unit: str = COMMENT) -> dict[str, Any]:
    """What the server says of a unit."""
    lines = opened.client.get(f"/api/unit?recording=0&unit={unit}").lines
    return {key: value for line in lines if "progress" not in line for key, value in line.items()}


def test_the_histogram_and_the_facts_are_those_of_all_values(opened: AskedPage, planted: Path) -> None:
    facts = told(opened)["distribution"]
    text = part(opened, "distribution").inner_text()
    sentence = f"mean {facts['mean']:.3f}, standard deviation {facts['sd']:.3f}, median {facts['median']:.3f}"
    assert sentence in text.replace("−", "-")
    heights = opened.run("""() => {
        const path = document.querySelector('.unit-distribution .chart-steps').getAttribute('d');
        return [...path.matchAll(/V([\\d.]+)H/g)].map((match) => Number(match[1]));
    }""")
    n = facts["n"]
    shares = [(118 - height) / 110 for height in heights[: len(n)]]  # 110 units of the chart are the largest share
    assert shares == pytest.approx([one / max(n) for one in n], abs=0.002)


def test_the_gates_of_the_same_unit_are_shown(opened: AskedPage) -> None:
    """This recording has no gates; those of a recording that has some are links."""
    assert opened.panel.locator(".unit-gates").inner_text() == ""


def test_the_most_and_least_active_passages_are_those_of_explain(
    opened: AskedPage, planted: Path, run: Command
) -> None:
    """A click goes to the place."""
    facts = told(opened)["extremes"]
    most = part(opened, "extremes").get_by_role("list", name="Most active").get_by_role("listitem")
    least = part(opened, "extremes").get_by_role("list", name="Least active").get_by_role("listitem")
    for items, places in ((most, facts["most"]), (least, facts["least"])):
        assert items.count() == len(places) == 8
        for number, place in enumerate(places):
            assert items.nth(number).locator(".number").inner_text().replace("−", "-") == f"{place['value']:.3f}"
            assert items.nth(number).locator("mark").inner_text() == place["character"].replace("\n", "↵")
            assert items.nth(number).bounding_box()["height"] < 40  # one line, cut at both sides
    status, out, err = run("explain", COMMENT, planted, "--hypothesis", "in_comment")
    assert status == 0, err
    assert facts["most"][0]["before"][-12:].split("\n")[-1] in out
    most.nth(2).get_by_role("button").click()
    opened.ready()
    assert opened.state("position") == facts["most"][2]["position"]


def test_the_characters_that_change_it_are_named_a_space_too(opened: AskedPage) -> None:
    names = [row["character"] for row in told(opened)["written_by"]["rows"]]
    assert " " in names
    shown = part(opened, "written_by").locator("tbody th").all_inner_texts()
    assert shown == ["␣" if name == " " else name.replace("\n", "↵") for name in names]


def test_the_time_constant_is_that_of_units(opened: AskedPage, planted: Path, run: Command) -> None:
    site = COMMENT.rpartition("/")[0]
    status, out, err = run("units", "in_comment", planted, "--sites", site, "--json")
    assert status == 0, err
    [constant] = [row["time_constant"] for row in rows(out) if row.get("unit") == COMMENT]
    assert f"falls under 1/e after {constant:.3g} characters" in part(opened, "memory").inner_text()
    assert part(opened, "memory").locator(".chart-mark title").text_content() == f"{constant:.1f} characters"


def test_what_it_answers_to_is_what_explain_prints(opened: AskedPage, planted: Path, run: Command) -> None:
    status, out, err = run("explain", COMMENT, planted, "--json")
    assert status == 0, err
    lines = part(opened, "answers").get_by_role("table", name="Hypotheses").locator("tbody tr")
    printed = rows(out)[:15]
    assert lines.count() == len(printed)
    for number, row in enumerate(printed):
        assert lines.nth(number).locator("th").inner_text() == row["hypothesis"]
        score = "–" if row["held_out"] is None else f"{row['held_out']:.3f}".replace("-", "−")
        assert lines.nth(number).locator(".score").inner_text() == score
        interval = "no interval" if row["low"] is None else f"{row['low']:.3f} to {row['high']:.3f}".replace("-", "−")
        assert lines.nth(number).locator(".interval-bar").get_attribute("aria-label") == interval
        if row["added_r2"] is not None:
            assert f"{100 * row['added_r2']:.1f}\u00a0%" in lines.nth(number).inner_text()
    assert part(opened, "answers").locator("h4").first.inner_text().startswith("Tuning to in_comment")


def test_event_averages_are_those_of_the_profile(opened: AskedPage) -> None:
    """Beside the hypothesis that is asked: values where it holds, averages where it begins and ends."""
    labels = opened.client.post("/api/labels", {"recording": 0, "hypothesis": "in_comment"}).json["id"]
    result = opened.ask("unit/profile", {"recording": 0, "unit": COMMENT, "labels": labels})[-1]["result"]
    panel = part(opened, "profile")
    [score] = [row for row in result["rows"] if row["part"] == "score"]
    assert f"AUC {score['value']:.3f} ({score['low']:.3f} to {score['high']:.3f})" in panel.inner_text()
    assert panel.locator("h4").all_inner_texts() == [
        "Values", "Average where in_comment begins", "Average where in_comment ends", "Means",
    ]  # fmt: skip
    begins = [row["value"] for row in result["rows"] if row["part"] == "begins"]
    heights = opened.run("""() => {
        const path = document.querySelectorAll('.unit-profile .chart-curve')[0].getAttribute('d');
        return path.slice(1).split('L').map((place) => Number(place.split(' ')[1]));
    }""")
    assert len(heights) == len(begins)
    low, high = begins.index(min(begins)), begins.index(max(begins))
    drawn = [(heights[low] - height) / (heights[low] - heights[high]) for height in heights]
    assert drawn == pytest.approx([(one - begins[low]) / (begins[high] - begins[low]) for one in begins], abs=0.01)
    assert panel.locator(".chart-band").count() >= 2


def test_the_nearest_units_are_listed_with_intervals(opened: AskedPage) -> None:
    nearest = told(opened)["nearest"]["rows"]
    lines = part(opened, "nearest").locator("tbody tr")
    assert lines.count() == len(nearest)
    for number, row in enumerate(nearest):
        assert lines.nth(number).locator("th").inner_text() == row["unit"]
        assert lines.nth(number).locator(".number").first.inner_text() == f"{row['r']:.3f}".replace("-", "−")
    assert "--model" in part(opened, "weights").inner_text()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_has_nothing_to_say(opened: AskedPage, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    opened.run("(theme) => app.state.set({ theme })", theme)
    opened.settle()
    results = axe.Axe().run(opened.page)
    assert results.violations_count == 0, results.generate_report()


def test_another_unit_is_told_and_the_first_comes_back(opened: AskedPage) -> None:
    """A click on a unit shows it; a question that is overtaken is dropped; what was told is kept."""
    opened.run("() => app.showUnit('1/cell/1')")
    opened.page.wait_for_timeout(250)
    opened.run("() => app.showUnit('1/cell/2')")
    opened.wait("document.querySelector('.panel-unit h2').textContent === '1/cell/2'")
    opened.wait("document.querySelector('.unit-answers:not(.stale)')")
    facts = told(opened, "1/cell/2")
    assert f"mean {facts['distribution']['mean']:.3f}" in part(opened, "distribution").inner_text().replace("−", "-")
    n_asked = len([url for url in opened.requests if "/api/unit?" in url])
    opened.run(f"() => app.showUnit('{COMMENT}')")
    opened.settle()
    opened.wait(f"document.querySelector('.panel-unit h2').textContent === '{COMMENT}'")
    assert len([url for url in opened.requests if "/api/unit?" in url]) == n_asked
    assert "in_comment" in part(opened, "answers").inner_text()


def test_nothing_is_shown_of_the_unit_before(opened: AskedPage) -> None:
    """It goes when the answer takes a while, and when there is none."""
    shown = opened.page.locator(".panel-unit .unit-part").filter(visible=True)
    assert shown.count() > 3
    held: list[Any] = []
    opened.page.route(re.compile(r"/api/unit\?.*6$"), lambda route: held.append(route))
    opened.run("() => app.showUnit('1/cell/6')")
    opened.wait("document.querySelector('.panel-unit h2').textContent === '1/cell/6'")
    opened.page.wait_for_timeout(400)
    assert [one for one in shown.all_inner_texts() if not one.startswith("Compared with")] == []
    held[0].continue_()
    opened.wait("document.querySelector('.unit-distribution:not([hidden])')")
    sentence = {"status": 400, "json": {"error": "something is wrong"}}
    opened.page.route(re.compile(r"/api/unit\?.*4$"), lambda route: route.fulfill(**sentence))
    opened.run("() => app.showUnit('1/cell/4')")
    opened.wait("document.querySelector('.panel-unit .stage').textContent === 'something is wrong'")
    assert [one for one in shown.all_inner_texts() if not one.startswith("Compared with")] == []
    opened.page.unroute_all()
    opened.run(f"() => app.showUnit('{COMMENT}')")
    opened.settle()


def test_numbers_are_not_rounded_to_what_they_are_not(opened: AskedPage) -> None:
    texts = opened.run("""async () => {
        const { scoreText, percentText } = await import("/page/charts/scores.js");
        const shares = [0, 0.00003, 0.25, 0.99999, 1, null].map((share) => percentText(share));
        const scores = [null, 0.5, 0.99949, 0.99996, 1, -0.25].map(scoreText);
        return [scores, shares.map((text) => text.replace("\u00a0", " "))];
    }""")
    assert texts == [
        ["–", "0.500", "0.999", "> 0.999", "1.000", "−0.250"],
        ["0.0 %", "< 0.1 %", "25.0 %", "> 99.9 %", "100.0 %", "–"],
    ]


def test_a_hypothesis_that_it_answers_to_is_asked_by_a_click(opened: AskedPage) -> None:
    lines = part(opened, "answers").get_by_role("table", name="Hypotheses").locator("tbody tr")
    name = lines.nth(1).locator("th").inner_text()
    lines.nth(1).get_by_role("button").click()
    opened.wait(f"app.labelsOf(0)?.name === {name!r}")
    opened.settle()
    opened.wait(f"document.querySelector('.unit-profile h3').textContent === 'Compared with ' + {name!r}")
    assert opened.state("hypothesis") == name


def test_weights_and_gates_are_those_of_the_model(browser: Any, code_text: str, tmp_path: Path) -> None:
    """What writes to a unit, and what it pushes: by the model that was recorded, and none by another."""
    model = random_model(code_text, n_layers=2)
    save_model(model, tmp_path / "model.pt")
    corpus = Corpus.from_texts([code_text[:6000]], ["a.py"])
    extract(LiveActivations(model, corpus), tmp_path / "activations.h5")
    with asked_pages(browser, tmp_path / "activations.h5", model=tmp_path / "model.pt") as open_page:
        opened = open_page("#panel=unit&u=1/hidden/3")
        opened.wait("document.querySelector('.unit-weights table')")
        weights = told(opened, "1/hidden/3")["weights"]
        table = part(opened, "weights").get_by_role("table", name="Next characters")
        assert table.locator("tbody th").first.inner_text() == weights["pushing"][0]["name"]
        assert table.locator("tbody .number").first.inner_text() == f"{weights['pushing'][0]['weight']:.3f}"
        readout = model.readout.weight.detach().numpy()[:, 3]
        best = model.vocabulary.shown(model.vocabulary.characters[int(readout.argmax())])
        assert weights["pushing"][0]["name"] == best
        gates = opened.panel.locator(".unit-gates button").all_inner_texts()
        assert gates == told(opened, "1/hidden/3")["gates"] and "1/forget_gate/3" in gates
        opened.panel.locator(".unit-gates button").first.click()
        opened.ready()
        assert opened.state("unit") == gates[0]
        opened.run("() => app.showUnit('0/cell/2')")
        opened.wait("document.querySelector('.panel-unit h2').textContent === '0/cell/2'")
        opened.wait("document.querySelector('.unit-weights:not(.stale) table')")
        weights = told(opened, "0/cell/2")["weights"]
        name = f"Characters that write to the {weights['gates'][0]['gate']}"
        first = part(opened, "weights").get_by_role("table", name=name).locator("tbody tr").first
        assert first.locator("th").inner_text() == weights["gates"][0]["raising"][0]["name"]
