"""`probe perturb`: a table, a table by characters, sentences, rows and a picture; wrong input is one sentence."""

from pathlib import Path

import pytest
from commands import Command, rows
from planting import random_model

from activations.models.checkpoints import save_model

SHORT = ("--places", "30", "--after", "8", "--units", "0/hidden/1,0/hidden/4")


@pytest.fixture
def files(code_text: str) -> None:
    save_model(random_model(code_text, n_layers=1), Path("model.pt"))
    Path("corpus.txt").write_text(code_text[:12_000], encoding="utf-8")


def test_edits_of_the_text_are_shown(run: Command, files: None) -> None:
    live = ("--model", "model.pt", "--text", "corpus.txt")
    status, out, err = run("perturb", "in_quotes", *live, *SHORT, "-o", "edits.png", "--csv", "edits.csv")
    assert status == 0, err
    table, by_step = out.split("by characters after the edit")
    assert [line.split()[0] for line in table.splitlines()] == ["quantity", "loss", "0/hidden/1", "0/hidden/4"]
    steps = [line.split()[0] for line in by_step.strip().splitlines()[1:6]]
    assert steps == ["0", "1", "2", "4", "8"]
    assert "in_quotes: delete, at characters with which in_quotes begins to hold: 30 of" in out
    assert "ollow" in out  # a sentence for each unit
    assert Path("edits.png").stat().st_size > 10_000
    assert Path("edits.csv").read_text().count("\n") == 1 + 3 * 4 * 6


def test_an_edit_that_there_is_not_is_refused_before_anything_is_read(run: Command) -> None:
    status, _, err = run("perturb", "in_quotes", "none.h5", "--model", "none.pt", "--edit", "swap")
    assert (status, err.splitlines()) == (
        1,
        ["error: there is no edit 'swap'; there are delete, insert, replace, repeat"],
    )


def test_tables_say_which_units_they_leave_out(run: Command, files: None) -> None:
    units = ("--units", "0/hidden", "--units", "0/cell/0")
    live = ("--model", "model.pt", "--text", "corpus.txt", *units, "--places", "30", "--after", "8")
    status, out, err = run("perturb", "in_quotes", *live, "--matched", "5")
    assert status == 0, err
    assert "by characters after the edit (without the last 2, which --json and --csv have)" in out


def test_a_recording_and_its_model_give_the_same_as_the_model_alone(run: Command, files: None) -> None:
    run("extract", "model.pt", "corpus.txt")
    asked = ("perturb", "in_comment", "--edit", "insert #", *SHORT, "--json", "--model", "model.pt")
    _, alone, err = run(*asked, "--text", "corpus.txt")
    _, recorded, _ = run(*asked, "activations.h5")
    assert len(rows(alone)) == 3 * 4 * 6, err
    assert rows(alone) == rows(recorded)
    assert {row["edit"] for row in rows(alone)} == {"insert #"}


def test_a_lag_moves_the_labels_and_not_the_edits(run: Command, files: None) -> None:
    """Three characters before the label begins, there is no quote that could be deleted."""
    live = ("--model", "model.pt", "--text", "corpus.txt")
    _, plain, _ = run("perturb", "in_quotes", *live, *SHORT)
    _, lagged, err = run("perturb", "in_quotes", "--lag", "3", *live, *SHORT)
    sentence = "delete, at characters with which in_quotes begins to hold: 30 of"
    assert f"in_quotes: {sentence}" in plain and f"in_quotes @ 3: {sentence}" in lagged, err
    [places] = [line.partition("label changes at ")[2] for line in lagged.splitlines() if sentence in line]
    assert not places.startswith("0 ")


def test_a_kept_probe_is_followed(run: Command, files: None) -> None:
    live = ("--model", "model.pt", "--text", "corpus.txt")
    fitting = ("--controls", "none", "--penalty", "10", "--save", "kept.npz")
    run("fit", "in_quotes", "in_comment", *live, "--sites", "hidden", *fitting)
    _, out, err = run("perturb", "in_quotes", *live, *SHORT, "--probe", "kept.npz", "--json")
    assert [row["quantity"] for row in rows(out)][:: 4 * 6] == ["loss", "probe", "0/hidden/1", "0/hidden/4"], err
    _, out, _ = run("perturb", "in_quotes", *live, *SHORT, "--probe", "kept.npz")
    assert "probe follows the text" in out.replace("The probe", "the probe")


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        ([], 2, "name a hypothesis, such as `probe perturb in_quotes`"),
        (
            ["in_quotes", "--edit", "insert €"],
            1,
            "the model does not know all of the characters that 'insert €' inserts",
        ),
        (["in_quotes", "--edit", "swap"], 1, "there is no edit 'swap'"),
        (["in_quotes", "--edit", "delete €"], 1, "possible nowhere in this text"),
        (["in_quotes", "--after", "20000"], 1, "(--after)"),
        (["in_quotes", "--units", "0/hidden/99"], 1, "has 8 units"),
        (["in_quotes", "--probe", "absent.npz"], 1, "cannot read absent.npz"),
        (["in_quotes", "--places", "0"], 2, "Invalid value for '--places'"),
        (["in_quotes", "-o", "edits.txt"], 1, "end its name in .png"),
        (["char_class"], 1, "not True or False"),
        (["predicts:a"], 1, "predicts:a"),
    ],
)
def test_wrong_input_is_one_sentence(
    run: Command, files: None, arguments: list[str], status: int, complaint: str
) -> None:
    before = sorted(Path().iterdir())
    units = () if "--units" in arguments else ("--units", "0/hidden/1")
    found, out, err = run("perturb", *arguments, *units, "--model", "model.pt", "--text", "corpus.txt")
    assert found == status, err
    assert out == ""
    assert complaint in " ".join(err.replace("│", " ").split())
    assert sorted(Path().iterdir()) == before
