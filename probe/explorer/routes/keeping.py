"""What is kept: notes beside the recording, commands for what is shown, and the text as a picture or a page."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from probe.explorer.exploration import Exploration
from probe.explorer.explored_recording import ExploredRecording
from probe.explorer.guarding import body_of
from probe.explorer.notes import MOST_CHARS, ChangedElsewhereError, ListChange, NotesError, NotesFile, TextChange
from probe.explorer.questions.commands import Shown, spelled
from probe.explorer.requests import (
    MOST_NAME_CHARS,
    MOST_POSITION,
    Body,
    LabelsRequest,
    Query,
    RequestError,
    in_bounds,
)
from probe.explorer.streams import Endpoint, Jobs
from probe.viewer.making import text_view
from probe.viewer.widget import save_view

_MOST_CHARS = {"png": 4_000, "svg": 4_000, "html": 200_000}  # of the text in a file
_MEDIA_TYPES = {"png": "image/png", "svg": "image/svg+xml", "html": "text/html; charset=utf-8"}
_MOST_RECORDINGS, _MOST_TRACKS = 2, 4
_SHOWN = ("recordings", "unit", "units", "hypothesis", "labelled", "loss", "guesses", "span")
_DRAWING = Lock()  # matplotlib is for one thread at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRequest:
    """What the page shows, as `Shown` has it, with recordings by their numbers."""

    recordings: list[int]
    unit: str
    units: list[str]
    hypothesis: str
    is_labelled: bool
    loss: bool
    guesses: bool
    span: tuple[int, int]


def endpoints(exploration: Exploration, questions: Jobs) -> Mapping[tuple[str, str], Endpoint]:
    """Return what answers each method and path of this topic."""
    files = [NotesFile(recording.path, recording.model_sha256) for recording in exploration.recordings]

    def notes_of(number: int) -> tuple[ExploredRecording, NotesFile]:
        return exploration.recording(number), files[number]

    async def read_notes(request: Request) -> Response:
        number = Query(request.scope["query_string"]).only("recording").whole("recording", 0, MOST_POSITION, default=0)
        _, file = notes_of(number)
        return JSONResponse(await run_in_threadpool(file.facts))

    async def write_notes(request: Request) -> Response:
        body = await body_of(request.receive)
        return JSONResponse(await run_in_threadpool(lambda: _written(body, notes_of)))

    async def tell_commands(request: Request) -> Response:
        wanted = shown_request(await body_of(request.receive))
        return JSONResponse({"commands": [one.as_json() for one in spelled(_shown(exploration, wanted))]})

    async def save(request: Request) -> Response:
        fields = Body(await body_of(request.receive), *_SHOWN, "format")
        ending = fields.choice("format", _MEDIA_TYPES)
        wanted = _shown_request(fields)
        saved = await questions.result(lambda job: {"bytes": _saved(exploration, wanted, ending)}, request.receive)
        headers = {"Content-Disposition": f'attachment; filename="{_file_name(exploration, wanted, ending)}"'}
        return Response(saved.get("bytes", b""), media_type=_MEDIA_TYPES[ending], headers=headers)

    return {
        ("GET", "/api/notes"): read_notes,
        ("PUT", "/api/notes"): write_notes,
        ("POST", "/api/commands"): tell_commands,
        ("POST", "/api/save"): save,
    }


def _written(body: bytes, notes_of: Any) -> dict[str, Any]:
    """Change notes as a request says, and return what is kept then."""
    fields = Body(body, "recording", "unit", "field", "before", "after", "list", "is_in")
    recording, file = notes_of(fields.whole("recording"))
    unit = recording.unit(fields.text("unit", MOST_NAME_CHARS))
    change: TextChange | ListChange
    if fields.has("list"):
        change = ListChange(fields.text("list", 2 * MOST_CHARS["list"]), unit, fields.flag("is_in"))
    else:
        field = fields.choice("field", ("name", "note"))
        before, after = (fields.text(name, 2 * MOST_CHARS["note"]) for name in ("before", "after"))
        change = TextChange(unit, "name" if field == "name" else "note", before, after)
    try:
        file.change(change)
    except ChangedElsewhereError as error:
        raise RequestError(str(error), 409) from error
    except NotesError as error:
        raise RequestError(str(error)) from error
    facts: dict[str, Any] = file.facts()
    return facts


# ---- What is shown


def shown_request(body: bytes) -> ShownRequest:
    """Read a request that says what the page shows."""
    return _shown_request(Body(body, *_SHOWN))


def _shown_request(fields: Body) -> ShownRequest:
    recordings, span = fields.wholes("recordings", _MOST_RECORDINGS), fields.wholes("span", 2)
    if len(span) != 2 or not recordings:
        raise RequestError("name at least one of the recordings, and as span where the text begins and ends")
    start, stop = span
    if start >= stop:
        raise RequestError(f"the characters {start:,} to {stop:,} are none; give a span with at least one")
    return ShownRequest(
        recordings=recordings,
        unit=fields.text("unit", MOST_NAME_CHARS),
        units=fields.texts("units", _MOST_TRACKS),
        hypothesis=fields.text("hypothesis"),
        is_labelled=fields.flag("labelled"),
        loss=fields.flag("loss"),
        guesses=fields.flag("guesses"),
        span=(start, stop),
    )


def _shown(exploration: Exploration, wanted: ShownRequest) -> Shown:
    """Return what is shown, of the recordings that have the text of the first one.

    Raises:
        RequestError: If there is no such recording, unit or character.
    """
    recordings = [exploration.recording(number) for number in wanted.recordings]
    first = recordings[0]
    in_bounds("the end of the span", wanted.span[1], 1, first.n_chars)
    alike = [one for one in recordings if one.session.corpus.sha256 == first.session.corpus.sha256]
    return Shown(
        recordings=[recording.path for recording in alike],
        unit=str(first.unit(wanted.unit)),
        units=[str(first.unit(unit)) for unit in wanted.units],
        hypothesis=wanted.hypothesis.strip(),
        is_labelled=wanted.is_labelled and bool(wanted.hypothesis.strip()),
        loss=wanted.loss,
        guesses=wanted.guesses,
        span=wanted.span,
    )


# ---- Files


def _saved(exploration: Exploration, wanted: ShownRequest, ending: str) -> bytes:
    """Return what is shown as a file: a picture, or a page that needs nothing else.

    Raises:
        RequestError: If the text is too long for it.
        AnalysisError: If it cannot be drawn.
    """
    shown = _shown(exploration, wanted)
    start, stop = shown.span
    if stop - start > _MOST_CHARS[ending]:
        raise RequestError(
            f"{stop - start:,} characters are too many for a file of this kind, which holds {_MOST_CHARS[ending]:,}; "
            "select fewer"
        )
    alike = [exploration.recording(number) for number in wanted.recordings][: len(shown.recordings)]
    labels = []
    if shown.is_labelled:
        made = exploration.label(LabelsRequest(wanted.recordings[0], shown.hypothesis))
        labels.append((made.hypothesis, made.labels))
    names = [recording.name for recording in alike]
    with _DRAWING, TemporaryDirectory() as folder:
        view = text_view(
            {name: recording.session for name, recording in zip(names, alike, strict=True)},
            units=shown.units,
            hypotheses=labels,
            loss=shown.loss,
            guesses=shown.guesses,
            span=shown.span,
        )
        path = Path(folder) / f"view.{ending}"
        save_view(view, path)
        return path.read_bytes()


def _file_name(exploration: Exploration, wanted: ShownRequest, ending: str) -> str:
    """Return a name that every system takes, such as `activations 0-cell-12 100-900.png`."""
    start, stop = wanted.span
    said = f"{exploration.recording(wanted.recordings[0]).name} {wanted.unit.replace('/', '-')} {start}-{stop}"
    return f"{re.sub('[^A-Za-z0-9_. -]', '_', said)}.{ending}"
