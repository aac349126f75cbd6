"""Compiled loops that several processes share while the tests run."""

from pathlib import Path

from compiled_loops import SharedLoops


def shared(folder: Path, *, source: str = "def f(x): return x") -> SharedLoops:
    """A process's view of what is kept of one function."""
    return SharedLoops(folder, "kernels", "f-1.py311", source)


def test_processes_that_have_not_heard_of_each_other_keep_each_others_loops(tmp_path: Path) -> None:
    one, other = shared(tmp_path), shared(tmp_path)
    assert one.load(("float32",)) is other.load(("float64",)) is None
    one.save(("float32",), "adds floats")
    other.save(("float64",), "adds doubles")
    for process in (one, other, shared(tmp_path)):
        assert process.load(("float32",)) == "adds floats"
        assert process.load(("float64",)) == "adds doubles"


def test_no_loop_of_another_source_is_loaded(tmp_path: Path) -> None:
    shared(tmp_path).save(("float32",), "adds")
    changed = shared(tmp_path, source="def f(x): return x + 1")
    assert changed.load(("float32",)) is None
    changed.save(("float32",), "adds one")
    assert changed.load(("float32",)) == "adds one"
    assert shared(tmp_path).load(("float32",)) == "adds"
