"""`probe fit --save` and `--apply`: probes are fitted once, and judged on other recordings of the same model."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import Command, rows
from planting import PLANTED, random_model

from activations.models.checkpoints import save_model
from analyses.probing.kept_probes import load_probes
from probe import __version__


@pytest.fixture
def two_texts(code_text: str) -> None:
    """A model, and its recordings of two texts."""
    save_model(random_model(code_text, n_units=6), Path("model.pt"))
    Path("first.txt").write_text(code_text[:9000], encoding="utf-8")
    Path("second.txt").write_text(code_text[9000:18_000], encoding="utf-8")


def test_a_probe_is_saved_and_applied(run: Command, two_texts: None) -> None:
    for text in ("first", "second"):
        assert run("extract", "model.pt", f"{text}.txt", "-o", f"{text}.h5")[0] == 0
    status, out, err = run("fit", "in_quotes", "first.h5", "--controls", "none", "--save", "kept.npz", "--json")
    assert status == 0, err
    fitted = rows(out)
    kept = load_probes("kept.npz")
    assert [probe.site for probe in kept] == [row["site"] for row in fitted]
    assert kept[0].made_by.startswith(f"char-probe {__version__}: probe fit in_quotes first.h5")
    assert {probe.model_sha256 for probe in kept} == {json.loads(line)["model_sha256"] for line in out.splitlines()}

    again = rows(run("fit", "--apply", "kept.npz", "first.h5", "--controls", "none", "--json")[1])
    assert [row["auc"] for row in again] == pytest.approx([row["auc"] for row in fitted], abs=1e-6)
    elsewhere = rows(run("fit", "--apply", "kept.npz", "second.h5", "--json")[1])
    assert [(row["site"], row["control"]) for row in elsewhere] == [
        (row["site"], control) for row in fitted for control in (None, "runs")
    ]
    assert {row["n_test"] for row in elsewhere} == {9000}
    live = rows(
        run("fit", "--apply", "kept.npz", "--model", "model.pt", "--text", "second.txt", "--sites", "hidden", "--json")[
            1
        ]
    )
    recorded = [row for row in elsewhere if row["site"].endswith("hidden")]
    assert [row["auc"] for row in live] == pytest.approx([row["auc"] for row in recorded], abs=1e-3)
    _, out, err = run("fit", "--apply", "kept.npz", "second.h5", "--keep", "said.npz")
    assert "in_quotes" in out, err
    with np.load("said.npz") as said:
        assert np.isfinite(said["in_quotes/0/hidden"]).all()


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["--apply", "absent.npz"], 1, "cannot read absent.npz"),
        (["--apply", "model.pt"], 1, "damaged, or holds no probes"),
        (["--apply", "kept.npz", "--folds", "5"], 2, "--folds is for fitting"),
        (["--apply", "kept.npz", "--units", "0/hidden/1"], 2, "--units is for fitting"),
        (["--apply", "kept.npz", "--sites", "1"], 1, "no probe of these sites; there are probes of 0/hidden"),
        (["--apply", "kept.npz", "--controls", "chars"], 1, "'chars' does not apply to a kept probe"),
        (["--apply", "kept.npz", "--model", "other.pt", "--text", "second.txt"], 1, "--any-model"),
        (["in_quotes", "--any-model"], 2, "applies only with --apply"),
        (["in_quotes", "--save", "kept.txt"], 2, "end its name in .npz"),
        (["in_quotes", "--save", "a.npz", "--keep", "a.npz"], 2, "name two"),
        (["in_quotes", "first.h5", "second.h5", "--save", "a.npz"], 2, "one recording"),
    ],
)
def test_wrong_input_is_one_sentence(
    run: Command, two_texts: None, code_text: str, arguments: list[str], status: int, complaint: str
) -> None:
    save_model(random_model(code_text, 1, n_units=6, n_layers=2), Path("other.pt"))
    source = () if "--model" in arguments else ("--model", "model.pt", "--text", "second.txt")
    if "--sites" in arguments:
        source = ("--model", "other.pt", "--text", "second.txt")
    if "--apply" in arguments:
        fitting = ("fit", "in_quotes", "--sites", "0/hidden", "--controls", "none", "--penalty", "10")
        run(*fitting, "--model", "model.pt", "--text", "first.txt", "--save", "kept.npz")
    found, out, err = run("fit", *arguments, *(() if "first.h5" in arguments else source))
    assert found == status, err
    assert out == ""
    assert complaint in " ".join(err.replace("│", " ").split())


def test_a_probe_with_planted_weights_reads_its_unit(run: Command, planted: Path) -> None:
    run("fit", "in_quotes", planted, "--sites", "0/hidden", "--controls", "none", "--save", "kept.npz")
    [probe] = load_probes("kept.npz")
    site, direction = probe.direction
    assert site == PLANTED["in_quotes"].site
    assert int(np.abs(direction).argmax()) == PLANTED["in_quotes"].index
    assert direction[PLANTED["in_quotes"].index] < -0.9  # it is silent inside
