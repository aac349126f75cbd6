"""One unit: what is known of it at once, then what takes a reading, and last what it answers to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from activations.progress import Progress, steps_of
from analyses.targets.labelling import target_of_labels
from analyses.targets.many_hypotheses import Targets, all_targets
from probe.explorer.exploration import Exploration
from probe.explorer.explored_recording import ExploredRecording
from probe.explorer.guarding import body_of
from probe.explorer.questions import unit_facts
from probe.explorer.questions.plain_values import Answer
from probe.explorer.requests import (
    MOST_NAME_CHARS,
    MOST_POSITION,
    Body,
    Query,
    RequestError,
    id_in,
)
from probe.explorer.streams import ERRORS, Endpoint, Job, Jobs

_LABEL_BYTES = 1 << 25  # of all hypotheses; those of a long text are in temporary files
_SHARES = (1, 2, 2, 6)  # of the time: the unit itself, its neighbours, labels, what it answers to


@dataclass(frozen=True, slots=True)
class UnitRequest:
    """Which unit of which recording is asked about."""

    recording: int
    unit: str


@dataclass(frozen=True, slots=True)
class ProfileRequest:
    """Which unit is to be shown beside which labels."""

    recording: int
    unit: str
    labels: str


def endpoints(exploration: Exploration, questions: Jobs) -> Mapping[tuple[str, str], Endpoint]:
    """Return what answers each method and path of this topic."""
    asked = _AskedUnits(exploration)

    async def tell(request: Request) -> Response:
        wanted = unit_request(request.scope["query_string"])
        recording = exploration.recording(wanted.recording)
        recording.unit(wanted.unit)
        return questions.stream(lambda job: asked.tell(recording, wanted.unit, job))

    async def profile(request: Request) -> Response:
        wanted = profile_request(await body_of(request.receive))
        session = exploration.recording(wanted.recording).session
        labelled = exploration.labelled(wanted.labels, session)

        def work(job: Job) -> dict[str, Any]:
            target = target_of_labels(session.corpus, labelled.hypothesis, labelled.labels, selection=session.selection)
            return unit_facts.profile(session, wanted.unit, target, progress=job.progress).as_json()

        return questions.stream(work)

    return {("GET", "/api/unit"): tell, ("POST", "/api/unit/profile"): profile}


def unit_request(query: bytes) -> UnitRequest:
    """Read a request for what is known of a unit."""
    fields = Query(query).only("recording", "unit")
    return UnitRequest(fields.whole("recording", 0, MOST_POSITION, default=0), fields.text("unit"))


def profile_request(body: bytes) -> ProfileRequest:
    """Read a request for a unit beside labels."""
    fields = Body(body, "recording", "unit", "labels")
    unit, labels = (fields.text(name, MOST_NAME_CHARS) for name in ("unit", "labels"))
    return ProfileRequest(fields.whole("recording"), unit, id_in(labels))


@dataclass(slots=True)
class _AskedUnits:
    """What is asked of units, with what several of them need: the labels of each text."""

    exploration: Exploration
    targets: dict[str, Targets] = field(default_factory=dict)

    def tell(self, recording: ExploredRecording, name: str, job: Job) -> dict[str, Any]:
        """Say what is known of a unit, part by part, the quick ones first; what it answers to is the result."""
        session, unit = recording.session, recording.unit(name)
        reading, beside, labelling, answering = steps_of(job.progress, _SHARES)
        job.part({"unit": str(unit), "gates": list(unit_facts.same_number(session, unit))})
        read = unit_facts.read_unit(session, unit, progress=reading)
        job.part({"distribution": _told(lambda: unit_facts.distribution(read))})
        job.part({"extremes": _told(lambda: unit_facts.extremes(read))})
        job.part({"memory": _told(lambda: unit_facts.memory(read))})
        job.part({"written_by": unit_facts.written_by(read).as_json()})
        job.part({"weights": _told(lambda: self._weights(recording, name))})
        job.part({"nearest": _told(lambda: unit_facts.nearest(read, progress=beside))})

        def answers() -> Answer:
            with self.exploration.alone(labelling):
                made = self._targets(recording, labelling)
                told = unit_facts.answers(read, made.made, progress=answering)
            return replace(told, left_out=made.left_out)

        return {"answers": _told(answers)}

    def _targets(self, recording: ExploredRecording, progress: Progress) -> Targets:
        """Return the labels of all hypotheses for a text, which are made once."""
        key = recording.session.corpus.sha256 + recording.name
        if key not in self.targets:
            self.targets[key] = all_targets(
                recording.session,
                notice=lambda sentence: None,
                memory_bytes=_LABEL_BYTES,
                progress=lambda done, total, note: progress(done, total),
            )
        return self.targets[key]

    def _weights(self, recording: ExploredRecording, name: str) -> Answer:
        """Return the weights of a unit.

        Raises:
            RequestError: If there is none, or it is one of the user's own.
        """
        from activations.models.char_rnn import CharRNN
        from probe.explorer.questions.unit_weights import unit_weights

        model = self.exploration.held.check(recording.recording)
        if not isinstance(model, CharRNN):
            raise RequestError("a model of your own computes its steps itself, so that its weights are not known here")
        return unit_weights(model, name)


def _told(question: Callable[[], Answer]) -> dict[str, Any]:
    """Return an answer, or a sentence that says why there is none."""
    try:
        return question().as_json()
    except ERRORS as error:
        return {"sentence": str(error)}
