"""Painted passages: which units switch there, where else they do, and the file that keeps them."""

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from activations.progress import steps_of
from probe.explorer.exploration import Exploration
from probe.explorer.explored_recording import ExploredRecording
from probe.explorer.guarding import body_of
from probe.explorer.questions.painted import MOST_SPANS, painted, save_selection, table_of_selection
from probe.explorer.questions.selecting import against_text, contrast
from probe.explorer.questions.similar_passages import MOST_UNITS, similar_passages
from probe.explorer.requests import (
    MOST_NAME_CHARS,
    MOST_POSITION,
    Body,
    RequestError,
    in_bounds,
)
from probe.explorer.streams import Endpoint, Job, Jobs

Spans = list[list[int]]
_FILE_NAME = re.compile(r"\w[\w .+-]{0,95}\.csv")
_SHARES = (0.3, 0.7)  # of the time: compared with the text around, and with the whole text


@dataclass(frozen=True, slots=True)
class SelectionRequest:
    """Which passages of which recording are painted."""

    recording: int
    spans: Spans


@dataclass(frozen=True, slots=True)
class ElsewhereRequest:
    """Which passages are painted, and which units are to be on elsewhere."""

    painted: SelectionRequest
    units: list[str]


@dataclass(frozen=True, slots=True)
class SaveRequest:
    """Which passages are to be kept, under which name, and whether a file of that name may be replaced."""

    painted: SelectionRequest
    name: str
    overwrite: bool


def endpoints(exploration: Exploration, questions: Jobs) -> Mapping[tuple[str, str], Endpoint]:
    """Return what answers each method and path of this topic."""

    async def compare(request: Request) -> Response:
        wanted = selection_request(await body_of(request.receive))
        return questions.stream(lambda job: _compared(exploration.recording(wanted.recording), wanted.spans, job))

    async def look_elsewhere(request: Request) -> Response:
        wanted = elsewhere_request(await body_of(request.receive))
        session = exploration.recording(wanted.painted.recording).session
        return questions.stream(
            lambda job: similar_passages(session, wanted.painted.spans, wanted.units, progress=job.progress).as_json()
        )

    async def save(request: Request) -> Response:
        wanted = save_request(await body_of(request.receive))
        recording = exploration.recording(wanted.painted.recording)
        return JSONResponse(await asyncio.to_thread(_saved, recording, wanted))

    return {
        ("POST", "/api/selection"): compare,
        ("POST", "/api/selection/elsewhere"): look_elsewhere,
        ("POST", "/api/selection/save"): save,
    }


def selection_request(body: bytes) -> SelectionRequest:
    """Read a request that is about painted passages alone."""
    return _selection(Body(body, "recording", "spans"))


def elsewhere_request(body: bytes) -> ElsewhereRequest:
    """Read a request for other passages in which units do the same."""
    fields = Body(body, "recording", "spans", "units")
    units = fields.texts("units", MOST_UNITS)
    if not units:
        raise RequestError(f"there are no units; name 1 to {MOST_UNITS} of them")
    return ElsewhereRequest(_selection(fields), units)


def save_request(body: bytes) -> SaveRequest:
    """Read a request to keep painted passages."""
    fields = Body(body, "recording", "spans", "name", "overwrite")
    name = fields.text("name", MOST_NAME_CHARS)
    if not _FILE_NAME.fullmatch(name):
        raise RequestError(
            f"{name!r:.120} cannot be the name of the file; use up to 100 letters, digits and ._+-, ending with .csv"
        )
    return SaveRequest(_selection(fields), name, fields.flag("overwrite"))


def _selection(fields: Body) -> SelectionRequest:
    return SelectionRequest(fields.whole("recording"), [_span(span) for span in fields.items("spans", MOST_SPANS)])


def _span(span: Any) -> list[int]:
    if not isinstance(span, list) or len(span) != 2 or any(type(end) is not int for end in span):
        raise RequestError(f"{span!r:.50} is no passage; give where it begins, and one past where it ends")
    return [in_bounds("the end of a passage", end, 0, MOST_POSITION) for end in span]


def _compared(recording: ExploredRecording, spans: Spans, job: Job) -> dict[str, Any]:
    """Compare the units inside with those around, at once without controls, then with them, and with the whole text."""
    session = recording.session
    around, whole = steps_of(job.progress, _SHARES)
    job.part({"quick": contrast(session, spans, n_controls=0).as_json()})
    job.part({"contrast": contrast(session, spans, progress=around).as_json()})
    return {"against_text": against_text(session, spans, progress=whole).as_json()}


def _saved(recording: ExploredRecording, wanted: SaveRequest) -> dict[str, Any]:
    """Keep painted passages beside the recording, or say why that cannot be, with what the file would have."""
    corpus, spans = recording.session.corpus, wanted.painted.spans
    painted(corpus, spans)
    path = recording.folder / wanted.name
    if not os.access(recording.folder, os.W_OK):
        sentence = f"nothing can be written into {recording.folder}; download the file, and put it where you like"
        return {"unwritable": sentence, "name": wanted.name, "content": table_of_selection(corpus, spans)}
    if path.exists() and not wanted.overwrite:
        return {"exists": f"there is a file {path} already; replace it, or choose another name"}
    return {"saved": save_selection(corpus, spans, path, overwrite=wanted.overwrite).as_json()}
