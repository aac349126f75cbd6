"""A server of the explorer for tests, and requests to it."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from hypotheses.user_files import NamedFiles
from probe.explorer.exploration import Exploration, opened
from probe.explorer.server import Address, serving

PAGE = {
    "explorer.html": (b"<!doctype html><title>explorer</title>", "text/html; charset=utf-8"),
    "bar/units.js": (b"export {};", "text/javascript; charset=utf-8"),
}


@dataclass(frozen=True)
class Answer:
    """What a server has answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.body.splitlines()]


@dataclass
class Client:
    """A browser that behaves well, and somebody who need not."""

    address: Address
    exploration: Exploration
    cookie: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.address.port}"

    def enter(self) -> None:
        """Get the cookie, as a browser does that opens the address."""
        answer = self.ask("GET", f"/?token={self.address.access.token}")
        self.cookie = answer.headers["set-cookie"].partition(";")[0]

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def post(self, path: str, content: Any, **headers: str) -> Answer:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        usual = {"Origin": f"http://{self.host}", "Content-Type": "application/json"}
        return self.ask("POST", path, body, headers=usual | headers)

    def ask(
        self, method: str, path: str, body: bytes | None = None, *, headers: dict[str, str] | None = None
    ) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.address.port, timeout=60)
        cookie = {"Cookie": self.cookie} if self.cookie else {}
        named = {name.replace("_", "-"): value for name, value in (headers or {}).items()}
        try:
            connection.request(method, path, body, cookie | named)
            answer = connection.getresponse()
            shown = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, shown, answer.read())
        finally:
            connection.close()

    def raw(self, content: bytes, *, timeout: float = 20) -> bytes:
        """Send bytes as they are, and return all that is answered until the connection ends."""
        with self.connected(timeout) as connection:
            connection.sendall(content)
            return b"".join(iter(lambda: received(connection), b""))

    @contextmanager
    def connected(self, timeout: float = 20) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.address.port), timeout=timeout) as connection:
            yield connection

    def is_answered(self) -> bool:
        """Whether somebody who behaves well is answered, as a browser would be."""
        return self.get("/api/tile?recording=0&kind=text&tile=0").status == 200


def received(connection: socket.socket) -> bytes:
    """Return the next bytes; none once the other end has closed the connection, in whatever way."""
    try:
        return connection.recv(1 << 16)
    except ConnectionError:
        return b""


@contextmanager
def explored(
    *paths: Path,
    files: NamedFiles | None = None,
    model: Path | None = None,
    page: dict[str, tuple[bytes, str]] | None = None,
    port: int = 0,
    sidecar_bytes: int = 0,
    probes: tuple[Path, ...] = (),
    token: str | None = None,
) -> Iterator[Client]:
    """Serve recordings, and yield a client with the cookie."""
    with (
        opened(paths, sidecar_bytes=sidecar_bytes, files=files, model=model, probes=probes, version="0") as exploration,
        serving(exploration, port=port, token=token, files=PAGE if page is None else page) as address,
    ):
        client = Client(address, exploration)
        client.enter()
        yield client
