"""The sidecar of a recording: how it is made, kept and found, and whatever may go wrong."""

import errno
import fcntl
import json
import os
import resource
import shutil
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
from exploring import write_recording
from numpy.lib import format as npy
from planting import random_model

from activations.blocks import Block
from activations.progress import no_advance
from activations.reading.live import LiveActivations
from activations.recordings.disk import DiskFile
from activations.texts.corpus import Corpus
from activations.units import Site, Unit
from analyses.errors import AnalysisError
from analyses.session import Session
from probe.explorer.sidecar.facts import FACTS, LOCK, SidecarFacts, read_facts, write_facts
from probe.explorer.sidecar.making import make_levels
from probe.explorer.sidecar.planning import default_budget, planned
from probe.explorer.sidecar.sidecar import Sidecar, SidecarStatus
from probe.explorer.sidecar.site_scales import SiteScales, UnitScales
from probe.explorer.sidecar.stored_levels import CHUNK_ROWS, DamagedLevelsError, n_bytes_of
from probe.explorer.sidecar.unit_levels import UnitLevels

N_ROWS = 20_000
N_UNITS = {"0/hidden": 70, "0/cell": 5, "0/forget_gate": 3}
SITES = {Site(site): n_units for site, n_units in N_UNITS.items()}


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    return record(tmp_path / "activations.h5")


def record(path: Path, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    values = {
        site: rng.normal(0, 0.3, (N_ROWS, n_units)).clip(-1, 1).astype("f4" if site.endswith("cell") else "f2")
        for site, n_units in N_UNITS.items()
    }
    return write_recording(path, values, ["ab" * 4000, "c" * 12_000])


def make(path: Path, budget: int | None = None) -> SidecarStatus:
    """Make the sidecar of a recording, as far as the budget goes."""
    with Session(path) as session:
        sidecar = Sidecar(session, budget=budget)
        sidecar.start()
        sidecar.wait(60)
        status = sidecar.status
        sidecar.close()
    return status


@contextmanager
def opened(path: Path, budget: int | None = None) -> Iterator[tuple[Session, Sidecar]]:
    with Session(path) as session:
        sidecar = Sidecar(session, budget=budget)
        yield session, sidecar
        sidecar.close()


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def folder_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.explorer")


def test_a_sidecar_has_the_values_of_the_recording_quantised(recording: Path) -> None:
    with opened(recording) as (session, sidecar):
        assert sidecar.status == SidecarStatus(state="none")
        sidecar.start()
        status = sidecar.wait(60)
        n_bytes = n_bytes_of(sum(N_UNITS.values()), N_ROWS)
        assert status.state == "ready" and status.progress == 1
        assert status.sentence == f"{folder_of(recording)} takes {n_bytes / 1e6:.1f} MB"
        for site, n_units in session.sites.items():
            stored, values = sidecar.site(site), session.read([site])[site]
            assert stored is not None and stored.mapped().shape == (n_units, N_ROWS)
            for unit in range(n_units):
                expected = sidecar.scales.of(site).of(unit).levels(values[:, unit])
                np.testing.assert_array_equal(stored.read(unit), expected)
                np.testing.assert_array_equal(stored.mapped()[unit], expected)
        assert N_ROWS > 2 * CHUNK_ROWS and N_ROWS % CHUNK_ROWS
    assert sorted(content(folder_of(recording))) == sorted(
        [FACTS, LOCK, *(f"{kind}-{number}.npy" for kind in ("levels", "checksums") for number in range(3))]
    )
    levels = np.load(folder_of(recording) / "levels-0.npy", mmap_mode="r", allow_pickle=False)
    assert levels.shape == (70, N_ROWS) and levels.dtype == np.uint8


def test_a_sidecar_that_is_complete_is_used_at_once_and_left_as_it_is(recording: Path) -> None:
    make(recording)
    before = {path: path.stat().st_mtime_ns for path in folder_of(recording).iterdir()}
    with opened(recording) as (_, sidecar):
        assert sidecar.status.state == "ready" and sidecar.site(Site("0/cell")) is not None
        sidecar.start()
        assert sidecar.status.state == "ready"
    assert {path: path.stat().st_mtime_ns for path in folder_of(recording).iterdir()} == before


def test_scales_are_kept_to_the_last_bit(recording: Path) -> None:
    make(recording)
    with opened(recording) as (session, kept), Session(recording) as another:
        assert kept.site(Site("0/hidden")) is not None
        shutil.rmtree(kept.folder)
        fresh = Sidecar(another).scales
        for site in session.sites:
            for name in ("offsets", "steps", "gains"):
                np.testing.assert_array_equal(getattr(kept.scales.of(site), name), getattr(fresh.of(site), name))


def test_sites_are_made_until_the_budget_is_used(recording: Path) -> None:
    status = make(recording, n_bytes_of(75, N_ROWS))
    assert status.sentence == (
        f"{folder_of(recording)} takes {n_bytes_of(75, N_ROWS) / 1e6:.1f} MB, without 0/forget_gate, for which "
        f"{n_bytes_of(75, N_ROWS) / 1e6:.1f} MB are not enough"
    )
    with opened(recording, n_bytes_of(75, N_ROWS)) as (_, sidecar):
        assert sidecar.site(Site("0/hidden")) and sidecar.site(Site("0/cell"))
        assert sidecar.site(Site("0/forget_gate")) is None
    with opened(recording) as (_, sidecar):  # a larger budget adds what is missing
        sidecar.start()
        assert sidecar.wait(60).state == "ready" and sidecar.site(Site("0/forget_gate"))


def test_without_any_budget_there_is_no_sidecar_and_a_sentence_says_so(recording: Path) -> None:
    with opened(recording, 10) as (_, sidecar):
        sidecar.start()
        assert sidecar.wait(60) == SidecarStatus(
            state="none",
            sentence="there is no sidecar: 0/hidden, 0/cell, 0/forget_gate would each take more than the 0.0 MB it "
            "may have",
        )
    assert not folder_of(recording).exists()


def test_hidden_and_cell_come_first_and_then_the_gates_asked_for_most() -> None:
    names = ["0/forget_gate", "0/cell", "0/hidden", "0/candidate", "1/hidden", "1/cell", "features/pca"]
    sizes = {Site(name): 4 for name in names}
    asked = {Site("0/candidate"): 2, Site("features/pca"): 5, Site("1/cell"): 9}
    plan = planned(sizes, 100, 10**6, asked)
    expected = ["0/hidden", "1/hidden", "0/cell", "1/cell", "features/pca", "0/candidate", "0/forget_gate"]
    assert list(map(str, plan.sites)) == expected and not plan.left_out
    assert plan.n_bytes == 7 * n_bytes_of(4, 100)
    few = planned(sizes, 100, 2 * n_bytes_of(4, 100), asked, [Site("0/forget_gate")])
    assert list(map(str, few.sites)) == ["0/forget_gate", "0/hidden"]  # what is there is kept


def test_the_default_budget_is_a_tenth_of_the_free_disk_and_at_most_4_gb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = shutil.disk_usage(tmp_path)
    for free, there, expected in [(10**12, 0, 4 * 10**9), (10**9, 0, 10**8), (10**9, 10**9, 2 * 10**8)]:
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: room._replace(free=free))
        assert default_budget(tmp_path / "a.h5.explorer", there) == expected


def test_the_sidecar_of_another_recording_is_replaced(recording: Path) -> None:
    make(recording)
    before = content(folder_of(recording))
    (folder_of(recording) / "notes.txt").write_text("mine")
    record(recording.with_name("new.h5"), seed=1).replace(recording)
    with opened(recording) as (session, sidecar):
        assert sidecar.status.state == "none" and sidecar.site(Site("0/cell")) is None
        sidecar.start()
        assert sidecar.wait(60).state == "ready"
        values = session.read(["0/cell"])[Site("0/cell")]
        stored = sidecar.site(Site("0/cell"))
        assert stored is not None
        np.testing.assert_array_equal(stored.read(4), sidecar.scales.of(Site("0/cell")).of(4).levels(values[:, 4]))
    after = content(folder_of(recording))
    assert after.pop("notes.txt") == b"mine"
    assert after.keys() == before.keys() and after["levels-1.npy"] != before["levels-1.npy"]


def test_the_sidecar_of_another_version_is_replaced(recording: Path) -> None:
    make(recording)
    before = content(folder_of(recording))
    facts = folder_of(recording) / FACTS
    facts.write_text(facts.read_text().replace('"version": 1', '"version": 0'))
    (folder_of(recording) / "levels-2.npy").write_bytes(b"old")
    (folder_of(recording) / "levels-9.npy").write_bytes(b"a site that is no more")
    assert make(recording).state == "ready"
    assert content(folder_of(recording)) == before


@pytest.mark.parametrize("damage", ["", '{"format": "levels of a recording, for the explorer"', "scales", "numbers"])
def test_damaged_facts_are_made_again(recording: Path, damage: str) -> None:
    make(recording)
    before = content(folder_of(recording))
    facts = folder_of(recording) / FACTS
    data = json.loads(facts.read_text())
    if damage == "scales":
        data["sites"]["0/cell"]["steps"][2] = -1
    if damage == "numbers":
        data["n_rows"] = float("inf")
    facts.write_text(json.dumps(data) if damage in ("scales", "numbers") else damage)
    assert read_facts(folder_of(recording), SITES) is None
    assert make(recording).state == "ready"
    assert content(folder_of(recording)) == before


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\0")


@pytest.mark.parametrize("damage", [truncate, grow, Path.unlink, lambda path: path.write_bytes(b"")])
@pytest.mark.parametrize("name", ["levels-0.npy", "checksums-0.npy"])
def test_files_of_a_wrong_size_are_made_again(recording: Path, name: str, damage: Callable[[Path], Any]) -> None:
    make(recording)
    before = content(folder_of(recording))
    damage(folder_of(recording) / name)
    with opened(recording) as (_, sidecar):
        assert sidecar.site(Site("0/hidden")) is None
        assert sidecar.site(Site("0/cell")) is not None
    assert make(recording).state == "ready"
    assert content(folder_of(recording)) == before


def test_damaged_levels_are_read_from_the_recording_and_made_again(recording: Path) -> None:
    make(recording)
    before = content(folder_of(recording))
    unit, path = Unit(Site("0/hidden"), 69), folder_of(recording) / "levels-0.npy"
    damaged = bytearray(before["levels-0.npy"])
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with opened(recording) as (session, sidecar), Session(recording) as plain:
        sidecar.start()
        levels, expected = UnitLevels(session, sidecar), UnitLevels(plain).levels(unit)
        stored = sidecar.site(unit.site)
        assert stored is not None
        np.testing.assert_array_equal(stored.read(69, 0, 2 * CHUNK_ROWS), expected[: 2 * CHUNK_ROWS])  # sound so far
        with pytest.raises(DamagedLevelsError):
            stored.read(69, N_ROWS - 1)
        np.testing.assert_array_equal(levels.levels(unit), expected)
        assert sidecar.wait(60).state == "ready"
        assert sidecar.site(unit.site) not in (None, stored)
    assert content(folder_of(recording)) == before


def test_levels_truncated_while_they_are_used_are_read_from_the_recording(recording: Path) -> None:
    make(recording)
    unit = Unit(Site("0/hidden"), 69)
    with opened(recording) as (session, sidecar), Session(recording) as plain:
        truncate(folder_of(recording) / "levels-0.npy")
        levels = UnitLevels(session, sidecar)
        assert levels.site_levels(unit.site) is None
        np.testing.assert_array_equal(levels.levels(unit), UnitLevels(plain).levels(unit))
        assert sidecar.site(unit.site) is None


def test_what_a_killed_process_left_is_removed(recording: Path) -> None:
    make(recording)
    before = content(folder_of(recording))
    (folder_of(recording) / "levels-0.npy").unlink()
    for name in ("levels-0.npy.123.part", "checksums-0.npy.123.part", "facts.json.123.part"):
        (folder_of(recording) / name).write_bytes(b"half")
    for name in ("notes.part", "levels-0.npy.part", "my-levels-0.npy.1.part"):
        (folder_of(recording) / name).write_text("mine")
    make(recording)
    after = content(folder_of(recording))
    assert {name for name in after if name not in before} == {
        "notes.part",
        "levels-0.npy.part",
        "my-levels-0.npy.1.part",
    }
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("name", [FACTS, "levels-0.npy", "checksums-2.npy"])
def test_files_of_others_are_never_touched(recording: Path, name: str) -> None:
    folder_of(recording).mkdir()
    (folder_of(recording) / name).write_text("{}")
    status = make(recording)
    assert status.state == "failed" and status.sentence == (
        f"{folder_of(recording) / name} was not written by this program; move the folder away; everything works "
        "without it, more slowly"
    )
    assert content(folder_of(recording)) == {name: b"{}"}


def test_a_file_in_the_place_of_the_folder_is_not_touched(recording: Path) -> None:
    folder_of(recording).write_text("mine")
    status = make(recording)
    assert status.state == "failed" and "is not a folder; move it away" in status.sentence
    assert folder_of(recording).read_text() == "mine"


def test_other_files_in_the_folder_do_not_matter(recording: Path) -> None:
    folder_of(recording).mkdir()
    (folder_of(recording) / "notes.txt").write_text("mine")
    assert make(recording).state == "ready"
    assert (folder_of(recording) / "notes.txt").read_text() == "mine"


def test_a_folder_that_can_only_be_read_is_said_so(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with opened(recording) as (session, sidecar):
        sidecar.start()
        assert sidecar.wait(60) == SidecarStatus(
            state="failed",
            sentence=f"the sidecar {folder_of(recording)} cannot be used: the disk can only be read; everything works "
            "without it, more slowly",
        )
        assert len(UnitLevels(session, sidecar).levels(Unit(Site("0/cell"), 1))) == N_ROWS


def test_a_complete_sidecar_in_a_folder_that_can_only_be_read_is_used(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(recording)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert make(recording).state == "ready"


@contextmanager
def files_up_to(n_bytes: int) -> Iterator[None]:
    """No file may be larger, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_said_so_and_what_is_complete_stays(recording: Path) -> None:
    with opened(recording) as (session, sidecar):
        with files_up_to(n_bytes_of(60, N_ROWS)):  # enough for the cell and the gate, had they come first
            sidecar.start()
            status = sidecar.wait(60)
        assert status.state == "failed" and status.sentence.startswith(f"the sidecar {folder_of(recording)} cannot be")
        assert sorted(content(folder_of(recording))) == [FACTS, LOCK]
        assert len(UnitLevels(session, sidecar).levels(Unit(Site("0/hidden"), 1))) == N_ROWS
    assert make(recording).state == "ready"


def test_a_disk_that_gets_full_half_way_leaves_no_half_file(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = make(recording, n_bytes_of(70, N_ROWS))
    assert whole.state == "ready"
    before, n_written = content(folder_of(recording)), 0

    plain = DiskFile.write

    def write(disk: DiskFile, array: Any, offset: int) -> None:
        nonlocal n_written
        n_written += 1
        if n_written == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        plain(disk, array, offset)

    monkeypatch.setattr(DiskFile, "write", write)
    status = make(recording)
    assert status.state == "failed" and "the disk is full" in status.sentence
    assert content(folder_of(recording)) == before


def test_a_damaged_recording_is_said_so(recording: Path) -> None:
    content = bytearray(recording.read_bytes())
    with Session(recording) as session:
        [row] = session.read(["0/hidden"], 9000, 9001)[Site("0/hidden")]
        place = content.index(row.tobytes())
    content[place] ^= 1
    recording.write_bytes(content)
    with opened(recording) as (_, sidecar):
        sidecar.start()
        status = sidecar.wait(60)
    assert status.state == "failed" and "is damaged in /layers/0/hidden" in status.sentence
    assert not list(folder_of(recording).glob("*.npy*"))


def test_making_can_be_stopped_and_goes_on_later(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reached, seen = Event(), []
    with opened(recording) as (_, sidecar):
        blocks = Session.blocks

        def slow_blocks(self: Session, sites: Any, **options: Any) -> Iterator[Block]:
            for block in blocks(self, sites, **options):
                seen.append(sidecar.status)
                if Site("0/cell") in block.values:
                    reached.set()
                    sidecar._stop.wait(60)
                yield block

        monkeypatch.setattr(Session, "blocks", slow_blocks)
        sidecar.start()
        assert reached.wait(60)
        began = time.monotonic()
        sidecar.stop()
        assert time.monotonic() - began < 30
        assert sidecar.status.state == "ready" and sidecar.site(Site("0/hidden")) is not None
        assert sidecar.site(Site("0/cell")) is None
    assert {status.state for status in seen} == {"making"}
    assert [status.progress for status in seen] == sorted(status.progress for status in seen)
    assert seen[-1].progress == pytest.approx(70 / 78)
    assert seen[0].sentence == f"{folder_of(recording)} takes {n_bytes_of(78, N_ROWS) / 1e6:.1f} MB, and is being made"
    assert sorted(content(folder_of(recording))) == ["checksums-0.npy", FACTS, "levels-0.npy", LOCK]
    monkeypatch.undo()
    assert make(recording).state == "ready"


def test_one_process_waits_for_another_and_takes_what_it_has_made(recording: Path, tmp_path: Path) -> None:
    make(recording)
    ready = content(folder_of(recording))
    (folder_of(recording) / "levels-0.npy").rename(tmp_path / "levels-0.npy")
    with opened(recording) as (_, sidecar), (folder_of(recording) / LOCK).open("ab") as lock:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        assert sidecar.site(Site("0/hidden")) is None
        sidecar.start()
        deadline = time.monotonic() + 30
        while "another process" not in sidecar.status.sentence and time.monotonic() < deadline:
            time.sleep(0.01)
        assert sidecar.status.state == "making"
        assert sidecar.status.sentence == f"another process is making {folder_of(recording)}"
        (tmp_path / "levels-0.npy").rename(folder_of(recording) / "levels-0.npy")
        inode = (folder_of(recording) / "levels-0.npy").stat().st_ino
        fcntl.flock(lock.fileno(), fcntl.LOCK_UN)
        assert sidecar.wait(60).state == "ready"
        assert (folder_of(recording) / "levels-0.npy").stat().st_ino == inode
    assert content(folder_of(recording)) == ready


MAKE = """
import sys
from analyses.session import Session
from probe.explorer.sidecar.sidecar import Sidecar
with Session(sys.argv[1]) as session:
    sidecar = Sidecar(session)
    sidecar.start()
    print(sidecar.wait().state)
"""


def test_two_processes_that_make_it_at_once_both_have_it_whole(recording: Path, tmp_path: Path) -> None:
    make(record(tmp_path / "same.h5"))
    processes = [
        subprocess.Popen([sys.executable, "-c", MAKE, recording], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    assert [process.communicate(timeout=120)[0] for process in processes] == ["ready\n"] * 2
    made, same = content(folder_of(recording)), content(folder_of(tmp_path / "same.h5"))
    for name in same.keys() - {FACTS}:  # which has the date of the recording in its key
        assert made[name] == same[name]
    assert made.keys() == same.keys()


SLOW_CELL = """
    import time
    plain = session.blocks
    session.blocks = lambda sites: (time.sleep(99) if str(sites[0]) == "0/cell" else block for block in plain(sites))
    sidecar = Sidecar(session)
"""


def test_a_killed_process_leaves_what_was_complete(recording: Path) -> None:
    slowly = MAKE.replace("    sidecar = Sidecar(session)", SLOW_CELL)
    with subprocess.Popen([sys.executable, "-c", slowly, recording], stdout=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not list(folder_of(recording).glob("levels-1.npy.*.part")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.kill()
    assert list(folder_of(recording).glob("levels-1.npy.*.part"))
    with opened(recording) as (_, sidecar):
        assert sidecar.site(Site("0/hidden")) is not None and sidecar.site(Site("0/cell")) is None
    assert make(recording).state == "ready"
    assert not list(folder_of(recording).glob("*.part"))


def test_making_takes_little_memory_however_long_the_text_is(tmp_path: Path) -> None:
    n_rows, n_units = 200_000, 64
    values = {"0/hidden": np.linspace(-1, 1, n_rows * n_units, dtype="f2").reshape(n_rows, n_units)}
    path = write_recording(tmp_path / "long.h5", values, ["a" * n_rows])
    with Session(path) as session:
        scales = UnitScales(session).of(Site("0/hidden"))
        tracemalloc.start()
        try:
            make_levels(session, Site("0/hidden"), scales, tmp_path, no_advance, lambda: False)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert (tmp_path / "levels-0.npy").stat().st_size > n_rows * n_units > 2 * peak


def test_a_live_model_has_no_sidecar() -> None:
    text = "some text" * 20
    with (
        Session(LiveActivations(random_model(text), Corpus.from_texts([text], ["a"]))) as session,
        pytest.raises(AnalysisError, match=r"only a recording has a sidecar"),
    ):
        Sidecar(session)


def test_levels_that_are_mapped_are_those_that_are_read_also_when_the_file_was_replaced(recording: Path) -> None:
    make(recording)
    with opened(recording) as (_, sidecar):
        stored = sidecar.site(Site("0/cell"))
        assert stored is not None
        before, path = stored.read(2), folder_of(recording) / "levels-1.npy"
        path.with_suffix(".new").write_bytes(path.read_bytes()[: -stored.shape[0] * N_ROWS] + bytes(5 * N_ROWS))
        path.with_suffix(".new").replace(path)
        np.testing.assert_array_equal(stored.mapped()[2], before)
        np.testing.assert_array_equal(stored.read(2), before)
        assert not stored.mapped().flags.writeable


def test_a_header_that_says_too_much_is_not_believed(recording: Path) -> None:
    make(recording)
    before = content(folder_of(recording))
    with (folder_of(recording) / "checksums-1.npy").open("wb") as file:
        npy.write_array_header_1_0(file, {"descr": "<u8", "fortran_order": False, "shape": (10**14,)})
    assert make(recording).state == "ready"
    assert content(folder_of(recording)) == before


@pytest.mark.parametrize("name", ["lock", "levels-1.npy", "checksums-1.npy", "facts.json"])
def test_what_is_no_file_is_never_waited_for(recording: Path, name: str) -> None:
    make(recording)
    path = folder_of(recording) / name
    path.unlink()
    os.mkfifo(path)
    if name == "lock":
        (folder_of(recording) / FACTS).unlink()
    since = time.monotonic()
    status = make(recording)
    assert time.monotonic() - since < 20
    assert status.state == ("ready" if name.endswith(".npy") else "failed")
    assert name.endswith(".npy") or "works without it" in status.sentence


def test_facts_that_are_too_long_are_not_read(recording: Path) -> None:
    make(recording)
    facts = folder_of(recording) / FACTS
    assert read_facts(folder_of(recording), SITES) is not None
    facts.write_text(facts.read_text()[:-1] + ', "more": [' + "0," * 20_000 + "0]}")
    assert read_facts(folder_of(recording), SITES) is None


def test_facts_of_the_longest_numbers_are_read(tmp_path: Path) -> None:
    longest = np.full(70, 1.7976931348623157e-308)
    scales = SiteScales(offsets=-longest, steps=longest, gains=longest)
    write_facts(tmp_path, SidecarFacts(key="k" * 64, n_rows=1 << 50, scales=dict.fromkeys(SITES, scales)))
    facts = read_facts(tmp_path, dict.fromkeys(SITES, 70))
    assert facts is not None and facts.scales.keys() == SITES.keys()
