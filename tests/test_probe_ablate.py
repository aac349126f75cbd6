"""`probe ablate`: tables, rows, findings, and what it refuses."""

import csv
from pathlib import Path

import numpy as np
import pytest
from commands import Command, rows
from planting import random_model
from quoting import QuoteModel, quoted_text

import probe
from activations.models.checkpoints import save_model
from analyses.causes.ablation import HELD_AT
from analyses.passages.effects import CONTRAST, WHERE

QUICK = ["--chars", "1500", "--matched", "6"]
LIVE = ["--model", "model.pt", "--text", "corpus.txt"]
RECORDED = ["activations.h5", "--model", "model.pt"]


@pytest.fixture
def quotes() -> None:
    """`corpus.txt`, a `model.pt` whose unit 0/cell/0 carries the quotes, and its `activations.h5`, in this folder."""
    Path("corpus.txt").write_text(quoted_text(np.random.default_rng(3), 1500), encoding="utf-8")
    save_model(QuoteModel().model, "model.pt")
    live = probe.LiveActivations(probe.load_model("model.pt"), probe.Corpus.read("corpus.txt"))
    probe.extract(live, "activations.h5")


def said(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize("source", [LIVE, RECORDED, ["--model", "model.pt"]], ids=["live", "recorded", "default"])
def test_the_unit_that_carries_the_quotes_is_shown_and_another_is_not(
    run: Command, quotes: None, source: list[str]
) -> None:
    status, out, err = run("ablate", "in_quotes", "--units", "0/cell/0,0/cell/1", *source, *QUICK)
    assert status == 0, err
    head, first, second, *findings = out.splitlines()
    assert CONTRAST in head and "matched" in head and "predicted" in head
    assert first.startswith("0/cell/0") and second.startswith("0/cell/1")
    assert findings[0].startswith("0/cell/0: shown: the loss rises by 0.2")
    assert findings[1].startswith("0/cell/1: not shown")
    assert "6 matched units" in said(out) and 'predicted: "' in said(out)


def test_characters_that_the_model_replaces_are_named(run: Command, quotes: None) -> None:
    text = Path("corpus.txt").read_text(encoding="utf-8")
    parts = text.split('"')
    marked = "".join(part + ('"ß' if n % 2 == 0 else '"') for n, part in enumerate(parts))
    Path("corpus.txt").write_text(marked, encoding="utf-8")
    _, out, _ = run("ablate", "in_quotes", "--units", "0/cell/0", *LIVE, *QUICK, "--replace-unknown-with", " ")
    assert 'predicted: "; not counted, since the model does not know them: ß' in said(out)


def test_rows_have_every_set_and_what_made_them(run: Command, quotes: None) -> None:
    status, out, err = run(
        "ablate", "in_quotes", "--units", "0/cell/0", "--held-at", "zero", *RECORDED, *QUICK, "--json", "--csv", "e.csv"
    )
    assert status == 0, err
    printed = rows(out)
    assert [row["where"] for row in printed] == list(WHERE)
    assert {(row["hypothesis"], row["held_at"], row["intervention"]) for row in printed} == {
        ("in_quotes", "zero", "0/cell/0")
    }
    with Path("e.csv").open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [float(row["effect"]) for row in written] == [row["effect"] for row in printed]
    with probe.Recording("activations.h5") as recording:
        assert {row["model_sha256"] for row in written} == {recording.model_sha256}


def test_the_recordings_model_and_the_same_one_that_reads_now_agree(run: Command, quotes: None) -> None:
    units = ["--units", "0/cell", "--held-at", "other"]
    live, recorded = (rows(run("ablate", "in_quotes", *units, *s, *QUICK, "--json")[1]) for s in (LIVE, RECORDED))
    assert len(live) == 12 * len(WHERE) and live == recorded


def test_units_are_the_best_of_rank_unless_some_are_named(run: Command, quotes: None) -> None:
    def units(*arguments: str) -> list[str]:
        status, out, err = run(
            "ablate", "in_quotes", *arguments, *RECORDED, "--chars", "1500", "--matched", "0", "--json"
        )
        assert status == 0, err
        return list(dict.fromkeys(row["intervention"] for row in rows(out)))

    ranked = rows(
        run("rank", "in_quotes", "activations.h5", "--json", "--shifts", "0", "--sites", "cell", "--top", "3")[1]
    )
    assert units("--sites", "cell", "--top", "3") == [row["unit"] for row in ranked]
    assert len(units()) == 10
    assert units("--units", "all", "--sites", "hidden") == [f"0/hidden/{n}" for n in range(12)]
    assert units("--units", "0/hidden/2, 0/cell/5") == ["0/hidden/2", "0/cell/5"]
    assert units("--units", "0/hidden/2", "--units", "0/cell/5") == ["0/hidden/2", "0/cell/5"]
    assert units("--units", "0/hidden/2,0/cell/5", "--together") == ["0/hidden/2 + 0/cell/5"]


def test_each_hypothesis_is_measured(run: Command, quotes: None) -> None:
    status, out, err = run("ablate", "in_quotes", "in_word", *RECORDED, "--units", "0/cell/0", *QUICK, "--json")
    assert status == 0, err
    assert list(dict.fromkeys(row["hypothesis"] for row in rows(out))) == ["in_quotes", "in_word"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["in_quotes", "activations.h5"], "name the model, too: --model model.pt"),
        (["in_quotes", "activations.h5", *LIVE], "a recording and --model are given"),
        (["in_quotes", "activations.h5", "corpus.txt", "--model", "model.pt"], "2 recordings are named"),
        (["in_quotes", *RECORDED, "--backwards"], "--backwards applies only with --text"),
        (["in_quotes", "activations.h5", "--model", "other.pt"], "other.pt is not the model that activations.h5 is"),
        ([*RECORDED], "name a hypothesis, such as `probe ablate in_quotes`"),
        (["in_quotes", *RECORDED, "--units", "0/cell/12"], "0/cell has 12 units, 0 to 11, and so no 12"),
        (["in_quotes", *RECORDED, "--units", "0/cell/1", "--sites", "hidden"], "leave one of the two out"),
        (["in_quotes", *RECORDED, "--units", "0/hidden/1", "--held-at", "2"], "always within [-1, 1]"),
        (["in_quotes", *RECORDED, "--held-at", "median"], "choose zero, mean, other, resampled, or a number"),
        (["in_quotes", *RECORDED, "--chars", "20"], "Invalid value for '--chars'"),
        (["in_quotes", *RECORDED, "--seed", "-1"], "the seed is -1"),
        (["position_in_line", *RECORDED], "is not True or False"),
        (["in_comment", *RECORDED], "False at every character"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    run: Command, quotes: None, arguments: list[str], complaint: str
) -> None:
    text = Path("corpus.txt").read_text(encoding="utf-8")
    save_model(random_model(text), "other.pt")
    status, out, err = run("ablate", *arguments)
    assert status in (1, 2) and out == ""
    assert complaint in said(err)


def test_a_value_out_of_range_can_be_forced(run: Command, quotes: None) -> None:
    wrong = ["--units", "0/hidden/1", "--held-at", "2", "--force"]
    assert run("ablate", "in_quotes", *RECORDED, *wrong, *QUICK)[0] == 0


def test_help_names_every_value_at_which_units_are_held(run: Command) -> None:
    shown = said(run("ablate", "--help")[1])
    assert all(f"{value}" in shown for value in HELD_AT)
