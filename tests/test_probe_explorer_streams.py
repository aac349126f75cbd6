"""Long questions of the explorer: a few at a time, given up when nobody waits, and failures are sentences."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from explorer_clients import Client, explored, received

from activations.progress import Progress
from analyses.errors import AnalysisError
from probe.explorer.exploration import Exploration
from probe.explorer.requests import RankRequest
from probe.explorer.streams import AT_A_TIME, MOST_WAITING, OUR_FAULT

RANK = {"recording": 0, "labels": "0" * 16}
Part = Callable[[dict[str, Any]], object]


class Work:
    """Stands for a long question: it goes on until it is let go, and counts how many do at the same time."""

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.n_now = self.n_most = self.n_ended = 0
        self._lock = threading.Lock()

    def rank(self, exploration: Exploration, wanted: RankRequest, part: Part, progress: Progress) -> dict[str, Any]:
        with self._lock:
            self.n_now += 1
            self.n_most = max(self.n_most, self.n_now)
        try:
            part({"quick": [1]})
            while not self.let_go.wait(0.02):
                progress(1, 3)
            return {"rows": [2]}
        finally:
            with self._lock:
                self.n_now -= 1
                self.n_ended += 1


@pytest.fixture
def client(planted: Path) -> Iterator[Client]:
    with explored(planted) as client:
        yield client


@pytest.fixture
def work(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    work = Work()
    monkeypatch.setattr(Exploration, "rank", lambda *arguments: work.rank(*arguments))
    yield work
    work.let_go.set()


def wait_until(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)


def asking(client: Client, answers: list[Any]) -> threading.Thread:
    thread = threading.Thread(target=lambda: answers.append(client.post("/api/rank", RANK)))
    thread.start()
    return thread


def question(client: Client) -> bytes:
    body = json.dumps(RANK).encode()
    lines = (
        "POST /api/rank HTTP/1.1",
        f"Host: {client.host}",
        f"Cookie: {client.cookie}",
        f"Origin: http://{client.host}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_parts_come_before_the_result(client: Client, work: Work) -> None:
    with client.connected() as connection:
        connection.sendall(question(client))
        early = b""
        while b'{"progress":[1,3]}' not in early:
            early += received(connection)
        assert early.index(b'{"quick":[1]}') < early.index(b'{"progress":[1,3]}') and b"result" not in early
        work.let_go.set()
        late = b""
        while not late.endswith(b"0\r\n\r\n"):
            late += received(connection)
        assert late.count(b'{"result":{"rows":[2]}}\n') == 1


def test_a_few_go_on_at_a_time_and_reading_never_waits(client: Client, work: Work) -> None:
    answers: list[Any] = []
    threads = [asking(client, answers) for _ in range(AT_A_TIME + 3)]
    wait_until(lambda: work.n_now == AT_A_TIME)
    assert client.is_answered()
    assert client.post("/api/labels", {"hypothesis": "in_quotes"}).status == 200
    work.let_go.set()
    for thread in threads:
        thread.join(20)
    assert work.n_most == AT_A_TIME and work.n_ended == AT_A_TIME + 3
    assert [answer.lines[-1] for answer in answers] == [{"result": {"rows": [2]}}] * (AT_A_TIME + 3)


def test_what_is_overtaken_is_given_up(client: Client, work: Work) -> None:
    """The page closes the connection; what goes on ends, and what waits never begins."""
    with client.connected() as first, client.connected() as second, client.connected() as third:
        for connection in (first, second):
            connection.sendall(question(client))
        wait_until(lambda: work.n_now == AT_A_TIME)
        third.sendall(question(client))
        time.sleep(0.2)
    wait_until(lambda: work.n_now == 0)
    time.sleep(0.2)
    assert work.n_ended == AT_A_TIME
    answers: list[Any] = []
    thread = asking(client, answers)
    wait_until(lambda: work.n_now == 1)
    work.let_go.set()
    thread.join(20)
    assert answers[0].lines[-1] == {"result": {"rows": [2]}}, "there is room again"


def test_overviews_that_were_overtaken_never_begin_and_tiles_do_not_wait(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a sidecar an overview reads much, and the next units are asked for meanwhile."""
    begun: list[object] = []
    let_go = threading.Event()

    def overview(exploration: Exploration, wanted: object) -> bytes:
        begun.append(wanted)
        let_go.wait(20)
        return b"\x00\x01"

    monkeypatch.setattr(Exploration, "overview", overview)
    asked = (
        f"GET /api/overview?unit=0/hidden/1&bins=1 HTTP/1.1\r\nHost: {client.host}\r\nCookie: {client.cookie}\r\n\r\n"
    )
    with ExitStack() as stack:
        for _ in range(12):
            stack.enter_context(client.connected()).sendall(asked.encode())
        wait_until(lambda: len(begun) == AT_A_TIME)
        assert client.is_answered()
    let_go.set()
    assert client.get("/api/overview?unit=0/hidden/1&bins=1").body == b"\x00\x01"
    assert len(begun) == AT_A_TIME + 1


def test_too_many_that_wait_are_refused(client: Client, work: Work) -> None:
    answers: list[Any] = []
    threads = [asking(client, answers) for _ in range(AT_A_TIME + MOST_WAITING + 2)]
    wait_until(lambda: len(answers) == 2)
    for answer in answers:
        assert answer.lines == [{"error": "too many questions are waiting already; ask again in a moment"}]
    work.let_go.set()
    for thread in threads:
        thread.join(30)
    assert sum("result" in answer.lines[-1] for answer in answers) == AT_A_TIME + MOST_WAITING


def test_questions_end_with_the_server(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = Work()
    monkeypatch.setattr(Exploration, "rank", lambda *arguments: work.rank(*arguments))
    with explored(planted) as client, client.connected() as connection:
        connection.sendall(question(client))
        wait_until(lambda: work.n_now == 1)
    assert (work.n_now, work.n_ended) == (0, 1)


def test_failures_are_sentences(
    client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(error: BaseException) -> Callable[..., Any]:
        def failing(*arguments: object) -> Any:
            raise error

        return failing

    monkeypatch.setattr(Exploration, "rank", fail(AnalysisError("the labels are all the same")))
    assert client.post("/api/rank", RANK).lines == [{"error": "the labels are all the same"}]
    for error in (ZeroDivisionError("secret"), SystemExit(3)):
        monkeypatch.setattr(Exploration, "rank", fail(error))
        assert client.post("/api/rank", RANK).lines == [{"error": OUR_FAULT}]
        monkeypatch.setattr(Exploration, "label", fail(error))
        answer = client.post("/api/labels", {"hypothesis": "in_quotes"})
        assert (answer.status, answer.json) == (500, {"error": OUR_FAULT})
    monkeypatch.setattr(Exploration, "tile", fail(ZeroDivisionError("secret")))
    assert client.get("/api/facts").status == 200
    assert "ZeroDivisionError: secret" in capsys.readouterr().err
