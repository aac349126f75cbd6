"""The commands that need the model: `probe orders`, and `probe rank --method attribution`."""

import csv
from pathlib import Path

import numpy as np
import pytest
from commands import Command, rows
from quoting import QuoteModel, quoted_text

from activations.models.checkpoints import save_model
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from analyses.causes.removal.removal_orders import compare_orders
from analyses.passages.effects import CONTRAST
from probe.plots import plot_orders


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model made by hand, its text, and a recording of the two."""
    folder = tmp_path_factory.mktemp("orders")
    model = QuoteModel(strength=8.0).model
    paths = {"model": folder / "model.pt", "text": folder / "text.txt", "recording": folder / "activations.h5"}
    save_model(model, paths["model"])
    paths["text"].write_text(quoted_text(np.random.default_rng(7), 3000), encoding="utf-8")
    extract(LiveActivations(model, Corpus.read(paths["text"])), paths["recording"])
    return paths


def test_orders_prints_writes_and_draws(run: Command, files: dict[str, Path], tmp_path: Path) -> None:
    picture, table = tmp_path / "orders.png", tmp_path / "orders.csv"
    few = ("--sites", "0/cell", "--methods", "auc,attribution", "--chars", "1000", "--random", "5")
    live = ("--model", files["model"], "--text", files["text"])
    status, output, _ = run("orders", "in_quotes", *live, *few, "-o", picture, "--csv", table)
    assert status == 0
    assert "auc: harms sooner than random orders do" in output or "auc: not shown to be better" in output
    assert "12 units of 0/cell held at their means" in output
    assert picture.stat().st_size > 1000
    with table.open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert {(row["order"], row["kind"]) for row in written} == {
        *((name, kind) for name in ("auc", "attribution", "random") for kind in ("removed", "kept")),
        ("auc", "area"),
        ("attribution", "area"),
    }
    _, output, _ = run("orders", "in_quotes", files["recording"], "--model", files["model"], *few, "--json")
    again = [row["effect"] for row in rows(output)]
    assert again == pytest.approx([float(row["effect"]) for row in written], abs=1e-6)


def test_rank_by_attribution_takes_a_recording_with_its_model(run: Command, files: dict[str, Path]) -> None:
    options = ("--method", "attribution", "--sites", "0/hidden", "--shifts", "0", "--json")
    _, beside, _ = run("rank", "in_quotes", files["recording"], "--model", files["model"], *options)
    _, live, _ = run("rank", "in_quotes", "--model", files["model"], "--text", files["text"], *options)
    first, again = rows(beside)[0], rows(live)[0]
    assert first["unit"] == again["unit"] == "0/hidden/0"
    assert first["score"] == pytest.approx(again["score"], rel=1e-4)
    status, _, error = run("rank", "in_quotes", files["recording"], "--method", "attribution")
    assert status != 0
    assert "needs the model itself" in error


def test_rank_by_attribution_shows_its_interval_and_p_beside_the_auc_alone(
    run: Command, files: dict[str, Path]
) -> None:
    options = ("--method", "attribution", "--sites", "0/hidden", "--shifts", "0", "--top", "1")
    status, output, error = run("rank", "in_quotes", files["recording"], "--model", files["model"], *options)
    heading, first, *_ = output.splitlines()
    names = ["training", "held-out", "overall"]
    assert status == 0
    assert heading.split() == [
        *("unit", *(word for name in names for word in (name, "attribution"))),
        *(word for name in ("low", "high", "p", "q") for word in ("attribution", name)),
        *("held-out", "auc"),
    ]
    training, held_out, overall, low, high, p, q, auc = map(float, first.split()[1:])
    assert training > 0 and held_out > 0 > overall and low <= overall <= high
    assert p <= q < 0.05 and auc == 1
    assert "its p is under the null that a unit is one like those of its site that vary as much" in error


def test_a_picture_of_orders_has_every_curve_and_its_name(files: dict[str, Path]) -> None:
    live = LiveActivations(QuoteModel().model, Corpus.read(files["text"]))
    compared = compare_orders(live, "in_quotes", "auc", sites="0/cell", n_random=3, n_chars=500)
    axes = plot_orders(compared)
    drawn = {line.get_label(): line for line in axes.lines}
    for label, name in {"3 random orders": "random", "auc": "auc"}.items():
        line = drawn[label]
        assert list(np.asarray(line.get_ydata())) == [point.effect for point in compared.curve(name).of(CONTRAST)]
