"""Long jobs side by side: the order of results, progress, failures, interruptions, and the cores that each has."""

from collections.abc import Callable
from threading import Barrier, Event, Lock, current_thread
from time import monotonic, sleep

import pytest

from activations.cores import THREADS
from activations.progress import Progress, no_progress
from analyses.long_jobs import long_jobs
from analyses.threads import n_threads_here

_LONG = 20.0  # seconds that nothing here takes unless it hangs


@pytest.fixture(params=["1", "2", "3"])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Compute with one thread, two or three."""
    monkeypatch.setenv(THREADS, request.param)
    return int(request.param)


@pytest.fixture
def two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute with two threads."""
    monkeypatch.setenv(THREADS, "2")


def test_results_have_the_order_of_the_jobs_whichever_ends_first(two_threads: None) -> None:
    second_has_ended = Event()

    def first(progress: Progress) -> str:
        assert second_has_ended.wait(_LONG)
        return "first"

    def second(progress: Progress) -> str:
        second_has_ended.set()
        return "second"

    assert long_jobs([first, second], no_progress) == ["first", "second"]


def test_progress_is_called_by_the_caller_goes_forward_and_ends_whole(threads: int) -> None:
    seen: list[tuple[int, int]] = []
    callers = set()

    def note(done: int, total: int) -> None:
        seen.append((done, total))
        callers.add(current_thread())

    def job(progress: Progress) -> None:
        for n_rounds in (1, 2):  # as where fits follow a reading, and count anew
            for done in range(n_rounds * 3):
                progress(done, n_rounds * 3 - 1)

    long_jobs([job] * 4, note)
    assert callers == {current_thread()}
    assert seen == sorted(seen)
    assert seen[-1] == (4000, 4000)


def _until_stopped(has_begun: Event, has_stopped: Event) -> Callable[[Progress], None]:
    def job(progress: Progress) -> None:
        has_begun.set()
        try:
            for done in range(1_000_000_000):
                progress(done, 1_000_000_000)
        finally:
            has_stopped.set()

    return job


def test_where_a_job_fails_the_others_end_and_none_begins(two_threads: None) -> None:
    has_begun, has_stopped, third_began = Event(), Event(), Event()

    def fails(progress: Progress) -> None:
        assert has_begun.wait(_LONG)
        raise ValueError("no numbers")

    with pytest.raises(ValueError, match="no numbers"):
        long_jobs([_until_stopped(has_begun, has_stopped), fails, lambda _: third_began.set()], no_progress)
    assert has_stopped.is_set()
    assert not third_began.is_set()


def test_an_interruption_of_the_caller_ends_the_jobs(two_threads: None) -> None:
    has_begun, has_stopped = Event(), Event()

    def interrupted(done: int, total: int) -> None:
        raise KeyboardInterrupt

    def reports(progress: Progress) -> None:
        assert has_begun.wait(_LONG)
        progress(1, 2)

    with pytest.raises(KeyboardInterrupt):
        long_jobs([_until_stopped(has_begun, has_stopped), reports], interrupted)
    assert has_stopped.is_set()


def test_a_job_has_a_core_to_itself_and_the_last_one_all_of_them(two_threads: None) -> None:
    first_has_ended, both_go_on = Event(), Event()
    n_threads: list[int] = []

    def first(progress: Progress) -> None:
        assert both_go_on.wait(_LONG)
        first_has_ended.set()

    def second(progress: Progress) -> None:
        n_threads.append(n_threads_here())
        both_go_on.set()
        assert first_has_ended.wait(_LONG)
        deadline = monotonic() + _LONG
        while n_threads_here() == 1 and monotonic() < deadline:
            sleep(0.001)
        n_threads.append(n_threads_here())

    long_jobs([first, second], no_progress)
    assert n_threads == [1, 2]
    assert n_threads_here() == 2


def test_as_many_jobs_go_on_as_memory_allows(threads: int) -> None:
    at_work: list[int] = []
    most: list[int] = []

    def job(progress: Progress) -> None:
        at_work.append(1)
        most.append(len(at_work))
        progress(1, 2)
        at_work.pop()

    long_jobs([job] * 8, no_progress, at_a_time=1)
    assert set(most) == {1}


def test_fewer_jobs_go_on_than_there_are_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(THREADS, "3")
    lock, both = Lock(), Barrier(2)
    at_work: list[int] = []
    most: list[int] = []

    def job(progress: Progress) -> None:
        with lock:
            at_work.append(1)
            most.append(len(at_work))
        both.wait(_LONG)
        with lock:
            at_work.pop()

    long_jobs([job] * 4, no_progress, at_a_time=2)
    assert max(most) == 2


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_job_that_has_ended_is_done(n_threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that has not reported that it is."""
    monkeypatch.setenv(THREADS, str(n_threads))
    amounts: list[tuple[int, int]] = []
    long_jobs([lambda progress: progress(1, 2)] * 2, lambda done, total: amounts.append((done, total)))
    assert amounts[-1] == (2000, 2000)
    assert amounts == sorted(amounts)
