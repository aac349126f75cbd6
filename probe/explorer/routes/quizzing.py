"""The quiz: passages of an unnamed unit, the scores of guesses, and then its name."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from activations.errors import ActivationError
from activations.progress import Progress
from activations.units import Unit
from analyses.ranking.explaining.one_unit import OneUnit
from analyses.targets.labelling import target_of_labels
from probe.explorer.exploration import Exploration
from probe.explorer.explored_recording import ExploredRecording
from probe.explorer.guarding import body_of
from probe.explorer.notes import MOST_CHARS, NotesError, NotesFile
from probe.explorer.questions.quizzing import drawn_unit, guess_score, quiz_question, well_known_units
from probe.explorer.questions.unit_facts import read_unit
from probe.explorer.requests import MOST_SPELLED_CHARS as MOST_GUESS_CHARS
from probe.explorer.requests import Body, LabelsRequest, RequestError
from probe.explorer.streams import Endpoint, Job, Jobs

WELL_KNOWN = ""
"""What units are drawn from in place of the name of a list: those that follow hypotheses which people know."""
_WAIT_S = 0.1  # until it is looked whether somebody still waits
_MOST_READ = 4  # units that are held in memory


@dataclass(frozen=True, slots=True)
class QuizRequest:
    """Which question of the quiz is meant: units of a recording, a list of its notes, and the number of the draw."""

    recording: int
    list: str
    seed: int


@dataclass(frozen=True, slots=True)
class GuessRequest:
    """What is guessed, as a hypothesis is spelled."""

    question: QuizRequest
    guess: str


def endpoints(exploration: Exploration, questions: Jobs) -> Mapping[tuple[str, str], Endpoint]:
    """Return what answers each method and path of this topic."""
    quiz = _Quiz(exploration)

    async def ask(request: Request) -> Response:
        wanted = quiz_request(await body_of(request.receive))
        exploration.recording(wanted.recording)
        return questions.stream(lambda job: quiz.ask(wanted, job))

    async def guess(request: Request) -> Response:
        wanted = guess_request(await body_of(request.receive))
        exploration.recording(wanted.question.recording)
        return questions.stream(lambda job: quiz.score(wanted, job))

    async def reveal(request: Request) -> Response:
        wanted = quiz_request(await body_of(request.receive))
        exploration.recording(wanted.recording)
        result = await questions.result(lambda job: quiz.reveal(wanted, job), request.receive)
        return JSONResponse(result)

    return {("POST", "/api/quiz"): ask, ("POST", "/api/quiz/guess"): guess, ("POST", "/api/quiz/reveal"): reveal}


def quiz_request(body: bytes) -> QuizRequest:
    """Read which question is meant."""
    return _question(Body(body, "recording", "list", "seed"))


def guess_request(body: bytes) -> GuessRequest:
    """Read what is guessed."""
    fields = Body(body, "recording", "list", "seed", "guess")
    guess = fields.text("guess", MOST_GUESS_CHARS)
    if not guess.strip():
        raise RequestError("the guess is empty; type a hypothesis, such as in_quotes, or a /pattern/")
    return GuessRequest(_question(fields), guess)


def _question(fields: Body) -> QuizRequest:
    return QuizRequest(fields.whole("recording"), fields.text("list", MOST_CHARS["list"]), fields.whole("seed"))


class _Quiz:
    """The units that questions are about; several threads may ask."""

    def __init__(self, exploration: Exploration) -> None:
        self._exploration = exploration
        self._lock, self._finding, self._reading = Lock(), Lock(), Lock()
        self._well_known: dict[int, tuple[Unit, ...]] = {}
        self._drawn: OrderedDict[QuizRequest, tuple[Unit, int]] = OrderedDict()
        self._read: OrderedDict[tuple[int, Unit], OneUnit] = OrderedDict()

    def ask(self, wanted: QuizRequest, job: Job) -> dict[str, Any]:
        """Draw a unit, and return passages of it."""
        recording = self._exploration.recording(wanted.recording)
        unit, n_units = self._unit(wanted, job.progress)
        return quiz_question(recording.session, recording.levels, unit, n_units=n_units).as_json()

    def score(self, wanted: GuessRequest, job: Job) -> dict[str, Any]:
        """Score a guess."""
        number = wanted.question.recording
        recording = self._exploration.recording(number)
        session = recording.session
        unit, _ = self._unit(wanted.question, job.progress)
        labelled = self._exploration.label(LabelsRequest(number, wanted.guess))
        target = target_of_labels(session.corpus, labelled.hypothesis, labelled.labels, selection=session.selection)
        score = guess_score(self._one_unit(number, recording, unit, job.progress), target)
        return score | {"warnings": list(dict.fromkeys([*labelled.warnings, *score["warnings"]]))}

    def reveal(self, wanted: QuizRequest, job: Job) -> dict[str, Any]:
        """Return the name of the unit."""
        unit, _ = self._unit(wanted, job.progress)
        return {"unit": str(unit)}

    def _unit(self, wanted: QuizRequest, progress: Progress) -> tuple[Unit, int]:
        """Return the unit of a question, and from how many it was drawn; the same as long as the server runs."""
        with self._lock:
            if wanted in self._drawn:
                return self._drawn[wanted]
        units = self._units(wanted, progress)
        drawn = drawn_unit(units, wanted.seed), len(units)
        with self._lock:
            self._drawn[wanted] = drawn
            while len(self._drawn) > 1000:
                self._drawn.popitem(last=False)
        return drawn

    def _units(self, wanted: QuizRequest, progress: Progress) -> tuple[Unit, ...]:
        recording = self._exploration.recording(wanted.recording)
        if wanted.list != WELL_KNOWN:
            return _listed(recording, wanted.list)
        with _held(self._finding, progress):
            if wanted.recording not in self._well_known:
                units = well_known_units(recording.session, recording.levels, progress)
                if not units:
                    raise RequestError(
                        "no unit of this recording follows one of the hypotheses that people know; make a list of "
                        "units in Keep, and choose it"
                    )
                self._well_known[wanted.recording] = units
        return self._well_known[wanted.recording]

    def _one_unit(self, number: int, recording: ExploredRecording, unit: Unit, progress: Progress) -> OneUnit:
        """Return a source with one unit, which is read unless one of the last few was this."""
        key = number, unit
        with _held(self._reading, progress):
            if key not in self._read:
                self._read[key] = read_unit(recording.session, unit, progress=progress).one_unit
            self._read.move_to_end(key)
            while len(self._read) > _MOST_READ:
                self._read.popitem(last=False)
            return self._read[key]


@contextmanager
def _held(lock: Lock, progress: Progress) -> Iterator[None]:
    """Hold a lock, which is waited for only as long as somebody waits for the answer."""
    while not lock.acquire(timeout=_WAIT_S):
        progress(0, 1)
    try:
        yield
    finally:
        lock.release()


def _listed(recording: ExploredRecording, name: str) -> tuple[Unit, ...]:
    """Return the units of a list that this recording has.

    Raises:
        RequestError: If there is no such list, or it has none.
    """
    try:
        lists = NotesFile(recording.path).read().lists
    except NotesError as error:
        raise RequestError(str(error)) from error
    units = []
    for spelled in lists.get(name, ()):
        try:
            units.append(recording.unit(spelled))
        except (RequestError, ActivationError):
            continue  # of another model
    if not units:
        raise RequestError(f"there is no list {name!r} with units of this recording; choose another one", 404)
    return tuple(units)
