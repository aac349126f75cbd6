"""What users' code prints: it goes to standard error, as text that moves no cursor, and not without end."""

import sys
from collections.abc import Callable
from typing import Any, BinaryIO, TextIO

_OURS = frozenset({"probe", "activations", "analyses", "hypotheses", "typer", "rich", "click"})
_PASSES_ON = "probe.cli.stopping"  # lets Python print what a thread raises: any code's
_MOST_CHARS = 10_000
_LEFT_OUT = "\n[the rest of what other code prints is left out]\n"


class ForeignOutput:
    """Lets what commands print through, and shows what any other code prints on standard error.

    Control characters of other code have signs in their places, except for newlines and tabs, and after 10,000
    characters the rest is left out. To close the stream does nothing.
    """

    def __init__(self, stream: TextIO, error: TextIO, count: list[int]) -> None:
        self._stream = stream
        self._error = error
        self._count = count

    def write(self, text: str) -> int:
        """Write a text, or show it if other code prints it."""
        if _is_called_by_ours():
            return self._stream.write(text)
        self._show(str(text))
        return len(text)

    @property
    def buffer(self) -> "_ForeignBytes":
        """The stream of bytes below, guarded too."""
        return _ForeignBytes(self._stream.buffer, self._show)

    def writelines(self, lines: Any) -> None:
        """Show lines, which no command prints in this way."""
        for line in lines:
            self._show(str(line))

    def close(self) -> None:
        """Do nothing: the command prints its results there."""

    def detach(self) -> None:
        """Do nothing: the command prints its results there."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def _show(self, text: str) -> None:
        from hypotheses.terminal.signs import sign_of

        left = _MOST_CHARS - self._count[0]
        self._count[0] += len(text)
        if left < 0:
            return
        shown = "".join(char if char.isprintable() or char in "\n\t" else sign_of(char) for char in text[:left])
        self._error.write(shown if len(text) <= left else shown + _LEFT_OUT)
        self._error.flush()


class _ForeignBytes:
    """Lets bytes through that commands write, and shows those of any other code as `ForeignOutput` does."""

    def __init__(self, stream: BinaryIO, show: Callable[[str], None]) -> None:
        self._stream = stream
        self._show = show

    def write(self, content: Any) -> int:
        """Write bytes, or show them if other code writes them."""
        if _is_called_by_ours():
            return self._stream.write(content)
        shown = bytes(content)
        self._show(shown.decode("utf-8", "replace"))
        return len(shown)

    def close(self) -> None:
        """Do nothing: the command prints its results there."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _is_called_by_ours() -> bool:
    """Is the function that asks this called by a command, or by what commands print with?"""
    try:
        name = sys._getframe(2).f_globals.get("__name__", "")
    except ValueError:  # by Python itself, at its end
        return False
    return name.partition(".")[0] in _OURS and name != _PASSES_ON


def guard_output() -> None:
    """Put `ForeignOutput` in place of standard output and error."""
    out, error = sys.stdout, sys.stderr
    count = [0]
    if out is not None and error is not None:
        sys.stdout, sys.stderr = ForeignOutput(out, error, count), ForeignOutput(error, error, count)
