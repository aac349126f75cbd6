"""`probe impulse` and `probe patch`: tables, rows, sentences, the picture, and what they refuse."""

import csv
from pathlib import Path

import numpy as np
import pytest
from commands import Command, rows
from quote_cell import quote_model, quote_text

import probe
from activations.models.checkpoints import save_model
from analyses.causes.impulses.impulse import impulse
from probe.plots import figure_of, plot_impulse

LIVE = ["--model", "model.pt", "--text", "corpus.txt"]
RECORDED = ["activations.h5", "--model", "model.pt"]
QUICK = ["--chars", "4000", "--matched", "5"]
ONCE = ["--starts", "60", "--steps", "8"]
TEXTS = ["--base", 'ab "aba', "--source", "ab aba"]


@pytest.fixture
def quotes() -> None:
    """`corpus.txt`, a `model.pt` whose unit 0/cell/0 carries the quotes, and its `activations.h5`, in this folder."""
    Path("corpus.txt").write_text(quote_text(np.random.default_rng(3), 4000), encoding="utf-8")
    save_model(quote_model(), "model.pt")
    live = probe.LiveActivations(probe.load_model("model.pt"), probe.Corpus.read("corpus.txt"))
    probe.extract(live, "activations.h5")


def said(text: str) -> str:
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize("source", [LIVE, RECORDED, ["--model", "model.pt"]], ids=["live", "recorded", "default"])
def test_impulses_are_shown_by_the_characters_since_them(run: Command, quotes: None, source: list[str]) -> None:
    status, out, err = run("impulse", "in_quotes", "--units", "0/cell/0,0/cell/3", *source, *QUICK, *ONCE)
    assert status == 0, err
    lines = out.splitlines()
    assert [line.split()[1] for line in lines[1:6]] == ["0", "1", "2", "4", "8"]
    assert lines[0].split() == ["unit", "k", "remaining", "state", "loss", "low", "high", "matched", "p"]
    assert lines[11].startswith("0/cell/0: half of a change is left after")
    assert "falls by" in lines[11]
    assert lines[12].startswith("0/cell/3: more than half of a change is left after all 8 characters that were read")
    assert "not shown" in lines[12]
    assert "at 60 characters, and followed for 8 characters" in said(out)


def test_impulses_of_the_best_units_are_those_of_the_library_and_drawn(run: Command, quotes: None) -> None:
    status, out, err = run(
        "impulse", "in_quotes", *RECORDED, *QUICK, *ONCE, "--to", "+0.5", "--top", "2", "--sites", "cell",
        "--json", "--csv", "i.csv", "-o", "i.png",
    )  # fmt: skip
    assert status == 0, err
    printed = rows(out)
    assert len(printed) == 2 * 9
    assert printed[0]["unit"] == "0/cell/0"
    assert printed[0]["loss_low"] < printed[0]["loss"] < printed[0]["loss_high"]
    live = probe.live("activations.h5", "model.pt")
    units = [printed[0]["unit"], printed[9]["unit"]]
    expected = impulse(live, "in_quotes", units, to="+0.5", n_starts=60, n_steps=8, n_chars=4000, n_matched=5)
    assert [row["loss"] for row in printed] == [row["loss"] for row in expected.rows()]
    assert Path("i.png").read_bytes().startswith(b"\x89PNG")
    with Path("i.csv").open(newline="", encoding="utf-8") as file:
        assert [float(row["remaining"]) for row in csv.DictReader(file)] == [row["remaining"] for row in printed]


def test_the_picture_has_the_shares_and_the_losses(quotes: None) -> None:
    live = probe.live("activations.h5", "model.pt")
    found = probe.impulse(
        live, "in_quotes", ["0/cell/0", "0/cell/3"], n_starts=60, n_steps=8, n_chars=4000, n_matched=5
    )
    left, right = plot_impulse(found)
    assert figure_of(left) is figure_of(right)
    for axes, field in ((left, "remaining"), (right, "loss")):
        drawn = {line.get_label(): np.asarray(line.get_ydata()) for line in axes.get_lines()}
        for unit in found.units:
            np.testing.assert_array_equal(drawn[unit.unit], [getattr(step, field) for step in unit.steps])
            matched = [getattr(step, f"{field}_matched") for step in unit.steps]
            np.testing.assert_array_equal(drawn[f"matched to {unit.unit}"], matched)
    [legend] = figure_of(left).legends
    assert len(legend.get_texts()) == 4


def test_patches_of_the_best_unit_its_site_and_the_state(run: Command, quotes: None) -> None:
    status, out, err = run("patch", "in_quotes", *RECORDED, *QUICK, "--pairs", "30", "--steps", "4", "--json")
    assert status == 0, err
    printed = rows(out)
    best, site = printed[0]["what"], printed[0]["what"].rpartition("/")[0]
    assert list(dict.fromkeys(row["what"] for row in printed)) == [best, f"mean difference of {site}", site, "state"]
    assert best in ("0/cell/0", "0/hidden/0")
    assert len(printed) == 4 * 2 * 3
    assert all(row["share"] == pytest.approx(1, abs=1e-5) for row in printed if row["what"] == "state")
    assert {row["character"] for row in printed} == {'"'}


def test_patches_are_shown_with_sentences(run: Command, quotes: None) -> None:
    np.save("directions.npy", np.eye(6)[:2])
    parts = ["0/cell/0", "0/cell/1,0/cell/2", "0/cell=directions.npy"]
    status, out, err = run(
        "patch", "in_quotes", *LIVE, *QUICK, "--pairs", "30", "--steps", "4", *(w for p in parts for w in ("--part", p))
    )
    assert status == 0, err
    assert "0/cell/0: 100.0% of the way from base to source in the log probability" in said(out)
    assert "0/cell/1 + 0/cell/2: 0.0% of the way" in said(out)
    assert "0/cell=directions.npy: 100.0% of the way" in said(out)
    assert "30 pairs whose last" in said(out)


def test_two_texts_are_patched(run: Command, quotes: None) -> None:
    texts = ["patch", "--model", "model.pt", *TEXTS, "--character", '"']
    status, out, err = run(*texts, "--part", "0/cell", "--part", "0/cell/1", "--json")
    assert status == 0, err
    assert [(row["what"], row["share"]) for row in rows(out)] == [("0/cell", pytest.approx(1)), ("0/cell/1", 0)]
    status, out, err = run(*texts, "--part", "state")
    assert status == 0, err
    assert out.splitlines()[1].split()[0] == "state"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["impulse", *LIVE], "name a hypothesis, such as `probe impulse in_quotes`"),
        (["impulse", "in_quotes", "--units", "0/cell/99", *LIVE], "0/cell has 6 units"),
        (["impulse", "in_quotes", "--units", "0/hidden/0", "--to", "7", *LIVE], "outside the range of 0/hidden"),
        (["impulse", "in_quotes", "--units", "0/cell/0", "--to", "x", *LIVE], "a unit cannot be set to 'x'"),
        (
            ["impulse", "in_quotes", "--units", "0/hidden/0", "--to", "+2.5", *LIVE],
            "+2.5 takes any unit of 0/hidden out of its range, since all are always within [-1, 1]; add an amount from "
            "-2 to 2, or add it all the same with --force",
        ),
        (["impulse", "in_quotes", "--units", "0/forget_gate/0", "--to", "+1.5", *LIVE], "add an amount from -1 to 1"),
        (
            ["impulse", "in_quotes", "--units", "0/cell/0", "--steps", "5000", *LIVE],
            "none of them has 5,001 characters",
        ),
        (["impulse", "in_quotes", "-o", "i.txt", *LIVE], "i.txt is not a picture"),
        (["impulse", "in_quotes", "activations.h5"], "--model model.pt"),
        (["patch", *LIVE], "name a hypothesis, such as `probe patch in_quotes`"),
        (["patch", "in_quotes", "--part", "7/cell", *LIVE], "7/cell"),
        (["patch", "in_quotes", "--part", "0/cell=no.npy", *LIVE], "no.npy has no directions"),
        (["patch", "in_quotes", "--part", "0/cell=empty.npy", *LIVE], "empty.npy has no directions"),
        (["patch", "in_quotes", "--part", "0/cell=broken.npy", *LIVE], "broken.npy has no directions"),
        (["patch", "in_quotes", "--part", "difference:9/cell", *LIVE], "there is no site '9/cell' here"),
        (["patch", "in_quotes", "--part", "0/cell", "--character", "z", *LIVE], "does not know the character 'z'"),
        (["patch", "--base", "ab", "--part", "0/cell", "--model", "model.pt"], "name both"),
        (["patch", "in_quotes", *TEXTS, "--model", "model.pt"], "leave out hypotheses, recordings and --text"),
        (["patch", *TEXTS, "--part", "0/cell", "--model", "model.pt"], "the --character whose probability"),
        (["patch", *TEXTS, "--part", "difference:0/cell", "--character", "a", "--model", "model.pt"], "a hypothesis"),
    ],
)
def test_what_cannot_be_asked_is_said(run: Command, quotes: None, arguments: list[str], sentence: str) -> None:
    Path("empty.npy").touch()
    Path("broken.npy").write_bytes(b"PK\x03\x04 and no more")
    status, out, err = run(*arguments)
    assert status != 0
    assert out == ""
    assert sentence in said(err)


def test_a_kept_probe_is_a_part_and_a_direction_to_steer_by(run: Command, quotes: None) -> None:
    status, _, err = run(
        "fit", "in_quotes", "activations.h5", "--sites", "0/cell", "--controls", "none", "--save", "q.npz"
    )
    assert status == 0, err
    kept = probe.causes.probe_direction("q.npz")
    site, vector = probe.load_probe("q.npz").direction
    assert (kept.name, kept.site) == ("probe of in_quotes", site)
    np.testing.assert_array_equal(kept.vector, vector)
    assert np.abs(kept.vector).argmax() == 0  # the unit that carries the quotes

    status, out, err = run("patch", "in_quotes", "--part", "q.npz", "--json", *RECORDED, *QUICK, "--pairs", "30")
    assert status == 0, err
    assert all("probe of in_quotes direction of 0/cell" in row.values() for row in rows(out))
    some = ["--samples", "8", "--length", "20", "--matched", "0"]
    status, out, err = run(
        "steer", "in_quotes", "--add", "q.npz", "--alpha", "0,1", "--model", "model.pt", *some, "--json"
    )
    assert status == 0, err
    unsteered = [row for row in rows(out) if row["at"] == 0]
    assert unsteered and all(row["effect"] == 0 for row in unsteered)
    status, _, err = run("steer", "in_quotes", "--add", "q.npz", "--site", "0/cell", "--model", "model.pt")
    assert status == 1 and "a kept probe has a site of its own" in err
