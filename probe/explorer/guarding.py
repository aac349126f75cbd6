"""Who may ask the explorer's server: a token, the names of the host and of the page's origin, bounds on requests."""

import asyncio
import hashlib
import hmac
import re
import secrets
import socket
import time
from collections.abc import Iterable
from ipaddress import ip_address

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from probe.explorer.requests import MOST_BODY_BYTES, RequestError

BODY_S = 10.0
"""Seconds in which a body must arrive."""
CODE_S = 120.0
"""Seconds in which the code for a browser can be used."""
METHODS = ("GET", "POST", "PUT")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_ALL_INTERFACES = frozenset({"0.0.0.0", "::"})
_HOST = re.compile(r"(?:\[([0-9a-fA-F:.]{2,45})\]|([A-Za-z0-9.-]{1,253}))(?::[0-9]{1,5})?", re.ASCII)
_PATH = re.compile(rb"/[A-Za-z0-9_./-]{0,200}")
_SINGLE = frozenset({b"host", b"origin", b"cookie", b"content-type", b"content-length", b"sec-fetch-site"})
_MOST_HEADERS, _MOST_HEADER_BYTES = 100, 1 << 14
_JSON = re.compile(r'application/json(?:\s*;\s*charset="?utf-8"?)?', re.IGNORECASE | re.ASCII)
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""What every answer says to the browser."""
_NO_TOKEN = (
    "This address lacks the token, or has another one: open the address that `probe explore` has printed, with all "
    "that follows the question mark."
)


class Access:
    """Tells who may ask.

    Whoever opens the address with the token gets a cookie, which every other request needs. The address that is given
    to a browser at the start has a code in place of the token, which is good for one time and two minutes, since
    other users of the machine can see the command lines of programs.

    Attributes:
        token: What the address has that is printed.
        cookie: The name of the cookie.
    """

    def __init__(self, host: str, port: int, token: str | None = None) -> None:
        """Make up a token, unless one is given.

        Args:
            host: The name or address at which the server listens.
            port: Its port.
            token: A token that is hard to guess.
        """
        self.token = token or secrets.token_urlsafe(32)
        self.cookie = f"probe_explore_{port}"
        self._ticket = hmac.new(self.token.encode(), b"cookie", hashlib.sha256).hexdigest()
        self._codes: dict[str, float] = {}
        self._takes_any_address = host in _ALL_INTERFACES
        self._names = _LOOPBACK | {host.lower()}
        if self._takes_any_address:
            self._names |= {socket.gethostname().lower()}

    def code_for_once(self) -> str:
        """Return a code that opens the page in place of the token, one time and within two minutes."""
        code = secrets.token_urlsafe(32)
        self._codes[code] = time.monotonic() + CODE_S
        return code

    def is_host(self, value: str) -> bool:
        """Tell whether the Host of a request is this server: another name may be one that somebody let point here.

        Any port is: a tunnel has one of its own.
        """
        match = _HOST.fullmatch(value)
        if match is None:
            return False
        name = (match[1] or match[2]).lower()
        return name in self._names or (self._takes_any_address and _is_address(name))

    def opens(self, token: str) -> bool:
        """Tell whether a token is the right one, or a code that was not used yet and is not too old."""
        if hmac.compare_digest(token.encode(), self.token.encode()):
            return True
        matching = {code for code in self._codes if hmac.compare_digest(token.encode(), code.encode())}
        ends = [self._codes.pop(code) for code in matching]
        return any(time.monotonic() < end for end in ends)

    def knows(self, cookies: str) -> bool:
        """Tell whether the cookies of a request have the right one."""
        return any(hmac.compare_digest(value.encode(), self._ticket.encode()) for value in self._values(cookies))

    def set_cookie(self, response: Response) -> None:
        """Give a browser the cookie, which it sends when the page is opened, also by a link on a page of others."""
        response.set_cookie(self.cookie, self._ticket, httponly=True, samesite="lax", path="/")

    def _values(self, cookies: str) -> Iterable[str]:
        """Yield the values of all cookies of our name: other servers of this host may have set some, too."""
        for part in cookies.split(";"):
            name, _, value = part.strip().partition("=")
            if name == self.cookie:
                yield value


class Guard:
    """Lets requests through to an application that come from its own page, and refuses all others.

    To every answer it adds headers by which the browser runs and loads nothing but what this server sends.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":  # a websocket, which this server never speaks
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        try:
            answer = self._check(scope)
        except RequestError as error:
            answer = refusal(error, is_api=scope["path"].startswith("/api/"))
        if answer is not None:
            await answer(scope, receive, send_guarded)
            return
        scope["state"] = {**scope.get("state", {}), "is_known": True}
        await self._app(scope, receive, send_guarded)

    def _check(self, scope: Scope) -> Response | None:
        """Return the answer to a request that does not get further; None if it does.

        Raises:
            RequestError: If it is refused.
        """
        headers = _single_headers(scope["headers"])
        host, method, path = headers.get("host", ""), scope["method"], scope["raw_path"]
        if not self._access.is_host(host):
            raise RequestError("this server is not called by that name; use the address that it has printed", 421)
        if method not in METHODS:
            raise RequestError(f"{method[:20]} is not answered here", 405)
        if not _PATH.fullmatch(path):
            raise RequestError("there is no such page", 404)
        if path == b"/" and method == "GET" and scope["query_string"]:
            return self._entrance(scope["query_string"])
        if not self._access.knows(headers.get("cookie", "")):
            raise RequestError(_NO_TOKEN, 403)
        self._check_origin(headers, host, method, is_page=path == b"/")
        if any(name == b"transfer-encoding" for name, _ in scope["headers"]):
            raise RequestError("the length of the body must be said before it, in Content-Length", 411)
        if method != "GET" and not _JSON.fullmatch(headers.get("content-type", "")):
            raise RequestError("the body must be application/json", 415)
        if not _is_small(headers.get("content-length", "0")):
            raise RequestError(f"the body has over {MOST_BODY_BYTES:,} bytes, and is not read", 413)
        return None

    def _entrance(self, query: bytes) -> Response:
        name, _, token = query.decode("latin-1").partition("=")
        if name != "token" or not self._access.opens(token):
            raise RequestError(_NO_TOKEN, 403)
        answer = Response(status_code=303, headers={"Location": "/"})
        self._access.set_cookie(answer)
        return answer

    def _check_origin(self, headers: dict[str, str], host: str, method: str, *, is_page: bool) -> None:
        """Refuse what another page asks, and what changes something and does not say which page asks.

        Raises:
            RequestError: If it is such a request.
        """
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
        is_ours = origin is not None and origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}")
        if (origin is not None or method != "GET") and not is_ours:
            raise RequestError("this is asked by another page than the server's own", 403)
        if not is_page and site not in ("same-origin", "none"):
            raise RequestError("this is asked by another page than the server's own", 403)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach a server at a host."""
    return host.lower() == "localhost" or (_is_address(host) and ip_address(host).is_loopback)


def refusal(error: RequestError, *, is_api: bool) -> Response:
    """Return an answer that says what is wrong with a request."""
    headers = {"Allow": ", ".join(METHODS)} if error.status == 405 else None
    if is_api:
        return JSONResponse({"error": str(error)}, error.status, headers)
    return PlainTextResponse(f"{error}\n", error.status, headers)


async def body_of(receive: Receive) -> bytes:
    """Return the body of a request.

    Raises:
        RequestError: If it is too large, or takes too long to arrive.
    """
    pieces: list[bytes] = []
    n_bytes = 0
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise RequestError("the request ended before its body did")
                pieces.append(message.get("body", b""))
                n_bytes += len(pieces[-1])
                if n_bytes > MOST_BODY_BYTES:
                    raise RequestError(f"the body has over {MOST_BODY_BYTES:,} bytes, and is not read", 413)
                if not message.get("more_body", False):
                    return b"".join(pieces)
    except TimeoutError as error:
        raise RequestError(f"the body took over {BODY_S:.0f} seconds to arrive", 408) from error


def _single_headers(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers that decide, each of which a request may have once.

    Raises:
        RequestError: If it has one of them twice, or very many or long headers.
    """
    single: dict[str, str] = {}
    all_headers = list(headers)
    n_bytes = sum(len(name) + len(value) for name, value in all_headers)
    if len(all_headers) > _MOST_HEADERS or n_bytes > _MOST_HEADER_BYTES:
        raise RequestError("the request has too many headers, or too long ones", 431)
    for name, value in all_headers:
        if name in _SINGLE:
            key = name.decode("ascii")
            if key in single:
                raise RequestError(f"the request has the header {key} twice")
            single[key] = value.decode("latin-1")
    return single


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_small(length: str) -> bool:
    return len(length) <= 9 and length.isascii() and length.isdecimal() and int(length) <= MOST_BODY_BYTES
