"""Checkpoints read back, and nothing in a file is ever run."""

import gc
import pickle  # what hostile files are made of
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from planting import random_model

from activations.errors import ActivationError
from activations.models.cells.kinds import CELLS
from activations.models.checkpoints import load_model, model_sha256, save_model
from activations.models.training.state import save_state


@pytest.mark.parametrize("cell", list(CELLS))
@pytest.mark.parametrize("n_embedding", [0, 3])
def test_a_model_reads_back(tmp_path: Path, cell: str, n_embedding: int) -> None:
    model = random_model("abc\n", cell=cell, n_embedding=n_embedding)
    save_model(model, tmp_path / "m.pt", training={"seed": 3})
    again = load_model(tmp_path / "m.pt")
    assert again.config == model.config
    assert again.vocabulary == model.vocabulary
    assert model_sha256(again) == model_sha256(model)
    assert torch.load(tmp_path / "m.pt", weights_only=True)["training"] == {"seed": 3}


def test_half_precision_halves_the_file(tmp_path: Path) -> None:
    model = random_model("abc\n", n_units=64)
    save_model(model, tmp_path / "full.pt")
    save_model(model, tmp_path / "half.pt", dtype="float16")
    assert (tmp_path / "half.pt").stat().st_size < 0.6 * (tmp_path / "full.pt").stat().st_size
    weight = load_model(tmp_path / "half.pt").readout.weight
    torch.testing.assert_close(weight, model.readout.weight.half().float(), rtol=0, atol=0)


class Bomb:
    """Leaves a file when it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path("bomb-went-off").touch, ()


def test_a_file_that_would_run_code_is_refused_and_not_run(tmp_path: Path) -> None:
    torch.save({"format": "char-probe model", "format_version": 1, "weights": Bomb()}, tmp_path / "zip.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Bomb()))
    for name in ("zip.pt", "plain.pt"):
        with pytest.raises(ActivationError, match="without running code from it"):
            load_model(tmp_path / name)
    assert not Path("bomb-went-off").exists()


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    with pytest.raises(ActivationError, match=r"there is no model .*probe train"):
        load_model(path)
    with pytest.raises(ActivationError, match="is a folder, and a model is a file"):
        load_model(tmp_path)
    for content in (b"", b"x", b"To be, or not to be\n" * 99):
        path.write_bytes(content)
        with pytest.raises(ActivationError, match="not a checkpoint"):
            load_model(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(ActivationError, match="not a checkpoint"):
        load_model(path)
    torch.save({"weights": torch.zeros(3)}, path)
    with pytest.raises(ActivationError, match="not a checkpoint"):
        load_model(path)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9, 0.99])
def test_a_truncated_checkpoint_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "m.pt"
    save_model(random_model("abc\n"), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ActivationError, match="truncated or damaged"):
        load_model(path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format_version": 2}, "version 2, and this program reads version 1"),
        ({"config": {"cell": "transformer"}}, "no cell named 'transformer'"),
        ({"config": {"n_units": 9}}, "damaged checkpoint"),
        ({"config": None}, "damaged checkpoint"),
        ({"weights": {}}, "damaged checkpoint"),
        ({"vocabulary": {"characters": "aab", "replacement": None}}, "more than once"),
        ({"vocabulary": {}}, "damaged checkpoint"),
        ({"config": {"cell": "a" * 100_000}}, "damaged checkpoint: there is no cell named 'aaa"),
        ({"format_version": "a" * 100_000}, "is a checkpoint of version aaa"),
    ],
)
def test_a_checkpoint_with_wrong_content_is_refused(tmp_path: Path, change: dict[str, object], complaint: str) -> None:
    path = tmp_path / "m.pt"
    save_model(random_model("abc\n"), path)
    torch.save(torch.load(path, weights_only=True) | change, path)
    with pytest.raises(ActivationError, match=complaint) as caught:
        load_model(path)
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("saved", ["model", "state"])
def test_what_a_failed_save_leaves_behind_can_be_collected(
    saved: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who keeps the error keeps what was to be written; a view of a buffer that is collected with it is told of."""

    def full(self: Path, data: bytes) -> int:
        cycle: list[object] = [data]
        cycle.append(cycle)  # which only the collector finds
        raise OSError(28, "No space left on device")

    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: told.append(unraisable.exc_value))
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ActivationError, match="disk is full"):
        if saved == "model":
            save_model(random_model("abc\n"), tmp_path / "m.pt")
        else:
            save_state(tmp_path / "state.pt", {}, {"weights": torch.zeros(3)})
    gc.collect()
    assert told == []


def test_a_failed_save_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.pt"
    save_model(random_model("abc\n"), path)
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ActivationError, match="disk is full"):
        save_model(random_model("abcd\n"), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ActivationError, match="no folder"):
        save_model(random_model("abc\n"), tmp_path / "nowhere" / "m.pt")
