"""The sources of a command's activations: recordings, or a model that reads a text now."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from probe.cli.options import ModelOption, TextOption
from probe.cli.reading import ReadingOptions
from probe.cli.words import Subjects

if TYPE_CHECKING:
    from activations.reading.live import LiveActivations
    from analyses.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions(ReadingOptions):
    """Options of a model that reads a text now, in place of a recording."""

    model: ModelOption = None
    text: TextOption = None
    NAMES_OF_SOURCE: ClassVar[frozenset[str]] = frozenset({"model", "text"})

    def inputs(self, subjects: Subjects) -> list[Path]:
        """List all files that are read, which no output may overwrite."""
        return [*subjects.paths, *(self.text or []), *([self.model] if self.model else []), *self.files]

    @contextmanager
    def open(self, subjects: Subjects) -> Iterator[list[tuple[str, "Session"]]]:
        """Open sessions of the recordings, or of the live source if there is a model.

        Yields:
            Each with a name, which is empty if there is only one.

        Raises:
            ActivationError: If a model is given without a text, or besides recordings; if there are options of reading
                and no model.
        """
        from activations.errors import ActivationError

        if subjects.recordings and self.model is not None:
            raise ActivationError("a recording and --model are given; name one of the two")
        if self.model is None:
            subjects.say_default()
        paths = subjects.paths
        names = [path.stem for path in paths]
        if len(set(names)) < len(names):
            names = [str(path) for path in paths]
        with ExitStack() as stack:
            sessions = [stack.enter_context(self._open_one(path)) for path in paths]
            yield [(name if len(paths) > 1 else "", session) for name, session in zip(names, sessions, strict=True)]

    @contextmanager
    def open_only(self, subjects: Subjects) -> "Iterator[Session]":
        """Open a session of the only recording, or of the live source; for the errors see `open`.

        Raises:
            AnalysisError: If there are several recordings.
        """
        from analyses.errors import AnalysisError

        if len(subjects.recordings) > 1:
            raise AnalysisError(
                f"this picture is of one recording, and {len(subjects.recordings)} are named; draw each by itself"
            )
        with self.open(subjects) as [(_, session)]:
            yield session

    @contextmanager
    def _open_one(self, recording: Path) -> Iterator["Session"]:
        from activations.errors import ActivationError
        from analyses.session import Session

        if (self.model is None) != (not self.text):
            missing, present = ("--text", "--model") if self.model else ("--model", "--text")
            raise ActivationError(f"{present} needs {missing}, too: a model and the text that it is to read")
        if self.model is None and self.changed:
            raise ActivationError(
                f"{self.changed[0]} applies only with --model and --text; a recording has already been read"
            )
        source = self.live(self.model, self.text) if self.model is not None and self.text else recording
        with Session(source) as session:
            yield session

    def checkpoints(self, run: Path) -> Iterator[tuple[int, "LiveActivations"]]:
        """Load the checkpoints of a training in their order, each with its number of updates, to read the text.

        Raises:
            ActivationError: If there is no text, or a file in the folder is not a checkpoint of a training.
        """
        from activations.errors import ActivationError

        if not self.text:
            raise ActivationError("checkpoints need --text: the text that they are to read")
        paths = _checkpoints_in(run)
        corpus = self.read(self.text)
        for path in paths:
            yield int(path.stem), self.live(path, corpus)


def _checkpoints_in(run: Path) -> Sequence[Path]:
    from activations.errors import ActivationError

    paths = sorted((run / "checkpoints").glob("*.pt"))
    if not paths:
        raise ActivationError(f"there are no checkpoints in {run}; make some with `probe train --checkpoint-every 2`")
    for path in paths:
        if not path.stem.isdecimal():
            raise ActivationError(f"{path} is not a checkpoint of a training, which is named by its number of updates")
    return paths
