"""Random damage to files of every kind, for a few seconds; `make fuzz` goes on without end."""

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fuzzing import cases
from fuzzing.cases import KINDS, Case, Fault
from fuzzing.changes import changed_value, damaged
from fuzzing.running import Tally, run
from fuzzing.samples import Samples, make_samples

SECONDS = [8, pytest.param(60, marks=pytest.mark.slow)]  # of random cases


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    return make_samples(tmp_path_factory.mktemp("samples"))


@pytest.mark.parametrize("seconds", SECONDS)
def test_damaged_and_hostile_files_are_refused_in_a_sentence_or_read_as_they_were(seconds: int, tmp_path: Path) -> None:
    """In a process of its own: it forks, which OpenMP does not allow one that has used it for other tests."""
    state = tmp_path / "state.json"
    options = ["--seed", str(seconds), "--seconds", str(seconds), "--state", str(state)]
    words = [sys.executable, "-m", "fuzzing", *options, *([] if seconds > 10 else ["--no-commands"])]
    done = subprocess.run(words, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    tally = Tally.from_json(state.read_text(encoding="utf-8"))
    assert tally.n_cases and not tally.faults


def test_the_same_seed_gives_the_same_cases(samples: Samples, tmp_path: Path) -> None:
    value = {"a": [1, 2.5, "text", {"b": None}], "c": "d"}
    changes = [[str(changed_value(value, np.random.default_rng([1, n]))) for n in range(50)] for _ in range(2)]
    assert changes[0] == changes[1]
    content = samples.recordings[0]
    assert damaged(content, np.random.default_rng(3)) == damaged(content, np.random.default_rng(3)) != content


@pytest.mark.parametrize("command", cases.COMMANDS)
def test_every_command_that_is_tried_works_on_a_sound_recording(command: str, samples: Samples, tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(samples.recordings[0])
    status, errors = cases.run_command(command, tmp_path / "a.h5")
    assert status == 0, errors


def crashes(case: Case) -> str:
    resource.setrlimit(resource.RLIMIT_CPU, (0, 0))  # which ends the process
    while True:
        pass


def takes_memory(case: Case) -> str:
    return str(np.ones(100_000_000).sum())


def fails(case: Case) -> str:
    raise KeyError("lane")


def misses(case: Case) -> str:
    raise Fault("a change was not noticed")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (crashes, "the process ended"),
        (takes_memory, "it took 8"),
        (fails, "KeyError in test_fuzzing.py"),
        (misses, "a change was not noticed"),
    ],
)
def test_what_must_not_be_is_a_fault_and_the_run_goes_on(
    kind: cases.CaseKind, expected: str, samples: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "bad", kind)
    monkeypatch.setitem(KINDS, "good", lambda case: "read")
    tally = Tally(seed=0)
    lines = run(tally, samples, tmp_path, ["bad", "good"])
    assert [bool(next(lines)) for _ in range(4)] == [True, False, True, False]
    lines.close()
    assert all(expected in fault and fault.startswith("bad ") for fault in tally.faults)
    assert tally.outcomes == {"bad faults": 2, "good read": 2}
    assert Tally.from_json(tally.to_json()) == tally
