"""What a training leaves behind, whatever happens to it; and trainings of which several are compared."""

import csv
import math
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest
import torch
from commands import Command, rows
from hypothesis import given
from hypothesis import strategies as st

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.checkpoints import load_model, model_sha256, save_model, training_record
from activations.models.evaluation import evaluate, losses
from activations.models.sampling import write_texts
from activations.models.training.config import TrainingConfig
from activations.models.training.results import Training
from activations.models.training.training import train
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary
from probe.training import runs
from probe.training.recipes import shape_of, shares_of
from probe.training.runs import Run
from probe.training.sweeps import sweep
from probe.training.swept_models import Sweep

QUICK = ("--layers", "1", "--units", "4", "--epochs", "3", "--lanes", "4", "--steps", "16")
N_UPDATES = 3 * math.ceil((3800 // 4 - 1) / 16)
SHAPE = ModelConfig(cell="lstm", n_layers=1, n_units=4)
SHORT = TrainingConfig(epochs=2, n_lanes=4, n_steps=16)
GRID = ("--cell", "lstm,rnn", "--layers", "1", "--hidden", "5,3", "--epochs", "2", "--lanes", "4", "--steps", "16")
NO_LONGER_A_NUMBER = "the loss is no longer a number"


class StoppedError(Exception):
    """What a test stops a training with."""


@pytest.fixture(scope="module")
def text() -> str:
    """4000 characters in which something is to be learned."""
    rng = np.random.default_rng(3)
    return "".join(f"{word}\n" for word in rng.choice(["spam", "eggs", "ham", "lorem ipsum"], 1000))[:4000]


@pytest.fixture
def corpus(text: str) -> Corpus:
    """Which is in `corpus.txt`, too."""
    Path("corpus.txt").write_text(text, encoding="utf-8")
    return Corpus.from_texts([text])


@pytest.fixture
def parts(text: str) -> list[Corpus]:
    """Of a text so short that an epoch is 10 updates."""
    return Corpus.from_texts([text[:800]]).cut([0.8, 0.1, 0.1])


@pytest.fixture
def unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures, which take longer than the trainings here."""
    monkeypatch.setattr(runs, "plot_losses", lambda rows: None)
    monkeypatch.setattr(runs, "figure_of", lambda axes: None)
    monkeypatch.setattr(runs, "save_figure", lambda figure, path: None)


def table(path: Path | str) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def sentence_of(run: Command, *arguments: str, status: int = 1) -> str:
    """What is said of something wrong: one line, or a line in a box."""
    found, out, err = run(*arguments)
    assert (found, out) == (status, ""), err
    assert "Traceback" not in err
    if status == 1:
        assert err.startswith("error: ")
        assert err.count("\n") == 1
    return " ".join(err.replace("│", " ").split())


def leftovers(folder: Path | str = ".") -> list[Path]:
    return [path for path in Path(folder).rglob("*") if path.suffix == ".part"]


# What is left behind


def test_a_training_leaves_its_curve_and_the_best_model(run: Command, corpus: Corpus) -> None:
    status, out, err = run("train", "corpus.txt", *QUICK, "--json")
    assert (status, err) == (0, "")
    shown = rows(out)
    kept = table("model.training/losses.csv")
    assert list(kept[0]) == ["update", "epoch", "nats_per_char", "held_out_nats_per_char"]
    updates = [int(row["update"]) for row in kept]
    assert all(earlier < later for earlier, later in pairwise([0, *updates]))
    assert updates[-1] == N_UPDATES
    assert [float(row["epoch"]) for row in kept] == pytest.approx([3 * n / N_UPDATES for n in updates])
    judged = [row for row in kept if row["held_out_nats_per_char"]]
    assert [float(row["epoch"]) for row in judged] == [1, 2, 3]
    held_out = [float(row["held_out_nats_per_char"]) for row in judged]
    assert held_out == [row["held_out_nats_per_char"] for row in shown]
    assert 0 < float(kept[-1]["nats_per_char"]) < float(kept[0]["nats_per_char"])
    best = evaluate(load_model("model.pt"), corpus.cut([0.95, 0.05])[1])
    assert best.nats_per_char == pytest.approx(min(held_out))
    assert training_record("model.pt")["held_out_nats_per_char"] == min(held_out)
    picture = matplotlib.image.imread("model.training/losses.png")
    assert min(picture.shape[:2]) > 200
    assert len(np.unique(picture.reshape(-1, picture.shape[-1]), axis=0)) > 10
    assert sorted(path.name for path in Path("model.training").iterdir()) == ["losses.csv", "losses.png"]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_samples_are_what_the_checkpoints_write(run: Command, text: str, newline: str) -> None:
    Path("corpus.txt").write_bytes(text.replace("\n", newline).encode())
    asked = ("--sample-every", "3", "--checkpoint-every", "3")
    assert run("train", "corpus.txt", *QUICK, "--epochs", "1", *asked)[0] == 0
    paths = sorted(Path("model.training/checkpoints").iterdir())
    assert [int(path.stem) for path in paths] == [0, 1, 3, 9, 27]
    samples = Path("model.training/samples.txt").read_bytes().decode()
    heads = re.findall(r"^=== after ([\d,]+) updates.*? ===$", samples, flags=re.M)
    assert heads == ["0", "1", "3", "9", "27"]
    place = 0
    for path in paths:
        [written] = write_texts(load_model(path), 1, 300, prompt="\n", temperature=0.8)
        assert written[1:] in samples[place:]
        place = samples.index(written[1:], place) + 300
    assert samples[place:] == "\n\n"


@pytest.mark.parametrize("factor", ["1.1", "1.5", "2", "2.5", "3", "10", "1e300"])
@pytest.mark.usefixtures("unseen")
def test_checkpoints_are_at_powers_of_the_factor(parts: list[Corpus], factor: str) -> None:
    run = Run(Path("model.pt"), checkpoint_every=float(factor))
    run.begin(resume=False)
    run.train(parts, SHAPE, SHORT)
    powers = {math.ceil(Fraction(factor) ** n) for n in range(50 if float(factor) < 100 else 2)}
    found = sorted(run.checkpoints.iterdir())
    assert [int(path.stem) for path in found] == [0, *sorted(n for n in powers if n <= 20)]
    models = [load_model(path) for path in found]
    assert [model.trained for model in models] == [False] + [True] * (len(found) - 1)
    assert len({model_sha256(model) for model in models}) == len(found)


@given(st.integers(101, 2000), st.integers(0, 10_000))
def test_what_is_due_is_a_power_of_the_factor_rounded_up(hundredths: int, update: int) -> None:
    factor, power, powers = Fraction(hundredths, 100), Fraction(1), {0, 1}
    while power < update:  # in floating point, or the fractions would be long
        power = Fraction(float(power * factor)).limit_denominator(10**9)
        powers.add(math.ceil(power - Fraction(1, 10**6)))
    assert runs._is_planned(update, float(factor)) == (update in powers)
    assert not runs._is_planned(update, 0.0)


def test_three_parts_have_a_line_for_the_test_text(run: Command, corpus: Corpus) -> None:
    status, out, _ = run("train", "corpus.txt", *QUICK, "--split", "90,6,4")
    assert status == 0
    model = load_model("model.pt")
    for name, part in zip(("held-out", "test"), corpus.cut([0.9, 0.06, 0.04])[1:], strict=True):
        assert f"model.pt, on {len(part)} {name} characters: {evaluate(model, part)}\n" in out
    assert "test characters" not in run("train", "corpus.txt", *QUICK)[1]


def test_a_text_to_judge_by_can_be_another_file(run: Command, corpus: Corpus) -> None:
    Path("other.txt").write_text(corpus.text(1000, 2000) + "§", encoding="utf-8")
    status, out, _ = run("train", "corpus.txt", *QUICK, "--held-out", "other.txt", "-o", "m.pt")
    assert (status, "on 1,001 held-out characters" in out) == (0, True)
    assert "§" in load_model("m.pt").vocabulary.characters


def test_a_second_training_leaves_nothing_of_the_first(run: Command, corpus: Corpus) -> None:
    every = ("--sample-every", "2", "--checkpoint-every", "2")
    assert run("train", "corpus.txt", *QUICK, *every)[0] == 0
    assert run("train", "corpus.txt", *QUICK, "--seed", "1", "--overwrite")[0] == 0
    names = {path.name for path in Path("model.training").rglob("*") if path.is_file()}
    assert names == {"losses.csv", "losses.png"}
    assert training_record("model.pt")["seed"] == 1


# Nothing is lost by mistake


def everything() -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}


def test_a_model_is_not_replaced_by_mistake(run: Command, corpus: Corpus) -> None:
    assert run("train", "corpus.txt", *QUICK)[0] == 0
    before = everything()
    refused = sentence_of(run, "train", "corpus.txt", *QUICK, "--seed", "1")
    assert "model.pt exists; name another file with -o, or replace it with --overwrite" in refused
    refused = sentence_of(run, "import", "model.pt", "-o", "model.pt", "--overwrite")
    assert "model.pt is what is read" in refused
    ended = sentence_of(run, "train", "corpus.txt", *QUICK, "--resume")
    assert "that of model.pt has ended; train it further with --from model.pt" in ended
    assert everything() == before
    assert run("train", "corpus.txt", *QUICK, "--seed", "1", "--overwrite")[0] == 0
    assert training_record("model.pt")["seed"] == 1


def test_what_a_training_left_is_not_replaced_by_mistake(run: Command, corpus: Corpus) -> None:
    """Its model is elsewhere by now."""
    assert run("train", "corpus.txt", *QUICK, "--checkpoint-every", "3")[0] == 0
    Path("model.pt").rename("good.pt")
    before = everything()
    assert "00000000.pt is of an earlier training" in sentence_of(run, "train", "corpus.txt", *QUICK)
    assert "no interrupted training in model.training; leave out --resume" in sentence_of(
        run, "train", "corpus.txt", *QUICK, "--resume"
    )
    assert everything() == before
    for checkpoint in Path("model.training/checkpoints").iterdir():
        checkpoint.unlink()
    assert "losses.csv is of an earlier training" in sentence_of(run, "train", "corpus.txt", *QUICK)
    assert run("train", "corpus.txt", *QUICK, "--overwrite")[0] == 0


def interrupted(run: Command, *arguments: str, at: int) -> None:
    """Stop a training after some updates, and keep its state."""

    def stop(done: int, total: int, note: str) -> None:
        if done == at:
            raise StoppedError

    def train_until(*arguments: Any, **named: Any) -> Training:
        return train(*arguments, **named | {"progress": stop, "save_every_s": 0.0})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "train", train_until)
        with pytest.raises(StoppedError):
            run("train", *arguments)


@pytest.mark.usefixtures("unseen")
def test_an_interrupted_training_is_begun_anew_if_that_is_wanted(run: Command, corpus: Corpus) -> None:
    """Also with the settings of the interrupted one, whose state would otherwise be gone on with."""
    assert run("train", "corpus.txt", *QUICK, "-o", "whole.pt")[0] == 0
    interrupted(run, "corpus.txt", *QUICK, at=100)
    state = Path("model.training/state.pt").read_bytes()
    assert "too few for 3000 lanes" in sentence_of(run, "train", "corpus.txt", "--lanes", "3000", "--overwrite")
    assert Path("model.training/state.pt").read_bytes() == state
    interrupted(run, "corpus.txt", *QUICK, "--overwrite", at=5)
    assert torch.load("model.training/state.pt", weights_only=True)["state"]["done"] == 5
    assert run("train", "corpus.txt", *QUICK, "--overwrite", "--resume")[0] == 0
    assert model_sha256(load_model("model.pt")) == model_sha256(load_model("whole.pt"))


@pytest.mark.usefixtures("unseen")
def test_a_resumed_training_replaces_its_own_model_only(run: Command, corpus: Corpus) -> None:
    interrupted(run, "corpus.txt", *QUICK, at=100)
    assert Path("model.pt").exists()
    whole = load_model("model.pt")
    save_model(whole, "model.pt", training={"imported_from": "theirs.pth", "kind": "a state_dict"})
    imported = Path("model.pt").read_bytes()
    refused = sentence_of(run, "train", "corpus.txt", *QUICK, "--resume")
    assert "model.pt was imported after the training in model.training was interrupted" in refused
    assert Path("model.pt").read_bytes() == imported
    Path("model.pt").unlink()
    assert run("train", "corpus.txt", *QUICK, "--resume")[0] == 0
    assert training_record("model.pt")["epochs"] == 3


@pytest.mark.usefixtures("unseen")
def test_a_training_can_be_resumed_from_its_very_beginning(run: Command, corpus: Corpus) -> None:
    """It is stopped while its first sample is written."""
    every = ("--sample-every", "2", "--checkpoint-every", "2")
    assert run("train", "corpus.txt", *QUICK, *every, "-o", "whole.pt")[0] == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "_sample", lambda self, snapshot: (_ for _ in ()).throw(StoppedError))
        with pytest.raises(StoppedError):
            run("train", "corpus.txt", *QUICK, *every)
    left = {path.name for path in Path("model.training").rglob("*") if path.is_file()}
    assert left == {"state.pt", "00000000.pt"}
    assert run("train", "corpus.txt", *QUICK, *every, "--resume")[0] == 0
    assert result_of(Path("model.training")) == result_of(Path("whole.training"))
    assert model_sha256(load_model("model.pt")) == model_sha256(load_model("whole.pt"))


@pytest.mark.usefixtures("unseen")
def test_a_model_of_which_no_training_is_known_is_not_said_to_be_finished(run: Command, corpus: Corpus) -> None:
    interrupted(run, "corpus.txt", *QUICK, at=100)
    Path("model.training/state.pt").unlink()
    said = sentence_of(run, "train", "corpus.txt", *QUICK, "--resume")
    assert "model.training has nothing to resume from, and model.pt does not say how it was trained" in said
    assert run("train", "corpus.txt", *QUICK, "--overwrite")[0] == 0


# What is wrong


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--split", "90,5"], "'90,5' is no split"),
        (["--split", "100,0"], "is no split"),
        (["--split", "25,25,25,25"], "is no split"),
        (["--split", "100"], "is no split"),
        (["--split", "90,-5,15"], "is no split"),
        (["--split", "nan,50"], "is no split"),
        (["--split", "much"], "such as 90,5,5"),
        (["--split", "99.99,0.005,0.005"], "use a longer one"),
        (["--units", "0"], "n_units is 0"),
        (["--checkpoint-every", "1"], "name a number above 1"),
        (["--sample-every", "0.5"], "name a number above 1"),
        (["--checkpoint-every", "-2"], "name a number above 1"),
        (["--sample-every", "nan"], "name a number above 1"),
        (["--sample-every", "inf"], "name a number above 1"),
        (["--resume"], "no interrupted training in model.training; leave out --resume"),
        (["--lanes", "3000"], "use a longer text or fewer lanes"),
        (["--held-out", "absent.txt"], "cannot read the text absent.txt"),
        (["-o", "closed.pt"], "cannot make the folder closed.training"),
    ],
)
def test_wrong_usage_is_one_sentence(run: Command, corpus: Corpus, arguments: list[str], complaint: str) -> None:
    Path("closed.training").write_bytes(b"")
    assert complaint in sentence_of(run, "train", "corpus.txt", *QUICK, *arguments)
    assert not list(Path().glob("*.pt"))
    assert not leftovers()


@pytest.mark.parametrize(("cell", "preset"), [("lstm", "huge"), ("irn", None)])
def test_a_shape_that_there_is_not_is_refused(run: Command, corpus: Corpus, cell: str, preset: str | None) -> None:
    """By the command, which has a list of choices, and by the library."""
    wrong, choices = ("irn", "lstm, gru, .*, irnn, np_rnn") if preset is None else ("huge", "tiny, small, karpathy")
    with pytest.raises(ActivationError, match=f"no (cell named|preset) '{wrong}'; choose one of {choices}"):
        shape_of(cell, 1000, preset=preset, layers=None, units=None)
    arguments = ["--cell", cell, *(["--preset", preset] if preset else [])]
    complaint = sentence_of(run, "train", "corpus.txt", *QUICK, *arguments, status=2)
    assert f"{wrong!r} is not one of " in complaint
    assert not list(Path().glob("*.pt"))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("a", "has only one character"),
        ("a" * 500, "nothing to predict"),
        ("ab", "use a longer one"),
    ],
)
def test_a_text_that_is_too_short_is_one_sentence(run: Command, content: str, complaint: str) -> None:
    Path("corpus.txt").write_text(content, encoding="utf-8")
    assert complaint in sentence_of(run, "train", "corpus.txt")


def test_a_model_in_the_place_of_its_own_folder_is_refused_before_it_is_trained(run: Command, corpus: Corpus) -> None:
    assert "m.training" in sentence_of(run, "train", "corpus.txt", *QUICK, "-o", "m.training")
    assert not Path("m.training").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nothing is closed to the superuser")
def test_a_closed_folder_is_one_sentence(run: Command, corpus: Corpus) -> None:
    Path("closed").mkdir(mode=0o500)
    assert "is not writable" in sentence_of(run, "train", "corpus.txt", *QUICK, "-o", "closed/model.pt")


def test_what_is_refused_costs_no_checkpoints(run: Command, corpus: Corpus) -> None:
    assert run("train", "corpus.txt", *QUICK, "--checkpoint-every", "2", "--sample-every", "2")[0] == 0
    before = {path: path.read_bytes() for path in Path("model.training").rglob("*") if path.is_file()}
    sentence_of(run, "train", "corpus.txt", "--lanes", "3000")
    assert {path: path.read_bytes() for path in Path("model.training").rglob("*") if path.is_file()} == before


def test_a_loss_that_is_no_number_leaves_the_last_good_model(run: Command, corpus: Corpus) -> None:
    wild = ("--cell", "rnn_relu", "--learning-rate", "1e30", "--overwrite")
    assert NO_LONGER_A_NUMBER in sentence_of(run, "train", "corpus.txt", *QUICK, *wild)
    assert not Path("model.pt").exists()
    assert run("train", "corpus.txt", *QUICK)[0] == 0
    good = Path("model.pt").read_bytes()
    assert NO_LONGER_A_NUMBER in sentence_of(run, "train", "corpus.txt", *QUICK, *wild)
    assert Path("model.pt").read_bytes() == good
    load_model("model.pt")


@pytest.mark.parametrize("epochs", ["1", "3"])
def test_a_model_that_judges_nothing_is_not_the_best(run: Command, corpus: Corpus, epochs: str) -> None:
    """An epoch of one update, whose loss was still a number."""
    assert run("train", "corpus.txt", *QUICK)[0] == 0
    good = Path("model.pt").read_bytes()
    wild = ("--cell", "rnn_relu", "--learning-rate", "1e30", "--steps", "2000", "--epochs", epochs, "--overwrite")
    assert NO_LONGER_A_NUMBER in sentence_of(run, "train", "corpus.txt", *QUICK, *wild)
    assert Path("model.pt").read_bytes() == good


# Interruptions


@contextmanager
def fault_at(number: int, fault: Exception | None, *, after: bool = False) -> Iterator[list[str]]:
    """The so-manieth file that is to take another's place does not, or is the last that does; yields their names."""
    with pytest.MonkeyPatch.context() as patch:
        names: list[str] = []
        replace = Path.replace

        def replace_or_fail(self: Path, target: Path) -> Path:
            names.append(Path(target).name)
            if fault is not None and len(names) == number and not after:
                raise fault
            done = replace(self, target)
            if fault is not None and len(names) == number:
                raise fault
            return done

        patch.setattr(Path, "replace", replace_or_fail)
        yield names


def whole_run(folder: Path, parts: list[Corpus], resume: bool = False) -> Run:
    folder.mkdir(exist_ok=True)
    run = Run(folder / "model.pt", sample_every=2, checkpoint_every=3, sample_chars=20)
    run.begin(resume=resume)
    run.train(parts, SHAPE, SHORT)
    return run


def result_of(folder: Path) -> dict[str, bytes | str]:
    """Every file of a training."""
    return {
        str(path.relative_to(folder)): model_sha256(load_model(path)) if path.suffix == ".pt" else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("spacing", [20, pytest.param(5, marks=pytest.mark.slow)])  # a training for each file
@pytest.mark.parametrize("fault", ["full disk", "before", "after"])
def test_a_training_stopped_at_any_file_ends_as_an_unbroken_one(
    fault: str, spacing: int, parts: list[Corpus], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every fifth file, and the last ones: models and the state are whole, and there is something to go on from."""
    monkeypatch.setattr(runs, "train", partial(train, save_every_s=0.0))
    with fault_at(0, None) as names:
        whole_run(Path("whole"), parts)
    expected = result_of(Path("whole"))
    first_state = names.index("state.pt") + 1
    unfinished = []
    for number in sorted({*range(1, len(names) - 4, spacing), *range(len(names) - 4, len(names) + 1)}):
        folder = Path(str(number))
        error = OSError(28, "No space left on device") if fault == "full disk" else StoppedError()
        stopped = pytest.raises((ActivationError, StoppedError), match="disk is full" if "full" in fault else None)
        with fault_at(number, error, after=fault == "after"), stopped:
            whole_run(folder, parts)
        assert not leftovers(folder)
        for path in folder.rglob("*.pt"):
            if path.name != "state.pt":
                load_model(path)
        has_ended = (folder / "model.pt").exists() and bool(training_record(folder / "model.pt"))
        can_resume = Run(folder / "model.pt").is_interrupted
        if number > first_state and not has_ended and not can_resume:
            unfinished.append(names[number - 1])
        whole_run(folder, parts, resume=can_resume)
        assert result_of(folder) == expected
    assert not unfinished


def test_an_interrupted_training_is_not_begun_anew_by_mistake(
    run: Command, corpus: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(update: int) -> bool:
        if update == N_UPDATES - 5:
            raise StoppedError
        return False

    def with_output(at: Callable[[int], bool]) -> Callable[..., Training]:
        return lambda *arguments, **named: train(*arguments, **named | {"at": at})

    with monkeypatch.context() as patch:
        patch.setattr(runs, "train", with_output(stop))
        with pytest.raises(StoppedError):
            run("train", "corpus.txt", *QUICK)
    state = Path("model.training/state.pt").read_bytes()
    assert "continue it with --resume, or begin anew with --overwrite" in sentence_of(
        run, "train", "corpus.txt", *QUICK
    )
    refused = sentence_of(run, "train", "corpus.txt", *QUICK, "--seed", "1", "--resume")
    assert "of another training (other: seed)" in refused
    assert Path("model.training/state.pt").read_bytes() == state
    with monkeypatch.context() as patch:
        patch.setattr(runs, "train", with_output(lambda update: update == N_UPDATES - 5))
        assert run("train", "corpus.txt", *QUICK, "--resume")[0] == 0
    assert not Path("model.training/state.pt").exists()
    assert run("train", "corpus.txt", *QUICK, "-o", "whole.pt")[0] == 0
    assert result_of(Path("model.training")) == result_of(Path("whole.training"))
    assert model_sha256(load_model("model.pt")) == model_sha256(load_model("whole.pt"))


DRIVER = """
from functools import partial
from probe.cli import main
from probe.training import runs
runs.train = partial(runs.train, save_every_s=0.05)
main()
"""


def start(*arguments: str) -> subprocess.Popen[bytes]:
    """A training in a process of its own, which saves its state often."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-c", DRIVER, "train", *arguments], env=environment)


def when_it_trains(process: subprocess.Popen[bytes], curve: Path, before: int) -> float:
    """Waits until a curve is written anew, or there is nothing more to wait for."""
    while process.poll() is None and not (curve.exists() and curve.stat().st_mtime_ns != before):
        time.sleep(0.01)
    return time.monotonic()


@pytest.mark.slow  # starts half a dozen processes
@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_a_killed_training_is_gone_on_with_to_the_same_end(corpus: Corpus) -> None:
    every = ("--epochs", "12", "--dropout", "0.2", "--sample-every", "2", "--checkpoint-every", "2")
    with start("corpus.txt", *QUICK, *every, "-o", "whole.pt") as process:
        began = when_it_trains(process, Path("whole.training/losses.csv"), before=0)
        assert process.wait() == 0
    takes = time.monotonic() - began
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    state, curve, n_killed = Path("killed.training/state.pt"), Path("killed.training/losses.csv"), 0
    for _ in range(10):
        how = "--resume" if state.exists() else "--overwrite"  # before its first state, and after its end
        before = curve.stat().st_mtime_ns if curve.exists() else 0
        with start("corpus.txt", *QUICK, *every, "-o", "killed.pt", how) as process:
            until = when_it_trains(process, curve, before) + rng.uniform(0, takes / 4)
            while n_killed < 4 and process.poll() is None:
                if time.monotonic() > until:
                    process.kill()
                    n_killed += 1
                    break
                if Path("killed.pt").exists():
                    load_model("killed.pt")
                time.sleep(0.01)
        if process.returncode == 0:
            break
        assert process.returncode == -9, f"seed {seed}"
        for path in (Path("killed.pt"), *Path("killed.training/checkpoints").glob("*.pt")):
            if path.exists():
                load_model(path)
    assert n_killed >= 3
    assert model_sha256(load_model("killed.pt")) == model_sha256(load_model("whole.pt")), f"seed {seed}"
    for leftover in leftovers():  # of the moment of a kill
        leftover.unlink()
    found, expected = result_of(Path("killed.training")), result_of(Path("whole.training"))
    assert set(found) == set(expected)
    assert [name for name in found if found[name] != expected[name]] == [], f"seed {seed}"


# Sweeps


def test_a_sweep_says_who_gets_what_right(run: Command, corpus: Corpus) -> None:
    status, out, err = run("sweep", "corpus.txt", *GRID, "--split", "80,10,10", "--json")
    assert (status, err) == (0, "")
    shown = rows(out)
    kept = table("sweep/results.csv")
    assert [{name: str(value) for name, value in row.items()} for row in shown] == kept
    names = ["lstm-1x5", "lstm-1x3", "rnn-1x5", "rnn-1x3"]
    assert [Path(row["model"]).stem for row in kept] == names
    assert [(row["cell"], row["n_layers"], row["n_units"]) for row in shown] == [
        ("lstm", 1, 5), ("lstm", 1, 3), ("rnn", 1, 5), ("rnn", 1, 3)
    ]  # fmt: skip
    training_text, validation, test = corpus.cut([0.8, 0.1, 0.1])
    models = [load_model(row["model"]) for row in shown]
    right = [losses(model, test).right.tolist() for model in models]
    said = list(zip(*right, strict=True))
    assert len(said) == 399
    n_alone = [sum(each[place] and sum(each) == 1 for each in said) for place in range(4)]
    assert sum(n_alone) > 0
    for place, (row, model) in enumerate(zip(shown, models, strict=True)):
        assert row["test_accuracy"] == pytest.approx(sum(right[place]) / 399)
        assert row["share_uniquely_correct"] == pytest.approx(n_alone[place] / 399)
        assert row["test_nats_per_char"] == pytest.approx(evaluate(model, test).nats_per_char)
        assert row["validation_nats_per_char"] == pytest.approx(evaluate(model, validation).nats_per_char)
        assert row["train_nats_per_char"] == pytest.approx(float(table(f"sweep/{names[place]}.training/losses.csv")[-1][
            "nats_per_char"
        ]), rel=0.1)  # fmt: skip
        assert row["n_parameters"] == sum(weight.numel() for weight in model.state_dict().values())
        assert row["training_s"] > 0
        assert training_record(row["model"])["text"] == training_text.sha256

    overlap = table("sweep/overlap.csv")
    assert [row["correct_model"] for row in overlap] == names == list(overlap[0])[1:]
    shares = np.array([[float(row[name]) for name in names] for row in overlap])
    accuracy = np.array([row["test_accuracy"] for row in shown])
    assert (np.diag(shares) == 0).all()
    np.testing.assert_allclose(shares - shares.T, accuracy[:, None] - accuracy[None])
    assert shares[0, 3] == pytest.approx(sum(each[0] and not each[3] for each in said) / 399)
    assert matplotlib.image.imread("sweep/test_loss.png").ndim == 3
    status, out, _ = run("sweep", "corpus.txt", *GRID, "--split", "80,10,10")
    assert f"the best is {names[int(np.argmin([row['test_nats_per_char'] for row in shown]))]}: " in out


def test_a_sweep_trains_with_the_settings_that_are_asked_for(run: Command, corpus: Corpus) -> None:
    asked = ("--optimizer", "adamw", "--learning-rate", "0.002", "--weight-decay", "0.3", "--dropout", "0.2")
    assert run("sweep", "corpus.txt", *GRID, "--cell", "gru", "--hidden", "3", *asked)[0] == 0
    record = training_record("sweep/gru-1x3.pt")
    names = ("optimizer", "learning_rate", "weight_decay", "dropout", "epochs", "n_lanes", "n_steps")
    assert [record[name] for name in names] == ["adamw", 0.002, 0.3, 0.2, 2, 4, 16]
    assert run("sweep", "corpus.txt", *GRID, "--cell", "gru", "--hidden", "3", *asked)[0] == 0
    other = ("sweep", "corpus.txt", *GRID, "--cell", "gru", "--hidden", "3", "--optimizer", "rmsprop")
    refused = sentence_of(run, *other)
    assert "sweep/gru-1x3.pt was trained otherwise (other: optimizer, learning rate, weight decay, dropout)" in refused
    assert training_record("sweep/gru-1x3.pt") == record
    assert run(*other, "--overwrite")[0] == 0
    assert training_record("sweep/gru-1x3.pt")["optimizer"] == "rmsprop"


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, unseen: None) -> list[tuple[str, bool]]:
    """The names of the models that were trained, and whether that was gone on with."""
    seen: list[tuple[str, bool]] = []
    train = Run.train

    def see(self: Run, *arguments: Any, **named: Any) -> Training:
        seen.append((self.folder.stem, self.is_interrupted))
        return train(self, *arguments, **named)

    monkeypatch.setattr(Run, "train", see)
    return seen


def grid(parts: list[Corpus], hidden: tuple[int, ...] = (3, 4), **others: Any) -> Sweep:
    settings = {"epochs": 2, "lanes": 4, "learning_rate": None, "n_steps": 16} | others.pop("settings", {})
    return sweep(parts, others.pop("folder", Path("sweep")), ["lstm", "irnn"], [1], hidden, settings=settings, **others)


def test_each_model_of_a_sweep_is_trained_once(parts: list[Corpus], trained: list[tuple[str, bool]]) -> None:
    first = grid(parts)
    names = ["lstm-1x3", "lstm-1x4", "irnn-1x3", "irnn-1x4"]
    assert trained == [(name, False) for name in names]
    times = [each.model.stat().st_mtime_ns for each in first.models]
    again = grid(parts)
    assert [each.model.stat().st_mtime_ns for each in again.models] == times
    assert again.models == first.models
    assert len(trained) == 4
    wider = grid(parts, (4, 2))
    assert [each.name for each in wider.models] == ["lstm-1x4", "lstm-1x2", "irnn-1x4", "irnn-1x2"]
    assert trained[4:] == [("lstm-1x2", False), ("irnn-1x2", False)]
    assert training_record("sweep/irnn-1x2.pt")["initialisation"] == "identity"


@pytest.mark.parametrize("changed", [{"epochs": 3}, {"learning_rate": 1e-4}, {"seed": 1}, {"min_count": 2}])
def test_a_changed_setting_is_trained_anew(
    parts: list[Corpus], trained: list[tuple[str, bool]], changed: dict[str, float]
) -> None:
    grid(parts)
    name, value = next(iter(changed.items()))
    with pytest.raises(ActivationError, match=f"other: {name.replace('_', ' ')}.; .* anew with --overwrite"):
        grid(parts, settings=changed)
    assert len(trained) == 4
    grid(parts, settings=changed, overwrite=True)
    assert trained[4:] == trained[:4]
    assert training_record("sweep/lstm-1x3.pt")[name] == value


def test_another_text_is_trained_anew(parts: list[Corpus], trained: list[tuple[str, bool]]) -> None:
    before = grid(parts)
    with pytest.raises(ActivationError, match=r"lstm-1x3.pt was trained otherwise \(other: text\)"):
        grid([Corpus.from_texts([parts[0].text()[:-1]]), *parts[1:]])
    grid([Corpus.from_texts([parts[0].text()[:-1]]), *parts[1:]], overwrite=True)
    assert len(trained) == 8
    after = grid(parts, overwrite=True)
    assert len(trained) == 12
    assert [each.test_nats_per_char for each in after.models] == [each.test_nats_per_char for each in before.models]
    grid([*parts[:2], parts[1]])
    assert len(trained) == 12
    found = grid([parts[0], parts[2], parts[1]], overwrite=True)
    for each in found.models:
        assert each.validation_nats_per_char == pytest.approx(evaluate(load_model(each.model), parts[2]).nats_per_char)


def test_an_interrupted_sweep_goes_on(
    parts: list[Corpus], trained: list[tuple[str, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "train", partial(train, save_every_s=0.0))

    def stop(name: str, done: int, total: int, note: str) -> None:
        if name == "irnn-1x3" and done == 13:
            raise StoppedError

    with pytest.raises(StoppedError):
        grid(parts, progress=stop)
    del trained[:]
    found = grid(parts)
    assert trained == [("irnn-1x3", True), ("irnn-1x4", False)]
    expected = grid(parts, folder=Path("whole"))
    assert [model_sha256(load_model(each.model)) for each in found.models] == [
        model_sha256(load_model(each.model)) for each in expected.models
    ]
    np.testing.assert_array_equal(found.overlap, expected.overlap)


def test_a_model_that_is_named_twice_is_there_once(parts: list[Corpus], trained: list[tuple[str, bool]]) -> None:
    found = grid(parts, (3, 3))
    assert [each.name for each in found.models] == ["lstm-1x3", "irnn-1x3"]
    assert len(trained) == 2


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["--split", "95,5"], 1, "split the text in three"),
        (["--split", "5"], 1, "is no split"),
        (["--layers", "1,x"], 2, "--layers is '1,x'"),
        (["--hidden", ""], 2, "--hidden is ''"),
        (["--hidden", "0"], 1, "n_units is 0"),
        (["--lanes", "5000"], 1, "too few for 5000 lanes"),
        (["--cell", "quagmire"], 1, "no cell named 'quagmire'"),
        (["-o", "corpus.txt"], 1, "cannot make the folder corpus.txt"),
    ],
)
def test_a_wrong_sweep_is_one_sentence(
    run: Command, corpus: Corpus, arguments: list[str], status: int, complaint: str
) -> None:
    assert complaint in sentence_of(run, "sweep", "corpus.txt", *GRID, *arguments, status=status)


@pytest.mark.parametrize("wrong", [("--cell", "lstm,quagmire"), ("--hidden", "3,0")])
def test_a_wrong_sweep_is_refused_before_anything_is_trained(
    run: Command, corpus: Corpus, wrong: tuple[str, str], trained: list[tuple[str, bool]]
) -> None:
    sentence_of(run, "sweep", "corpus.txt", *GRID, *wrong)
    assert trained == []


# Curves over the steps of a training


def knowing(vocabulary: Vocabulary, known: list[str]) -> CharRNN:
    """A model in which a unit is 1 where one of its characters has just been read, and the others are still."""
    model = CharRNN(ModelConfig(cell="rnn_relu", n_layers=1, n_units=3), vocabulary).eval()
    weights = {name: torch.zeros_like(weight) for name, weight in model.state_dict().items()}
    for unit, characters in enumerate(known):
        for each in characters:
            weights["rnn.weight_ih_l0"][unit, vocabulary.characters.index(each)] = 1
    model.load_state_dict(weights)
    return model


def test_a_curve_over_steps_shows_when_a_single_unit_knows(run: Command, text: str) -> None:
    """First no unit knows; then two units know a half each; then one knows it all."""
    Path("mine.py").write_text("def is_s_or_m(text):\n    return [each in 'sm' for each in text]\n")
    Path("corpus.txt").write_text(text, encoding="utf-8")
    vocabulary = Vocabulary.of([text])
    folder = Path("model.training/checkpoints")
    folder.mkdir(parents=True)
    for update, known in {0: ["a", "\n"], 2: ["s", "a", "m"], 10: ["a", "sm"]}.items():
        save_model(knowing(vocabulary, known), folder / f"{update:08d}.pt")
    (folder / "00000011.pt.99.part").write_bytes(b"of a training that was killed")
    asked = ("curve", "--over", "steps", "--run", "model.training", "--text", "corpus.txt", "-H", "mine.py:is_s_or_m")
    status, out, err = run(*asked, "-H", "in_quotes", "-o", "curve.png", "--csv", "curve.csv", "--json")
    assert status == 0, err
    assert "no curve for in_quotes" in err
    shown = rows(out)
    name = shown[0]["hypothesis"]
    assert "is_s_or_m" in name
    curves = {each: [row for row in shown if row["hypothesis"] == each] for each in (name, f"{name}: one unit")}
    assert len(shown) == 6
    together, alone = ([row["auc"] for row in curve] for curve in curves.values())
    assert [[row["steps"] for row in curve] for curve in curves.values()] == [[0, 2, 10]] * 2
    assert together[1:] == [1, 1]
    assert together[0] < 0.9
    assert alone[2] == 1
    assert alone[0] < 0.95
    assert 0.5 < alone[1] < 0.95
    assert {row["control_score"] for row in shown} == {1.0}
    assert [row["steps"] for row in table("curve.csv")] == ["0", "2", "10"] * 2
    assert matplotlib.image.imread("curve.png").ndim == 3


def test_checkpoints_of_a_training_make_a_curve(run: Command, corpus: Corpus) -> None:
    assert run("train", "corpus.txt", *QUICK, "--layers", "2", "--checkpoint-every", "8")[0] == 0
    asked = ("curve", "--over", "steps", "--run", "model.training", "--text", "corpus.txt", "-H", "position_in_line")
    status, out, err = run(*asked, "-o", "curve.svg")
    assert status == 0 and "only 4 pieces of the text are held out" in err
    assert "position_in_line: one unit" in out
    assert "curve.svg: the curves as a picture" in out
    assert Path("curve.svg").read_text(encoding="utf-8").endswith("</svg>\n")
    shown = rows(run(*asked, "--json", "--sites", "0/hidden")[1])
    assert [row["steps"] for row in shown] == [0, 1, 8, 64] * 2


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["--over", "steps"], 2, "--over steps --run"),
        (["--run", "model.training"], 2, "--over steps --run"),
        (["--over", "steps", "--run", "model.training"], 1, "checkpoints need --text"),
        (["--over", "steps", "--run", "model.training", "--text", "absent.txt"], 1, "absent.txt"),
        (["--over", "steps", "--run", "empty.training", "--text", "corpus.txt"], 1, "--checkpoint-every 2"),
        (["--over", "steps", "--run", "absent", "--text", "corpus.txt"], 1, "there are no checkpoints in absent"),
        (["--over", "steps", "--run", "broken", "--text", "corpus.txt"], 1, "broken"),
        (["--over", "steps", "--run", "stray", "--text", "corpus.txt"], 1, "best.pt"),
        (["--over", "step", "--text", "corpus.txt", "--model", "model.pt"], 2, "'step' is not one of 'units'"),
        (["--over", "steps", "--run", "model.training", "--text", "corpus.txt", "--sites", "7"], 1, "no site"),
    ],
)
def test_a_wrong_curve_over_steps_is_one_sentence(
    run: Command, text: str, corpus: Corpus, arguments: list[str], status: int, complaint: str
) -> None:
    for folder in ("model.training", "broken", "stray", "empty.training"):
        Path(folder, "checkpoints").mkdir(parents=True)
    save_model(knowing(Vocabulary.of([text]), ["a"]), "model.training/checkpoints/00000000.pt")
    save_model(knowing(Vocabulary.of([text]), ["a"]), "model.pt")
    save_model(knowing(Vocabulary.of([text]), ["a"]), "stray/checkpoints/best.pt")
    Path("broken/checkpoints/00000000.pt").write_bytes(b"not a model")
    assert complaint in sentence_of(run, "curve", "-H", "position_in_line", *arguments, status=status)


def test_shares_of_a_split_are_fractions() -> None:
    assert shares_of("90,5,5") == [0.9, 0.05, 0.05]
    assert shares_of("80, 20") == [0.8, 0.2]
