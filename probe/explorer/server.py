"""The explorer's server: routes that read a request, call one function, and answer."""

import asyncio
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn import Config, Server

from activations.errors import ActivationError
from probe.explorer import requests
from probe.explorer.connections import HEAD_S, WatchedConnection
from probe.explorer.exploration import Exploration
from probe.explorer.guarding import Access, Guard, body_of, refusal
from probe.explorer.requests import RequestError
from probe.explorer.routes import keeping, quizzing, selecting, steering, trying, units
from probe.explorer.streams import ERRORS, OUR_FAULT, Endpoint, Job, Jobs
from probe.explorer.warming import DELAY_S, Warming, steps_for
from probe.viewer.page.page import file_text

Result = TypeVar("Result")
PageFiles = Mapping[str, tuple[bytes, str]]
"""The files that are served, by their names: content and media type."""
_TOPICS = (
    selecting,
    units,
    trying,
    steering,
    keeping,
    quizzing,
)  # modules with `endpoints`
_AT_A_TIME = 8  # short requests
_MOST_OVERVIEWS = 64  # that wait: of many tabs, each with two recordings and labels
_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_START_S = 30.0
_END_S = 10.0
_BACKLOG = 128  # connections that are accepted at one time
_HEAD_BYTES = 1 << 14  # of a request


def page_files() -> PageFiles:
    """Return the files of the page, and those of the view of a text, by their names: content and media type."""
    own = resources.files("probe.explorer").joinpath("page")
    files = dict(_files_in(own, "")) if own.is_dir() else {}
    for name in ("view.js", "view.css"):
        files[name] = file_text(name).encode(), _MEDIA_TYPES[name[name.rindex(".") :]]
    return files


def _files_in(folder: Traversable, prefix: str) -> Iterator[tuple[str, tuple[bytes, str]]]:
    for entry in folder.iterdir():
        suffix = "." + entry.name.rpartition(".")[2]
        if entry.is_dir():
            yield from _files_in(entry, f"{prefix}{entry.name}/")
        elif suffix in _MEDIA_TYPES:
            yield f"{prefix}{entry.name}", (entry.read_bytes(), _MEDIA_TYPES[suffix])


class Explorer:
    """The application: an answer to each request that the guard lets through."""

    def __init__(self, exploration: Exploration, files: PageFiles) -> None:
        """Answer for some recordings.

        Args:
            exploration: The recordings.
            files: The files of the page by their names.
        """
        self._exploration = exploration
        self._files = files
        self._short = ThreadPoolExecutor(_AT_A_TIME, "explorer request")
        self._questions, self._labelling = Jobs(), Jobs()
        self._warming = Warming(steps_for(exploration), DELAY_S)
        self._overviews = Jobs(most_waiting=_MOST_OVERVIEWS)
        reading: dict[str, Endpoint] = {
            "/": self._page,
            "/page/{name:path}": self._file,
            "/api/facts": self._facts,
            "/api/tile": self._bytes(requests.tile_request, exploration.tile),
            "/api/track": self._json(requests.track_request, exploration.track),
            "/api/levels": self._bytes(requests.levels_request, exploration.levels),
            "/api/overview": self._overview,
            "/api/value": self._json(requests.value_request, exploration.value),
        }
        asking: dict[str, Endpoint] = {"/api/labels": self._labels, "/api/rank": self._rank}
        routes = [Route(path, _safely(endpoint), methods=["GET"]) for path, endpoint in reading.items()]
        routes += [Route(path, _safely(endpoint), methods=["POST"]) for path, endpoint in asking.items()]
        for topic in _TOPICS:
            for (method, path), endpoint in topic.endpoints(exploration, self._questions).items():
                routes.append(Route(path, _safely(endpoint), methods=[method]))
        self.app = Starlette(routes=routes, exception_handlers={404: _no_such_page, 405: _no_such_method})
        self.app.router.redirect_slashes = False

    def end_questions(self) -> None:
        """Give up all long questions."""
        for jobs in (self._questions, self._labelling, self._overviews):
            jobs.close()

    def close(self) -> None:
        """Wait for the short requests that are being answered; there must be no more of them."""
        self._warming.close()
        self._short.shutdown(cancel_futures=True)

    async def _page(self, request: Request) -> Response:
        return self._content("explorer.html")

    async def _file(self, request: Request) -> Response:
        return self._content(request.path_params["name"])

    def _content(self, name: str) -> Response:
        if name not in self._files:
            raise RequestError("there is no such page", 404)
        content, media_type = self._files[name]
        return Response(content, media_type=media_type)

    async def _facts(self, request: Request) -> Response:
        self._warming.begin()
        return await self._in_thread(lambda: _json_answer(self._exploration.facts()))

    def _bytes(self, read: Callable[[bytes], Any], answer: Callable[[Any], bytes]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            wanted = read(request.scope["query_string"])
            content = await self._in_thread(lambda: answer(wanted))
            return Response(content, media_type="application/octet-stream")

        return endpoint

    def _json(self, read: Callable[[bytes], Any], answer: Callable[[Any], dict[str, Any]]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            wanted = read(request.scope["query_string"])
            return await self._in_thread(lambda: _json_answer(answer(wanted)))

        return endpoint

    async def _overview(self, request: Request) -> Response:
        """Answer with an overview, which reads much if there is no sidecar: tiles never wait for those overtaken."""
        wanted = requests.overview_request(request.scope["query_string"])
        made = await self._overviews.result(lambda job: {"bytes": self._exploration.overview(wanted)}, request.receive)
        return Response(made.get("bytes", b""), media_type="application/octet-stream")

    async def _labels(self, request: Request) -> Response:
        wanted = requests.labels_request(await body_of(request.receive))
        return _json_answer(await self._labelling.result(lambda job: self._exploration.label(wanted), request.receive))

    async def _rank(self, request: Request) -> Response:
        wanted = requests.rank_request(await body_of(request.receive))

        def work(job: Job) -> dict[str, Any]:
            return self._exploration.rank(wanted, job.part, job.progress)

        return self._questions.stream(work)

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._short, work)


def _json_answer(content: Any) -> Response:
    return Response(json.dumps(content, allow_nan=False, separators=(",", ":")), media_type="application/json")


def _safely(endpoint: Endpoint) -> Endpoint:
    """Turn what goes wrong into an answer: one sentence."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ERRORS as error:
            refused = error if isinstance(error, RequestError) else RequestError(str(error))
        except Exception as error:  # noqa: BLE001 a bug, which must not end the server
            sys.excepthook(type(error), error, error.__traceback__)
            refused = RequestError(OUR_FAULT, 500)
        return refusal(refused, is_api=request.url.path.startswith("/api/"))

    return answer


async def _no_such_page(request: Request, error: Exception) -> Response:
    return refusal(RequestError("there is no such page", 404), is_api=request.url.path.startswith("/api/"))


async def _no_such_method(request: Request, error: Exception) -> Response:
    sentence = f"{request.method} is not answered here"
    return refusal(RequestError(sentence, 405), is_api=request.url.path.startswith("/api/"))


@contextmanager
def serving(
    exploration: Exploration,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    files: PageFiles | None = None,
) -> "Iterator[Address]":
    """Serve the page until the block ends.

    Args:
        exploration: The recordings.
        host: The name or address at which to listen.
        port: The port; 0 is any that is free.
        token: What the address has; None makes one up.
        files: The files of the page by their names; None are those of this program.

    Yields:
        Where the page is.

    Raises:
        ActivationError: If that is not possible at this host and port.
    """
    listener = _listening(host, port)
    access = Access(host, listener.getsockname()[1], token)
    explorer = Explorer(exploration, page_files() if files is None else files)
    server = Server(_config(Guard(explorer.app, access)))
    ended = threading.Event()

    def run() -> None:
        try:
            server.run([listener])
        finally:
            ended.set()

    thread = threading.Thread(target=run, daemon=True, name="explorer server")
    thread.start()
    try:
        _wait_for(server, ended)
        yield Address(access, host, listener.getsockname()[1], ended)
    finally:
        server.should_exit = True
        explorer.end_questions()
        thread.join(_END_S)
        explorer.close()
        listener.close()


@dataclass(frozen=True, slots=True)
class Address:
    """Where the page is.

    Attributes:
        access: Who may ask.
        host: The name or address at which the server listens.
        port: Its port.
        ended: Set when the server has ended.
    """

    access: Access
    host: str
    port: int
    ended: threading.Event

    @property
    def url(self) -> str:
        """The address of the page, with the token."""
        return self._url(self.access.token)

    def url_for_once(self) -> str:
        """Return an address that opens the page one time, for the words of a program, which others can see."""
        return self._url(self.access.code_for_once())

    def wait(self) -> None:
        """Wait until the server ends, which it does not by itself.

        Joining the thread would not do: in Python 3.11, a signal meanwhile makes the thread look as if it had ended.
        """
        self.ended.wait()

    def _url(self, token: str) -> str:
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/?token={token}"


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket at a host and a port.

    Raises:
        ActivationError: If there can be none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = found[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it cannot be read"
        raise ActivationError(f"there is no host {host!r:.100} to listen at: {reason}; leave out --host") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
    except OSError as error:
        listener.close()
        raise ActivationError(
            f"cannot listen at port {port} of {host}: {error.strerror}; name another --port, or none for a free one"
        ) from error
    return listener


def _config(app: Guard) -> Config:
    return Config(
        app,
        loop="asyncio",
        http=WatchedConnection,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=int(HEAD_S),
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=_HEAD_BYTES,
    )


def _wait_for(server: Server, ended: threading.Event) -> None:
    """Wait until a server answers.

    Raises:
        ActivationError: If it does not.
    """
    until = time.monotonic() + _START_S
    while not server.started:
        if ended.is_set() or time.monotonic() > until:
            raise ActivationError("the explorer's server did not start; try once more")
        time.sleep(0.01)
