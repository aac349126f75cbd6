"""Where a user's pattern matches. Patterns that may take long or much memory are matched by a process of their own."""

import json
import math
import subprocess
import sys
import time
from array import array
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import regex
from numpy.typing import NDArray

from hypotheses.errors import HypothesisError
from hypotheses.matching import worker
from hypotheses.matching.worker import APART, OVERLAPPING, PREFIXES
from hypotheses.running import is_wanted

LIMIT_S = 20.0
"""Longest time that a pattern may take for a text, in seconds; one more second for each megabyte of the text."""

LIMIT_BYTES = 512_000_000
"""Most memory that a process takes which matches a pattern; 100 bytes more for each character of the text."""

_BYTES_PER_CHARACTER = 100
_LOOK_S = 0.1  # between two looks at whether a result is still wanted
_MOST_REPEATS = 1_000_000
_QUICK_REPEATS = 1_000  # which are compiled in milliseconds
_QUICK_LENGTH = 10_000
_SHOWN_CHARS = 200
_REPEATS = regex.compile(r"\{(?:(\d*),)?(\d*)\}")
_NEEDS_MEMORY = regex.compile(r"\)[*+?{]|(?<!\\[pPNx])\{[^\d,}]|\(\?(?:R|[+-]?\d|&|P>)")
"""Repeated groups, inexact matching and recursion: what a match needs memory for, which grows with its length."""


def matches(
    pattern: str, text: str, mode: str = APART, *, start: int = 0, may_match_nothing: bool = True
) -> NDArray[np.int64]:
    r"""Find where a pattern that a user wrote matches. `^` and `$` match at every line.

    A pattern begins in this process, which is quickest. After a twentieth of a second, or half a
    second for each megabyte if it cannot need memory, another process matches it anew, which can be ended.

    Args:
        pattern: In the syntax of the library `regex`.
        text: The text.
        mode: How matches are looked for, a constant of `worker`.
        start: Where the first match may start, for `FIRST`.
        may_match_nothing: Whether the pattern may match no characters at all.

    Returns:
        (n_matches, 2) where each match starts and stops.

    Raises:
        HypothesisError: If the pattern cannot be read, or takes longer than `LIMIT_S` or more memory than
            `LIMIT_BYTES` for this text.
    """
    deadline = time.monotonic() + limit_s(text)
    flags = int(regex.MULTILINE) | (int(regex.REVERSE) if mode in (OVERLAPPING, PREFIXES) else 0)
    _check_repeats(pattern)
    if _is_compiled_quickly(pattern):
        compiled = _compiled(pattern, flags)
        if not may_match_nothing:
            _check_matches_something(pattern, compiled.fullmatch("") is not None)
        with suppress(TimeoutError, MemoryError):
            seconds = min(_seconds_here(pattern, text), limit_s(text))
            return _as_rows(worker.collected(worker.spans(compiled, text, mode, seconds, start)))
    search = {"pattern": pattern, "flags": flags, "mode": mode, "start": start}
    answer, content = _ask_another_process(search, text, deadline)
    if not may_match_nothing:
        _check_matches_something(pattern, answer["matches_nothing"])
    return _as_rows(content)


def _as_rows(content: "memoryview | array[int]") -> NDArray[np.int64]:
    return np.frombuffer(content, np.int64).reshape(-1, 2)


def limit_s(text: str) -> float:
    """Return how long a pattern may take for a text, in seconds."""
    return LIMIT_S + len(text) / 1e6


def _check_repeats(pattern: str) -> None:
    counts = [_count(most) for _, most in _REPEATS.findall(pattern)]
    if math.prod(counts) > _MOST_REPEATS:
        raise HypothesisError(f"the pattern {_shown(pattern)} repeats its parts too often to be read; use + or *")


def _is_compiled_quickly(pattern: str) -> bool:
    """Tell whether a pattern is compiled in little time and memory: that of open repeats grows with their product."""
    counts = [_count(digits) for pair in _REPEATS.findall(pattern) for digits in pair]
    return len(pattern) <= _QUICK_LENGTH and math.prod(counts) <= _QUICK_REPEATS


def _count(digits: str) -> int:
    """Return a number of repeats, at least 1; of many digits, which Python may not read, a large one."""
    digits = digits.lstrip("0")
    return 1 if not digits else int(digits) if len(digits) <= len(str(_MOST_REPEATS)) else 10 * _MOST_REPEATS


def _compiled(pattern: str, flags: int) -> "regex.Pattern[str]":
    try:
        return regex.compile(pattern, flags)
    except (*worker.UNREADABLE, regex.error, MemoryError) as error:
        raise _unreadable(pattern, str(error)) from error


def _check_matches_something(pattern: str, matches_nothing: bool) -> None:
    if matches_nothing:
        raise HypothesisError(f"the pattern {_shown(pattern)} matches no characters at all, which is everywhere")


def _seconds_here(pattern: str, text: str) -> float:
    """Return for how long a pattern is matched in this process, in which memory and time cannot be limited well."""
    return 0.05 + len(text) / 50e6 if _NEEDS_MEMORY.search(pattern) else 0.25 + len(text) / 2e6


def _ask_another_process(search: dict[str, Any], text: str, deadline: float) -> tuple[dict[str, Any], memoryview]:
    """Match a pattern in another process, which is killed at a deadline; return its answer and the spans."""
    pattern = search["pattern"]
    n_bytes = LIMIT_BYTES + _BYTES_PER_CHARACTER * len(text)
    limits = {"limit_s": limit_s(text), "n_bytes": n_bytes, "folders": [str(Path(regex.__file__).parents[1])]}
    content = json.dumps(search | limits).encode() + b"\n" + text.encode("utf-8", "surrogatepass")
    with _started_worker() as process:
        try:
            output = _output_of(process, content, deadline)
        except subprocess.TimeoutExpired as error:
            if not is_wanted():
                raise HypothesisError(f"the pattern {_shown(pattern)} was given up before it was matched") from error
            raise _too_slow(pattern, text) from error
        finally:
            process.kill()
    line, _, _ = output.partition(b"\n")
    answer: dict[str, Any] = json.loads(line) if line else {"is_too_large": True}  # the system has ended it
    if answer.get("is_too_slow"):
        raise _too_slow(pattern, text)
    if answer.get("is_too_large"):
        raise HypothesisError(
            f"the pattern {_shown(pattern)} takes more than {n_bytes / 1e6:,.0f} MB of memory on a text of "
            f"{len(text):,} characters; use fewer repetitions within repetitions"
        )
    if "unreadable" in answer:
        raise _unreadable(pattern, answer["unreadable"])
    return answer, memoryview(output)[len(line) + 1 :]


def _output_of(process: "subprocess.Popen[bytes]", content: bytes, deadline: float) -> bytes:
    """Return what a process answers.

    Raises:
        TimeoutExpired: At the deadline, or once the answer is not wanted any more.
    """
    to_send: bytes | None = content
    while True:
        left = deadline - time.monotonic()
        try:
            return process.communicate(to_send, timeout=max(min(left, _LOOK_S), 0.01))[0]
        except subprocess.TimeoutExpired:
            if left <= _LOOK_S or not is_wanted():
                raise
            to_send = None  # the next call goes on with what this one was given


def _started_worker() -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", worker.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C at a terminal goes to this process alone, which ends the other
        )
    except OSError as error:
        raise HypothesisError(
            f"this pattern needs a process of its own, and none can be started ({error.strerror}); use a simpler one"
        ) from error


def _shown(pattern: str) -> str:
    return repr(pattern) if len(pattern) <= _SHOWN_CHARS else f"{pattern[:_SHOWN_CHARS]!r} …"


def _unreadable(pattern: str, reason: str) -> HypothesisError:
    return HypothesisError(f"the pattern {_shown(pattern)} cannot be read: {reason or 'it takes too much memory'}")


def _too_slow(pattern: str, text: str) -> HypothesisError:
    return HypothesisError(
        f"the pattern {_shown(pattern)} took longer than {limit_s(text):.0f} seconds on a text of {len(text):,} "
        "characters; repetitions within repetitions, such as (a+)+, are slow"
    )
