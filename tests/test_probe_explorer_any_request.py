"""Whatever is asked of any route of the explorer is answered, or refused in one sentence; overtaken work ends.

`ASKED` has a request for each route: a new route must be added, and is then tested as all others are.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from explorer_clients import PAGE, Answer, Client, explored, received
from explorer_models import recorded_model
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette import routing as starlette

from probe.explorer.requests import MOST_BODY_BYTES
from probe.explorer.server import Explorer
from probe.explorer.streams import OUR_FAULT, Job

Route = tuple[str, str]
LABELS = "labels of a test"  # stands for the id of labels that are there
SPANS = [[10, 60], [200, 260], [900, 990]]
STEERED = {"unit": "0/cell/1", "value": 0.5, "texts": 1, "length": 3, "matched": 1, "measured": "in_quotes", "seed": 1}
SHOWN = {
    "recordings": [0], "unit": "0/cell/1", "units": ["0/cell/1"], "hypothesis": "in_quotes", "labelled": True,
    "loss": False, "guesses": False, "span": [0, 40],
}  # fmt: skip
ASKED: dict[Route, dict[str, Any]] = {
    ("GET", "/"): {},
    ("GET", "/page/{name:path}"): {},
    ("GET", "/api/facts"): {},
    ("GET", "/api/tile"): {"recording": 0, "kind": "text", "tile": 0},
    ("GET", "/api/track"): {"recording": 0, "unit": "0/cell/1"},
    ("GET", "/api/levels"): {"recording": 0, "unit": "0/cell/1", "tile": 0},
    ("GET", "/api/overview"): {"recording": 0, "unit": "0/cell/1", "bins": 100, "start": 0, "stop": 900},
    ("GET", "/api/value"): {"recording": 0, "unit": "0/cell/1", "position": 3},
    ("GET", "/api/unit"): {"recording": 0, "unit": "0/cell/1"},
    ("GET", "/api/notes"): {"recording": 0},
    ("PUT", "/api/notes"): {"recording": 0, "unit": "0/cell/1", "field": "name", "before": "", "after": ""},
    ("POST", "/api/labels"): {"recording": 0, "hypothesis": "in_quotes"},
    ("POST", "/api/rank"): {"recording": 0, "labels": LABELS, "sites": "0/cell"},
    ("POST", "/api/selection"): {"recording": 0, "spans": SPANS},
    ("POST", "/api/selection/elsewhere"): {"recording": 0, "spans": SPANS, "units": ["0/cell/1"]},
    ("POST", "/api/selection/save"): {"recording": 0, "spans": SPANS, "name": "kept.csv", "overwrite": True},
    ("POST", "/api/unit/profile"): {"recording": 0, "unit": "0/cell/1", "labels": LABELS},
    ("POST", "/api/model"): {"recording": 0},
    ("POST", "/api/try"): {"recording": 0, "text": 'ab "c"', "units": ["0/cell/1"], "hypothesis": "in_quotes"},
    ("POST", "/api/depends"): {"recording": 0, "text": "abc", "position": 1, "character": "b"},
    ("POST", "/api/change"): {"recording": 0, "text": "abc", "position": 1, "character": "d"},
    ("POST", "/api/hold"): {"recording": 0, "unit": "0/cell/1"},
    ("POST", "/api/direction"): {"recording": 0, "hypothesis": "in_quotes", "probe": "", "site": "1/hidden"},
    ("POST", "/api/steer"): {"recording": 0, **STEERED},
    ("POST", "/api/ablate"): {"recording": 0, "unit": "0/cell/1", "labels": LABELS, "chars": 400, "matched": 2},
    ("POST", "/api/commands"): SHOWN,
    ("POST", "/api/save"): SHOWN | {"format": "svg"},
    ("POST", "/api/quiz"): {"recording": 0, "list": "ours", "seed": 1},
    ("POST", "/api/quiz/guess"): {"recording": 0, "list": "ours", "seed": 1, "guess": "in_quotes"},
    ("POST", "/api/quiz/reveal"): {"recording": 0, "list": "ours", "seed": 1},
}
READING = [route for route in ASKED if route[0] == "GET" and ASKED[route]]
ASKING = [route for route in ASKED if route[0] != "GET"]
STREAMS = [
    route for route in ASKED
    if route[1] in ("/api/rank", "/api/selection", "/api/selection/elsewhere", "/api/unit", "/api/unit/profile",
                    "/api/direction", "/api/steer", "/api/ablate", "/api/quiz", "/api/quiz/guess")
]  # fmt: skip
REFUSED = {400, 404, 409, 413}


@pytest.fixture(scope="module")
def asked_recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model, and a recording of it."""
    _, model, recording = recorded_model(tmp_path_factory.mktemp("any"))
    return model, recording


@pytest.fixture(scope="module")
def client(asked_recording: tuple[Path, Path]) -> Iterator[Client]:
    model, recording = asked_recording
    with explored(recording, model=model) as client:
        listed = {"recording": 0, "unit": "0/cell/1", "list": "ours", "is_in": True}
        assert sent(client, ("PUT", "/api/notes"), listed).status == 200
        yield client


def sent(client: Client, route: Route, fields: Any) -> Answer:
    """Send fields as a route takes them: after the ?, or as JSON."""
    method, path = route
    path = path.replace("{name:path}", "bar/units.js")
    if method == "GET":
        pairs = {name: value if isinstance(value, str) else json.dumps(value) for name, value in fields.items()}
        return client.get(f"{path}?{urlencode(pairs, errors='replace')}" if pairs else path)
    headers = {"Origin": f"http://{client.host}", "Content-Type": "application/json"}
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return client.ask(method, path, body, headers=headers)


def asked_of(client: Client, route: Route) -> dict[str, Any]:
    """Return the request of a route, with the id of labels that are there."""
    fields = ASKED[route]
    if fields.get("labels") != LABELS:
        return dict(fields)
    return fields | {"labels": client.post("/api/labels", {"hypothesis": "in_quotes"}).json["id"]}


def check(answer: Answer) -> None:
    """Check that an answer is one, or one sentence."""
    assert answer.status == 200 or answer.status in REFUSED, (answer.status, answer.body[:300])
    assert OUR_FAULT.encode() not in answer.body
    is_stream = answer.headers["content-type"] == "application/x-ndjson"
    last = answer.lines[-1] if is_stream else {} if answer.status == 200 else answer.json
    assert not is_stream or "result" in last or "error" in last
    if "error" in last:
        sentence = last["error"]
        assert sentence and "\n" not in sentence and len(sentence) < 5_000 and "Traceback" not in sentence


# ---- What may be in a field

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 3),
    st.sampled_from([-1, 10**6, 1 << 40, 1 << 63, 10**30, 0.5, -0.0, 1e308, -1e30, float("nan"), float("inf")]),
    st.text(max_size=12),
    st.sampled_from(
        ["", " ", "0/cell/1", "0/cell/99", "9/hidden/0", "../x", "\x00", "\ud800", "0" * 16, "regex:(", "regex:a",
         "regex:", "in_quotes & ", "token_length", "position_in_line", "a" * 5_000, "labels:x", "x.csv", "/x.csv"]
    ),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
MISSING = object()


def test_all_routes_are_here(client: Client) -> None:
    routes = [route for route in Explorer(client.exploration, PAGE).app.routes if isinstance(route, starlette.Route)]
    answered = {(method, route.path) for route in routes for method in route.methods or ()}
    assert {route for route in answered if route[0] != "HEAD"} == set(ASKED)


@pytest.mark.parametrize("route", ASKED, ids=" ".join)
def test_what_is_asked_as_it_should_be_is_answered(client: Client, route: Route) -> None:
    answer = sent(client, route, asked_of(client, route))
    check(answer)
    assert answer.status == 200, answer.body[:300]


@pytest.mark.parametrize("route", READING + ASKING, ids=" ".join)
def test_whatever_is_in_its_fields_is_answered_or_refused_in_one_sentence(client: Client, route: Route) -> None:
    asked = asked_of(client, route)
    changes = st.dictionaries(st.sampled_from([*asked, "other"]), VALUES | st.just(MISSING), min_size=1, max_size=2)

    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(changes)
    def ask(changed: dict[str, Any]) -> None:
        fields = {name: value for name, value in (asked | changed).items() if value is not MISSING}
        check(sent(client, route, fields))

    ask()
    assert client.is_answered()


HOSTILE = {
    "nothing": b"",
    "a list": b"[]",
    "a number": b"1e400",
    "no UTF-8": b"\xff{}",
    "deep": b'{"recording":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "deep objects": b'{"recording":' * 50_000 + b"0" + b"}" * 50_000,
    "beyond floats": b'{"recording":1e400}',
    "NaN": b'{"recording":NaN}',
    "many digits": b'{"recording":' + b"9" * 50_000 + b"}",
    "twice": b'{"recording":0,"recording":0}',
    "unknown": b'{"__class__":0}',
}


@pytest.mark.parametrize("route", ASKING, ids=" ".join)
def test_hostile_bodies_are_refused_by_every_route(client: Client, route: Route) -> None:
    for name, body in HOSTILE.items():
        answer = sent(client, route, body)
        assert answer.status in REFUSED, (name, answer.status)
        check(answer)
    large = b'{"recording":0,"hypothesis":"' + b"a" * 10_000_000 + b'"}'
    assert sent(client, route, large).status == 413 and len(large) > MOST_BODY_BYTES
    assert client.is_answered()


@pytest.mark.parametrize("route", ASKED, ids=" ".join)
def test_every_route_is_guarded(client: Client, route: Route) -> None:
    """Without the token, by another name of the host, by another site, or by another method there is no answer."""
    stranger = Client(client.address, client.exploration)
    assert sent(stranger, route, ASKED[route]).status == 403
    path = route[1].replace("{name:path}", "bar/units.js")
    content = {"Origin": f"http://{client.host}", "Content-Type": "application/json"}
    statuses = {
        name: client.ask(route[0], path, b"{}" if route[0] != "GET" else None, headers=content | changed).status
        for name, changed in {
            "host": {"Host": "evil.example"},
            "origin": {"Origin": "http://evil.example"},
            "site": {"Sec-Fetch-Site": "cross-site"},
        }.items()
    }
    assert statuses["host"] in (400, 421) and statuses["origin"] == 403
    assert statuses["site"] == 403 or path == "/", "a link to the page is no harm"
    assert client.ask("DELETE", path, headers=content).status == 405


# ---- What is overtaken


class Watched:
    """Holds each question at its first progress until it is given up, and notes how it ends."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.ended = threading.Event(), threading.Event()
        self.lines: list[dict[str, Any]] = []
        progress, do = Job.progress, Job.do

        def hold(job: Job, done: int, total: int, note: str = "", /) -> None:
            self.reached.set()
            until = time.monotonic() + 20
            while job.is_wanted() and time.monotonic() < until:
                time.sleep(0.01)
            progress(job, done, total, note)

        def noted(job: Job, work: Callable[[Job], Any]) -> None:
            do(job, work)
            self.lines = list(job._lines)
            self.ended.set()

        monkeypatch.setattr(Job, "progress", hold)
        monkeypatch.setattr(Job, "do", noted)


@pytest.mark.parametrize("route", STREAMS, ids=" ".join)
def test_the_work_of_an_overtaken_question_ends(
    asked_recording: tuple[Path, Path], route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page closes the connection: every long question says how far it is, and ends there."""
    model, recording = asked_recording
    with explored(recording, model=model) as client:
        fields = asked_of(client, route)
        if "list" in fields:
            fields["list"] = ""  # units that follow what people know: these must be found
        watched = Watched(monkeypatch)
        with client.connected() as connection:
            connection.sendall(head_and_body(client, route, fields))
            assert received(connection).startswith(b"HTTP/1.1 200")
            assert watched.reached.wait(60), "it never says how far it is"
        assert watched.ended.wait(10)
        assert not any("result" in line or "error" in line for line in watched.lines)


def head_and_body(client: Client, route: Route, fields: dict[str, Any]) -> bytes:
    """Return a request as it is sent."""
    method, path = route
    body = b"" if method == "GET" else json.dumps(fields).encode()
    lines = [
        f"{method} {path}{'?' + urlencode(fields) if method == 'GET' else ''} HTTP/1.1",
        f"Host: {client.host}",
        f"Cookie: {client.cookie}",
        f"Origin: http://{client.host}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


# ---- Many at a time


def test_eight_clients_that_hammer_are_answered_and_memory_is_bounded(client: Client) -> None:
    """A short form of `benchmarks/explore.py hammer`: a few seconds, without a browser."""
    statuses: list[int] = []
    end = time.monotonic() + 4
    routes = [*READING, ("POST", "/api/labels"), ("POST", "/api/rank"), ("POST", "/api/try"), ("PUT", "/api/notes")]

    def hammer(first: int) -> None:
        number = first
        while time.monotonic() < end:
            route = routes[number % len(routes)]
            if route[1] != "/api/unit":
                statuses.append(sent(client, route, asked_of(client, route)).status)
            number += 1

    threads = [threading.Thread(target=hammer, args=(number,)) for number in range(8)]
    before = threading.active_count()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(statuses) > 100 and set(statuses) == {200}
    assert threading.active_count() <= before + 16, "no thread is left behind for each request"
    assert len(client.exploration.labels._sets) <= 64
