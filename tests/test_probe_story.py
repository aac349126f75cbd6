"""`probe story`: the page, its rows and its picture, what it refuses, and the end of `probe demo`."""

from pathlib import Path

import numpy as np
import pytest
from commands import Command, rows
from quoting import QuoteModel, quoted_text

import probe
from activations.models.checkpoints import save_model
from analyses.story_results import best_probe

LIVE = ["--model", "model.pt", "--text", "corpus.txt"]
RECORDED = ["activations.h5", "--model", "model.pt"]
QUICK = ["--chars", "1500", "--matched", "6"]
PARTS = ["fit", "rank", "impulse", "ablate", "patch", "perturb"]


@pytest.fixture
def quotes() -> None:
    """`corpus.txt`, a `model.pt` whose unit 0 carries the quotes, and its `activations.h5`, in this folder."""
    Path("corpus.txt").write_text(quoted_text(np.random.default_rng(3), 4000), encoding="utf-8")
    save_model(QuoteModel().model, "model.pt")
    live = probe.LiveActivations(probe.load_model("model.pt"), probe.Corpus.read("corpus.txt"))
    probe.extract(live, "activations.h5")


def said(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize("source", [LIVE, RECORDED], ids=["live", "recorded"])
def test_the_page_and_its_picture(run: Command, quotes: None, source: list[str]) -> None:
    status, out, err = run("story", "in_quotes", *source, *QUICK, "-o", "story.png")
    assert status == 0, err
    assert out.startswith("The story of in_quotes, with effects on 1,500 characters")
    assert "Does the model use these units for it? Shown." in out
    assert out.endswith("story.png: the story as a picture\n")
    assert Path("story.png").read_bytes().startswith(b"\x89PNG")


def test_rows_have_every_part(run: Command, quotes: None) -> None:
    status, out, err = run("story", "in_quotes", *RECORDED, *QUICK, "--seed", "4", "--json")
    assert status == 0, err
    printed = rows(out)
    assert list(dict.fromkeys(row["part"] for row in printed)) == PARTS
    assert {row["hypothesis"] for row in printed} == {"in_quotes"}
    alone = rows(run("ablate", "in_quotes", "--units", "0/hidden/0", *RECORDED, *QUICK, "--seed", "4", "--json")[1])
    first = [row for row in printed if row["part"] == "ablate"][: len(alone)]
    assert [row["effect"] for row in first] == [row["effect"] for row in alone]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([*RECORDED], "name a hypothesis, such as `probe story in_quotes`"),
        (["in_quotes", "in_word", *RECORDED], "a story is that of one hypothesis"),
        (["in_quotes", "activations.h5"], "name the model, too: --model model.pt"),
        (["in_quotes", "--text", "corpus.txt"], "name the model, too: --model model.pt"),
        (["in_quotes", "--backwards"], "--backwards applies only with --model and --text"),
        (["position_in_line", *RECORDED], "is not True or False"),
        (["position_in_line"], "is not True or False"),
        (["in_comment", *RECORDED], "False at every character"),
        (["in_quote", *RECORDED], "did you mean 'in_quotes'?"),
        (["in_quotes", *RECORDED, "-o", "story.txt"], "is not a picture that can be drawn"),
        (["in_quotes", *RECORDED, "--chars", "20"], "Invalid value for '--chars'"),
        (["in_quotes", *RECORDED, "--seed", "-1"], "the seed is -1"),
    ],
)
def test_what_cannot_be_told_is_one_sentence(run: Command, quotes: None, arguments: list[str], complaint: str) -> None:
    status, out, err = run("story", *arguments)
    assert status in (1, 2) and out == ""
    assert complaint in said(err)


@pytest.mark.slow  # a minute: all analyses of the bundled text
def test_without_a_source_the_bundled_model_reads_the_bundled_text(run: Command) -> None:
    status, out, err = run("story", "in_quotes", "--json")
    assert status == 0, err
    printed = rows(out)
    assert list(dict.fromkeys(row["part"] for row in printed)) == PARTS
    assert max(row["auc"] for row in printed if row["part"] == "fit" and row["control"] is None) > 0.95


@pytest.mark.slow  # a minute: the whole demo
def test_the_demo_ends_with_what_the_model_knows_and_uses(run: Command) -> None:
    status, out, err = run("demo", "--csv", "demo.csv")
    assert status == 0, err
    assert "Does the model know in_quotes? Shown. A linear probe of " in out
    assert "Does the model use the best unit for it? " in out and "With 0/cell/" in out
    assert out.index("Does the model use") < out.index("Look at:")
    header = Path("demo.csv").read_text(encoding="utf-8").splitlines()[0]
    assert "effect,effect_low,effect_high,effect_matched,p," in header


def test_the_best_probe_is_none_of_the_controls() -> None:
    def result(site: str, auc: float, control: str | None = None) -> probe.probing.ProbeResult:
        return probe.probing.ProbeResult(hypothesis="in_quotes", kind="binary", site=site, auc=auc, control=control)

    probes = [result("0/cell", 0.8), result("1/cell", 0.9), result("last character", 0.95, "chars")]
    assert best_probe(probes) is probes[1]
