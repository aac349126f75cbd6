"""Whatever happens to a run, its recording is whole, or the run is resumed to the same end."""

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import xxhash
from planting import random_model

from activations.errors import ActivationError
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.checking import check
from activations.recordings.disk import PAGE_BYTES, DiskFile
from activations.recordings.journal import read_journal, write_journal
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus

HERE = Path(__file__).parent


def start(text: Path, output: Path, cell: str, n_lanes: int) -> subprocess.Popen[str]:
    command = [sys.executable, str(HERE / "interrupted.py"), str(text), str(output), cell, str(n_lanes)]
    environment = os.environ | {"PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}", "OMP_NUM_THREADS": "2"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def contents(path: Path) -> dict[str, bytes]:
    """The bytes of all datasets."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, each: found.update({name: each[()].tobytes()}) if hasattr(each, "dtype") else None)
    return found


def break_off_half_way(live: LiveActivations, path: Path) -> None:
    """Interrupt an extraction half-way, as Ctrl-C does."""

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(live, path, progress=stop, checkpoint_s=0.0)


@pytest.mark.slow  # kills and starts again some fifty processes
@pytest.mark.parametrize(("cell", "n_lanes", "n_copies"), [("lstm", 48, 16), ("gru", 1, 64)])
def test_a_killed_run_is_resumed_to_the_same_end(
    cell: str, n_lanes: int, n_copies: int, code_text: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    text = tmp_path / "corpus.txt"
    text.write_text(code_text * n_copies, encoding="utf-8")
    whole = tmp_path / "whole.h5"
    began = time.perf_counter()
    with start(text, whole, cell, n_lanes) as process:
        assert process.wait() == 0
    takes = time.perf_counter() - began
    output, part = tmp_path / "killed.h5", tmp_path / "killed.h5.part"
    n_killed, n_resumed = 0, 0
    while not output.exists():
        n_resumed += (tmp_path / "killed.h5.journal").exists()
        with start(text, output, cell, n_lanes) as process:
            if n_killed < 15:
                time.sleep(float(rng.uniform(0, 0.08 * takes)))
                process.send_signal(signal.SIGKILL)
                n_killed += 1
        if part.exists():
            with pytest.raises(ActivationError):
                Recording(part)
    assert n_killed >= 10
    assert n_resumed >= 3
    assert contents(output) == contents(whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.txt", "killed.h5", "whole.h5"]


@pytest.mark.parametrize("stage", ["replace", "finish", "sync"])
def test_a_run_that_dies_while_it_finishes_is_resumed(
    stage: str, code_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text]))
    extract(live, tmp_path / "whole.h5")
    output = tmp_path / "a.h5"

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def fail_to_rename(self: Path, target: Path) -> None:
        if target == output:
            raise KeyboardInterrupt
        self.rename(target)

    with monkeypatch.context() as patch:
        if stage == "replace":
            patch.setattr(Path, "replace", fail_to_rename)
        elif stage == "finish":
            patch.setattr("activations.recordings.format.checksums.attributes_checksum", fail)
        else:
            patch.setattr("activations.recordings.recorder.Recorder.finish", fail)
        with pytest.raises(KeyboardInterrupt):
            extract(live, output, checkpoint_s=0.0)
    assert not output.exists()
    assert (tmp_path / "a.h5.part").exists()
    seen: list[int] = []
    extract(live, output, progress=lambda done, total: seen.append(done))
    assert seen == [] or seen[0] > len(code_text) // 2  # what was done was not done again
    assert contents(output) == contents(tmp_path / "whole.h5")
    assert check(output).sound


def test_another_job_does_not_resume_an_unfinished_one(code_text: str, tmp_path: Path) -> None:
    corpus = Corpus.from_texts([code_text])
    one, other = (LiveActivations(random_model(code_text, seed=seed), corpus) for seed in (0, 1))
    extract(other, tmp_path / "whole.h5")
    break_off_half_way(one, tmp_path / "a.h5")
    assert (tmp_path / "a.h5.journal").exists()
    extract(other, tmp_path / "a.h5")
    assert contents(tmp_path / "a.h5") == contents(tmp_path / "whole.h5")


def test_a_damaged_journal_is_not_believed(code_text: str, tmp_path: Path) -> None:
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text]))
    extract(live, tmp_path / "whole.h5")
    break_off_half_way(live, tmp_path / "a.h5")
    journal = tmp_path / "a.h5.journal"
    content = bytearray(journal.read_bytes())
    content[len(content) // 2] ^= 1
    journal.write_bytes(content)
    extract(live, tmp_path / "a.h5")
    assert contents(tmp_path / "a.h5") == contents(tmp_path / "whole.h5")


def test_the_second_of_two_runs_into_one_file_is_refused(code_text: str, tmp_path: Path) -> None:
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text]))
    told = []

    def meddle(done: int, total: int) -> None:
        with pytest.raises(ActivationError, match=r"another run is writing .*a\.h5; wait"):
            extract(live, tmp_path / "a.h5", checkpoint_s=0.0)
        told.append(done)

    extract(live, tmp_path / "a.h5", progress=meddle)
    assert told
    assert check(tmp_path / "a.h5").sound


def test_check_finds_every_damage_and_names_it(code_text: str, tmp_path: Path) -> None:
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text]), n_lanes=4)
    path = extract(live, tmp_path / "a.h5").path
    assert str(check(path)) == f"{path} is sound: {len(code_text):,} characters, 12 sites in float16 and float32"
    copy = tmp_path / "b.h5"
    shutil.copy(path, copy)
    with h5py.File(path) as file:
        places = [file[name].id.get_offset() for name in ("layers/0/hidden", "layers/1/cell", "prediction/log_prob")]
    with copy.open("r+b") as raw:
        for place in places:
            raw.seek(place + 300)
            byte = raw.read(1)[0]
            raw.seek(place + 300)
            raw.write(bytes([byte ^ 8]))
    found = check(copy)
    assert not found.sound
    assert [complaint.split(",")[0] for complaint in found.complaints] == [
        "damaged in /layers/0/hidden",
        "damaged in /layers/1/cell",
        "damaged in /prediction/log_prob",
    ]
    assert not check(tmp_path / "nothing.h5").sound


@pytest.mark.parametrize("direct", [True, False])
def test_bytes_are_written_to_their_place_at_any_offset(
    direct: bool, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not direct:
        monkeypatch.delattr(os, "O_DIRECT", raising=False)
    expected = np.zeros(1_000_000, np.uint8)
    (tmp_path / "a").write_bytes(expected.tobytes())
    with DiskFile(tmp_path / "a") as file:
        for n in (1, 100, PAGE_BYTES, 70_000, 300_000, 65_536):
            content = rng.integers(0, 256, n, dtype=np.uint8)
            for offset in (0, PAGE_BYTES, int(rng.integers(0, len(expected) - n))):
                file.write(content, offset)
                expected[offset : offset + n] = content
        file.sync()
    assert (tmp_path / "a").read_bytes() == expected.tobytes()


def test_a_disk_that_fills_up_meanwhile_leaves_nothing_in_the_way_of_a_new_run(
    code_text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text]))
    extract(live, tmp_path / "whole.h5")
    calls = 0

    def full(self: DiskFile, array: object, offset: int) -> None:
        nonlocal calls
        calls += 1
        if calls > 40:
            raise OSError(28, "No space left on device")
        write(self, array, offset)  # type: ignore[arg-type]

    write = DiskFile.write
    with monkeypatch.context() as patch:
        patch.setattr(DiskFile, "write", full)
        with pytest.raises(ActivationError, match="disk is full"):
            extract(live, tmp_path / "a.h5", checkpoint_s=0.0)
    assert not (tmp_path / "a.h5").exists()
    extract(live, tmp_path / "a.h5")
    assert contents(tmp_path / "a.h5") == contents(tmp_path / "whole.h5")


def test_a_journal_that_would_unpack_to_more_than_its_size_is_left_alone(tmp_path: Path) -> None:
    write_journal(tmp_path / "a.journal", "job", {"a": np.zeros(3)})
    arrays = read_journal(tmp_path / "a.journal", "job")
    assert arrays is not None
    np.testing.assert_array_equal(arrays["a"], np.zeros(3))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, job=np.array("job"), a=np.zeros(1_000_000))
    content = buffer.getvalue()
    (tmp_path / "a.journal").write_bytes(xxhash.xxh3_64_digest(content) + content)
    assert read_journal(tmp_path / "a.journal", "job") is None
