"""Loops are compiled when they are first called, kept on the disk, and said to be compiled once."""

import os
import subprocess
import sys
from pathlib import Path
from types import FunctionType
from typing import Any, cast

import numpy as np
import pytest

from hypotheses.fingerprints.references import References
from hypotheses.kept_loops import keep_by_facts
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


def test_every_loop_is_declared_in_this_way() -> None:
    folders = [Path(__file__).parents[1] / name for name in ("hypotheses", "activations", "analyses", "probe")]
    files = [path for folder in folders for path in folder.rglob("*.py")]
    assert {path.name for path in files if "njit" in path.read_text(encoding="utf-8")} == {"kernels.py"}


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


@compiled()
def sum_of_two(first: int, second: int) -> int:
    return first + second


@compiled()
def sum_of_some(n: int, is_one: bool) -> int:
    return sum_of_two(n, 1) + sum_of_two(0, n) + sum_of_two(n, n) + (1 if is_one else 0)


def test_a_callee_is_compiled_once_for_constants_and_others() -> None:
    loop: Any = CompiledLoop(cast(Any, sum_of_some).py_func, {})  # not kept, so that it is compiled each time
    called: Any = sum_of_two
    assert (loop(5, True), loop(5, False)) == (22, 21)
    assert len(called.callee().signatures) == 1


CALLEE = "from hypotheses.kernels import compiled\n@compiled()\ndef callee(n):\n    return n + 1\n"
CALLER = (
    "from hypotheses.kernels import compiled\nfrom callees import callee\nOFFSET = 0\n"
    "@compiled()\ndef caller(n):\n    return callee(n) * 10 + OFFSET\n"
)
ASK = "from callers import caller\nprint(caller(4), sum(caller.dispatcher().stats.cache_hits.values()))"


def test_a_loop_is_compiled_anew_when_it_or_one_that_it_calls_is_changed_and_old_versions_are_removed(
    tmp_path: Path,
) -> None:
    """Numba notices only changes in the file of the loop itself."""
    kept = tmp_path / "kept"

    def ask(callee: str, caller: str) -> tuple[str, set[str]]:
        for name, source in (("callees.py", callee), ("callers.py", caller)):
            (tmp_path / name).write_text(source)
        printed = run(
            f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nsys.dont_write_bytecode = True\n{ASK}", folder=kept
        )
        return printed, {path.name for path in kept.rglob("*.nb?")}

    first, names = ask(CALLEE, CALLER)
    assert (first, len(names)) == ("50 0\n", 2)
    (kept / "unrelated.txt").write_text("stays")
    for callee, caller, printed in (
        (CALLEE.replace("+ 1", "+ 22"), CALLER, "260 0\n"),
        (CALLEE.replace("+ 1", "+ 22"), "# a line before it\n" + CALLER, "260 0\n"),
        (CALLEE.replace("+ 1", "+ 22"), CALLER.replace("OFFSET = 0", "OFFSET = 333"), "593 0\n"),
    ):
        found, new_names = ask(callee, caller)
        assert (found, len(new_names)) == (printed, 2)
        assert {name for name in names if name.startswith("callers.")}.isdisjoint(new_names)
        names = new_names
    assert (kept / "unrelated.txt").exists()


def test_a_loop_that_is_kept_is_loaded(tmp_path: Path) -> None:
    for name, source in (("callees.py", CALLEE), ("callers.py", CALLER)):
        (tmp_path / name).write_text(source)
    code = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n{ASK}"
    kept = tmp_path / "kept"
    assert [run(code, folder=kept), run(code, folder=kept)] == ["50 0\n", "50 1\n"]


def test_what_a_loop_depends_on_does_not_vary_from_process_to_process() -> None:
    from numba import njit

    def facts_of(called: list[Any]) -> Any:
        dispatcher: Any = njit(cache=True)(zeros_of)
        keep_by_facts(dispatcher, called, [])
        return dispatcher._cache._cache_file._facts

    facts = facts_of([increased, sum_of_increased])
    assert facts == facts_of([sum_of_increased, increased])  # a set of them has an order of its own in each process
    assert "numpy/__init__" not in repr(facts)


def zeros_of(n: int) -> Any:
    return np.zeros(n)
