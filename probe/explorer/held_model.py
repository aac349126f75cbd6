"""The model of the recordings: loaded when it is first asked for, and used by one thread at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from importlib.resources import as_file, files
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Literal, TypeAlias, Union

from activations.errors import ActivationError
from activations.recordings.recording import Recording
from analyses.threads import one_thread_each
from probe.explorer.requests import RequestError
from probe.explorer.waiting import held

if TYPE_CHECKING:  # PyTorch takes seconds to load, and the page is shown without it
    from activations.models.char_model import CharModel
    from activations.models.char_rnn import CharRNN

AnyModel: TypeAlias = Union["CharRNN", "CharModel"]
Use = Literal["writing", "measuring"]
"""What a copy of a model is changed for: to write while it is steered, or to read the text while a unit is held."""
_BUNDLED = "python_lstm.pt"
BUNDLED_SHA256 = "638adecf77cb0b498232882261f864e936c00b8baaa669b42ad6b350bad9d3ec"
"""What recordings of the bundled model have as its hash, so that they are known before PyTorch is loaded."""


@dataclass(frozen=True, slots=True, eq=False)
class _Copies:
    """A copy of the model of each recording, all of which are used by one thread at a time."""

    lock: Lock = field(default_factory=Lock)
    models: dict[str, AnyModel] = field(default_factory=dict)


class HeldModel:
    """The model that is named at the start, or the bundled one for recordings of it. Threads may share it.

    There are three copies: one reads what is typed, at once; one writes while it is steered, which takes long; and one
    reads the whole text while a unit is held, which takes longer.

    Attributes:
        path: The file that was named; None if there was none.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Hold a model, which is read from its file when it is first asked for.

        Args:
            path: Its file; None is the bundled model, which only recordings of it can use.
        """
        self.path = path
        self._loading, self._reading = Lock(), Lock()
        self._loaded: AnyModel | None = None
        self._reader: dict[str, AnyModel] = {}
        self._copies: dict[Use, _Copies] = {"writing": _Copies(), "measuring": _Copies()}

    def is_there(self, model_sha256: str) -> bool:
        """Tell whether there should be the model of this hash, without loading it; `check` may find another one."""
        return self.path is not None or model_sha256 == BUNDLED_SHA256

    @property
    def file(self) -> Path:
        """The file that commands name: the one that was named, or the bundled one."""
        return self.path or Path(str(files("probe.data").joinpath(_BUNDLED)))

    def check(self, recording: Recording) -> AnyModel:
        """Return the model of a recording, to look at what it is; it is not to be run.

        Raises:
            RequestError: If there is none; the sentence says how to start with one.
        """
        key = str(recording.path)
        with self._loading:
            if key not in self._reader:
                self._reader[key] = self._model_of(recording)
            return self._reader[key]

    @contextmanager
    def reading(self, recording: Recording) -> Iterator[AnyModel]:
        """Let one thread use the model of a recording to read.

        Raises:
            RequestError: If there is none.
        """
        model = self.check(recording)
        with self._reading, one_thread_each():
            yield model

    @contextmanager
    def changing(self, recording: Recording, use: Use, wait: Callable[[], object]) -> Iterator["CharRNN"]:
        """Let one thread use a copy of the model of a recording, also to change what it computes.

        Args:
            recording: The recording.
            use: What the copy is used for, as there is one for each use.
            wait: Called again and again while another thread uses it; what it raises ends the waiting.

        Raises:
            RequestError: If there is none, or it is one of the user's own.
        """
        model, copies = self.check(recording), self._copies[use]
        with held(copies.lock, wait):
            key = str(recording.path)
            if key not in copies.models:
                copies.models[key] = deepcopy(model)
            copy = ours(copies.models[key])
            with one_thread_each():  # of steps so small, several threads would spend their time waiting for each other
                yield copy

    def _model_of(self, recording: Recording) -> AnyModel:
        from activations.reading.rereading import model_of

        try:
            if self._loaded is None:
                self._loaded = self._load()
            return model_of(recording, self._loaded)
        except ActivationError as error:
            how = f"probe explore {recording.path.name} --model model.pt"
            if self.path is None:
                raise RequestError(f"this needs the model of the recording; start with it: {how}", 409) from error
            reason = str(error).replace("this is not", f"{self.path.name} is not", 1).partition(";")[0]
            raise RequestError(f"{reason}; start with the one that is: {how}", 409) from error

    def _load(self) -> AnyModel:
        from activations.models.checkpoints import load_model

        if self.path is not None:
            return load_model(self.path)
        with as_file(files("probe.data") / _BUNDLED) as path:
            return load_model(path)


def ours(model: AnyModel) -> "CharRNN":
    """Return a model that can be changed while it reads or writes.

    Raises:
        RequestError: If it is one of the user's own.
    """
    from activations.models.char_rnn import CharRNN

    if not isinstance(model, CharRNN):
        raise RequestError(
            "a model of your own computes its steps itself; steering is for models that `probe train` or "
            "`probe import` made"
        )
    return model
