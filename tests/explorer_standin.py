"""A stand-in for the explorer's server: the same addresses, from arrays, for the tests of the page.

It can be slow, stop and come back, and be told what to answer, and it keeps what was asked.
"""

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
from numpy.typing import NDArray

from probe.explorer.server import page_files
from probe.viewer.cells import TILE_CHARS, cells_of
from probe.viewer.page.tiles import container_of
from probe.viewer.scales import Scale, binary, diverging, sequential
from probe.viewer.text_view import DocumentStart, TextView

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HYPOTHESES = {"in_quotes": r'"[^"]*"', "in_comment": "#[^\n]*", "in_word": r"\w+"}
Levels = tuple[NDArray[np.uint8], Scale]


@dataclass
class Recording:
    """A recording of the stand-in: a text, and (n_chars, n_units) values of each site."""

    name: str
    text: str
    sites: dict[str, NDArray[np.float32]]
    has_loss: bool = True
    documents: tuple[DocumentStart, ...] = ()
    labels: dict[str, Levels] = field(default_factory=dict)
    _levels: dict[str, Levels] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.cells = cells_of(self.text)
        self.codes = np.frombuffer(self.text.encode("utf-32-le", "surrogatepass"), "<u4")
        view = TextView(text=self.text, cells=self.cells, start=0, panels=(), documents=self.documents, title=self.name)
        container = container_of(view)
        header = json.loads(container[4 : 4 + int.from_bytes(container[:4], "little")])
        self.header = {name: value for name, value in header.items() if name not in ("parts", "tracks", "panels")}

    def values(self, unit: str) -> NDArray[np.float32]:
        site, _, number = unit.rpartition("/")
        return self.sites[site][:, int(number)]

    def levels(self, query: dict[str, str]) -> Levels:
        """Return the levels, and their scale, of what a query asks for."""
        if labels := query.get("labels"):
            if labels not in self.labels:
                raise RefusalError(404, "these labels are not kept here any more")
            return self.labels[labels]
        key = query.get("unit", "loss")
        if key not in self._levels:
            if key == "loss":
                self._levels[key] = sequential(np.random.default_rng(5).exponential(size=len(self.text)), 0.0)
            else:
                self._levels[key] = diverging(self.values(key), 0.0)
        return self._levels[key]

    def facts(self) -> dict[str, Any]:
        sites = [
            {"name": name, "n_units": values.shape[1], "signal": name.rpartition("/")[2]}
            for name, values in self.sites.items()
        ]
        return {
            "name": self.name,
            "title": f"{self.name}, made for a test",
            "n_chars": len(self.text),
            "header": self.header,
            "sites": sites,
            "text_sha256": str(hash(self.text)),
            "model": False,
            "predictions": self.has_loss,
            "sidecar": {"state": "none", "sentence": "", "progress": None},
        }


class RefusalError(Exception):
    """What the stand-in refuses, with the status and the sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        self.status, self.sentence = status, sentence


class StandIn:
    """Serves recordings; `asked` has the paths and queries of all requests, in their order."""

    def __init__(self, *recordings: Recording) -> None:
        self.recordings = recordings
        self.files = dict(page_files())
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.delay: Callable[[str, dict[str, Any]], float] = lambda path, query: 0.0
        self.hold_ranking = threading.Event()
        self.hold_ranking.set()
        self.refuses: Callable[[str, dict[str, Any]], RefusalError | None] = lambda path, query: None
        self.warnings: list[str] = []
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        self._server = _Server(("127.0.0.1", self.port), _Handler)
        self._server.stand_in = self
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
        self._server = None

    def asked_of(self, path: str) -> list[dict[str, Any]]:
        return [query for name, query in self.asked if name == path]

    # ---- Answers

    def answer(self, path: str, query: dict[str, Any]) -> bytes | dict[str, Any]:
        recording = self.recordings[int(query.get("recording", 0))]
        if path == "facts":
            spellings = {name: name for name in HYPOTHESES} | {"regex": "regex:pattern"}
            hypotheses = [
                {
                    "name": name,
                    "spelling": spelling,
                    "kind": "binary",
                    "description": f"Is it {name}?",
                    "in_file": False,
                }
                for name, spelling in spellings.items()
            ]
            return {"recordings": [one.facts() for one in self.recordings], "hypotheses": hypotheses, "version": "0"}
        if path == "tile":
            values = recording.codes if query["kind"] == "text" else recording.cells
            return _tile(values, query)
        if path == "labels":
            return self._labels(recording, query["hypothesis"])
        if unit := query.get("unit"):
            site, _, number = unit.rpartition("/")
            if site not in recording.sites or int(number) >= recording.sites[site].shape[1]:
                raise RefusalError(404, f"there is no unit {unit} in {recording.name}")
        if path == "value":
            return {"value": float(recording.values(query["unit"])[int(query["position"])])}
        levels, scale = recording.levels(query)
        if path == "levels":
            return _tile(levels, query)
        if path == "overview":
            bins = np.array_split(levels, int(query["bins"]))
            return bytes([int(one.min()) for one in bins] + [int(one.max()) for one in bins])
        if path == "track":
            kind = "labels" if "labels" in query else "loss" if "loss" in query else "unit"
            name = query.get("unit") or query.get("labels") or "loss"
            quantity = {"unit": "activation", "loss": "nats"}.get(kind, "")
            return {
                "name": name, "kind": kind, "quantity": quantity, "has_missing": False,
                "scale": asdict(scale) | {"pivot": scale.pivot},
            }  # fmt: skip
        raise RefusalError(404, f"there is no {path}")

    def _labels(self, recording: Recording, hypothesis: str) -> dict[str, Any]:
        pattern = HYPOTHESES.get(hypothesis)
        if hypothesis.startswith("regex:"):
            pattern = hypothesis[6:].strip("'").replace("''", "'")
        try:
            compiled = re.compile(pattern or "(")
        except re.error as error:
            raise RefusalError(
                400, f"no hypothesis named {hypothesis!r} ({error}); did you mean 'in_quotes'?"
            ) from None
        values = np.zeros(len(recording.text), bool)
        for match in compiled.finditer(recording.text):
            values[match.start() : match.end()] = True
        recording.labels[hypothesis] = binary(values, np.ones(len(values), bool))
        scale = recording.labels[hypothesis][1]
        return {
            "id": hypothesis, "name": hypothesis, "kind": "binary", "n_true": int(values.sum()),
            "warnings": self.warnings, "scale": asdict(scale) | {"pivot": scale.pivot},
        }  # fmt: skip

    def ranking(self, query: dict[str, Any], send: Callable[[dict[str, Any]], None]) -> None:
        """Send a quick look, then, once it may go on, progress and the whole ranking."""
        recording = self.recordings[int(query["recording"])]
        labels = recording.labels[query["labels"]][0] > 0
        units = [f"{site}/{n}" for site, values in recording.sites.items() for n in range(values.shape[1])]
        rows = [_row(recording, unit, labels) for unit in units]
        rows.sort(key=lambda row: -row["held_out"])
        quick = [
            {name: row[name] for name in ("unit", "measure", "held_out", "direction")}
            for row in rows
            if re.search("hidden|cell", row["unit"])
        ]
        send({"quick": quick})
        while not self.hold_ranking.wait(0.05):
            send({"progress": [1, 4]})
        for done in range(1, 4):
            send({"progress": [done, 3]})
        controls = [
            {"name": "chars", "held_out": 0.71, "low": 0.69, "high": 0.73},
            {"name": "position", "held_out": 0.55, "low": None, "high": None},
        ]
        ranking = {"rows": rows, "warnings": ["few runs are held out"]}
        send({"ranking": ranking})
        send({"controls": controls[:1]})
        send({"result": ranking | {"controls": controls}})


def _row(recording: Recording, unit: str, labels: NDArray[np.bool_]) -> dict[str, Any]:
    values = recording.values(unit)
    auc = _auc(values, labels)
    score = max(auc, 1 - auc)
    return {
        "unit": unit,
        "measure": "auc",
        "held_out": score,
        "low": score - 0.02,
        "high": min(score + 0.02, 1.0),
        "within_position_groups": score - 0.005,
        "q": 0.001,
        "direction": 1 if auc >= 0.5 else -1,
    }


def _auc(values: NDArray[np.float32], labels: NDArray[np.bool_]) -> float:
    ranks = np.empty(len(values))
    ranks[np.argsort(values, kind="stable")] = np.arange(1, len(values) + 1)
    n_true = int(labels.sum())
    if n_true in (0, len(labels)):
        return 0.5
    return float((ranks[labels].sum() - n_true * (n_true + 1) / 2) / (n_true * (len(labels) - n_true)))


def _tile(values: NDArray[Any], query: dict[str, Any]) -> bytes:
    start = int(query["tile"]) * TILE_CHARS
    return values[start : start + TILE_CHARS].tobytes()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    stand_in: StandIn

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that are gone."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        name = {"/": "explorer.html"}.get(address.path, address.path.removeprefix("/page/"))
        files = self.server.stand_in.files
        if not address.path.startswith("/api/") and name in files:
            self._send(200, *files[name])
            return
        self._answer(address.path.removeprefix("/api/"), query)

    def do_POST(self) -> None:
        query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = self.path.removeprefix("/api/")
        if path == "rank":
            self.server.stand_in.asked.append((path, query))
            self._stream(query)
            return
        self._answer(path, query)

    def _answer(self, path: str, query: dict[str, Any]) -> None:
        stand_in = self.server.stand_in
        stand_in.asked.append((path, query))
        time.sleep(stand_in.delay(path, query))
        try:
            if refusal := stand_in.refuses(path, query):
                raise refusal
            answer = stand_in.answer(path, query)
        except RefusalError as refusal:
            self._send(refusal.status, json.dumps({"error": refusal.sentence}).encode(), "application/json")
            return
        if isinstance(answer, bytes):
            self._send(200, answer, "application/octet-stream")
        else:
            self._send(200, json.dumps(answer).encode(), "application/json")

    def _stream(self, query: dict[str, Any]) -> None:
        self._head(200, "application/x-ndjson")

        def send(message: dict[str, Any]) -> None:
            self.wfile.write(json.dumps(message).encode() + b"\n")
            self.wfile.flush()

        self.server.stand_in.ranking(query, send)

    def _send(self, status: int, body: bytes, media_type: str) -> None:
        self._head(status, media_type, len(body))
        self.wfile.write(body)

    def _head(self, status: int, media_type: str, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""
