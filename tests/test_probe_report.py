"""The report: what it tells of a planted unit, what it leaves out, and that its page shows texts as texts."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command
from quoting import QuoteModel, quoted_text
from shown_html import Page, missing_numbers

import probe
from activations.models.checkpoints import save_model
from activations.models.evaluation import losses
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from analyses.causes.ablation import ablate
from analyses.errors import AnalysisError
from analyses.ranking.ranking import rank, rank_all
from analyses.session import Session
from analyses.targets.labelling import target_for, target_of_labels
from analyses.targets.many_hypotheses import targets_of
from analyses.targets.splits import TEST
from hypotheses.labels import Labels
from probe.evaluation import evaluate_recorded
from probe.reporting.choosing import sureness, surest
from probe.reporting.content import Report
from probe.reporting.inputs import Inputs
from probe.reporting.measuring import ReportOptions, make_report
from probe.reporting.page.page import report_page
from probe.reporting.passages import held_out_lines

HOSTILE = "<script>alert(1)</script> [red] \x1b[31m \u202eabc\u202c שלום </main> $x$ &amp;"
HYPOTHESES = ("in_quotes", "in_word", "position_in_word")
N_CHARS = 45_000


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording, beside its model, of an LSTM whose cell 0 carries whether the text is in quotes."""
    folder = tmp_path_factory.mktemp("report")
    model = QuoteModel().model
    save_model(model, folder / "model.pt")
    text = quoted_text(np.random.default_rng(7), N_CHARS)
    live = LiveActivations(model, Corpus.from_texts([text], ["marks.txt"]), n_lanes=1)
    extract(live, folder / "activations.h5")
    return folder / "activations.h5"


@pytest.fixture(scope="module")
def made(recorded: Path) -> Report:
    with Session(recorded) as session:
        model = probe.live(recorded, recorded.with_name("model.pt"))
        options = ReportOptions(n_curves=1, n_chars=3000, n_matched=6)
        return make_report(
            session, targets_of(session, HYPOTHESES), model=model, model_name="model.pt", options=options
        )


@pytest.fixture(scope="module")
def page(made: Report) -> str:
    return report_page(
        made, Inputs(source=["activations.h5"], model=["--model", "model.pt"], sites=["0/hidden,0/cell"])
    )


# What it tells


def test_it_finds_the_planted_unit_and_that_the_model_uses_it(made: Report) -> None:
    quotes = made.findings[0]
    assert quotes.hypothesis == "in_quotes"
    assert quotes.best_unit.index == 0
    assert quotes.best[0].held_out > 0.99
    assert [quotes.is_shown(part) for part in ("fit", "rank", "ablate")] == [True, True, True]
    assert made.summary[0].endswith("for 1 of 3 hypotheses: in_quotes.")


def test_its_numbers_are_those_of_the_analyses(made: Report, recorded: Path) -> None:
    """With the same sites, options and seeds."""
    finding = made.findings[0]
    sites = [site for site in recorded_sites(recorded) if site.split("/")[1] in ("hidden", "cell")]
    assert finding.best[:3] == tuple(rank(recorded, "in_quotes", sites=sites, n_intervals=5).units[:3])
    live = probe.live(recorded, recorded.with_name("model.pt"))
    alone = ablate(live, "in_quotes", finding.best_unit, n_chars=3000, n_matched=6)
    assert finding.effect is not None
    assert finding.effect.effect == pytest.approx(alone.effects[0].effect, rel=1e-4)
    assert finding.effect.p == pytest.approx(alone.effects[0].p, rel=1e-3)
    fitted = probe.fit(recorded, "in_quotes", sites=sites)
    assert [result.auc for result in finding.probes if result.control is None] == [result.auc for result in fitted]


def test_a_report_of_one_hypothesis_does_not_count(made: Report) -> None:
    summary = replace(made, findings=made.findings[:1]).summary
    assert summary[0] == "The model is shown to know more about in_quotes than the text alone gives away."
    assert summary[1] == "A single unit is shown to tell it."
    assert "the model is shown to predict worse" in summary[2]
    [known, told] = replace(made, findings=[replace(made.findings[0], ablation=None)]).summary
    assert (known, told) == tuple(summary[:2])


def test_a_unit_that_matters_more_outside_is_not_called_unused(made: Report) -> None:
    first = made.findings[0]
    assert first.ablation is not None
    opposite = [replace(effect, beyond_matched=-effect.beyond_matched) for effect in first.ablation.effects]
    turned = replace(first, ablation=replace(first.ablation, effects=opposite))
    assert (first.answer("ablate"), turned.answer("ablate")) == ("shown", "not for it, but elsewhere")
    assert not turned.is_shown("ablate")
    page = report_page(replace(made, findings=[turned]), Inputs(source=["a.h5"]))
    assert "not for it, but elsewhere" in page and "matters more outside" in page


def test_the_curve_is_that_of_the_command(made: Report, recorded: Path) -> None:
    """The control, which was fitted before, is the one that the curve would have fitted."""
    finding = made.findings[0]
    alone = probe.curve(recorded, "in_quotes", sites=finding.probe.site, most=32, shares=())
    assert finding.curve is not None
    assert finding.curve.rows() == alone.rows()


def recorded_sites(path: Path) -> list[str]:
    with probe.Recording(path) as recording:
        return [str(site) for site in recording.sites]


def test_what_is_left_out_has_its_reason(made: Report, recorded: Path) -> None:
    number = made.findings[2]
    assert "is not True or False" in number.left_out["ablation"]
    assert "only the first hypothesis has one" in number.left_out["curve"]
    assert number.ablation is None and number.curve is None
    with Session(recorded) as session:
        alone = make_report(
            session, targets_of(session, ["in_quotes"]), options=ReportOptions(n_curves=0, has_units=False)
        )
    assert "--model model.pt" in alone.findings[0].left_out["ablation"]
    assert alone.gates is not None  # they were recorded


def test_rows_have_a_section_each_and_are_json(made: Report) -> None:
    rows = made.rows()
    parts = {row["section"] for row in rows}
    assert parts == {
        "about",
        "loss",
        "fit",
        "rank",
        "ablate",
        "profile",
        "curve",
        "matrix",
        "gates",
        "units",
        "left_out",
    }
    json.dumps(rows)


def test_a_live_model_reads_the_text_as_often_for_many_hypotheses_as_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    n_readings = 0
    blocks = LiveActivations.blocks

    def counted(self: LiveActivations, *arguments: Any, **options: Any) -> Any:
        nonlocal n_readings
        n_readings += 1
        return blocks(self, *arguments, **options)

    monkeypatch.setattr(LiveActivations, "blocks", counted)
    live = LiveActivations(QuoteModel().model, Corpus.from_texts([quoted_text(np.random.default_rng(7), 9_000)]))
    options = ReportOptions(n_curves=0, n_chars=600, n_matched=2)
    counts = []
    for names in (["in_quotes"], ["in_quotes", "in_word", "vowel", "position_in_word"]):
        n_readings = 0
        told = make_report(live, names, options=options)
        counts.append(n_readings)
        assert all(finding.profile is not None and finding.passage is not None for finding in told.findings)
        assert told.units is not None
    assert counts[0] == counts[1]


# The losses


def test_losses_are_those_of_the_model_on_the_last_fifth(recorded: Path) -> None:
    with probe.Recording(recorded) as recording:
        beside = evaluate_recorded(recording)
        evaluated = beside.evaluations
        text = recording.corpus
    nats = losses(QuoteModel().model, text).nats[round(0.8 * N_CHARS) :]
    assert evaluated[0].n_chars == len(nats) == 0.2 * N_CHARS - 1
    assert evaluated[0].nats_per_char == pytest.approx(float(nats.mean()), abs=2e-3)
    assert evaluated[1].nats_per_char == pytest.approx(np.log(len(QuoteModel().model.vocabulary)))
    _, counts = np.unique(list(text.text()), return_counts=True)
    shares = counts / counts.sum()
    best = min(evaluated[2:], key=lambda evaluation: evaluation.nats_per_char)
    assert beside.best_ngram == best.model
    assert beside.difference == pytest.approx(best.nats_per_char - evaluated[0].nats_per_char, abs=1e-6)
    assert beside.low < beside.difference < beside.high
    [unigram] = [evaluation for evaluation in evaluated if evaluation.model == "unigram"]
    assert unigram.nats_per_char == pytest.approx(float(-(shares * np.log(shares)).sum()), abs=0.02)


def test_losses_need_predictions_and_enough_text(planted: Path) -> None:
    with probe.Recording(planted) as recording, pytest.raises(AnalysisError, match="without predictions"):
        evaluate_recorded(recording)
    live = LiveActivations(QuoteModel().model, Corpus.from_texts([quoted_text(np.random.default_rng(1), 300)]))
    with pytest.raises(AnalysisError, match="too few"):
        evaluate_recorded(live)


# Which hypotheses


def test_the_surest_come_first_and_what_the_character_answers_is_left_out(recorded: Path) -> None:
    with Session(recorded) as session:
        targets = [target_for(session, name) for name in ("vowel", "in_quotes", "position_in_word", "char_class")]
        rankings = rank_all(session, targets, n_intervals=5)
        chosen = surest(session, targets, rankings, 1)
        everything = surest(session, targets, rankings, None)
    assert [target.hypothesis for target in chosen.targets] == ["in_quotes"]
    assert chosen.left_out["vowel"].startswith("the last 5 characters alone answer it (AUC 1.000)")
    assert "several classes" in chosen.left_out["char_class"]
    assert set(chosen.left_out) == {"vowel", "position_in_word", "char_class"}
    assert len(everything.targets) == 4 and not everything.left_out
    order = [sureness(ranking) for ranking in everything.rankings]
    assert order == sorted(order, reverse=True)


# The passage


def test_the_passage_is_held_out_and_has_the_most_changes(code_text: str) -> None:
    source = LiveActivations(
        probe.models.CharRNN(probe.models.ModelConfig(n_units=4), vocabulary_of(code_text)).eval(),
        Corpus.from_texts([code_text]),
    )
    labels = np.zeros(len(code_text), bool)
    split = target_for(source, "in_quotes").split
    places = np.arange(len(code_text))
    held_out = places[split.parts_of(places) == TEST]
    middle = int(held_out[len(held_out) // 2])
    labels[::700] = True
    labels[middle - 40 : middle + 40 : 2] = True
    target = target_of_labels(source.corpus, "marked", Labels(labels, "binary"))
    start, stop = held_out_lines(source, target, 5, 1000)
    assert start < middle < stop
    assert (split.parts_of(np.arange(start, stop)) == TEST).all()
    assert start == 0 or code_text[start - 1] == "\n"
    assert code_text[stop] == "\n" and code_text[start:stop].count("\n") == 4


@pytest.mark.parametrize("most_searched", [2_000_000, 3_000])
def test_the_passage_of_a_text_without_lines_is_held_out(
    recorded: Path, monkeypatch: pytest.MonkeyPatch, most_searched: int
) -> None:
    """As long as it may be, and where the label changes; also if the first characters that are searched all train."""
    monkeypatch.setattr("probe.reporting.passages._MOST_CHARS", most_searched)
    with Session(recorded) as session:
        target = target_for(session, "in_quotes")
        start, stop = held_out_lines(session, target, 22, 800)
        assert stop - start == 800
        assert (target.split.parts_of(np.arange(start, stop)) == TEST).all()
        assert len(np.unique(target.labels.values_at(slice(start, stop)))) == 2


def test_the_passage_of_a_short_text_is_held_out(code_text: str) -> None:
    """Whose held-out stretches have fewer lines than a passage."""
    model = probe.models.CharRNN(probe.models.ModelConfig(n_units=4), vocabulary_of(code_text)).eval()
    source = LiveActivations(model, Corpus.from_texts([code_text[:6_000]]))
    target = target_for(source, "in_word")
    start, stop = held_out_lines(source, target, 60, 1600)
    assert 100 < stop - start <= 1600
    assert (target.split.parts_of(np.arange(start, stop)) == TEST).all()


def vocabulary_of(text: str) -> Any:
    from activations.texts.vocab import Vocabulary

    return Vocabulary.of([text])


def test_hypotheses_are_chosen_among_labels_of_ones_own(recorded: Path) -> None:
    options = ReportOptions(n_hypotheses=1, n_curves=0, has_units=False)
    with Session(recorded) as session:
        told = make_report(session, among=targets_of(session, HYPOTHESES), options=options)
    assert [finding.hypothesis for finding in told.findings] == ["in_quotes"]
    assert told.summary[0].startswith("This hypothesis was chosen among 3 because a unit tells it surely")
    assert {"in_word", "position_in_word"} <= set(told.left_out)


def test_a_model_that_tells_nothing_has_no_report_but_a_reason(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ReportOptions(n_curves=0, has_units=False)

    def broken(*arguments: Any, **named: Any) -> None:
        raise AnalysisError("activations are not numbers")

    with Session(recorded) as session:
        targets = targets_of(session, ["position_in_word"])
        with monkeypatch.context() as patched:
            patched.setattr("probe.reporting.measuring.fit", broken)
            with pytest.raises(AnalysisError, match="nothing to report: position_in_word: activations are not numbers"):
                make_report(session, targets, options=options)
        monkeypatch.setattr("probe.reporting.choosing._ANSWERED", {"auc": 0.0, "r2": -1e9})
        with pytest.raises(AnalysisError, match="name the hypotheses to report on"):
            make_report(session, among=targets, options=options)


def test_units_that_never_change_have_a_report_without_a_curve(code_text: str) -> None:
    model = probe.models.CharRNN(probe.models.ModelConfig(n_units=4), vocabulary_of(code_text)).eval()
    for weights in model.parameters():
        weights.data.zero_()
    with Session(LiveActivations(model, Corpus.from_texts([code_text[:6_000]]))) as session:
        told = make_report(session, targets_of(session, ["in_word"]), options=ReportOptions(n_chars=300))
    [finding] = told.findings
    assert "no unit of 0/hidden changes with in_word" in finding.left_out["curve"]
    assert "True at" in report_page(told, Inputs(source=["a.h5"]))


@pytest.mark.parametrize("option", [["--no-cache"], ["--lag", "2"], ["--language", "c"], []])
def test_options_of_labels_leave_the_choice_to_the_report(
    recorded: Path, run: Command, monkeypatch: pytest.MonkeyPatch, option: list[str]
) -> None:
    asked: dict[str, Any] = {}

    def make(source: Any, hypotheses: Any, **options: Any) -> None:
        asked.update(options, hypotheses=hypotheses)
        raise AnalysisError("stopped")

    monkeypatch.setattr("probe.reporting.measuring.make_report", make)
    assert run("report", recorded, "--top", "1", *option)[0] == 1
    assert asked["hypotheses"] is None
    assert asked["options"].n_hypotheses == 1
    assert len(asked["among"].made) > 3


# The page


def test_the_page_shows_the_numbers(page: str, made: Report) -> None:
    for finding in made.findings:
        assert f"<bdi>{finding.hypothesis}</bdi>" in page
        shown = ("held_out", "low", "high")
        rows = [{name: getattr(ranked, name) for name in shown} for ranked in finding.best]
        rows += [{"score": result.score} for result in finding.probes]
        assert missing_numbers(body(page), rows) == {}
    assert made.losses is not None
    for loss in made.losses.evaluations:
        assert missing_numbers(body(page), [{"nats": loss.nats_per_char}]) == {}


def body(page: str) -> str:
    """The page without its style, script and head, as whole elements."""
    [content] = re.findall(r"<main.*</main>", page, re.DOTALL)
    return re.sub(r"<script.*?</script>|<input[^>]*>", "", content, flags=re.DOTALL)


def test_the_page_loads_nothing_and_has_one_script(page: str) -> None:
    assert not re.search(r"""(?:src|href)=["'](?!#|data:)""", page)
    scripts = re.findall(r"<script type=\"module\">", page)
    assert len(scripts) == 1
    assert len(page.encode()) < 3e6


def test_names_of_hypotheses_are_as_they_are(page: str) -> None:
    """Also where a sentence begins with one."""
    assert "position_in_word is a number" in page
    assert "Position_in_word" not in page


def test_commands_ask_for_as_many_characters_as_the_report_did(made: Report) -> None:
    """Fewer may have been counted, so that asking for these would hold units on other passages."""
    first = made.findings[0]
    assert first.ablation is not None
    fewer = replace(first, ablation=replace(first.ablation, n_chars=2990, n_matched=5))
    page = report_page(replace(made, findings=[fewer], seed=3), Inputs(source=["a.h5"]))
    commands = [shlex.split(text)[1:] for text in re.findall(r'<div class="command"><code>(.*?)</code>', page)]
    for words in commands:
        if words[0] in ("ablate", "report"):
            assert words[words.index("--chars") + 1] == "3000"
            assert words[words.index("--matched") + 1] == "6"
        if words[0] in ("fit", "ablate", "report", "units", "curve"):
            assert words[words.index("--seed") + 1] == "3"


def test_the_command_of_a_passage_shows_that_passage(made: Report) -> None:
    """Also if the model read another part of the text."""
    source = ["--model", "m.pt", "--text", "t.txt", "--range", "0:45000"]
    page = report_page(made, Inputs(source=source, labels=["--language", "c"]))
    passage = made.findings[0].passage
    assert passage is not None
    shown = f"{passage.start}:{passage.start + len(passage.text)}"
    commands = [shlex.split(text) for text in re.findall(r'<div class="command"><code>(.*?)</code>', page)]
    assert next(words[-2:] for words in commands if words[1] == "view") == ["--range", shown]
    assert all(("--language" in words) == (words[1:3] != ["plot", "gates"]) for words in commands)
    test_every_command_on_the_page_is_one_that_can_be_parsed(page)


def test_every_command_on_the_page_is_one_that_can_be_parsed(page: str) -> None:
    from commands import parse

    commands = re.findall(r'<div class="command"><code>(.*?)</code>', page)
    assert len(commands) > 12
    for command in commands:
        parse(shlex.split(command.replace("&#39;", "'").replace("&gt;", ">"))[1:])


@pytest.mark.slow  # runs every command of a page, nine seconds
def test_commands_on_the_page_give_its_numbers(
    page: str, made: Report, recorded: Path, run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(recorded.parent)
    finding = made.findings[0]
    commands = [shlex.split(text)[1:] for text in re.findall(r'<div class="command"><code>(.*?)</code>', page)]
    by_name = {words[0]: words for words in reversed(commands) if "in_quotes" in words}
    assert {"fit", "rank", "ablate", "curve", "view"} <= set(by_name)

    def printed(name: str) -> list[dict[str, Any]]:
        status, out, err = run(*by_name[name], "--json")
        assert status == 0, err
        return [json.loads(line) for line in out.splitlines()]

    ranked = printed("rank")
    assert [row["unit"] for row in ranked] == [str(unit.unit) for unit in finding.best]
    assert ranked[0]["held_out_auc"] == pytest.approx(finding.best[0].held_out, abs=1e-9)
    fitted = {
        row["site"]: row["auc"] for row in printed("fit") if (row["hypothesis"], row["control"]) == ("in_quotes", None)
    }
    assert fitted == {
        result.site: pytest.approx(result.auc, abs=1e-9) for result in finding.probes if not result.control
    }
    effects = [row for row in printed("ablate") if row["where"] == "inside − outside"]
    assert finding.effect is not None
    assert effects[0]["effect"] == pytest.approx(finding.effect.effect, rel=1e-4)
    assert effects[0]["p"] == pytest.approx(finding.effect.p, rel=1e-3)


def test_a_notebook_shows_the_page(made: Report) -> None:
    html = probe.notebooks.html_of(made)
    assert html is not None
    [(name, attributes)] = Page(html).elements
    assert (name, attributes["sandbox"], attributes["srcdoc"]) == ("iframe", "allow-scripts", report_page(made))
    shown = probe.notebooks.html_of(made.findings[0])
    assert shown is not None and "Does the model know it?" in shown


def test_a_hostile_text_stays_text(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    lines = [f'{HOSTILE} "{"a" * int(rng.integers(3, 30))}" b' for _ in range(60)]
    corpus = Corpus.from_texts(["\n".join(lines)], ["<b>name</b>.txt"])
    live = LiveActivations(
        probe.models.CharRNN(probe.models.ModelConfig(n_units=6), vocabulary_of("".join(lines) + "\n")).eval(), corpus
    )
    with Session(live) as session:
        made = make_report(session, targets_of(session, ["in_quotes"]), options=ReportOptions(n_curves=0, n_chars=600))
    page = report_page(made, Inputs(source=["--model", "m.pt"]))
    shown = Page(body(page))
    assert not [name for name, attributes in shown.elements if "onerror" in attributes]
    assert "<script>alert" not in page and "<b>name</b>" not in page
    assert "alert(1)" in shown.text  # the excerpt


# The command


def test_the_command_writes_a_page_and_prints_rows(recorded: Path, run: Command, tmp_path: Path) -> None:
    path = tmp_path / "r.html"
    words = ["in_quotes", recorded, "--model", recorded.with_name("model.pt"), "--curves", "0", "--chars", "1000"]
    status, out, err = run("report", *words, "--matched", "3", "-o", path, "--json")
    assert status == 0, err
    rows = [json.loads(line) for line in out.splitlines()]
    assert {"about", "fit", "rank", "ablate", "profile"} <= {row["section"] for row in rows}
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["in_quotes", "-o", "r.pdf"], "end its name in .html"),
        (["in_quotes", "--all"], "but not both"),
        (["in_quotes", "a.h5", "b.h5"], "a report is about one recording"),
        (["in_quote"], "did you mean"),
        (["in_quotes", "missing.h5"], "missing.h5"),
    ],
)
def test_what_cannot_be_reported_is_one_sentence(run: Command, words: list[str], sentence: str) -> None:
    status, _, err = run("report", *words)
    assert status in (1, 2)
    assert sentence in " ".join(err.replace("│", " ").split())
    assert not Path("r.pdf").exists() and not Path("report.html").exists()
