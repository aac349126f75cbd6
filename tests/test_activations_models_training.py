"""Training learns, repeats itself, and refuses what cannot be learned from."""

import signal
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from planting import random_model

from activations.errors import ActivationError
from activations.models.cells.kinds import CELLS
from activations.models.char_rnn import ModelConfig
from activations.models.evaluation import evaluate
from activations.models.initialising import INITIALISATIONS, initialise
from activations.models.training.config import OPTIMIZERS, SCHEDULES, TrainingConfig
from activations.models.training.results import TrainingSnapshot
from activations.models.training.stabilising import read_with_penalty
from activations.models.training.training import can_train_in_bf16, hold_out, train
from activations.texts.corpus import Corpus

TEXT = Corpus.from_texts(["abcd" * 800])
QUICK = TrainingConfig(epochs=3, n_lanes=4, n_steps=16, learning_rate=2e-2)


@pytest.mark.parametrize("cell", list(CELLS))
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_every_cell_learns_what_follows_what(cell: str, precision: str) -> None:
    config = TrainingConfig(epochs=12, n_lanes=4, n_steps=16, learning_rate=4e-3, precision=precision)
    if precision == "bf16" and not can_train_in_bf16(cell):
        with pytest.raises(ActivationError, match="this processor cannot train an LSTM in bf16"):
            train(*hold_out(TEXT, 0.1), ModelConfig(cell=cell, n_layers=1, n_units=16), config)
        pytest.skip("this processor cannot train an LSTM in bf16")
    result = train(*hold_out(TEXT, 0.1), ModelConfig(cell=cell, n_layers=1, n_units=16), config)
    assert result.best.nats_per_char < 0.1  # log(4) = 1.39 without any learning
    assert result.best.accuracy == 1


def test_the_same_seed_gives_the_same_model() -> None:
    shape = ModelConfig(n_units=8, n_embedding=3)
    first, second = (train(*hold_out(TEXT, 0.1), shape, QUICK).model.state_dict() for _ in range(2))
    for name, weight in first.items():
        torch.testing.assert_close(weight, second[name], rtol=0, atol=0)


def test_the_model_kept_is_that_of_the_best_epoch() -> None:
    training, held_out = hold_out(TEXT, 0.1)
    result = train(training, held_out, ModelConfig(n_units=8), QUICK)
    assert evaluate(result.model, held_out) == result.best
    assert result.record()["held_out_nats_per_char"] == result.best.nats_per_char


def test_characters_of_the_held_out_text_are_known() -> None:
    result = train(TEXT, Corpus.from_texts(["abcdz" * 9]), ModelConfig(n_units=4), QUICK)
    assert result.model.vocabulary.characters == "abcdz"


def test_holding_out_cuts_the_end_off() -> None:
    training, held_out = hold_out(Corpus.from_texts(["abcdef", "ghij"]), 0.3)
    assert [training.text(d.start, d.stop) for d in training.documents] == ["abcdef"]
    assert held_out.text() == "hij"
    for share in (0.0, 1.0, -1.0):
        with pytest.raises(ActivationError, match="between 0 and 1"):
            hold_out(TEXT, share)
    with pytest.raises(ActivationError, match="too few to hold out"):
        hold_out(Corpus.from_texts(["abc"]), 0.1)


def test_a_text_too_short_for_its_lanes_is_refused() -> None:
    short = Corpus.from_texts(["abcdefgh"])
    with pytest.raises(ActivationError, match="too few for 32 lanes"):
        train(short, short)


def test_a_loss_that_explodes_is_told() -> None:
    config = TrainingConfig(epochs=1, n_lanes=4, n_steps=16, learning_rate=1e30)
    with pytest.raises(ActivationError, match="learning rate below"):
        train(TEXT, TEXT, ModelConfig(cell="rnn_relu", n_units=8), config)


@pytest.mark.parametrize(
    "wrong",
    [
        {"precision": "int8"},
        {"optimizer": "sgd"},
        {"schedule": "linear"},
        {"initialisation": "zeros"},
        {"device": "tpu"},
        {"epochs": 0},
        {"learning_rate": 0.0},
        {"clip": 0.0},
        {"decay": 1.5},
        {"weight_decay": -1.0},
        {"norm_stabiliser": -1.0},
        {"patience": -1},
        {"dropout": 1.0},
        {"n_lanes": 0},
    ],
)
def test_a_wrong_setting_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(ActivationError, match=next(iter(wrong)).replace("_", "[_ ]")):
        TrainingConfig(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ActivationError, match="n_units is 0"):
        ModelConfig(n_units=0)


class StoppedError(Exception):
    """What a test stops a training with."""


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_a_training_that_was_interrupted_ends_as_an_unbroken_one(cell: str, tmp_path: Path) -> None:
    """Three times, anywhere, with dropout, whose draws go on where they were."""
    config = replace(QUICK, dropout=0.3)
    shape = ModelConfig(cell=cell, n_units=8)
    whole = train(*hold_out(TEXT, 0.1), shape, config)
    state = tmp_path / "state.pt"
    for stop in (7, 46, 100):

        def interrupt(done: int, total: int, note: str, stop: int = stop) -> None:
            if done == stop:
                raise StoppedError

        with pytest.raises(StoppedError):
            train(*hold_out(TEXT, 0.1), shape, config, state=state, save_every_s=0.0, progress=interrupt)
        assert state.exists()
    again = train(*hold_out(TEXT, 0.1), shape, config, state=state, save_every_s=0.0)
    assert (again.losses, again.held_out, again.rows) == (whole.losses, whole.held_out, whole.rows)
    for name, weight in whole.model.state_dict().items():
        torch.testing.assert_close(weight, again.model.state_dict()[name], rtol=0, atol=0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_lost_at_ctrl_c(number: int, tmp_path: Path) -> None:
    """The update at hand is finished and kept, wherever in it the signal comes; a second one is answered at once."""
    raised = KeyboardInterrupt if number == signal.SIGINT else SystemExit
    config, shape, state, done = replace(QUICK, dropout=0.3), ModelConfig(n_units=8), tmp_path / "state.pt", [0]
    whole = train(*hold_out(TEXT, 0.1), shape, config)

    def interrupt(snapshot: TrainingSnapshot) -> None:
        if snapshot.update == 7:
            signal.raise_signal(number)
            done[0] = snapshot.update

    def interrupt_twice(snapshot: TrainingSnapshot) -> None:
        if snapshot.update == 7:
            signal.raise_signal(number)
            done[0] = 8
            signal.raise_signal(number)
            done[0] = 9

    def at(update: int) -> bool:
        return update == 7

    def end(number: int, frame: object) -> None:
        sys.exit(128 + number)

    handler = signal.default_int_handler if number == signal.SIGINT else end
    before = signal.signal(number, handler)
    try:
        with pytest.raises(raised):
            train(*hold_out(TEXT, 0.1), shape, config, state=state, at=at, watch=interrupt)
        assert done == [7]
        assert torch.load(state, weights_only=True)["state"]["done"] == 7
        again = train(*hold_out(TEXT, 0.1), shape, config, state=state)
        with pytest.raises(raised):
            train(*hold_out(TEXT, 0.1), shape, config, at=at, watch=interrupt_twice)
        assert done == [8]
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, before)
    assert (again.losses, again.held_out, again.rows) == (whole.losses, whole.held_out, whole.rows)


def test_a_state_of_another_training_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    state, shape = tmp_path / "state.pt", ModelConfig(n_units=4)
    parts = hold_out(TEXT, 0.1)

    def interrupt(snapshot: TrainingSnapshot) -> None:
        if snapshot.update > 100:
            raise StoppedError

    with pytest.raises(StoppedError):
        train(*parts, shape, QUICK, state=state, watch=interrupt)
    with pytest.raises(ActivationError, match=r"another training \(other: n units, learning rate\)"):
        train(*parts, ModelConfig(n_units=5), replace(QUICK, learning_rate=1e-3), state=state)
    with pytest.raises(ActivationError, match=r"\(other: text\)"):
        train(Corpus.from_texts(["abcd" * 700]), parts[1], shape, QUICK, state=state)
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(ActivationError, match="is damaged; delete it"):
        train(*parts, shape, QUICK, state=state)
    torch.save({"format": "something else", "format_version": 1}, state)
    with pytest.raises(ActivationError, match="not the state of an interrupted"):
        train(*parts, shape, QUICK, state=state)


def test_what_is_shown_while_a_model_learns() -> None:
    shown: list[tuple[int, float | None, bool]] = []

    def look(snapshot: TrainingSnapshot) -> None:
        assert not snapshot.model.training
        shown.append((snapshot.update, snapshot.rows[-1].held_out if snapshot.rows else None, snapshot.is_best))

    config = replace(QUICK, epochs=2)
    result = train(*hold_out(TEXT, 0.1), ModelConfig(n_units=8), config, at=lambda n: n in (3, 50), watch=look)
    per_epoch = -(-(2880 // 4 - 1) // 16)
    assert [update for update, *_ in shown] == [0, 3, per_epoch, 50, 2 * per_epoch]
    assert [held_out for _, held_out, _ in shown[2::2]] == [evaluation.nats_per_char for evaluation in result.held_out]
    assert [best for *_, best in shown] == [False, False, True, False, True]
    assert result.rows[-1].epoch == 2
    sizes = [later - earlier for earlier, later in pairwise([0, *(row.update for row in result.rows)])]
    chars = [
        16 * n - (row.update % per_epoch == 0) for row, n in zip(result.rows, sizes, strict=True)
    ]  # the last are 15
    mean = sum(row.loss * n for row, n in zip(result.rows, chars, strict=True)) / sum(chars)
    assert mean == pytest.approx(sum(result.losses) / 2)


def test_a_long_epoch_is_judged_on_the_way() -> None:
    """And learns nothing else by that."""
    parts, shape = hold_out(TEXT, 0.1), ModelConfig(n_units=8)
    whole = train(*parts, shape, QUICK)
    in_rounds = train(*parts, shape, QUICK, round_chars=1000)
    assert len(in_rounds.losses) == len(in_rounds.held_out) == 9
    assert in_rounds.held_out[2::3] == whole.held_out
    judged = [row.epoch for row in in_rounds.rows if row.held_out is not None]
    assert judged == pytest.approx([1 / 3, 2 / 3, 1, 4 / 3, 5 / 3, 2, 7 / 3, 8 / 3, 3], abs=0.03)
    per_round = [loss * n for loss, n in zip(in_rounds.losses, [240, 240, 239] * 3, strict=True)]
    assert sum(per_round[:3]) / 719 == pytest.approx(whole.losses[0])


def test_patience_ends_a_training_that_gets_no_better() -> None:
    reversed_text = Corpus.from_texts(["dcba" * 90])  # gets ever worse
    result = train(TEXT, reversed_text, ModelConfig(n_units=16), replace(QUICK, epochs=50, patience=2))
    losses = [evaluation.nats_per_char for evaluation in result.held_out]
    assert 2 < len(losses) == losses.index(min(losses)) + 3 < 50
    assert evaluate(result.model, reversed_text) == result.best


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_optimizer_and_schedule_learns(optimizer: str, schedule: str) -> None:
    rate = 0.1 if optimizer == "adagrad" else QUICK.learning_rate  # as the command has them
    config = replace(QUICK, epochs=4, optimizer=optimizer, schedule=schedule, weight_decay=0.01, learning_rate=rate)
    result = train(*hold_out(TEXT, 0.1), ModelConfig(n_layers=1, n_units=16), config)
    assert result.best.nats_per_char < 0.3


def test_recurrent_matrices_begin_as_the_papers_say() -> None:
    for initialisation in ("identity", "positive_definite"):
        model = random_model("abcdefgh", n_units=40, cell="rnn_relu")
        initialise(model, initialisation)
        for layer in range(model.config.n_layers):
            matrix = getattr(model.rnn, f"weight_hh_l{layer}")
            assert not getattr(model.rnn, f"bias_hh_l{layer}").any()
            if initialisation == "identity":
                torch.testing.assert_close(matrix, torch.eye(40), rtol=0, atol=0)
                continue
            torch.testing.assert_close(matrix, matrix.T)
            values = torch.linalg.eigvalsh(matrix)
            assert float(values[0].detach()) > 0
            assert float(values[-1].detach()) == pytest.approx(1, abs=1e-5)
    with pytest.raises(ActivationError, match="is for the cell rnn_relu, not lstm"):
        initialise(random_model("abc"), "identity")


@pytest.mark.parametrize("initialisation", INITIALISATIONS)
def test_simple_networks_with_a_relu_learn_from_every_initialisation(initialisation: str) -> None:
    config = replace(QUICK, epochs=12, learning_rate=4e-3, initialisation=initialisation, norm_stabiliser=0.1)
    shape = ModelConfig(cell="rnn_relu", n_layers=1, n_units=24)
    assert train(*hold_out(TEXT, 0.1), shape, config).best.nats_per_char < 0.1


@pytest.mark.parametrize("cell", list(CELLS))
def test_the_norm_stabiliser_is_as_defined(cell: str) -> None:
    """Beside the cells' own equations, one step after another; and the logits are those without it."""
    text = "abcdefgh" * 5
    model = random_model(text, n_units=6, cell=cell)
    ids = torch.from_numpy(model.vocabulary.encode(Corpus.from_texts([text]))).reshape(20, 2)
    for state in (None, model(ids[:4])[1]):
        logits, after, penalty = read_with_penalty(model, ids, state)
        expected, expected_after = model(ids, state)
        torch.testing.assert_close(logits, expected)
        for part, expected_part in zip(after, expected_after, strict=True):
            torch.testing.assert_close(part, expected_part)
        total, step_state = 0.0, state
        norms = torch.zeros(2, 2) if state is None else state[0].norm(dim=-1)
        for step in ids:
            _, step_state = model(step[None], step_state)
            new = step_state[0].norm(dim=-1)
            total += float(((new - norms) ** 2).mean(dim=1).sum().detach())
            norms = new
        assert float(penalty.detach()) == pytest.approx(total / len(ids), rel=1e-4)


def test_a_text_of_one_character_is_refused() -> None:
    same = Corpus.from_texts(["a" * 500])
    with pytest.raises(ActivationError, match="no other character than 'a'"):
        train(same, same)
