"""Loops are compiled when they are first called, kept on the disk, and said to be compiled once."""

import os
import subprocess
import sys
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest

from hypotheses.fingerprints.references import References
from hypotheses.kernels import CompiledLoop, compiled

OFFSET = 3


@compiled(inline="always")
def increased(value: int) -> int:
    return value + OFFSET


@compiled()
def sum_of_increased(values: Any) -> int:
    total = 0
    for value in values:
        total += increased(value)
    return total


def test_a_loop_and_those_that_it_calls_compute_what_python_does() -> None:
    loop: Any = sum_of_increased
    for values in (np.arange(10), np.arange(10.0)):
        assert loop(values) == (values + 3).sum()
    assert loop(values=np.arange(4)) == 18
    assert isinstance(increased, CompiledLoop)
    assert loop.dispatcher() is loop.dispatcher()
    assert (loop.__name__, type(loop.py_func)) == ("sum_of_increased", FunctionType)


def test_what_a_loop_is_does_not_change_when_it_is_compiled() -> None:
    """Cached labels are valid as long as the digest of their hypothesis is the same."""

    @compiled()
    def loop(n: int) -> int:
        return n + OFFSET

    before = References(loop).digest
    assert before is not None
    assert loop(1) == 4
    assert References(loop).digest == before


def test_no_hypothesis_loads_numba_before_it_is_asked() -> None:
    code = "import sys\nfrom hypotheses.registry import registered\nregistered()\nprint('numba' in sys.modules)"
    assert run(code) == "False\n"


def test_every_loop_of_hypotheses_is_declared_in_this_way() -> None:
    folder = Path(__file__).parents[1] / "hypotheses"
    found = {path.name for path in folder.rglob("*.py") if "import njit" in path.read_text(encoding="utf-8")}
    assert found == {"kernels.py"}


def run(code: str, *, folder: Path | None = None) -> str:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    environment |= {"NUMBA_CACHE_DIR": str(folder)} if folder else {}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_compiling_is_said_once_and_only_when_nothing_is_on_the_disk(tmp_path: Path) -> None:
    code = (
        "from hypotheses.kernels import announce_compiling\nannounce_compiling(lambda: print('compiling'))\n"
        "from hypotheses.registry import get\nfor name in ('vowel', 'in_number:prose', 'in_word'):\n"
        "    print(name, get(name)('a 12 b').values.sum())"
    )
    first, second = run(code, folder=tmp_path), run(code, folder=tmp_path)
    assert first.count("compiling") == 1
    assert second == first.replace("compiling\n", "")


def test_programs_that_compile_at_the_same_time_do_not_mix_up_what_they_keep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numba saves a list of versions before the versions; two processes both called theirs the first."""
    from numba.core import caching

    shared: Any = caching.IndexDataCacheFile  # that of numba, or what pytest's workers share in its place
    monkeypatch.setattr(caching, "IndexDataCacheFile", getattr(shared, "func", shared).__mro__[-2])
    loop: Any = compiled()(sum_of_increased.py_func)  # type: ignore[attr-defined]
    again: Any = compiled()(sum_of_increased.py_func)  # type: ignore[attr-defined]
    save: Any = caching.IndexDataCacheFile._save_data
    nested: list[bool] = []

    def save_after_another_process(file: Any, name: str, data: Any) -> Any:
        if not nested:
            nested.append(True)
            assert again(np.arange(4.5)) == np.arange(4.5).sum() + 15
        return save(file, name, data)

    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(caching.IndexDataCacheFile, "_save_data", save_after_another_process)
    assert loop(np.arange(4)) == 18
    assert nested
    assert len(list(tmp_path.rglob("*.nbc"))) >= 2
    fresh: Any = compiled()(sum_of_increased.py_func)  # type: ignore[attr-defined]
    assert (fresh(np.arange(4)), fresh(np.arange(4.5))) == (18, np.arange(4.5).sum() + 15)
    assert sum(fresh.dispatcher().stats.cache_hits.values()) == 2
