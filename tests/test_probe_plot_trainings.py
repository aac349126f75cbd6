"""Pictures of trainings and sweeps are made of what these leave in their folders."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import Command, rows

from activations.errors import ActivationError
from activations.models.training.results import TrainingRow
from probe.models import Sweep, SweptModel, TrainingLosses, read_losses, read_sweep
from probe.plots import figure_of, new_axes, plot_runs
from probe.training.sweeps import write_sweep

ROWS = (
    TrainingRow(5, 0.5, 3.5, None),
    TrainingRow(10, 1.0, 3.0, 3.25),
    TrainingRow(20, 2.0, 2.0, 2.25),
    TrainingRow(30, 3.0, 1.0, 2.75),
)
HEAD = "update,epoch,nats_per_char,held_out_nats_per_char\n"
TABLE = HEAD + "".join(
    f"{row.update},{row.epoch},{row.loss},{'' if row.held_out is None else row.held_out}\n" for row in ROWS
)


def training(name: str, table: str = TABLE) -> Path:
    folder = Path(f"{name}.training")
    folder.mkdir()
    (folder / "losses.csv").write_text(table, encoding="utf-8")
    return folder


@pytest.mark.parametrize("spelling", ["small.training", "small.pt", "small"])
def test_a_training_is_named_by_its_folder_or_its_model(spelling: str) -> None:
    training("small")
    found = read_losses(Path(spelling))
    assert (found.name, found.losses, found.best) == ("small", ROWS, ROWS[2])
    assert [row["is_best"] for row in found.rows()] == [False, False, True, False]
    assert found.rows()[0] == {
        "model": "small", "update": 5, "epoch": 0.5, "nats_per_char": 3.5, "held_out_nats_per_char": None,
        "is_best": False,
    }  # fmt: skip
    assert str(found) == "small: 2.250 nats per character held out, after 20 updates (2.0 epochs), of 30"


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("", "has no losses yet"),
        (HEAD, "has no losses yet"),
        ("a,b\n1,2\n", "is not a table of losses with the columns update, epoch"),
        (HEAD + "5,0.5\n", "is not a table of losses"),
        (HEAD + "5,0.5,low,\n", "is not a table of losses"),
        (HEAD + "5,0.5,nan,\n", "is not a table of losses"),
        (HEAD + "5,0.5,1.0,inf\n", "is not a table of losses"),
        ("\0\0", "is not a table of losses"),
    ],
)
def test_a_broken_table_is_one_sentence(table: str, sentence: str) -> None:
    folder = training("broken", table)
    with pytest.raises(ActivationError, match=sentence) as error:
        read_losses(folder)
    assert "\n" not in str(error.value)


def test_a_folder_of_something_else_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "losses.csv").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ActivationError, match="is not a table of losses"):
        read_losses(tmp_path)
    (tmp_path / "other").mkdir()
    with pytest.raises(ActivationError, match="has no losses.csv, so that it is not the folder of a training"):
        read_losses(tmp_path / "other")
    for name in ("missing.pt", "missing", "missing.training"):
        with pytest.raises(ActivationError, match=r"there is no folder [^ ]*/missing\.training,"):
            read_losses(tmp_path / name)


def test_losses_are_drawn_over_updates_with_the_best_marked() -> None:
    runs = [TrainingLosses(name="a $x$ $y$", losses=ROWS), TrainingLosses(name="b", losses=ROWS[:1])]
    axes = plot_runs(runs)
    of_training, held_out, best, other = (np.asarray(line.get_xydata()).tolist() for line in axes.get_lines())
    assert of_training == [[row.update, row.loss] for row in ROWS]
    assert held_out == [[row.update, row.held_out] for row in ROWS[1:]]
    assert best == [[20, 2.25]]
    assert other == [[5, 3.5]]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        r"a \$x\$ \$y\$, training",
        r"a \$x\$ \$y\$, held out: best 2.250",
        "b, training",
    ]
    own = new_axes()
    assert plot_runs(runs * 2, own) is own
    figure_of(own).draw_without_rendering()


def test_the_command_draws_trainings_and_prints_their_points(run: Command) -> None:
    training("one")
    training("two", TABLE.replace("2.25", "2.125"))
    status, out, err = run("plot", "losses", "one", "two.training", "--json", "--csv", "losses.csv")
    assert status == 0, err
    shown = rows(out)
    assert [(row["model"], row["held_out_nats_per_char"]) for row in shown if row["is_best"]] == [
        ("one", 2.25),
        ("two", 2.125),
    ]
    assert len(shown) == 2 * len(ROWS)
    assert Path("losses.png").stat().st_size > 5000
    status, out, _ = run("plot", "losses", "one.pt", "-o", "a.svg")
    assert "one: 2.250 nats per character" in out
    assert "a.svg: the losses of a training" in out
    status, _, err = run("plot", "losses", "three")
    assert (status, "no training of three" in err) == (1, True)


def swept(cell: str, n_units: int, loss: float) -> SweptModel:
    return SweptModel(
        cell=cell, n_layers=1, n_units=n_units, n_parameters=100, train_nats_per_char=1.5,
        validation_nats_per_char=2.5, test_nats_per_char=loss, test_accuracy=0.25, share_uniquely_correct=0.125,
        training_s=3.5, model=Path(f"sweep/{cell}-1x{n_units}.pt"),
    )  # fmt: skip


def test_a_sweep_is_read_as_it_was_written() -> None:
    models = (swept("lstm", 8, 2.0), swept("gru", 8, 1.0 / 3))
    sweep = Sweep(models=models, overlap=np.array([[0.0, 0.1], [0.2, 0.0]]))
    Path("sweep").mkdir()
    write_sweep(sweep, Path("sweep"))
    again = read_sweep(Path("sweep"))
    assert again.models == models
    np.testing.assert_array_equal(again.overlap, sweep.overlap)


def test_the_command_draws_a_sweep_again(run: Command) -> None:
    sweep = Sweep(models=(swept("lstm", 8, 2.0), swept("gru", 8, 1.5)), overlap=np.zeros((2, 2)))
    Path("sweep").mkdir()
    write_sweep(sweep, Path("sweep"))
    status, out, err = run("plot", "sweep", "--json")
    assert status == 0, err
    assert [row["test_nats_per_char"] for row in rows(out)] == [2.0, 1.5]
    assert Path("sweep.png").read_bytes() == Path("sweep/test_loss.png").read_bytes()


def test_a_folder_that_is_no_sweep_is_one_sentence() -> None:
    with pytest.raises(ActivationError, match="has no results.csv, so that it is not the folder of a sweep"):
        read_sweep(Path())
    Path("results.csv").write_text("cell\nlstm\n", encoding="utf-8")
    with pytest.raises(ActivationError, match="are not the tables of a sweep"):
        read_sweep(Path())
    model = replace(swept("lstm", 8, math.pi), model=Path("a.pt"))
    write_sweep(Sweep(models=(model,), overlap=np.zeros((1, 1))), Path())
    Path("overlap.csv").write_text("correct_model,b\nb,0\n", encoding="utf-8")
    with pytest.raises(ActivationError, match="are not the tables of a sweep"):
        read_sweep(Path())
