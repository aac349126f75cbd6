"""Damaged and hostile files: a clear error, or the same as before; never a hang, a crash, or code that runs."""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from mutants import mutant
from planting import random_model

from activations.errors import ActivationError
from activations.models.checkpoints import load_model, save_model
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.checking import check
from activations.recordings.format import layout
from activations.recordings.format.checksums import attributes_checksum, checksum
from activations.recordings.recording import Recording
from activations.recordings.vetting import VETTER, Complaint
from activations.texts.corpus import Corpus

few_and_many = pytest.mark.parametrize("n_mutants", [50, pytest.param(1000, marks=pytest.mark.slow)])  # files


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("fuzzing") / "model.pt"
    save_model(random_model("abc def", n_units=4), path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    text = "some text, and some more of it.\n" * 20
    live = LiveActivations(random_model(text, n_units=4), Corpus.from_texts([text]), n_lanes=2, warm_up_chars=0)
    return extract(live, tmp_path_factory.mktemp("fuzzing") / "a.h5").path.read_bytes()


@few_and_many
def test_damaged_checkpoints_are_refused_or_read_as_they_were(
    n_mutants: int, checkpoint: bytes, tmp_path: Path
) -> None:
    (tmp_path / "model.pt").write_bytes(checkpoint)
    weights = load_model(tmp_path / "model.pt").state_dict()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(n_mutants):
        (tmp_path / "mutant.pt").write_bytes(mutant(checkpoint, rng))
        try:
            loaded = load_model(tmp_path / "mutant.pt").state_dict()
        except ActivationError as error:
            refused += 1
            assert "mutant.pt" in str(error)
        else:
            for name, weight in weights.items():
                assert torch.equal(loaded[name], weight)
    assert refused > n_mutants // 2


class Evil:
    """An object that creates a file when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (Path("evil"),)


def archive(content: object, compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        file.writestr("archive/data.pkl", pickle.dumps(content, protocol=2))
        file.writestr("archive/version", "3")
        file.writestr("archive/byteorder", "little")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        archive(Evil()),
        pickle.dumps(Evil()),
        archive({"format": "char-probe model", "x": bytearray(10)}),
        archive({"format": "char-probe model", "x": "a" * 50_000_000}, zipfile.ZIP_DEFLATED),
        archive([]),
        archive({"format": "char-probe model", "format_version": 1}),
    ],
)
def test_hostile_checkpoints_run_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(ActivationError, match=r"model\.pt"):
        load_model(tmp_path / "model.pt")
    assert not Path("evil").exists()


@pytest.mark.parametrize("config", [{"n_units": 10**9}, {"n_layers": 10**9}, {"n_units": 10**30}, {"cell": "gru"}])
def test_a_checkpoint_that_claims_more_than_it_has_is_refused(config: dict[str, object], tmp_path: Path) -> None:
    model = random_model("abc", n_units=4)
    save_model(model, tmp_path / "model.pt")
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    content["config"] |= config
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(ActivationError, match=r"model\.pt is a damaged checkpoint"):
        load_model(tmp_path / "model.pt")
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    content["config"] = {"cell": "rnn", "n_layers": 1, "n_units": 10**6, "n_embedding": 0}
    content["weights"] = {
        name: torch.zeros(1).expand(shape)
        for name, shape in {
            "rnn.weight_ih_l0": (10**6, 3),
            "rnn.weight_hh_l0": (10**6, 10**6),
            "rnn.bias_ih_l0": (10**6,),
            "rnn.bias_hh_l0": (10**6,),
            "readout.weight": (3, 10**6),
            "readout.bias": (3,),
        }.items()
    }
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(ActivationError, match="claims more numbers than the file has"):
        load_model(tmp_path / "model.pt")


@few_and_many  # each opened by a process of its own
def test_damaged_recordings_are_noticed_or_as_they_were(n_mutants: int, recorded: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(recorded)
    whole = read_all(tmp_path / "a.h5")
    rng = np.random.default_rng(0)
    noticed = 0
    for number in range(n_mutants):
        path = tmp_path / f"{number}.h5"
        path.write_bytes(mutant(recorded, rng))
        found = check(path)
        if found.sound:
            assert read_all(path) == whole
        else:
            noticed += 1
            assert path.name in str(found)
        path.unlink()
    assert noticed > n_mutants // 2


def read_all(path: Path) -> dict[str, object]:
    """Read everything that a recording has."""
    with Recording(path) as recording:
        arrays = {str(site): recording.read([site])[site].tobytes() for site in recording.sites}
        predictions = [
            {name: values.tobytes() for name, values in block.predictions.items()}
            for block in recording.blocks([], predictions=True)
        ]
        description = {k: v for k, v in recording.description.items() if k != "complete"}
        text, names = recording.corpus.text(), [document.name for document in recording.corpus.documents]
        return {**arrays, "predictions": predictions, "text": text, "names": names, "description": description}


def reseal(path: Path, change: Callable[[h5py.File], None]) -> None:
    """Change a recording, and make its checksums fit again."""
    with h5py.File(path, "r+") as file:
        change(file)
        file.attrs["contents"] = json.dumps(layout.contents(file))
        file.attrs["attributes_checksum"] = attributes_checksum(file.attrs)


def external_link(file: h5py.File) -> None:
    del file["vocab"]
    file["vocab"] = h5py.ExternalLink("other.h5", "/vocab")


def external_storage(file: h5py.File) -> None:
    del file["layers/0/hidden"]
    file.create_dataset("layers/0/hidden", (640, 4), "<f2", external=[("/etc/passwd", 0, 5120)])


def chunked_bomb(file: h5py.File) -> None:
    del file["text"]
    file.create_dataset("text", (10**12,), "<u4", chunks=(10**6,), compression="gzip")


def no_characters(file: h5py.File) -> None:
    file["vocab"][:] = 0xFFFFFFFF
    file["checksums/vocab"][0] = checksum(file["vocab"][:])


def cyclic(file: h5py.File) -> None:
    file["layers/0/again"] = file["layers"]


def misspelled_site(file: h5py.File) -> None:
    file.move("layers/0", "layers/00")


def text_of_strings(file: h5py.File) -> None:
    del file["text"]
    file["text"] = ["a", "b"]


def huge_blocks(file: h5py.File) -> None:
    file.attrs["block_chars"] = -(2**62)


@pytest.mark.parametrize(
    "change",
    [
        external_link,
        external_storage,
        chunked_bomb,
        no_characters,
        misspelled_site,
        text_of_strings,
        huge_blocks,
        lambda file: file.attrs.__setitem__("range", "[" * 100_000),
        lambda file: file.attrs.__setitem__("range", "[0, 1e400]"),
        lambda file: file.attrs.__setitem__("every", np.int64(-5)),
        lambda file: file.attrs.__setitem__("replacement", "too long"),
        lambda file: file.create_dataset("prediction/more", data=["text"]),
        lambda file: file.create_dataset("elsewhere", data=[1]),
        lambda file: file["documents/start"].__setitem__(0, 5),
    ],
)
def test_hostile_recordings_are_refused(change: Callable[[h5py.File], None], recorded: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(recorded)
    reseal(path, change)
    found = check(path)
    assert not found.sound
    assert len(str(found)) < 2000
    with pytest.raises(ActivationError):
        Recording(path)


def test_programs_beside_a_file_are_not_run(recorded: bytes, tmp_path: Path) -> None:
    """A downloaded folder may contain a json.py, too."""
    Path("a.h5").write_bytes(recorded)
    for name in ("json", "h5py", "numpy", "activations"):
        Path(f"{name}.py").write_text("open('evil', 'w')", encoding="utf-8")
    assert VETTER.vet(Path("a.h5")) is None
    assert not Path("evil").exists()


def test_everything_missing_is_reported_at_once(recorded: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(recorded)
    with h5py.File(path, "r+") as file:
        del file["vocab"], file["layers/0/hidden"]
    [found] = check(path).complaints
    assert "/vocab is missing" in found
    assert "/layers/0/hidden is missing" in found


def test_the_process_that_looks_at_files_may_die_or_be_interrupted(
    recorded: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next question is still answered, and by its own answer."""
    paths = [tmp_path / f"{number}.h5" for number in range(4)]
    for path in paths:
        path.write_bytes(recorded)
    paths[2].write_bytes(recorded[:-2000])
    assert VETTER.vet(paths[0]) is None
    process = VETTER.process()
    process._process.kill()
    process._process.wait()
    assert VETTER.vet(paths[1]) is None

    class Interrupted:
        def readline(self) -> str:
            raise KeyboardInterrupt

    process = VETTER.process()
    with monkeypatch.context() as patch:
        patch.setattr(process._process, "stdout", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            VETTER.vet(paths[3])  # its answer, that it is sound, is never taken
    assert VETTER.vet(paths[2]) is not None


@pytest.mark.parametrize("is_of_the_system", [False, True])
def test_a_file_that_the_system_refuses_need_not_be_made_again(
    recorded: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_of_the_system: bool
) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(recorded)
    complaint = Complaint("the system refuses it: so it is called", is_of_the_system)
    monkeypatch.setattr(VETTER.process(), "ask", lambda path: complaint)
    with pytest.raises(ActivationError, match="the system refuses it: so it is called") as caught:
        Recording(path)
    assert ("extract it again" in str(caught.value)) is not is_of_the_system


def test_a_file_that_changes_is_looked_at_again(recorded: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(recorded)
    assert VETTER.vet(path) is None
    path.write_bytes(recorded[:-2000])
    assert VETTER.vet(path) is not None


def test_members_of_predictions_that_are_not_listed_are_left_alone(recorded: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(recorded)
    with h5py.File(path, "r+") as file:
        file["prediction/evil"] = h5py.ExternalLink("x.h5", "/x")
        cyclic(file)
    assert check(path).sound
