"""Loads the model of a recording, and has it read a few characters, before somebody types the first ones.

PyTorch takes seconds to load, and loops that were never compiled on a machine take longer. The page should not open
later for that, so it begins a little after it, in a thread that gives way to others.
"""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from activations.units import Unit
from probe.explorer.exploration import Exploration
from probe.explorer.explored_recording import ExploredRecording
from probe.explorer.streams import ERRORS

Step = Callable[[], object]
DELAY_S = 2.0
"""From the first question of the page to the beginning: meanwhile it shows the text."""
_NICE = 5
_END_S = 5.0
_N_READ = 16  # characters


def steps_for(exploration: Exploration) -> list[Step]:
    """Return what makes the first typed text quick; nothing without a model."""
    for explored in exploration.recordings:
        if exploration.held.is_there(explored.model_sha256):
            return [_load_libraries, partial(_load, exploration, explored), partial(_read, exploration, explored)]
    return []


def _load_libraries() -> None:
    import probe.explorer.questions.trying  # noqa: F401  - with PyTorch


def _load(exploration: Exploration, explored: ExploredRecording) -> None:
    exploration.held.check(explored.recording)


def _read(exploration: Exploration, explored: ExploredRecording) -> None:
    from probe.explorer.questions.trying import try_text

    unit = Unit(next(iter(explored.session.sites)), 0)
    with exploration.held.reading(explored.recording) as model:
        try_text(model, explored.session.corpus.text(0, _N_READ), {unit: explored.levels.scale(unit)})


class Warming:
    """Steps that are done in a thread, one after another; none begins after the end.

    What goes wrong in them is said to whoever asks for the same.
    """

    def __init__(self, steps: Sequence[Step], delay_s: float) -> None:
        """Prepare to do steps.

        Args:
            steps: What is to be done.
            delay_s: Seconds from the first call of `begin` to the first step.
        """
        self._steps, self._delay_s = steps, delay_s
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Let the thread begin soon, if it has not begun."""
        with self._lock:
            if self._steps and self._thread is None and not self._ended.is_set():
                self._thread = threading.Thread(target=self._run, daemon=True, name="explorer warming")
                self._thread.start()

    def close(self) -> None:
        """Let the thread end with the step that is being done, and wait for that, if it does not take long."""
        with self._lock:
            self._ended.set()
        if self._thread is not None:
            self._thread.join(_END_S)

    def _run(self) -> None:
        if self._ended.wait(self._delay_s):
            return
        _give_way()
        with suppress(*ERRORS, ImportError, OSError):
            for step in self._steps:
                if self._ended.is_set():
                    return
                step()


def _give_way() -> None:
    """Let this thread have the processor only after others, where threads have priorities of their own."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
