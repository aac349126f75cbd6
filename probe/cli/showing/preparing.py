"""What is done to the terminal's streams before a command begins, and to errors before they are shown."""

import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from typer import BadParameter

from hypotheses.terminal.signs import SIGNS, visible
from probe.cli.showing.sentences import warn
from probe.consoles import make_encodable

_KIND_OF_ERROR = "Value error, "  # what some versions of typer put before a choice that is not there
_LINES = {**SIGNS, "\n": "\n", "\t": " "}
_USAGE_ERROR: type[Exception] = next(  # it is typer's or click's, by their versions
    kind for kind in BadParameter.__mro__ if kind.__name__ == "ClickException"
)


def prepare_terminal() -> None:
    """Let nothing that libraries say, and no traceback, reach the terminal raw or fail for a lack of characters."""
    make_encodable()
    warnings.showwarning = _show_warning
    sys.excepthook = _show_traceback


@contextmanager
def harmless_usage_errors() -> Iterator[None]:
    """Make what is wrong with a command line harmless to the terminal, whatever was in its words."""
    try:
        yield
    except _USAGE_ERROR as error:
        for name, value in vars(error).items():
            if isinstance(value, str):
                setattr(error, name, visible(value, _LINES).removeprefix(_KIND_OF_ERROR))
        raise


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: object = None,
    line: object = None,
) -> None:
    warn(f"{category.__name__}: {' '.join(str(message).split())} ({filename}:{lineno})")


def _show_traceback(kind: type[BaseException], error: BaseException, place: TracebackType | None) -> None:
    sys.stderr.write(visible("".join(traceback.format_exception(kind, error, place)), _LINES | {"\t": "\t"}))
