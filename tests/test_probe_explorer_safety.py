"""Hostile requests to the explorer's server are refused in one sentence, and nobody else is disturbed meanwhile."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from explorer_clients import PAGE, Client, explored, received

from hypotheses.errors import HypothesisError
from hypotheses.registry import get
from hypotheses.user_files import NamedFiles
from probe.explorer import connections, guarding
from probe.explorer.guarding import HEADERS, Access
from probe.explorer.label_sets import MOST_KEPT_BYTES
from probe.explorer.requests import MOST_BODY_BYTES, RequestError, json_of

HOSTILE_HOSTS = [
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example:80",
    "evil.example:80@127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0.0.0.0",
    "192.168.1.5",
    "[::ffff:127.0.0.1",
    "localhost:80:80",
    "localhost.",
    "localhost evil.example",
    "localhost,evil.example",
    "",
]
FACTS = "/api/facts"
SLOW = r"regex:^(?:[^\n]|[^\n][^\n])+(?=\n)(?<=\n)"


@pytest.fixture(scope="module")
def client(planted: Path) -> Iterator[Client]:
    with explored(planted) as client:
        yield client


@pytest.fixture(autouse=True)
def _nobody_is_disturbed(client: Client) -> Iterator[None]:
    yield
    assert client.is_answered()


def head(client: Client, method: str = "GET", path: str = FACTS, *lines: str, host: str | None = None) -> bytes:
    """The head of a request with the cookie."""
    usual = [f"{method} {path} HTTP/1.1", f"Host: {client.host if host is None else host}", f"Cookie: {client.cookie}"]
    return "\r\n".join([*usual, *lines, "Connection: close", "", ""]).encode("latin-1")


def status(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer[:200]
    return int(answer.split(b" ", 2)[1])


# ---- Who may ask ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", HOSTILE_HOSTS)
def test_another_name_of_the_host_is_refused(client: Client, host: str) -> None:
    """Such as one that its owner lets point to this machine, after the browser has loaded a page from it."""
    assert status(client.raw(head(client, host=host))) in (400, 421)
    entrance = f"/?token={client.address.access.token}"
    assert status(client.raw(head(client, "GET", entrance, host=host))) in (400, 421)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", "localhost:9000"])
def test_names_of_this_machine_are_answered_at_any_port_of_a_tunnel(client: Client, host: str) -> None:
    assert status(client.raw(head(client, host=host))) == 200


def test_a_request_without_a_host_is_refused(client: Client) -> None:
    assert status(client.raw(f"GET {FACTS} HTTP/1.0\r\nCookie: {client.cookie}\r\n\r\n".encode())) == 421
    assert status(client.raw(f"GET {FACTS} HTTP/1.1\r\nCookie: {client.cookie}\r\n\r\n".encode())) == 400


def test_names_where_all_addresses_are_served() -> None:
    access = Access("0.0.0.0", 80)
    assert access.is_host("192.168.1.5:80") and access.is_host(socket.gethostname()) and access.is_host("[fe80::1]")
    assert not access.is_host("evil.example") and not access.is_host("1.2.3.4.evil.example")
    assert Access("lab.example", 80).is_host("LAB.example:80") and not Access("lab.example", 80).is_host("10.0.0.1")


@pytest.mark.parametrize("path", ["/", "/page/main.js", "/page/view.js", FACTS, "/api/tile?kind=text&tile=0", "/x"])
def test_without_the_token_nothing_is_served(client: Client, path: str) -> None:
    for cookie in ("", f"{client.cookie}0", client.cookie.replace("=", "=x"), client.cookie.partition("=")[0], "a=b"):
        answer = Client(client.address, client.exploration, cookie).get(path)
        assert answer.status == 403 and b"open the address that" in answer.body
        assert client.address.access.token.encode() not in answer.body


@pytest.mark.parametrize("token", ["", "x", "TOKEN0", "%00", "é", "TOKEN&token=TOKEN", "TOKEN&x=1", "a" * 5000])
def test_another_token_gives_no_cookie(client: Client, token: str) -> None:
    path = f"/?token={token.replace('TOKEN', client.address.access.token)}"
    answer = client.raw(f"GET {path} HTTP/1.1\r\nHost: {client.host}\r\nConnection: close\r\n\r\n".encode())
    assert status(answer) in (400, 403) and b"set-cookie" not in answer.lower()


def test_the_token_gives_a_cookie_that_no_script_and_no_other_site_gets(client: Client) -> None:
    answer = Client(client.address, client.exploration).get(f"/?token={client.address.access.token}")
    assert (answer.status, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and f"_{client.address.port}=" in cookie
    assert client.address.access.token not in cookie
    assert client.get("/").body == PAGE["explorer.html"][0]


def test_a_page_goes_on_after_the_server_was_started_again_with_its_token(planted: Path) -> None:
    token = "t" * 43
    with explored(planted, token=token) as first:
        port, cookie = first.address.port, first.cookie
    with explored(planted, token=token, port=port) as second:
        second.cookie = cookie
        assert second.is_answered()
    with explored(planted, port=port) as third:
        third.cookie = cookie
        assert not third.is_answered()


def test_the_code_for_a_browser_is_good_for_one_time(client: Client) -> None:
    path = client.address.url_for_once().partition(str(client.address.port))[2]
    stranger = Client(client.address, client.exploration)
    assert [stranger.get(path).status for _ in range(2)] == [303, 403]


def test_the_code_for_a_browser_does_not_last(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarding, "CODE_S", 0.0)
    path = client.address.url_for_once().partition(str(client.address.port))[2]
    assert Client(client.address, client.exploration).get(path).status == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://127.0.0.1:1", "https://localhost"])
def test_what_another_page_asks_is_refused(client: Client, origin: str) -> None:
    content = {"recording": 0, "hypothesis": "in_quotes"}
    assert client.post("/api/labels", content, Origin=origin).status == 403
    assert client.get(FACTS, Origin=origin).status == 403
    assert client.post("/api/labels", content).status == 200


def test_a_change_without_an_origin_is_refused(client: Client) -> None:
    answer = client.ask("POST", "/api/labels", b"{}", headers={"Content-Type": "application/json"})
    assert answer.status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_page_of_another_port_includes_is_refused(client: Client, site: str) -> None:
    assert client.get(FACTS, Sec_Fetch_Site=site).status == 403
    assert client.get("/page/view.js", Sec_Fetch_Site=site).status == 403
    assert client.get("/", Sec_Fetch_Site=site).status == 200, "a link to the page is no harm"


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/x-www-form-urlencoded", "application/json2", "text/json"]
)
def test_forms_of_other_pages_are_refused(client: Client, kind: str) -> None:
    assert client.post("/api/labels", {"hypothesis": "in_quotes"}, Content_Type=kind).status == 415


def test_every_answer_lets_the_browser_load_nothing_else(client: Client) -> None:
    stranger = Client(client.address, client.exploration)
    answers = [
        client.get("/"),
        client.get(FACTS),
        client.get("/page/view.js"),
        client.get("/api/none"),
        stranger.get("/"),
    ]
    answers += [client.post("/api/labels", b"{"), client.ask("DELETE", FACTS)]
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name.lower()] == value
        assert "server" not in answer.headers and "access-control-allow-origin" not in answer.headers
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy and "*" not in policy


# ---- What may be asked ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/page/../../../../etc/passwd",
        "/page/..%2f..%2f..%2fetc/passwd",
        "/page/%2e%2e/%2e%2e/etc/passwd",
        "/page/%252e%252e%252f%252e%252e%252fetc%252fpasswd",
        "/page/....//....//etc/passwd",
        "/page//etc/passwd",
        "/page/..\\..\\etc\\passwd",
        "/page/explorer.html%00.js",
        "/page/__init__.py",
        "/page/view.js/",
        "/page/VIEW.JS",
        "/page/page.html",
        "/page/",
        "/page",
        "//page/view.js",
        "/../page/view.js",
        "/api/../page/view.js",
        "/activations.h5",
        "/static/x",
        "/page/" + "a" * 5000,
    ],
)
def test_nothing_but_its_own_files_is_served(client: Client, path: str) -> None:
    answer = client.raw(head(client, "GET", path))
    assert status(answer) == 404 and b"root:" not in answer
    assert client.get("/page/bar/units.js").status == 200


@pytest.mark.parametrize(
    "query",
    [
        "tile?recording=-1&kind=text&tile=0",
        "tile?recording=0&kind=text&tile=-1",
        "tile?recording=0&kind=text&tile=999999999999",
        "tile?recording=0&kind=text&tile=99999999999999999999999999",
        "tile?recording=0&kind=text&tile=1e3",
        "tile?recording=0&kind=text&tile=NaN",
        "tile?recording=0&kind=text&tile=0x1",
        "tile?recording=0&kind=text&tile=%D9%A1",
        "tile?recording=0&kind=text&tile=1_0",
        "tile?recording=0&kind=text&tile=",
        "tile?recording=0&kind=text",
        "tile?recording=0&kind=values&tile=0",
        "tile?recording=0&kind=text&tile=0&tile=1",
        "tile?recording=0&kind=text&tile=0&path=/etc/passwd",
        "tile?recording=0&kind=%ff%fe&tile=0",
        "tile?" + "&".join(f"a{n}=1" for n in range(100)),
        "levels?unit=0/hidden/3&tile=99",
        "levels?unit=0/hidden/99999999999999999999&tile=0",
        "levels?unit=0/hidden/-1&tile=0",
        "levels?unit=0/hidden&tile=0",
        "levels?unit=../../etc/passwd&tile=0",
        "levels?unit=%00&tile=0",
        "levels?unit=0/hidden/3,0/hidden/4&tile=0",
        "levels?unit=" + "a" * 1000 + "&tile=0",
        "levels?unit=0/hidden/3&labels=0123456789abcdef&tile=0",
        "levels?labels=../x&tile=0",
        "levels?tile=0",
        "overview?unit=0/hidden/3&bins=0",
        "overview?unit=0/hidden/3&bins=100000000",
        "overview?unit=0/hidden/3&bins=10&start=5&stop=5",
        "overview?unit=0/hidden/3&bins=10&start=9&stop=5",
        "overview?unit=0/hidden/3&bins=10&start=0&stop=99999999",
        "overview?unit=0/hidden/3&bins=10&start=-5",
        "value?unit=0/hidden/3&position=99999999",
        "value?unit=0/hidden/3&position=-1",
        "track?unit=0/hidden/3&recording=7",
        "none",
    ],
)
def test_what_is_beyond_the_bounds_is_one_sentence(client: Client, query: str) -> None:
    answer = client.get(f"/api/{query}")
    assert answer.status in (400, 404), answer.body
    sentence = answer.json["error"]
    assert len(sentence) < 400 and "\n" not in sentence and "Traceback" not in sentence


NESTED = 100_000
BODIES = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"1",
    b'"x"',
    b"\xff\xfe{",
    b"[" * NESTED,
    b'{"a":' * NESTED + b"1" + b"}" * NESTED,
    b'{"recording":' + b"[" * NESTED + b"]" * NESTED + b"}",
    b'{"recording":NaN,"hypothesis":"in_quotes"}',
    b'{"recording":Infinity,"hypothesis":"in_quotes"}',
    b'{"recording":1e400,"hypothesis":"in_quotes"}',
    b'{"recording":' + b"9" * 100_000 + b',"hypothesis":"in_quotes"}',
    b'{"recording":0.0,"hypothesis":"in_quotes"}',
    b'{"recording":true,"hypothesis":"in_quotes"}',
    b'{"recording":"0","hypothesis":"in_quotes"}',
    b'{"recording":-1,"hypothesis":"in_quotes"}',
    b'{"recording":0,"hypothesis":["in_quotes"]}',
    b'{"recording":0,"hypothesis":{"x":1}}',
    b'{"recording":0,"hypothesis":null}',
    b'{"recording":0,"hypothesis":""}',
    b'{"recording":0,"hypothesis":"  "}',
    b'{"recording":0,"hypothesis":"\\ud800"}',
    b'{"recording":0,"hypothesis":"in_quotes","hypothesis":"in_comment"}',
    b'{"recording":0,"hypothesis":"in_quotes","code":"import os"}',
    b'{"recording":0,"hypothesis":"' + b"(" * 3_000 + b'"}',
    b'{"recording":0,"hypothesis":"' + b"~" * 3_000 + b'in_quotes"}',
    b'{"recording":0,"hypothesis":"in_quotes @ 99999999999999999999999"}',
    b'{"recording":0,"hypothesis":"regex:(?:a{1000}){1000}{1000}"}',
    b'{"recording":0,"hypothesis":"regex:["}',
    b'{"recording":0,"hypothesis":"token:__import__"}',
]


@pytest.mark.parametrize("body", BODIES, ids=[str(body[:50]) for body in BODIES])
def test_bodies_that_mean_nothing_are_one_sentence(client: Client, body: bytes) -> None:
    answer = client.post("/api/labels", body)
    assert answer.status in (400, 404), (answer.status, answer.body[:300])
    assert len(answer.json["error"]) < 5000 and "\n" not in answer.json["error"]
    if body and b"hypothesis" not in body:
        assert client.post("/api/rank", body).status == 400


def test_a_body_that_is_too_large_is_not_read(client: Client) -> None:
    pattern = b'{"recording":0,"hypothesis":"regex:' + b"a" * 10_000_000 + b'"}'
    assert client.post("/api/labels", pattern).status == 413
    chunks = (
        b"".join(b"10000\r\n" + b" " * 0x10000 + b"\r\n" for _ in range(MOST_BODY_BYTES // 0x10000 + 2)) + b"0\r\n\r\n"
    )
    request = head(client, "POST", "/api/labels", "Transfer-Encoding: chunked", f"Origin: http://{client.host}",
                   "Content-Type: application/json")  # fmt: skip
    assert status(client.raw(request + chunks)) == 411
    short = client.post("/api/labels", {"hypothesis": "regex:" + "a" * 5000})
    assert short.status == 400 and "at most 4,000" in short.json["error"]


def test_a_pattern_that_never_ends_is_given_up_when_nobody_waits(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The longest time is twenty seconds; whoever goes ends it at once, and others are answered meanwhile."""
    started: list[Any] = []

    class Process(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Process)
    body = json.dumps({"hypothesis": SLOW}).encode()
    lines = [f"Origin: http://{client.host}", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    with client.connected() as connection:
        connection.sendall(head(client, "POST", "/api/labels", *lines) + body)
        wait_until(lambda: len(started) == 1)
        assert client.is_answered() and started[0].poll() is None
    began = time.monotonic()
    wait_until(lambda: started[0].poll() is not None)
    assert time.monotonic() - began < 10


def wait_until(is_so: Callable[[], bool], seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


# ---- No code, no file ------------------------------------------------------------------------------------------------

CODE = (
    "import pathlib\npathlib.Path('ran').write_text('x')\ndef vowels(text):\n    return [c in 'aeiou' for c in text]\n"
)


@pytest.mark.parametrize(
    "spelled",
    [
        "./own.py:vowels",
        "own.py:vowels",
        "~own.py:vowels",
        "in_quotes & own.py:vowels",
        "'own.py:vowels'",
        "labels:tags.csv",
        "labels:'tags.csv'",
        "labels:tags.csv:label",
        "labels:/etc/passwd",
        "labels:~/.ssh/id_rsa",
        "labels:.",
        "in_quotes & labels:tags.csv",
        "labels:tags.csv == x",
        "labels:file=tags.csv",
        "labels",
        "labels:",
        "tags.csv",
        "own.py",
    ],
)
def test_files_are_not_named_by_requests(client: Client, spelled: str) -> None:
    Path("own.py").write_text(CODE)
    Path("tags.csv").write_text("start,end\n0,5\n")
    answers = [client.post("/api/labels", {"hypothesis": spelled})]
    Path("own.py").unlink()
    Path("tags.csv").unlink()
    answers.append(client.post("/api/labels", {"hypothesis": spelled}))
    assert [answer.status for answer in answers] == [400, 400]
    assert answers[0].body == answers[1].body, "nobody learns which files there are"
    assert not Path("ran").exists()


def test_files_that_were_named_at_the_start_are_used(planted: Path) -> None:
    own, tags = Path("own.py").absolute(), Path("my tags.csv").absolute()
    own.write_text(CODE + "count = [0]\n")
    tags.write_text("document,start,end\nfirst.py,0,5\n")
    files = NamedFiles.read([own, tags])
    Path("ran").unlink()
    with explored(planted, files=files) as client:
        listed = [h["name"] for h in client.get(FACTS).json["hypotheses"] if h["in_file"]]
        assert listed == [f"{own}:vowels", f"labels:'{tags}'"]
        for spelled in (*listed, f"{own}:vowels & in_quotes", f"labels:{tags}", f"~labels:'{tags}'"):
            answer = client.post("/api/labels", {"hypothesis": spelled})
            assert answer.status == 200, answer.body
        assert client.post("/api/labels", {"hypothesis": f"labels:'{tags}'"}).json["n_true"] == 5
        assert client.post("/api/labels", {"hypothesis": f"{own}:hidden"}).status == 400
        assert client.post("/api/labels", {"hypothesis": f"labels:{tags.parent}"}).status == 400
    assert not Path("ran").exists(), "the file is run once, at the start"


def test_named_files_that_are_missing_or_empty_are_refused() -> None:
    Path("empty.py").write_text("x = 1\n")
    for path, sentence in (
        ("none.py", "there is no file none.py to take hypotheses from"),
        ("none.csv", "there is no file none.csv to read labels from"),
        ("empty.py", "empty.py has no hypothesis"),
    ):
        with pytest.raises(HypothesisError, match=sentence):
            NamedFiles.read([Path(path)])
    with pytest.raises(HypothesisError, match="no hypothesis 'own.py:x' may be used here"):
        get("own.py:x", files=NamedFiles())


# ---- Odd and slow clients --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "DELETE", "PATCH", "CONNECT", "FOO"])
def test_other_methods_are_refused(client: Client, method: str) -> None:
    answer = client.raw(head(client, method))
    assert status(answer) == 405 and b"allow: GET, POST, PUT" in answer
    assert client.post(FACTS, {}).status == 405 and client.get("/api/labels").status == 405


@pytest.mark.parametrize(
    "path", ["http://127.0.0.1/api/facts", "http://evil.example/", "*", "127.0.0.1:80", "\\", "/a b"]
)
def test_other_forms_of_addresses_are_refused(client: Client, path: str) -> None:
    assert status(client.raw(head(client, "GET", path))) in (400, 404)


@pytest.mark.parametrize(
    "lines",
    [
        ("Host: evil.example",),
        ("Cookie: a=b",),
        ("Origin: http://HOST", "Origin: http://evil.example"),
        ("Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site"),
        ("Content-Length: 1", "Content-Length: 2"),
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Content-Length: -5",),
        ("Content-Length: 99999999999999999999",),
        ("Transfer-Encoding: gzip",),
        ("X: " + "a" * 20_000,),
        tuple(f"X{n}: {'a' * 100}" for n in range(1000)),
        ("bad header",),
        (" folded: x",),
        ("X\x00: y",),
    ],
)
def test_headers_that_contradict_each_other_are_refused(client: Client, lines: tuple[str, ...]) -> None:
    named = [line.replace("HOST", client.host) for line in lines]
    assert status(client.raw(head(client, "GET", FACTS, *named))) in (400, 403, 411, 413, 431, 501)


def test_nothing_of_a_request_gets_into_the_head_of_an_answer(client: Client) -> None:
    for path in (f"/?token={client.address.access.token}%0d%0aX-Evil:%201", "/page/x%0d%0aX-Evil:%201", "/%0aX-Evil:1"):
        assert b"x-evil" not in client.raw(head(client, "GET", path)).lower().partition(b"\r\n\r\n")[0]


def test_websockets_are_not_spoken(client: Client) -> None:
    lines = ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
    request = head(client, "GET", FACTS, *lines).replace(b"Connection: close", b"Connection: Upgrade")
    with client.connected() as connection:
        connection.sendall(request)
        assert status(received(connection)) == 200, "it is answered as any request is"


@pytest.mark.parametrize(
    "content",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\x00" * 100,
        b"GET\r\n\r\n",
        b"\r\n" * 50 + b"x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused(client: Client, content: bytes) -> None:
    assert client.raw(content + b"\r\n\r\n")[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 421", b"")


@pytest.fixture
def hurried(client: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The server waits for less long."""
    monkeypatch.setattr(connections, "HEAD_S", 0.7)
    monkeypatch.setattr(connections, "STALLED_S", 0.7)
    monkeypatch.setattr(guarding, "BODY_S", 0.7)
    return client


def drip(connection: socket.socket, content: bytes) -> bytes:
    """Send a byte now and then until the other end closes the connection, and return what it has answered."""
    connection.settimeout(0.1)
    answer = b""
    for n in range(100):
        try:
            connection.sendall(content[n : n + 1] or b"a")
            piece = connection.recv(1 << 16)
        except TimeoutError:
            continue
        except ConnectionError:
            return answer
        if not piece:
            return answer
        answer += piece
    raise AssertionError("the connection was never closed")


def test_a_slow_head_ends_the_connection(hurried: Client) -> None:
    with hurried.connected() as connection, hurried.connected() as silent:
        assert drip(connection, head(hurried) * 3) == b""
        silent.settimeout(5)
        assert received(silent) == b""


def test_a_second_request_that_is_slow_ends_the_connection(hurried: Client) -> None:
    with hurried.connected() as connection:
        connection.sendall(head(hurried).replace(b"Connection: close\r\n", b""))
        assert status(received(connection)) == 200
        drip(connection, head(hurried))


def test_a_slow_body_is_refused(hurried: Client) -> None:
    lines = ("Content-Length: 500", f"Origin: http://{hurried.host}", "Content-Type: application/json")
    with hurried.connected() as connection:
        connection.sendall(head(hurried, "POST", "/api/labels", *lines))
        assert status(drip(connection, b"")) == 408


def test_a_client_that_reads_nothing_ends(hurried: Client) -> None:
    request = head(hurried, "GET", "/api/tile?kind=text&tile=0").replace(b"Connection: close\r\n", b"")
    with hurried.connected() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 12)
        connection.settimeout(0.2)
        with pytest.raises(ConnectionError):
            for _ in range(100):
                with suppress(TimeoutError):
                    connection.sendall(request * 10)
                time.sleep(0.1)


def test_a_thousand_connections_do_not_keep_others_out(client: Client) -> None:
    with ExitStack() as stack:
        opened = [stack.enter_context(client.connected()) for _ in range(1000)]
        for number, connection in enumerate(opened):
            if number % 2:
                try:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: ")
                except ConnectionError:
                    continue
            if number % 100 == 99:
                began = time.monotonic()
                assert client.is_answered()
                assert time.monotonic() - began < 5
        alive = [connection for connection in opened if is_open(connection)]
        assert len(alive) <= connections.MOST_STRANGERS + 1


def is_open(connection: socket.socket) -> bool:
    connection.settimeout(0.001)
    try:
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


def test_connections_of_the_page_are_bounded_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 5)
    request = head(client, "GET", "/api/tile?kind=text&tile=0").replace(b"Connection: close\r\n", b"")
    with ExitStack() as stack:
        opened = [stack.enter_context(client.connected()) for _ in range(12)]
        for connection in opened:
            connection.sendall(request)
            received(connection)
        assert client.is_answered()


# ---- Bounded memory, and a server that ends -------------------------------------------------------------------------


def test_labels_that_are_kept_are_bounded(client: Client) -> None:
    ids = [client.post("/api/labels", {"hypothesis": f"position_in_line >= {n}"}).json["id"] for n in range(80)]
    kept = [identity for identity in ids if client.exploration.labels.find(identity)]
    assert kept == ids[-len(kept) :] and 0 < len(kept) <= 64
    assert client.exploration.labels.n_bytes <= MOST_KEPT_BYTES
    assert client.get(f"/api/levels?labels={ids[0]}&tile=0").status == 404


def test_json_is_read_within_bounds() -> None:
    assert json_of(b'{"a": [1, 2.5, "x", null]}') == {"a": [1, 2.5, "x", None]}
    for body in (b"[" * 10**6, b'{"a": -Infinity}', b'{"a":1}{"b":2}', "{}".encode("utf-16")):
        with pytest.raises(RequestError):
            json_of(body)


def test_nothing_is_left_after_the_end(planted: Path) -> None:
    before = set(threading.enumerate())
    with explored(planted) as client:
        port = client.address.port
        with client.connected() as waiting:
            waiting.sendall(b"GET ")
            assert client.is_answered()
    assert [thread for thread in threading.enumerate() if thread not in before and thread.is_alive()] == []
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)
    assert sys.exc_info() == (None, None, None)
