"""The commands that draw matrices, rankings, weights, curves and overlaps print the numbers that they draw."""

from pathlib import Path

import pytest
from commands import Command, rows
from planting import PLANTED, random_model

import probe
from activations.models.checkpoints import save_model

FAST = ("--penalty", "100")
OPTIONS = probe.FitOptions(penalty=100.0)


@pytest.fixture
def models(code_text: str) -> None:
    """Two models and a text, in this folder."""
    Path("corpus.txt").write_text(code_text[:3000], encoding="utf-8")
    for seed in (0, 1):
        save_model(random_model(code_text[:3000], seed), Path(f"{'ab'[seed]}.pt"))


def test_a_matrix_is_drawn_and_printed(run: Command, planted: Path) -> None:
    names = sorted(PLANTED)
    status, out, err = run("plot", "matrix", *names, planted, *FAST, "--most", "4", "--json")
    assert status == 0, err
    found = rows(out)
    expected = probe.probing.hypothesis_matrix(planted, names, n_units=4, options=OPTIONS)
    drawn = {(row["hypothesis"], row["column"]): row["score"] for row in found}
    assert drawn == {(row["hypothesis"], row["column"]): row["score"] for row in expected.rows()}
    assert Path("matrix.png").stat().st_size > 5000
    status, out, _ = run("plot", "matrix", "in_quotes", planted, *FAST, "--sites", "cell", "-o", "a.pdf")
    assert "text alone" in out
    assert "a.pdf: 1 hypothesis against sites and units" in out


def test_hypotheses_that_do_not_apply_are_said(run: Command, planted: Path) -> None:
    status, _, err = run("plot", "matrix", "in_quotes", "in_heading", planted, *FAST, "--sites", "cell", "--json")
    assert status == 0
    assert "no scores for in_heading" in err


def test_a_ranking_is_drawn_and_printed(run: Command, planted: Path) -> None:
    status, out, err = run("plot", "ranking", "in_quotes", planted, "--top", "3", "--json", "-o", "a.svg")
    assert status == 0, err
    expected = probe.rank(planted, "in_quotes").units[:3]
    assert [(row["unit"], row["held_out_auc"]) for row in rows(out)] == [(str(u.unit), u.held_out) for u in expected]
    svg = Path("a.svg").read_text(encoding="utf-8")
    for ranked in expected:
        assert str(ranked.unit) in svg


def test_weights_are_those_of_the_probe_also_of_a_kept_one(run: Command, planted: Path) -> None:
    asked = ("in_quotes", "--sites", "0/hidden", *FAST)
    status, out, err = run("plot", "weights", *asked, planted, "--json")
    assert status == 0, err
    fitted = rows(out)
    [result] = probe.fit(planted, "in_quotes", sites="0/hidden", options=OPTIONS)
    assert [row["weight"] for row in fitted] == pytest.approx(result.weights[:, 0].tolist())
    assert [row["unit"] for row in fitted] == list(map(str, result.units))
    run("fit", "in_quotes", planted, *FAST, "--controls", "none", "--save", "kept.npz")
    status, out, err = run("plot", "weights", "in_quotes", "--sites", "0/hidden", "--probe", "kept.npz", "--json")
    assert status == 0, err
    kept = rows(out)
    assert [row.pop("weight") for row in kept] == pytest.approx([row.pop("weight") for row in fitted])
    assert kept == fitted
    assert "the weights of 1 probe" in run("plot", "weights", *asked, planted)[1]
    for arguments, sentence in {
        ("position_in_line", "--probe", "kept.npz"): "has no probe of these hypotheses and sites; there are in_quotes",
        ("--sites", "5/cell", "--probe", "kept.npz"): "has no probe of these sites",
        ("in_quotes", str(planted), "--probe", "kept.npz"): "kept probes have their weights",
        (str(planted),): "name a hypothesis",
    }.items():
        status, _, err = run("plot", "weights", *arguments)
        assert status in (1, 2)
        assert sentence in " ".join(err.replace("│", " ").split())


def test_a_curve_is_that_of_the_other_command(run: Command, planted: Path) -> None:
    asked = ("in_quotes", planted, "--most", "4", *FAST, "--json")
    status, out, err = run("plot", "curve", *asked)
    assert status == 0, err
    assert rows(out) == rows(run("curve", *asked, "-o", "other.png")[1])
    assert Path("curve.png").read_bytes() == Path("other.png").read_bytes()
    status, out, _ = run("curve", *asked[:-1])
    assert "in_quotes: 1 unit reaches 95 % of what all 23 units know above chance" in out
    assert "units for" not in out.partition("in_quotes: ")[0]
    status, out, _ = run("curve", *asked, "--no-fewest")
    assert status == 0
    assert "units_for_95" not in out


def test_steps_are_those_of_the_other_command(run: Command, code_text: str) -> None:
    Path("corpus.txt").write_text(code_text, encoding="utf-8")
    quick = ("--units", "4", "--layers", "1", "--epochs", "1", "--lanes", "8", "--checkpoint-every", "8")
    assert run("train", "corpus.txt", "-o", "m.pt", *quick)[0] == 0
    asked = ("in_quotes", "--text", "corpus.txt", "--range", ":6000", *FAST, "--json")
    status, out, err = run("plot", "steps", "m.training", *asked)
    assert status == 0, err
    assert rows(out) == rows(run("curve", "--over", "steps", "--run", "m.training", *asked, "-o", "other.png")[1])
    assert Path("steps.png").read_bytes() == Path("other.png").read_bytes()


def test_an_overlap_is_of_recordings_or_of_models(run: Command, models: None) -> None:
    for name in "ab":
        assert run("extract", f"{name}.pt", "corpus.txt", "-o", f"{name}.h5", "--lanes", "1")[0] == 0
    status, out, err = run("plot", "overlap", "a.h5", "b.h5", "--json", "-o", "a.svg")
    assert status == 0, err
    recorded = rows(out)
    expected = probe.models.overlap({"a": "a.h5", "b": "b.h5"})
    assert [row["n_chars"] for row in recorded] == [correct.n_chars for correct in expected.sets]
    assert [row["right"] for row in recorded] == ["a and b", "a", "b", "none"]
    live = ("--model", "a.pt", "--model", "b.pt", "--text", "corpus.txt", "--lanes", "1")
    status, out, err = run("plot", "overlap", *live, "--json")
    assert status == 0, err
    assert rows(out) == recorded
    assert Path("overlap.png").stat().st_size > 5000
    for arguments, sentence in {
        ("a.h5",): "name two recordings",
        ("a.h5", "b.h5", "--model", "a.pt"): "recordings and --model are given",
        ("--model", "a.pt", "--model", "b.pt"): "several models read a text with",
        ("a.h5", "b.h5", "--lanes", "2"): "applies only with --model and --text",
    }.items():
        status, _, err = run("plot", "overlap", *arguments)
        assert status in (1, 2)
        assert sentence in " ".join(err.replace("│", " ").split())


def test_a_picture_is_of_one_recording(run: Command, planted: Path) -> None:
    Path("other.h5").write_bytes(planted.read_bytes())
    for command in ("matrix", "ranking", "weights"):
        status, _, err = run("plot", command, "in_quotes", planted, "other.h5")
        assert status == 1
        assert "this picture is of one recording, and 2 are named" in err
