"""A session: several analyses of one source, with the shared work cached."""

from collections.abc import Callable, Collection, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import wraps
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source
from activations.lazy_activations import NamedActivations
from activations.progress import Advance, Progress, no_advance, no_progress
from activations.site_names import AnySites, resolve_sites
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site
from analyses.errors import AnalysisError
from analyses.levels.columns import DEFAULT_LIMITS, REMEMBERED_BYTES, LevelReader, ReadingLimits
from analyses.threads import ReentrantLock, one_thread_each

if TYPE_CHECKING:
    from activations.recordings.recording import Recording

AnySource = Source | Path | str
"""A recording, live activations, a session of either, or the path of a recording."""
P = ParamSpec("P")
Result = TypeVar("Result")
_LIVE_LOCK = ReentrantLock()  # for all sessions: how many threads torch takes is one number for the whole process


class Session(NamedActivations):
    """A source for several questions, which remembers what these have in common.

    It is a source itself: every analysis takes it in place of the recording or the live activations that it is made
    of. A question that finds bins for activations in float32, or turns all activations of some units into levels,
    leaves these for the next ones. Several threads may use it at the same time, and get the same results as one after
    another; a live source is read by one of them at a time.

        with probe.Session("activations.h5") as session:
            print(probe.rank(session, "in_quotes"))
            print(probe.rank(session, "in_comment"))

    Attributes:
        source: The recording or live activations.
        memory_bytes: The most memory that the cache may take.
    """

    def __init__(
        self, source: AnySource, *, memory_bytes: int = REMEMBERED_BYTES, limits: ReadingLimits = DEFAULT_LIMITS
    ) -> None:
        """Start a session for a source.

        Args:
            source: A recording, live activations, or the path of a recording, which is then opened, and closed with the
                session.
            memory_bytes: The most memory that the cache may take. Levels take two
                bytes for each unit and character, and are remembered if those of all units fit; with less memory the
                results are the same.
            limits: What is read and counted together.

        Raises:
            ActivationError: If there is no recording at a path, or it cannot be read.
            AnalysisError: If it is no source, or its rows are not characters.
        """
        self._levels: LevelReader | None = None
        self._interventions: object = ()
        if not isinstance(source, Path | str) and not hasattr(source, "blocks"):
            raise AnalysisError(
                f"{source!r:.80} is not a source of activations; give a recording, its path, or live activations"
            )
        self._opened = _opened(source) if isinstance(source, Path | str) else None
        self.source: Source = self._opened or cast(Source, source)
        if getattr(self.source, "tokens", None) is not None:
            self.close()
            raise AnalysisError(
                "the rows of this recording are tokens, and not characters; analyses of tokens are not built yet"
            )
        self.memory_bytes = memory_bytes
        self._limits = limits
        self._reading_lock = _LIVE_LOCK if self.source.is_live else ReentrantLock()
        self._n_questions, self._lock = 0, Lock()

    @classmethod
    def of(cls, source: AnySource) -> "Session":
        """Return the source itself if it is a session, or a new session of it."""
        return source if isinstance(source, Session) else cls(source)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Empty the cache, and close the recording if this session opened it."""
        self._levels = None
        if self._opened is not None:
            self._opened.close()

    @contextmanager
    def answering(self) -> Iterator[Self]:
        """Answer a question in this block.

        Several may go on at once; what exceeds the memory set aside is kept until the last of them has ended.
        Matrix products take one thread each meanwhile, so that sums do not depend on what else is asked.
        """
        with self._lock:
            self._n_questions += 1
        try:
            with one_thread_each(), self._reading_lock.released_on_exit():
                yield self
        finally:
            with self._lock:
                self._n_questions -= 1
                if not self._n_questions and self._levels is not None:
                    self._levels.forget_too_much()

    @property
    def levels(self) -> LevelReader:
        """The reader of the levels of its units, as they are with the interventions that act on the model now."""
        interventions = getattr(self.source, "interventions", ())
        if (levels := self._levels) is None or self._interventions != interventions:
            with self._reading_lock.held():  # a live model may have to read some of the text for the number types
                levels = self._levels if self._interventions == interventions else None
                levels = self._levels = levels or LevelReader(self, self.memory_bytes, self._reading_lock, self._limits)
                self._interventions = interventions
        return levels

    @property
    def n_bytes(self) -> int:
        """The memory that the cache takes."""
        return 0 if self._levels is None else self._levels.n_bytes

    @property
    def corpus(self) -> Corpus:
        """The text; see `Source`, as for all that follows."""
        return self.source.corpus

    @property
    def vocabulary(self) -> Vocabulary:
        """The characters of the model."""
        return self.source.vocabulary

    @property
    def reading_rule(self) -> ReadingRule:
        """The rule by which the model reads the text."""
        return self.source.reading_rule

    @property
    def selection(self) -> Selection:
        """The characters of the text that the source gives."""
        return self.source.selection

    @property
    def sites(self) -> Mapping[Site, int]:
        """The number of units of each site."""
        return self.source.sites

    @property
    def is_live(self) -> bool:
        """True if activations are computed anew each time they are read."""
        return self.source.is_live

    @property
    def model_sha256(self) -> str:
        """The hash of the model in hexadecimal."""
        return self.source.model_sha256

    def dtype(self, site: Site) -> np.dtype[Any]:
        """Return the dtype of a site's activations; a live model may have to read some of the text for it."""
        with self._reading():
            return self.source.dtype(site)

    def blocks(self, sites: AnySites | None = None, *, predictions: bool = False) -> Generator[Block, None, None]:
        """Yield every character once; other threads do not read a live source until the iterator ends or is closed."""
        with self._reading():
            yield from self.source.blocks(resolve_sites(self.sites, sites), predictions=predictions)

    def read(self, sites: AnySites, start: int = 0, stop: int | None = None) -> dict[Site, NDArray[Any]]:
        """Return activations of sites at the characters of a passage."""
        with self._reading():
            return self.source.read(resolve_sites(self.sites, sites), start, stop)

    def read_predictions(
        self, kinds: Collection[str] | None = None, start: int = 0, stop: int | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return the model's predictions after the characters of a passage."""
        with self._reading():
            return self.source.read_predictions(kinds, start, stop)

    def sample(
        self, sites: Collection[Site], n_chars: int, advance: Advance = no_advance
    ) -> dict[Site, NDArray[np.float32]]:
        """Return activations at about `n_chars` characters from all over the text."""
        with self._reading():
            return self.source.sample(sites, n_chars, advance)

    @contextmanager
    def rereadable(self, sites: Collection[Site], progress: Progress = no_progress) -> Iterator["Session"]:
        """Yield this session, or a session of a scratch recording of a live source."""
        with ExitStack() as stack:
            with self._reading():
                recording = stack.enter_context(self.source.rereadable(sites, progress))
            yield (
                self
                if recording is self.source
                else stack.enter_context(Session(recording, memory_bytes=self.memory_bytes))
            )

    def _reading(self) -> AbstractContextManager[None]:
        return self._reading_lock.held() if self.is_live else nullcontext()


def _opened(path: Path | str) -> "Recording":
    from activations.recordings.recording import Recording

    return Recording(path)


def question(
    analysis: Callable[Concatenate[Source, P], Result],
) -> Callable[Concatenate[AnySource, P], Result]:
    """Turn an analysis, whose first argument is a source, into a question of a session.

    The analysis gets a session in place of the source: the source itself if it is one, or a new one for this question.
    The source may also be the path of a recording, which is then open for as long as the question takes.
    """

    @wraps(analysis)
    def answer(source: AnySource, *arguments: P.args, **options: P.kwargs) -> Result:
        with ExitStack() as stack:
            session = Session.of(source)
            if session is not source:
                stack.enter_context(session)
            stack.enter_context(session.answering())
            return analysis(session, *arguments, **options)

    return cast(Callable[Concatenate[AnySource, P], Result], answer)
