"""Long questions: worked on in threads, a few at a time, and given up as soon as nobody waits for the answer."""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from activations.errors import ActivationError
from analyses.errors import AnalysisError
from hypotheses.errors import HypothesisError
from hypotheses.running import while_wanted
from probe.explorer.requests import RequestError

AT_A_TIME = 2
"""Long questions that are worked on; others wait."""
MOST_WAITING = 16
"""Long questions that may wait."""
ERRORS = (RequestError, HypothesisError, AnalysisError, ActivationError)
"""What a request can get wrong."""
OUR_FAULT = "this went wrong in a way that it should not; the terminal in which `probe explore` runs says more"
_PROGRESS_S = 0.1  # between two lines
_END_S = 5.0  # in which threads end when the server does

Endpoint = Callable[[Request], Awaitable[Response]]
"""Answers a request; what it raises is made one sentence."""
Line = dict[str, Any]
Work = Callable[["Job"], Line]


class _GivenUp(Exception):  # noqa: N818 - no error, and nobody sees it
    """Ends work whose result is not wanted any more."""


class Job:
    """Work in a thread: what it says on the way, and its result, as lines for whoever waits."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._given_up = threading.Event()
        self._lock = threading.Lock()
        self._lines: list[Line] = []
        self._progress: tuple[int, int] | None = None
        self._said_s = 0.0
        self._is_over = False

    def part(self, line: Line) -> None:
        """Say what is known already; called in the thread."""
        self._end_if_given_up()
        self._say(line)

    def progress(self, done: int, total: int, note: str = "", /) -> None:
        """Say how far the work is; called in the thread. Of much progress, only the latest is said."""
        self._end_if_given_up()
        now = time.monotonic()
        if now - self._said_s >= _PROGRESS_S:
            self._said_s = now
            with self._lock:
                self._progress = int(done), int(total)
            self._wake()

    def is_wanted(self) -> bool:
        """Tell whether somebody still waits."""
        return not self._given_up.is_set()

    def give_up(self) -> None:
        """Let the work end when it next says something, or asks whether it is wanted."""
        self._given_up.set()

    def do(self, work: Work) -> None:
        """Do the work in this thread; its last line has the result, or a sentence that says why there is none."""
        try:
            with while_wanted(self.is_wanted):
                self._say({"result": work(self)})
        except _GivenUp:
            pass
        except ERRORS as error:
            self._say({"error": str(error), "status": getattr(error, "status", 400)})
        except BaseException as error:  # noqa: BLE001 a bug, or what users' code raises, which must not end the server
            reasons = getattr(error, "__notes__", None)
            if not reasons:
                sys.excepthook(type(error), error, error.__traceback__)
            self._say({"error": reasons[0] if reasons else OUR_FAULT, "status": 400 if reasons else 500})
        finally:
            self._is_over = True
            self._wake()

    async def lines(self) -> list[Line]:
        """Return what has been said since the last time, as soon as there is something; nothing at the end."""
        while True:
            self._news.clear()  # before looking, so that nothing is missed
            is_over = self._is_over
            with self._lock:
                progress = [] if self._progress is None else [{"progress": list(self._progress)}]
                lines, self._lines, self._progress = [*progress, *self._lines], [], None
            if lines or is_over:
                return lines
            await self._news.wait()

    def _say(self, line: Line) -> None:
        with self._lock:
            self._lines.append(line)
            self._progress = None
        self._wake()

    def _wake(self) -> None:
        with suppress(RuntimeError):  # the server has ended
            self._loop.call_soon_threadsafe(self._news.set)

    def _end_if_given_up(self) -> None:
        if self._given_up.is_set():
            raise _GivenUp


class Jobs:
    """Long questions, of which a few are worked on at a time."""

    def __init__(self, at_a_time: int = AT_A_TIME, most_waiting: int = MOST_WAITING) -> None:
        self._free = asyncio.Semaphore(at_a_time)
        self._most_waiting = most_waiting
        self._n_waiting = 0
        self._jobs: dict[Job, threading.Thread] = {}

    def stream(self, work: Work) -> Response:
        """Return an answer of lines of JSON: parts and progress, and at the end the result or an error."""
        return _Stream(self, work)

    async def result(self, work: Work, receive: Receive) -> Line:
        """Return the result of some work, which is given up if the client goes.

        Raises:
            RequestError: If it fails, or there is too much to do already.
        """
        gone = asyncio.create_task(_wait_until_gone(receive))
        try:
            job = await self._begin(work, gone)
            line: Line = {}
            while job is not None and "result" not in line and "error" not in line:
                lines = await self._lines_or_gone(job, gone)
                if not lines:
                    break
                line = lines[-1]
        finally:
            gone.cancel()
        if "error" in line:
            raise RequestError(line["error"], line["status"])
        result: Line = line.get("result", {})
        return result

    def close(self) -> None:
        """Let all work end."""
        until = time.monotonic() + _END_S
        for job in list(self._jobs):
            job.give_up()
        for thread in list(self._jobs.values()):
            thread.join(max(until - time.monotonic(), 0))

    async def _begin(self, work: Work, gone: "asyncio.Task[None]") -> Job | None:
        """Begin some work as soon as there is room; None if the client has gone before."""
        if self._n_waiting >= self._most_waiting:
            raise RequestError("too many questions are waiting already; ask again in a moment", 503)
        self._n_waiting += 1
        acquiring = asyncio.create_task(self._free.acquire())
        is_free = False
        try:
            await asyncio.wait({acquiring, gone}, return_when=asyncio.FIRST_COMPLETED)
            is_free = acquiring.done() and not gone.done()
        finally:
            self._n_waiting -= 1
            if not is_free and not acquiring.cancel():
                self._free.release()
        if not is_free:
            return None
        job, loop = Job(), asyncio.get_running_loop()

        def run() -> None:
            job.do(work)
            with suppress(RuntimeError):  # the server has ended
                loop.call_soon_threadsafe(self._end, job)

        self._jobs[job] = threading.Thread(target=run, daemon=True, name="explorer question")
        self._jobs[job].start()
        return job

    def _end(self, job: Job) -> None:
        del self._jobs[job]
        self._free.release()

    async def _lines_or_gone(self, job: Job, gone: "asyncio.Task[None]") -> list[Line]:
        """Return the next lines of a job; none at its end, or if the client has gone, who then is not waited for."""
        reading = asyncio.create_task(job.lines())
        try:
            await asyncio.wait({reading, gone}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done() and not gone.done():
                return reading.result()
        finally:
            if not reading.done() or gone.done():
                reading.cancel()
                job.give_up()
        return []


class _Stream(Response):
    """An answer that is sent line by line while a job goes on."""

    def __init__(self, jobs: Jobs, work: Work) -> None:
        super().__init__(media_type="application/x-ndjson")
        del self.headers["content-length"]
        self._jobs, self._work = jobs, work

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines until the job ends, or the client has gone."""
        gone = asyncio.create_task(_wait_until_gone(receive))
        job: Job | None = None
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            job = await self._jobs._begin(self._work, gone)
            while job is not None and (lines := await self._jobs._lines_or_gone(job, gone)):
                await send({"type": "http.response.body", "body": b"".join(_encoded(lines)), "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except RequestError as error:
            line = {"error": str(error), "status": error.status}
            await send({"type": "http.response.body", "body": b"".join(_encoded([line])), "more_body": False})
        finally:
            gone.cancel()
            if job is not None:
                job.give_up()


def _encoded(lines: list[Line]) -> Iterator[bytes]:
    for line in lines:
        shown = {key: value for key, value in line.items() if key != "status"}
        yield json.dumps(shown, allow_nan=False, separators=(",", ":")).encode() + b"\n"


async def _wait_until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
