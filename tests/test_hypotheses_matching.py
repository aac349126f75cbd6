"""Tests of the limits of patterns: the wall clock and memory end any of them, and quick ones pay nothing."""

import errno
import subprocess
from typing import Any

import numpy as np
import pytest
import regex

from hypotheses.errors import HypothesisError
from hypotheses.matching import matches as module
from hypotheses.matching.matches import matches
from hypotheses.matching.worker import APART, FIRST, OVERLAPPING, PREFIXES
from hypotheses.registry import get

TEXT = "the cat sat on the mat\nno dog 12 ate\n" * 40 + "\ud800 漢字 e\u0301"


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is matched in this process."""
    monkeypatch.setattr(module, "_is_compiled_quickly", lambda pattern: False)


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The processes that have been started."""
    started: list[Any] = []

    class Process(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Process)
    return started


@pytest.mark.parametrize(
    "pattern", [r"\w+", r"(?:\w+ )+", r"^n.*$", "漢", r"[\s\S]", "\ud800", "(?i)THE", "absent", ""]
)
def test_another_process_finds_the_same(pattern: str, processes: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for mode in (APART, FIRST, OVERLAPPING, PREFIXES):
        here = matches(pattern, TEXT, mode)
        assert not processes
        with monkeypatch.context() as patch:
            patch.setattr(module, "_is_compiled_quickly", lambda pattern: False)
            assert matches(pattern, TEXT, mode).tolist() == here.tolist()
        assert processes.pop().returncode is not None
        if mode == FIRST:
            assert here.tolist() == matches(pattern, TEXT).tolist()[:1]
            assert all(start > 50 for start, _ in matches(pattern, TEXT, FIRST, start=51).tolist())
        if mode == APART:
            expected = [match.span() for match in regex.finditer(pattern, TEXT, regex.MULTILINE)]
            assert here.tolist() == [list(span) for span in expected]


def test_slow_patterns_are_matched_in_another_process(processes: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a" * 24 + "c"
    assert matches("(?:a|aa)+b|c", text).tolist() == [[24, 25]]
    monkeypatch.setattr(module, "_seconds_here", lambda pattern, text: 1e-6)
    assert matches("(?:a|aa)+b|c", text).tolist() == [[24, 25]]
    assert processes


@pytest.mark.parametrize("mode", [APART, FIRST, OVERLAPPING, PREFIXES])
def test_the_wall_clock_ends_a_pattern(mode: str, processes: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit of the library is of the processor's time: here it has none."""
    monkeypatch.setattr(module, "LIMIT_S", 1.0)
    monkeypatch.setattr(module, "limit_s", lambda text: 1e6 if processes else 1.0)
    with pytest.raises(HypothesisError, match="took longer than"):
        matches(
            "(?:a|aa)+$" if mode in (APART, FIRST) else "b(?:a|aa)+c",
            f"{'a' * 90}b" if mode in (APART, FIRST) else f"d{'a' * 90}c",
            mode,
        )
    assert processes[0].returncode == -9


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(?:(?:(?:a{100,}){100,}){100,}){100,}b", "a"),
        ("(?:(?:a{1000,}b){1000,}c){900,}", "ab"),
    ],
)
def test_memory_ends_a_pattern(pattern: str, text: str, processes: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Open repeats within each other are unrolled by the library: these to gigabytes."""
    monkeypatch.setattr(module, "LIMIT_BYTES", 200_000_000)
    with pytest.raises(HypothesisError, match=r"takes more than 200 MB of memory on a text of \d characters|cannot be"):
        get("regex").with_parameters(pattern)(text)
    assert processes


@pytest.mark.usefixtures("elsewhere")
def test_errors_of_the_other_process_are_the_same() -> None:
    with pytest.raises(HypothesisError, match=r"the pattern '\(' cannot be read: missing \)"):
        matches("(", "a")
    with pytest.raises(HypothesisError, match="matches no characters at all"):
        matches("a*", "a", OVERLAPPING, may_match_nothing=False)


@pytest.mark.parametrize("pattern", ["a{N}", "a{N,}", "a{,N}", "(?:a){e<N}", "(a)(?N)"])
def test_numbers_of_thousands_of_digits_are_refused(pattern: str) -> None:
    """Python does not read them."""
    expected = r"the pattern '.*' … (cannot be read|repeats its parts too often)"
    with pytest.raises(HypothesisError, match=expected) as caught:
        matches(pattern.replace("N", "9" * 5000), "aa")
    assert len(str(caught.value)) < 500


def test_a_number_with_zeros_before_it_is_that_number() -> None:
    assert matches("a{" + "0" * 20 + "2}", "aaa").tolist() == [[0, 2]]


def test_a_process_that_cannot_be_started_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(module, "_is_compiled_quickly", lambda pattern: False)
    monkeypatch.setattr(subprocess, "Popen", refused)
    with pytest.raises(HypothesisError, match=r"none can be started \(Resource temporarily unavailable\)"):
        matches("a", "a")


def test_an_interrupted_pattern_leaves_no_process(processes: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_is_compiled_quickly", lambda pattern: False)
    monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        matches("(?:a|aa)+b", "a" * 60)
    assert processes[0].returncode == -9


def test_ordinary_patterns_start_no_process(processes: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy this machine is: they have a minute in place of a part of a second."""
    monkeypatch.setattr(module, "_seconds_here", lambda pattern, text: 60.0)
    text = "def f(x):  # a comment\n    return [x, 12]\n" * 5000  # 200,000 characters
    for pattern in (
        r"\d+",
        r"https?://\S+",
        r"#.*$",
        r"(?:\w+\s)+",
        r"[A-Z][a-z]{1,20}",
        r'"(?:[^"\\]|\\.)*"',
        r"(?<=\()\w+",
    ):
        assert matches(pattern, text).dtype == np.int64
    assert not processes
