"""Recordings are whole, checked, readable by any HDF5 tool, or refused."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from planting import random_model

from activations.errors import ActivationError
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.checking import check
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.units import Site


@pytest.fixture
def path(code_text: str, tmp_path: Path) -> Path:
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text]))
    return extract(live, tmp_path / "activations.h5").path


def test_a_recording_can_be_understood_with_h5py_alone(path: Path, code_text: str) -> None:
    with h5py.File(path) as file:
        assert file.attrs["format"] == "character activations"
        assert file.attrs["format_version"] == 3
        assert file.attrs["complete"]
        assert "".join(map(chr, file["text"][:])) == code_text
        assert sorted(map(chr, file["vocab"][:])) == sorted(set(code_text))
        assert file["documents/start"][:].tolist() == [0]
        assert file["layers/1/cell"].shape == (len(code_text), 8)
        assert file["layers/1/hidden"].dtype == np.float16
        assert file["prediction/log_prob"].shape == (len(code_text),)
        nats = -np.nanmean(file["prediction/log_prob"][:].astype(np.float64))
        assert nats == pytest.approx(file.attrs["nats_per_char"], abs=1e-6)
        with Recording(path) as recording:
            np.testing.assert_array_equal(
                file["layers/1/cell"][:], recording.read([Site.of(1, "cell")])[Site.of(1, "cell")]
            )


def test_blocks_are_read_only(path: Path) -> None:
    with Recording(path) as recording:
        block = next(recording.blocks())
        for values in block.values.values():
            with pytest.raises(ValueError, match="read-only"):
                values[0] = 1


@pytest.mark.parametrize("dataset", ["layers/0/forget_gate", "layers/1/cell", "prediction/log_distribution"])
def test_one_flipped_bit_is_noticed_and_named(path: Path, dataset: str) -> None:
    with h5py.File(path) as file:
        offset = file[dataset].id.get_offset() + file[dataset].id.get_storage_size() // 2
    raw = bytearray(path.read_bytes())
    raw[offset] ^= 4
    path.write_bytes(raw)
    with Recording(path) as recording, pytest.raises(ActivationError, match=f"damaged in /{dataset}, characters"):
        list(recording.blocks(predictions=True))


def test_a_flipped_bit_in_the_text_is_noticed(path: Path) -> None:
    with h5py.File(path) as file:
        offset = file["text"].id.get_offset()
    raw = bytearray(path.read_bytes())
    raw[offset] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ActivationError, match="damaged in /text"):
        Recording(path)


def edit(**attrs: object) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            for name, value in attrs.items():
                file.attrs[name] = value

    return change


def delete(name: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with h5py.File(path, "r+") as file:
            del file[name]

    return change


def shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (Path.unlink, "there is no recording .*probe extract"),
        (lambda path: path.write_bytes(b""), "not an HDF5 file"),
        (lambda path: path.write_bytes(b"hello " * 99), "not an HDF5 file"),
        (shorten, "truncated or damaged"),
        (edit(complete=False), "incomplete"),
        (edit(format_version=1), "version .1., and this program reads versions 2 and 3"),
        (edit(format="pictures"), "not a recording"),
        (delete("text"), "/text is missing"),
        (delete("checksums/text"), "no checksums of /text"),
        (delete("layers/1/cell"), "/layers/1/cell is missing"),
        (edit(every=2), "do not fit their checksum"),
        (lambda path: h5py.File(path, "w").close(), "not a recording"),
    ],
)
def test_a_file_that_is_no_whole_recording_is_refused(
    path: Path, damage: Callable[[Path], None], complaint: str
) -> None:
    damage(path)
    with pytest.raises(ActivationError, match=complaint):
        Recording(path)


def test_a_site_that_was_not_recorded_is_reported(path: Path) -> None:
    with Recording(path) as recording, pytest.raises(ActivationError, match="no site 3/cell; it has 0/hidden"):
        recording.read([Site.of(3, "cell")])


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(28, "No space left on device"), RuntimeError("bug")])
def test_a_failed_extraction_leaves_nothing_new(
    path: Path, code_text: str, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    before = path.read_bytes()
    live = LiveActivations(random_model(code_text, seed=1), Corpus.from_texts([code_text]))
    calls = 0

    def fail(*_: object) -> int:
        nonlocal calls
        calls += 1
        if calls > 9:
            raise failure
        return os_pwrite(*_)  # type: ignore[arg-type]

    os_pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", fail)
    expected = ActivationError if isinstance(failure, OSError) else type(failure)
    with pytest.raises(expected, match="disk is full" if isinstance(failure, OSError) else None):
        extract(live, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]  # no checkpoint was made yet


def test_a_disk_without_room_is_noticed_before_the_model_runs(
    tmp_path: Path, code_text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: int, offset: int, length: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text]))
    monkeypatch.setattr(live, "blocks", None)
    with pytest.raises(ActivationError, match="disk is full"):
        extract(live, tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []


def test_the_document_says_enough_to_write_one(tmp_path: Path) -> None:
    document = (Path(__file__).parents[1] / "docs" / "recording.md").read_text(encoding="utf-8")
    [program] = re.findall(r"```python\n(.*?)```", document, re.DOTALL)
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)
    assert str(check(Path("foreign.h5"))).startswith("foreign.h5 is sound: 420 characters, 1 sites in float16")
    with Recording("foreign.h5") as recording:
        assert recording.corpus.text(0, 20) == "To be, or not to be."
        assert recording.read([Site.of(0, "hidden")])[Site.of(0, "hidden")].shape == (420, 6)


def test_the_document_mentions_all_that_is_written(path: Path) -> None:
    document = (Path(__file__).parents[1] / "docs" / "recording.md").read_text(encoding="utf-8")
    with h5py.File(path) as file:
        for name in file.attrs:
            assert f"`{name}`" in document
        for name in ("text", "documents/start", "documents/name", "vocab", "prediction/log_prob", "checksums/PATH"):
            assert f"`/{name}`" in document
