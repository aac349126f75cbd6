"""Routes of steering: at what units can be held, directions, what a model writes then, and what it loses without."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from activations.value_ranges import value_range
from analyses.targets.labelling import target_of_labels
from hypotheses.registry import get
from probe.explorer.exploration import Exploration
from probe.explorer.guarding import body_of
from probe.explorer.held_model import ours
from probe.explorer.questions.commands import ablation_command
from probe.explorer.requests import MOST_SPELLED_CHARS, Body, RequestError
from probe.explorer.streams import Endpoint, Job, Jobs

if TYPE_CHECKING:  # PyTorch takes seconds to load, and the page is shown without it
    from analyses.causes.directions import Direction
    from probe.steering import WritingOptions

Line = dict[str, Any]
_MOST_KEPT = 32  # directions
_MOST_PROMPT_CHARS = 2_000
_MOST_TEXTS, _MOST_LENGTH, _MOST_MATCHED, _MOST_SEED = 100, 1_000, 20, 1 << 31
_FEWEST_READ, _MOST_READ, _MOST_BESIDE = 200, 100_000, 100  # characters, and matched units, of an ablation
_FACTOR = 4.0  # to either side, where the units have no range


@dataclass(frozen=True, slots=True)
class Added:
    """A direction: that of a hypothesis at a site (None is the last hidden state), or of a kept probe."""

    hypothesis: str
    probe: str
    site: str | None


@dataclass(frozen=True, slots=True)
class SteerRequest:
    """What is changed while the model writes, how much it writes, and by which hypothesis the texts are measured."""

    recording: int
    unit: str
    value: float
    added: Added | None
    measured: str
    n_matched: int
    n_texts: int
    n_chars: int
    prompt: str | None
    temperature: float
    seed: int

    def writing(self) -> "WritingOptions":
        """Return how texts are written."""
        from probe.steering import WritingOptions

        return WritingOptions(
            n_texts=self.n_texts,
            n_chars=self.n_chars,
            prompt=self.prompt,
            temperature=self.temperature,
            seed=self.seed,
        )


@dataclass(frozen=True, slots=True)
class AblateRequest:
    """Which unit is held while the model reads, and by which labels its loss is compared; how these are spelled."""

    recording: int
    unit: str
    labels: str
    hypothesis: str
    n_chars: int
    n_matched: int


def endpoints(exploration: Exploration, jobs: Jobs) -> Mapping[tuple[str, str], Endpoint]:
    """Return the endpoints of steering, by their methods and paths.

    Args:
        exploration: The recordings and their model.
        jobs: Does what they ask, and gives up what nobody waits for any more.
    """
    directions = Directions(exploration)

    async def hold(request: Request) -> Response:
        number, unit = hold_request(await body_of(request.receive))
        return JSONResponse(await jobs.result(lambda job: held_range(exploration, number, unit), request.receive))

    async def direction(request: Request) -> Response:
        number, added = direction_request(await body_of(request.receive))
        return jobs.stream(lambda job: directions.facts(number, added, job))

    async def steer(request: Request) -> Response:
        wanted = steer_request(await body_of(request.receive))
        return jobs.stream(lambda job: steered(exploration, directions, wanted, job))

    async def ablate(request: Request) -> Response:
        wanted = ablate_request(await body_of(request.receive))
        return jobs.stream(lambda job: ablated(exploration, wanted, job))

    return {
        ("POST", "/api/hold"): hold,
        ("POST", "/api/direction"): direction,
        ("POST", "/api/steer"): steer,
        ("POST", "/api/ablate"): ablate,
    }


# ---- What is asked


def hold_request(body: bytes) -> tuple[int, str]:
    """Read of which recording which unit is to be held."""
    fields = Body(body, "recording", "unit")
    return fields.whole("recording"), fields.text("unit")


def direction_request(body: bytes) -> tuple[int, Added]:
    """Read which direction of which recording is meant."""
    fields = Body(body, "recording", "hypothesis", "probe", "site")
    return fields.whole("recording"), _added(fields)


def steer_request(body: bytes) -> SteerRequest:
    """Read a request to write with a unit held, or with a direction added."""
    fields = Body(
        body, "recording", "unit", "value", "hypothesis", "probe", "site", "measured", "prompt", "seed", "temperature",
        "texts", "length", "matched",
    )  # fmt: skip
    is_held = fields.has("unit")
    if is_held == (fields.has("hypothesis") or fields.has("probe")):
        raise RequestError("name a unit that is held, or a direction that is added; one of the two")
    return SteerRequest(
        recording=fields.whole("recording"),
        unit=fields.text("unit") if is_held else "",
        value=fields.number("value"),
        added=None if is_held else _added(fields),
        measured=fields.text("measured", default=""),
        n_matched=fields.whole("matched", 0, _MOST_MATCHED, default=10),
        n_texts=fields.whole("texts", 1, _MOST_TEXTS, default=10),
        n_chars=fields.whole("length", 1, _MOST_LENGTH, default=200),
        prompt=fields.text("prompt", _MOST_PROMPT_CHARS) if fields.has("prompt") else None,
        temperature=fields.number("temperature", 1.0),
        seed=fields.whole("seed", 0, _MOST_SEED),
    )


def ablate_request(body: bytes) -> AblateRequest:
    """Read a request to measure what the model loses without a unit."""
    fields = Body(body, "recording", "unit", "labels", "hypothesis", "chars", "matched")
    return AblateRequest(
        recording=fields.whole("recording"),
        unit=fields.text("unit"),
        labels=fields.text("labels"),
        hypothesis=fields.text("hypothesis", MOST_SPELLED_CHARS, default="").strip(),
        n_chars=fields.whole("chars", _FEWEST_READ, _MOST_READ, default=20_000),
        n_matched=fields.whole("matched", 0, _MOST_BESIDE, default=20),
    )


def _added(fields: Body) -> Added:
    hypothesis, probe = fields.text("hypothesis", default=""), fields.text("probe", default="")
    if bool(hypothesis.strip()) == bool(probe):
        raise RequestError("a direction is that of a hypothesis or of a kept probe; name one of the two")
    return Added(hypothesis, probe, fields.text("site") if fields.has("site") else None)


# ---- What is answered


def held_range(exploration: Exploration, number: int, name: str) -> Line:
    """Return the values at which a unit can be held.

    Raises:
        RequestError: If there is no such unit, or no model that can be steered.
    """
    from probe.explorer.questions.causes.steering import hold_range

    explored = exploration.recording(number)
    unit = explored.unit(name)
    model = ours(exploration.held.check(explored.recording))
    return hold_range(model, unit, explored.levels.scale(unit)).as_json()


class Directions:
    """The directions that were asked for last; threads may share it."""

    def __init__(self, exploration: Exploration) -> None:
        self._exploration = exploration
        self._kept: OrderedDict[tuple[int, Added], Direction] = OrderedDict()

    def of(self, number: int, added: Added, job: Job) -> "Direction":
        """Return a direction, which is found in the whole recording if it is that of a hypothesis.

        Raises:
            RequestError: If no such probe was named at the start.
            HypothesisError: If there is no such hypothesis.
            AnalysisError: If it is not True or False, or never changes.
        """
        from probe.explorer.questions.causes.steering import added_direction

        if added.probe:
            if added.probe not in self._exploration.probes:
                raise RequestError(
                    f"no probe {added.probe!r:.80} was named at the start; start again with --probe and its file", 404
                )
            return self._exploration.probes[added.probe]
        explored = self._exploration.recording(number)
        kept = self._kept.get((number, added))
        if kept is None:
            hypothesis = get(added.hypothesis, files=self._exploration.files)
            kept = added_direction(explored.session, hypothesis, added.site, progress=job.progress)
            self._kept[number, added] = kept
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return kept

    def facts(self, number: int, added: Added, job: Job) -> Line:
        """Return where a direction is, how long, and the factors between which a slider goes."""
        model = ours(self._exploration.held.check(self._exploration.recording(number).recording))
        direction = self.of(number, added, job)
        limits = value_range(direction.site, model.unbounded)
        largest = float(np.abs(direction.vector).max())
        most = _FACTOR
        if limits is not None and largest > 0:
            most = min(_FACTOR, 0.995 * (limits[1] - limits[0]) / largest)
        return {
            "name": str(direction.name),
            "site": str(direction.site),
            "length": float(np.linalg.norm(direction.vector)),
            "low": -most,
            "high": most,
        }


def steered(exploration: Exploration, directions: Directions, wanted: SteerRequest, job: Job) -> Line:
    """Return what a model writes with a change and without; the same without matched changes is said first."""
    from probe.explorer.questions.causes.steering import continuations

    recording = exploration.recording(wanted.recording).recording
    measured = [get(wanted.measured, files=exploration.files)] if wanted.measured.strip() else []
    added = None if wanted.added is None else directions.of(wanted.recording, wanted.added, job)
    with exploration.held.changing(recording, "writing", lambda: job.progress(0, 1)) as model:

        def written(n_matched: int) -> Line:
            return continuations(
                model,
                hold={wanted.unit: wanted.value} if added is None else None,
                add=added,
                factor=wanted.value,
                hypotheses=measured,
                n_matched=n_matched,
                options=wanted.writing(),
                progress=job.progress,
            ).as_json()

        quick = written(0)
        if not wanted.n_matched:
            return quick
        job.part({"quick": quick})
        return written(wanted.n_matched)


def ablated(exploration: Exploration, wanted: AblateRequest, job: Job) -> Line:
    """Return how much worse the model predicts without a unit, and the command that prints the same."""
    from probe.explorer.questions.causes.ablating import loss_without

    explored = exploration.recording(wanted.recording)
    unit, session = explored.unit(wanted.unit), explored.session
    labelled = exploration.labelled(wanted.labels, session)
    target = target_of_labels(session.corpus, labelled.hypothesis, labelled.labels, selection=session.selection)
    with exploration.held.changing(explored.recording, "measuring", lambda: job.progress(0, 1)) as model:
        loss = loss_without(
            explored.recording,
            model,
            unit,
            target,
            n_chars=wanted.n_chars,
            n_matched=wanted.n_matched,
            progress=job.progress,
        )
    spelled = wanted.hypothesis or labelled.hypothesis
    return loss.as_json() | {"command": ablation_command(explored.path, exploration.held.file, spelled, wanted.unit)}
