"""The command `probe`, which loads the commands only when signals are taken care of."""

import errno
import os
import sys

from probe.cli.stopping import Stopping, Termination

_BROKEN_PIPE = 128 + 13  # what a shell makes of a process that SIGPIPE has ended
_UNWRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_STOPPED = (
    "stopped; the same command again continues an extraction or a sweep, and with --resume a training; "
    "nothing else is left half written"
)


def main() -> None:
    """Run the command, and end the process with its exit status.

    An error that the user can mend is one line and exit status 1; others keep their traceback. A signal that ends the
    command, at whatever moment, is one line and 128 plus its number: 130 for Ctrl-C, 143 for SIGTERM.
    """
    stopping = Stopping()
    try:
        status = _run(stopping)
    except Termination:  # in the moment after the command itself had ended
        stopping.end()
        status = _say_stopped(stopping)
    sys.exit(status)


def _run(stopping: Stopping) -> int:
    stopping.begin()
    if os.environ.get("COLUMNS") == "0":  # a terminal that does not know its width; nothing fits into no columns
        del os.environ["COLUMNS"]
    try:
        from probe.cli.commands import app

        app()
        _flush()
    except BaseException as error:
        stopping.end()
        status = _status_of(error, stopping)
        if status is None:
            raise
        return status
    stopping.end()
    return _say_stopped(stopping) if stopping.number else 0


def _status_of(error: BaseException, stopping: Stopping) -> int | None:
    """Say why a command has ended, and return its exit status; None for a bug."""
    causes = _causes(error)
    interrupts = [cause for cause in causes if isinstance(cause, KeyboardInterrupt)]
    reasons = [note for cause in interrupts for note in getattr(cause, "__notes__", ())]
    if not stopping.number and reasons:  # no signal has come: a function of the user's has raised it
        return _fail(reasons[0])
    if stopping.number or interrupts:
        return _say_stopped(stopping)
    if isinstance(error, SystemExit | OSError) and any(isinstance(cause, BrokenPipeError) for cause in causes):
        return _write_no_more(_BROKEN_PIPE)
    if isinstance(error, SystemExit):
        return _flushed(error.code if isinstance(error.code, int) else int(error.code is not None))
    if isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITTEN:
        return _write_no_more(_fail(f"cannot write the output: {error.strerror}"))
    from activations.errors import ActivationError
    from analyses.errors import AnalysisError
    from hypotheses.errors import HypothesisError

    return _fail(str(error)) if isinstance(error, ActivationError | AnalysisError | HypothesisError) else None


def _causes(error: BaseException | None) -> list[BaseException]:
    causes: list[BaseException] = []
    while error is not None and error not in causes:
        causes.append(error)
        error = error.__cause__ or error.__context__
    return causes


def _fail(sentence: str) -> int:
    from probe.cli.show import warn

    warn(f"error: {' '.join(sentence.split())}")
    return _flushed(1)


def _say_stopped(stopping: Stopping) -> int:
    if sys.stderr is not None:
        sys.stderr.write(f"{_STOPPED}\n")
    return _flushed(stopping.status)


def _flush() -> None:
    """Write what is left of standard output, which Python would only do at its end, and complain about itself."""
    if sys.stdout is not None:
        sys.stdout.flush()


def _flushed(status: int) -> int:
    """Write what is left of standard output, and return the exit status: the given one, if that was possible."""
    try:
        _flush()
    except BrokenPipeError:
        return _write_no_more(_BROKEN_PIPE)
    except (OSError, ValueError) as error:
        if sys.stderr is not None:
            sys.stderr.write(f"error: cannot write the output: {getattr(error, 'strerror', None) or error}\n")
        return _write_no_more(status or 1)
    return status


def _write_no_more(status: int) -> int:
    """Send what Python still has to write to nowhere, and return an exit status."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    return status
