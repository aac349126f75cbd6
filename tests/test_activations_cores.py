"""As many cores are used as this process is really given, and waiting threads sleep."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import Command

from activations import cores
from activations.errors import ActivationError
from activations.memory import memory_bytes

CASES = {  # lines of `cgroup`, lines of `mountinfo` as (kind, options, top, folder), limits by file, cores
    "version 2, in a container": (
        ["0::/"],
        [("cgroup2", "rw", "/", "cg")],
        {"cg/cpu.max": "150000 100000"},
        1.5,
    ),
    "version 2, nested, the smallest limit counts": (
        ["0::/user/job/step"],
        [("cgroup2", "rw", "/", "cg")],
        {
            "cg/user/cpu.max": "200000 100000",
            "cg/user/job/cpu.max": "400000 100000",
            "cg/user/job/step/cpu.max": "max 1",
        },
        2.0,
    ),
    "version 2, of another group": (["0::/a"], [("cgroup2", "rw", "/", "cg")], {"cg/b/cpu.max": "100000 100000"}, None),
    "version 2, no limit": (["0::/"], [("cgroup2", "rw", "/", "cg")], {"cg/cpu.max": "max 100000"}, None),
    "version 1": (
        ["5:cpuset:/", "4:cpu,cpuacct:/job", "0::/"],
        [("cgroup", "rw,cpu,cpuacct", "/", "cg/cpu"), ("cgroup", "rw,cpuset", "/", "cg/cpuset")],
        {
            "cg/cpu/job/cpu.cfs_quota_us": "50000\n",
            "cg/cpu/job/cpu.cfs_period_us": "100000\n",
            "cg/cpuset/cpu.cfs_quota_us": "1",
            "cg/cpuset/cpu.cfs_period_us": "1",
        },
        0.5,
    ),
    "version 1, a container that sees only its own group": (
        ["4:cpuacct,cpu:/docker/0a1b/step"],
        [("cgroup", "rw,cpuacct,cpu", "/docker/0a1b", "c\\040p\\040u")],
        {"c p u/step/cpu.cfs_quota_us": "300000", "c p u/step/cpu.cfs_period_us": "100000"},
        3.0,
    ),
    "version 1, no limit": (
        ["4:cpu:/"],
        [("cgroup", "rw,cpu", "/", "cg")],
        {"cg/cpu.cfs_quota_us": "-1", "cg/cpu.cfs_period_us": "100000"},
        None,
    ),
    "nonsense": (["0::/../x", "1:cpu:relative"], [("cgroup2", "rw", "/", "cg")], {"cg/cpu.max": "many few"}, None),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_quotas_of_control_groups_are_read(
    case: tuple[list[str], list[tuple[str, str, str, str]], dict[str, str], float | None], tmp_path: Path
) -> None:
    groups, mounts, limits, expected = case
    write_groups(tmp_path, groups, mounts, limits)
    assert cores.cpu_quota(tmp_path) == expected


def write_groups(
    folder: Path, groups: list[str], mounts: list[tuple[str, str, str, str]], limits: dict[str, str]
) -> None:
    """Write the files of a process about its control groups, and those of the groups."""
    base = str(folder).replace(" ", "\\040")
    lines = [
        f"{number} 1 0:{number} {top} {base}/{below} rw,nosuid shared:{number} - {kind} {kind} {options}"
        for number, (kind, options, top, below) in enumerate(mounts)
    ]
    (folder / "cgroup").write_text("\n".join(groups) + "\n")
    (folder / "mountinfo").write_text("\n".join(["1 0 8:1 / / rw - ext4 /dev/sda1 rw", *lines]) + "\n")
    for name, text in limits.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    "system",
    [
        (
            ["0::/user/job"],
            [("cgroup2", "rw", "/", "cg")],
            {"cg/user/memory.max": "3000000", "cg/user/job/memory.max": "max"},
        ),
        (
            ["7:memory:/job", "4:cpu:/job"],
            [("cgroup", "rw,memory", "/", "m"), ("cgroup", "rw,cpu", "/", "c")],
            {"m/job/memory.limit_in_bytes": "3000000", "m/memory.limit_in_bytes": "9000000", "c/memory.max": "1"},
        ),
    ],
)
def test_the_memory_of_the_groups_of_a_job_is_read(
    system: tuple[list[str], list[tuple[str, str, str, str]], dict[str, str]], tmp_path: Path
) -> None:
    assert memory_bytes(tmp_path) > 3_000_000
    write_groups(tmp_path, *system)
    assert memory_bytes(tmp_path) == 3_000_000


def test_without_control_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert cores.cpu_quota(tmp_path) is None


@pytest.fixture
def four_cores(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(cores, "_quota_of_this_process", lambda: None)
    monkeypatch.setattr(cores, "_chosen", None)
    for name in ("PROBE_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_affinity_quota_and_variables_say_how_many_cores_there_are(four_cores: pytest.MonkeyPatch) -> None:
    assert cores.n_cores() == 4
    for quota, expected in ((1.5, 2), (0.2, 1), (8.0, 4)):
        four_cores.setattr(cores, "_quota_of_this_process", lambda quota=quota: quota)
        assert cores.n_cores() == cores.given_cores() == expected
    for number, expected in (("3", 3), ("2,1", 2), ("9", 4), ("0", 4), ("many", 4), ("9" * 5000, 4)):
        four_cores.setenv("OMP_NUM_THREADS", number)
        assert cores.n_cores() == expected
    four_cores.setenv("PROBE_THREADS", "6")
    assert cores.n_cores() == 6


@pytest.mark.parametrize("number", ["0", "-1", "two", "1.5", "1025", "9" * 20])
def test_numbers_of_threads_that_make_no_sense_are_refused(number: str, four_cores: pytest.MonkeyPatch) -> None:
    four_cores.setenv("PROBE_THREADS", number)
    with pytest.raises(ActivationError, match=f"the environment variable PROBE_THREADS is '{number}'; give a whole"):
        cores.n_cores()
    with pytest.raises(ActivationError, match="the number of threads is"):
        cores.use_threads(number)  # type: ignore[arg-type]


_REPORT = """
import os, numba, torch, threadpoolctl, scipy.linalg
from analyses.kernels import in_parallel
from numba import get_num_threads, prange
@in_parallel
def numbers(values):
    for n in prange(len(values)):
        values[n] += 1
import numpy as np
from activations.cores import n_cores
blas = {library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"}
numbers(np.zeros(9))
print(n_cores(), torch.get_num_threads(), get_num_threads(), *blas, os.environ["OMP_WAIT_POLICY"])
"""


def reported(program: str, folder: Path, **environment: str) -> str:
    """What a program prints that knows nothing of how this one was started."""
    unset = ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY", "PROBE_THREADS")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    kept |= {"PYTHONPATH": str(Path(__file__).parents[1])} | environment
    (file := folder / "program.py").write_text(program, encoding="utf-8")  # numba caches functions of files
    done = subprocess.run([sys.executable, str(file)], env=kept, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_every_library_takes_as_many_threads_as_it_is_told(tmp_path: Path) -> None:
    assert reported(f"import probe{_REPORT}", tmp_path, PROBE_THREADS="1") == "1 1 1 1 passive\n"
    assert reported(f"import probe; probe.use_threads(1){_REPORT}", tmp_path) == "1 1 1 1 passive\n"
    asked = "import contextlib, io, sys, probe.cli\nsys.argv = ['probe', 'hypotheses', '--threads', '1', '--json']\n"
    asked += "try:\n  with contextlib.redirect_stdout(io.StringIO()): probe.cli.main()\nexcept SystemExit: pass\n"
    assert reported(asked + _REPORT, tmp_path) == "1 1 1 1 passive\n"


def test_what_the_user_set_is_left_as_it_is(tmp_path: Path) -> None:
    assert (
        reported(f"import probe{_REPORT}", tmp_path, OMP_NUM_THREADS="1", OMP_WAIT_POLICY="active").split()[-1]
        == "active"
    )
    code = "import os, probe; print(*(os.environ.get(name) for name in ('OMP_NUM_THREADS', 'NUMBA_NUM_THREADS')))"
    assert reported(code, tmp_path, OMP_NUM_THREADS="1", NUMBA_NUM_THREADS="1") == "1 1\n"


def test_a_process_with_a_quota_tells_libraries_that_do_not_know_of_it(tmp_path: Path) -> None:
    code = "import activations.cores as c\nc._quota_of_this_process = lambda: 1.0\nimport probe" + _REPORT
    assert reported(code, tmp_path) == "1 1 1 1 passive\n"


def test_libraries_that_are_loaded_take_fewer_threads_but_not_more_than_they_began_with(tmp_path: Path) -> None:
    code = "import numba, torch, probe\nprobe.use_threads(2)\nprobe.use_threads(1)" + _REPORT
    assert (
        reported(code, tmp_path, NUMBA_NUM_THREADS="2", OMP_NUM_THREADS="2", OPENBLAS_NUM_THREADS="1")
        == "1 1 1 1 passive\n"
    )
    code = "import numba, probe\ntry: probe.use_threads(3)\nexcept probe.ActivationError as error: print(error)"
    why = "numba was loaded with 2, which the environment variable NUMBA_NUM_THREADS says; set the environment variable"
    assert f"{why} PROBE_THREADS" in reported(code, tmp_path, NUMBA_NUM_THREADS="2")
    code = "import os, numba\nos.environ.pop('NUMBA_NUM_THREADS', None)\n" + code.replace("(3)", "(1024)")
    assert "NUMBA_NUM_THREADS" not in reported(code, tmp_path)


@pytest.mark.parametrize("number", ["two", "9" * 5000])
def test_a_number_of_threads_that_makes_no_sense_is_one_line(number: str, run: Command) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROBE_THREADS", number)
        status, out, err = run("hypotheses")
        assert (status, out) == (1, "")
        assert err.startswith(f"error: the environment variable PROBE_THREADS is '{number[:20]}'; give a whole number")
        cores.prepare_libraries()  # as `import probe` does, which has to go on


@pytest.mark.parametrize("number", ["-1", "0", "abc", ""])
@pytest.mark.parametrize("arguments", [("hypotheses", "vowel"), ("rank", "vowel", "none.h5"), ("train", "none.txt")])
def test_what_numba_would_not_take_is_one_line(number: str, arguments: tuple[str, ...], run: Command) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PROBE_THREADS", raising=False)
        patch.setenv("NUMBA_NUM_THREADS", number)
        status, out, err = run(*arguments)
        assert (status, out) == (1, "")
        assert err.startswith(f"error: the environment variable NUMBA_NUM_THREADS is '{number}'; give a whole number")
        assert err.count("\n") == 1
        patch.setenv("NUMBA_NUM_THREADS", " +1")  # which numba takes
        assert cores.n_cores() >= 1


def test_an_empty_variable_says_nothing(four_cores: pytest.MonkeyPatch) -> None:
    four_cores.setenv("PROBE_THREADS", "")
    cores.prepare_libraries()
    assert "OMP_NUM_THREADS" not in os.environ
