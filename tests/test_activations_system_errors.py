"""Errors of the system and of HDF5 in words of our own, and what a full disk leaves behind."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import pytest
from planting import random_model

import probe.data
from activations.errors import ActivationError
from activations.files import write_error_message
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings import vetting
from activations.recordings.recording import Recording
from activations.system_errors import error_number, reason
from activations.texts.corpus import Corpus

MODEL = str(Path(probe.data.__file__).with_name("python_lstm.pt"))
TEXT = "some text, and some more of it.\n" * 20
REF_COUNT = (
    "Can't decrement id ref count (file write failed: time = Mon Nov 30 16:51:58 2026\n, filename = '/disk/a.h5.part', "
    "file descriptor = 5, errno = {}, error message = '{}', buf = 0x5652, total write size = 3344)"
)


@pytest.fixture
def live() -> LiveActivations:
    return LiveActivations(random_model(TEXT, n_units=4), Corpus.from_texts([TEXT]), n_lanes=2, warm_up_chars=0)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "your quota on the disk is used up"),
        (OSError(errno.EROFS, "Read-only file system"), "the disk can only be read"),
        (OSError(errno.EIO, "Input/output error"), "the disk reports an error"),
        (OSError(errno.EMFILE, "Too many open files"), "too many files are open; `ulimit -n` raises the limit"),
        (OSError(errno.EACCES, "Permission denied"), "Permission denied"),
        (RuntimeError(REF_COUNT.format(28, "No space left on device")), "the disk is full"),
        (RuntimeError(REF_COUNT.format(122, "Disk quota exceeded")), "your quota on the disk is used up"),
        (OSError("Unable to synchronously open file (file signature not found)"), "the HDF5 library failed"),
        (RuntimeError("Can't decrement id ref count"), "the HDF5 library failed"),
        (MemoryError(), "there is not enough memory"),
        (OSError("telnet is gone"), "telnet is gone"),
        (OSError(), "the system does not say why"),
    ],
)  # fmt: skip
def test_errors_are_in_words_of_our_own(error: Exception, expected: str) -> None:
    assert reason(error).startswith(expected)
    assert not any(word in reason(error) for word in ("decrement", "synchronously", "0x", "errno"))


def test_a_limit_on_processes_is_not_called_a_lock_on_the_file(
    live: LiveActivations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(live, tmp_path / "a.h5")

    def refused(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refused)
    with pytest.raises(ActivationError, match=r"a\.h5: no more processes may be started; `ulimit -u` raises"):
        vetting.Vetter().vet(tmp_path / "a.h5")


def test_hdf5_s_own_exceptions_have_the_system_s_number(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Unable to") as caught:
        h5py.File(tmp_path / "none" / "a.h5", "w")
    assert error_number(caught.value) == errno.ENOENT
    assert reason(caught.value) == "No such file or directory"
    assert write_error_message(tmp_path / "a.h5", OSError(28, "HDF5 says so")) == (
        f"the disk is full: cannot write {tmp_path / 'a.h5'}; make room and run it again, or write to another disk"
    )


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        (RuntimeError(REF_COUNT.format(28, "No space left on device")), "the disk is full: cannot write .*a.h5; make"),
        (RuntimeError("Can't decrement id ref count"), "cannot write .*a.h5: the HDF5 library failed"),
        (OSError(5, "Can't synchronously write data (errno = 5)"), "cannot write .*a.h5: the disk reports an error"),
    ],
)
def test_a_recording_that_hdf5_cannot_finish_ends_in_one_sentence(
    failure: Exception, expected: str, live: LiveActivations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_file = h5py.File

    def fail(path: Path, mode: str, **how: Any) -> h5py.File:
        if mode == "r+":
            raise failure
        return open_file(path, mode, **how)

    monkeypatch.setattr(h5py, "File", fail)
    with pytest.raises(ActivationError, match=expected):
        extract(live, tmp_path / "a.h5", force=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EIO, "the disk reports an error"),
        (errno.EMFILE, "too many files are open"),
        (None, "HDF5 library failed"),
    ],
)
def test_a_recording_that_the_system_cannot_read_is_not_called_damaged(
    number: int | None, expected: str, live: LiveActivations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract(live, tmp_path / "a.h5", force=True)

    def fail(*_: object) -> object:
        message = "Unable to synchronously open file (file read failed)"
        raise OSError(message) if number is None else OSError(number, message)

    with monkeypatch.context() as patch, pytest.raises(ActivationError, match=rf"cannot read .*a\.h5: .*{expected}"):
        patch.setattr(h5py, "File", fail)
        Recording(tmp_path / "a.h5")


def test_a_recording_that_another_program_writes_is_not_called_damaged(live: LiveActivations, tmp_path: Path) -> None:
    content = extract(live, tmp_path / "a.h5", force=True).path.read_bytes()
    (tmp_path / "b.h5").write_bytes(content)
    with h5py.File(tmp_path / "b.h5", "r+"), pytest.raises(ActivationError) as caught:
        Recording(tmp_path / "b.h5")
    assert str(caught.value).endswith("b.h5 cannot be used: the system refuses it: another program is using it")


def test_a_full_disk_is_noticed_before_hdf5_writes_anything(
    live: LiveActivations, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HDF5 may crash at the end of a process in which it could not write."""
    reserved: list[int] = []
    most = 0

    def reserve(file: int, offset: int, length: int) -> None:
        reserved.append(length)
        if length > most:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", reserve)
    with monkeypatch.context() as patch, pytest.raises(ActivationError, match="the disk is full"):
        patch.setattr(h5py, "File", None)
        extract(live, tmp_path / "a.h5", force=True)
    assert list(tmp_path.iterdir()) == []
    most = 10**9
    reserved.clear()
    extract(live, tmp_path / "a.h5", force=True)
    assert len(reserved) == 2  # before HDF5 lays the file out, and once it has
    assert (tmp_path / "a.h5").stat().st_size <= reserved[1]


def limited(limit: Callable[[], None], program: str) -> tuple[int, str]:
    """The exit status and the output of a program that may use less than this process."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("n_bytes", [5_000, 100_000])
def test_a_file_that_may_not_grow_is_refused_before_hdf5_writes_it(n_bytes: int, tmp_path: Path) -> None:
    """HDF5 crashes at the end of a process in which it could not write."""
    (tmp_path / "text.txt").write_text("def f(x):\n    return x\n" * 100, encoding="utf-8")
    program = f"""
import sys
sys.argv = ["probe", "extract", {MODEL!r}, "text.txt", "-o", "a.h5", "--replace-unknown", "--force"]
from probe.cli import main
main()
"""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))

    status, error = limited(limit, program)
    assert status == 1, error
    assert error.splitlines()[-1].startswith("error: cannot write a.h5: it would be larger than")
    assert "Traceback" not in error
    assert "Exception ignored" not in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["text.txt"]
