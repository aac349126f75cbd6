"""Routes of typed text: what the model makes of it, what a prediction depends on, and what one character changes."""

import math
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from activations.progress import Progress, no_progress
from activations.units import Site, Unit
from analyses.errors import AnalysisError
from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import Hypothesis
from hypotheses.registry import get
from probe.explorer.exploration import Exploration
from probe.explorer.explored_recording import ExploredRecording
from probe.explorer.guarding import body_of
from probe.explorer.held_model import AnyModel
from probe.explorer.questions.plain_values import plain, scale_as_json
from probe.explorer.requests import Body
from probe.explorer.sidecar.site_scales import SiteScales
from probe.explorer.streams import Endpoint, Job, Jobs
from probe.viewer.scales import HIGHEST, Scale

if TYPE_CHECKING:  # PyTorch takes seconds to load, and the page is shown without it
    from probe.explorer.questions.trying import Tried

Line = dict[str, Any]
_MOST_CHARS = 20_000  # of a text, as of `questions.trying`
_MOST_UNITS = 4


def endpoints(exploration: Exploration, typing: Jobs) -> Mapping[tuple[str, str], Endpoint]:
    """Return the endpoints of typed text, by their methods and paths.

    Args:
        exploration: The recordings and their model.
        typing: Reads what is typed, which does not wait for long questions.
    """

    def answered(read: Callable[[bytes], Any], answer: Callable[[Any, Job], Line]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            wanted = read(await body_of(request.receive))

            def work(job: Job) -> Line:
                return answer(wanted, job)

            return JSONResponse(await typing.result(work, request.receive))

        return endpoint

    return {
        ("POST", "/api/model"): answered(model_request, lambda number, job: model_facts(exploration, number)),
        ("POST", "/api/try"): answered(try_request, lambda wanted, job: tried(exploration, wanted)),
        ("POST", "/api/depends"): answered(depends_request, lambda wanted, job: dependence(exploration, wanted)),
        ("POST", "/api/change"): answered(
            change_request, lambda wanted, job: change(exploration, wanted, job.progress)
        ),
    }


# ---- What is asked


@dataclass(frozen=True, slots=True)
class TryRequest:
    """The typed text, and which units and which hypothesis (none if it is empty) are to be shown in it."""

    recording: int
    text: str
    units: tuple[str, ...]
    hypothesis: str


@dataclass(frozen=True, slots=True)
class CharacterRequest:
    """A character of a typed text: after which a prediction is made, or which is changed to another one."""

    recording: int
    text: str
    position: int
    character: str | None


def model_request(body: bytes) -> int:
    """Read of which recording the model is meant."""
    return Body(body, "recording").whole("recording")


def try_request(body: bytes) -> TryRequest:
    """Read a request to read a typed text."""
    fields = Body(body, "recording", "text", "units", "hypothesis")
    units = tuple(dict.fromkeys(fields.texts("units", _MOST_UNITS)))
    text, hypothesis = fields.text("text", _MOST_CHARS), fields.text("hypothesis", default="")
    return TryRequest(fields.whole("recording"), text, units, hypothesis)


def depends_request(body: bytes) -> CharacterRequest:
    """Read a request for what a prediction depends on."""
    fields = Body(body, "recording", "text", "position", "character")
    character = fields.text("character") if fields.has("character") else None
    return _character_request(fields, character)


def change_request(body: bytes) -> CharacterRequest:
    """Read a request to change a character."""
    fields = Body(body, "recording", "text", "position", "character")
    return _character_request(fields, fields.text("character"))


def _character_request(fields: Body, character: str | None) -> CharacterRequest:
    text = fields.text("text", _MOST_CHARS)
    return CharacterRequest(fields.whole("recording"), text, fields.whole("position"), character)


# ---- What is answered


def model_facts(exploration: Exploration, number: int) -> Line:
    """Return what the page has to know of the model of a recording, which is loaded now.

    Raises:
        RequestError: If there is none; the sentence says how to start with one.
    """
    from activations.models.char_rnn import CharRNN

    recording = exploration.recording(number).recording
    model = exploration.held.check(recording)
    return {
        "is_ours": isinstance(model, CharRNN),
        "backwards": recording.reading_rule.backwards,
        "probes": [
            {"name": name, "title": str(direction.name), "site": str(direction.site)}
            for name, direction in exploration.probes.items()
        ],
    }


def tried(exploration: Exploration, wanted: TryRequest) -> Line:
    """Return levels of some units at each character of a typed text, with predictions and labels."""
    from probe.explorer.questions.trying import try_text

    explored = exploration.recording(wanted.recording)
    units = [explored.unit(name) for name in wanted.units]
    scales = {unit: explored.levels.scale(unit) for unit in units}
    hypothesis, wrong = _hypothesis(exploration, wanted.hypothesis)
    with exploration.held.reading(explored.recording) as model:
        answer = try_text(model, wanted.text, scales, hypotheses=hypothesis)
        loss_scale = scale_of_losses(model)
    return _shown(answer, scales, loss_scale) | {"labels": _labels(answer, wanted.hypothesis, wrong)}


def _shown(answer: "Tried", scales: Mapping[Unit, Scale], loss_scale: Scale) -> Line:
    shown: Line = {
        "n_chars": answer.n_chars,
        "units": {
            str(unit): {"levels": answer.levels[unit], "scale": scale_as_json(scale)} for unit, scale in scales.items()
        },
        "losses": answer.losses,
        "loss": {"levels": loss_scale.levels(answer.losses), "scale": scale_as_json(loss_scale)},
        "guessed": answer.guessed,
        "guess_ids": answer.guess_ids,
        "guess_levels": answer.guess_levels,
        "notes": answer.notes,
    }
    return cast(Line, plain(shown))


def _labels(answer: "Tried", name: str, wrong: str) -> Line | None:
    if not name.strip():
        return None
    if wrong:
        return {"name": name, "levels": "", "scale": None, "error": wrong}
    return answer.labels[0].as_json()


def _hypothesis(exploration: Exploration, spelled: str) -> tuple[list[Hypothesis], str]:
    """Return the hypothesis of a name, from no other files than those that were named; or what is wrong with it."""
    if not spelled.strip():
        return [], ""
    try:
        return [get(spelled, files=exploration.files)], ""
    except (HypothesisError, AnalysisError) as error:
        return [], str(error)


def dependence(exploration: Exploration, wanted: CharacterRequest) -> Line:
    """Return on which characters the prediction after a character depends."""
    from probe.explorer.questions.changing import depends

    with exploration.held.reading(exploration.recording(wanted.recording).recording) as model:
        return depends(model, wanted.text, wanted.position, wanted.character).as_json()


def change(exploration: Exploration, wanted: CharacterRequest, progress: Progress = no_progress) -> Line:
    """Return what changes if one character of a typed text is another one."""
    from probe.explorer.questions.changing import changed

    explored = exploration.recording(wanted.recording)
    scales = scales_of(explored, explored.session.sites)
    with exploration.held.reading(explored.recording) as model:
        return changed(model, wanted.text, wanted.position, wanted.character or "", scales, progress=progress).as_json()


def scales_of(explored: ExploredRecording, sites: Container[Site]) -> dict[Site, SiteScales]:
    """Return the scales of sites, with which typed text has the colours of the recording."""
    return {site: explored.levels.site_scales(site) for site in explored.session.sites if site in sites}


def scale_of_losses(model: AnyModel) -> Scale:
    """Return the scale of losses in nats: the colour is full where all characters would be as probable as each other.

    It does not depend on the text, so that colours stay as they are while one types.
    """
    chance = max(math.log(len(model.vocabulary)), 0.1)
    return Scale(kind="sequential", offset=0.0, step=2 * chance / HIGHEST, gain=2.0)
