"""Long jobs side by side, such as the fits of the probes of several sites, each in a thread of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import TypeVar

from activations.progress import Progress
from analyses.threads import n_threads_here, one_thread_each, share_cores

Result = TypeVar("Result")
_WHOLE = 1000  # what the progress of a job counts up to


class _Stopped(Exception):  # noqa: N818 - no error, and nobody sees it
    """Ends a job whose result is not wanted any more."""


def long_jobs(
    jobs: Sequence[Callable[[Progress], Result]], progress: Progress, *, at_a_time: int | None = None
) -> list[Result]:
    """Do jobs side by side, as many at a time as there are cores, and return their results in the order of the jobs.

    They begin in their order: the longest should be the first. A job that goes on beside others has one core; the last
    ones share those that are idle. So what a job returns must not depend on the number of threads.

    Args:
        jobs: Functions that are called with a progress. They should report to it every now and then: where another job
            has failed, or the caller is interrupted, that is where they end.
        progress: Called with the amount done and the total of all, in the thread of the caller.
        at_a_time: The most jobs that go on at the same time, such as memory allows. None: as many as cores.
    """
    n_threads = n_threads_here()
    n_workers = min(len(jobs), n_threads, at_a_time or n_threads)
    shares = [0] * len(jobs)

    def note(number: int, share: int) -> None:
        if share > shares[number]:
            shares[number] = share
            progress(sum(shares), _WHOLE * len(jobs))

    if n_workers < 2:
        return [_done_alone(job, partial(note, number)) for number, job in enumerate(jobs)]
    return _side_by_side(jobs, note, n_threads, n_workers)


def _done_alone(job: Callable[[Progress], Result], note: Callable[[int], None]) -> Result:
    """Do a job, and note that all of it is done."""
    result = job(_reporting(note))
    note(_WHOLE)
    return result


def _side_by_side(
    jobs: Sequence[Callable[[Progress], Result]], note: Callable[[int, int], None], n_threads: int, n_workers: int
) -> list[Result]:
    """Do jobs in threads; `note` is called in this one with the number of a job and how much of it is done."""
    events: SimpleQueue[tuple[int, int | None]] = SimpleQueue()  # the number of a job, and its share or None at its end
    is_wanted, n_left = True, len(jobs)

    def report(number: int, share: int) -> None:
        if not is_wanted:
            raise _Stopped
        events.put((number, share))

    def begin(number: int, job: Callable[[Progress], Result]) -> Result:
        report(number, 0)  # which ends it where the jobs are not wanted any more
        return job(_reporting(partial(report, number)))

    def end(number: int, future: Future[Result]) -> None:
        nonlocal is_wanted
        if not future.cancelled() and future.exception():  # before the same thread takes another job
            is_wanted = False
        events.put((number, None))

    share_cores_of_a_job = partial(share_cores, lambda: max(1, n_threads // min(n_workers, max(n_left, 1))))
    with one_thread_each(), ThreadPoolExecutor(n_workers, initializer=share_cores_of_a_job) as pool:
        futures: list[Future[Result]] = []
        try:
            for number, job in enumerate(jobs):
                futures.append(pool.submit(begin, number, job))
                futures[-1].add_done_callback(partial(end, number))
            while n_left:
                number, share = events.get()
                if share is None:
                    n_left -= 1
                    futures[number].result()  # raises what ended it
                note(number, _WHOLE if share is None else share)
        finally:
            is_wanted = False
            for future in futures:
                future.cancel()
    return [future.result() for future in futures]


def _reporting(report: Callable[[int], None]) -> Progress:
    """Return a progress that reports which share of a job is done, from 0 to 1,000."""
    return lambda done, total: report(int(_WHOLE * min(done / max(total, 1), 1.0)))
