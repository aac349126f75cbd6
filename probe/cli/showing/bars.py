"""Progress on standard error: a bar on a terminal, a line now and then elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from hypotheses.terminal.signs import visible
from probe.cli.showing.sentences import warn
from probe.consoles import console, reads_escapes, with_bar

Report = Callable[..., None]
FIRST_LINE_S = 10.0
"""Seconds until the first line where there is no bar; each next one takes twice as long."""
_LONGEST_PAUSE_S = 600.0
_SHARE_TO_JUDGE_BY = 0.01  # of a step: of less, nothing can be said about the rest
_WIDE_COLUMNS = 100  # from which there is room for a long bar, and for notes
_OTHER_COLUMNS = 32  # of a line with a bar: all but the bar, the step and the note
_is_quiet = False  # in all threads: any of them may be the first to compile


@contextmanager
def without_progress(is_quiet: bool = True) -> Iterator[None]:
    """Show no progress for a while, or show it if not `is_quiet`."""
    global _is_quiet
    before, _is_quiet = _is_quiet, is_quiet
    try:
        yield
    finally:
        _is_quiet = before


def inform(sentence: str) -> None:
    """Say on standard error what is about to be done, unless no progress is shown."""
    if not _is_quiet:
        warn(sentence)


def say_compiling() -> None:
    """Say on a terminal that loops are compiled, which takes seconds, unless no progress is to be shown."""
    if not _is_quiet and console(stderr=True).is_terminal:
        warn("compiling, once: the next command finds the compiled loops on the disk")


@contextmanager
def progress(step: str) -> Iterator[Report]:
    """Show how much of a step is done on standard error, and how long the rest may take.

    On a terminal, there is a bar; elsewhere, a line after ten seconds, and then fewer and fewer.

    Yields:
        A function to call with the amount done, the total, and optionally a note.
    """
    if _is_quiet:
        yield lambda done, total, note="": None
    elif reads_escapes(console(stderr=True)):
        with _bar(visible(step)) as report:
            yield report
    else:
        yield _Lines(step)


@contextmanager
def _bar(step: str) -> Iterator[Report]:
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column
    from rich.text import Text

    class Remaining(TimeRemainingColumn):
        def render(self, task: Task) -> Text:
            time = super().render(task)
            return time.append(" left") if time else time

    screen = console(stderr=True)
    is_wide = screen.width >= _WIDE_COLUMNS
    bar_columns = 40 if is_wide else 10
    step_columns = max(8, screen.width - bar_columns - _OTHER_COLUMNS)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False, table_column=Column(max_width=step_columns, no_wrap=True)),
        BarColumn(bar_columns),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        Remaining(),
        *([TextColumn("{task.fields[note]}", markup=False)] if is_wide else []),
    )
    bars = Progress(*columns, console=screen, redirect_stdout=False, redirect_stderr=False)
    with bars, with_bar(screen):
        task = bars.add_task(step, total=None, note="")

        def report(done: int, total: int, note: str = "") -> None:
            bars.update(task, completed=done, total=total, note=visible(note))

        yield report
        whole = bars.tasks[0].total or 1
        bars.update(task, completed=whole, total=whole, note="")  # it has ended, whatever it has said


class _Lines:
    """A line now and then that says how much of a step is done."""

    def __init__(self, step: str) -> None:
        self._step = step
        self._began = monotonic()
        self._pause = FIRST_LINE_S
        self._next = self._began + self._pause

    def __call__(self, done: float, total: float, note: str = "") -> None:
        now = monotonic()
        if now < self._next:
            return
        self._pause = min(2 * self._pause, _LONGEST_PAUSE_S)
        self._next = now + self._pause
        passed = now - self._began
        left = (
            f", about {_duration(passed * (total - done) / done)} left"
            if _SHARE_TO_JUDGE_BY * total <= done < total
            else ""
        )
        share = f"{done / total:.0%} " if total else ""
        warn(f"{self._step}: {share}after {_duration(passed)}{left}{f' ({note})' if note else ''}")
        sys.stderr.flush()


def _duration(seconds: float) -> str:
    """Return a time in words.

    >>> [_duration(seconds) for seconds in (9.6, 119, 7260)]
    ['10 s', '2 min', '2 h 1 min']
    """
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
