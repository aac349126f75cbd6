"""The command `probe`, which loads the commands only when signals are taken care of."""

import atexit
import errno
import os
import sys

from probe.cli.foreign_output import guard_output
from probe.cli.stopping import Stopping, Termination

_USERS = ("_hypotheses_of_the_user_", "_model_of_the_user_")  # how modules that a user names in a command are called
_OURS = ("probe", "activations", "analyses", "hypotheses")
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
    if stopping.has_left_threads():  # of a user's code, for which Python would wait for ever
        atexit._run_exitfuncs()
        os._exit(status)
    sys.exit(status)


def _run(stopping: Stopping) -> int:
    stopping.begin()
    if os.environ.get("COLUMNS") == "0":  # a terminal that does not know its width; nothing fits into no columns
        del os.environ["COLUMNS"]
    streams = guard_output()
    try:
        from hypotheses.kernels import announce_compiling
        from probe.cli.commands import app
        from probe.cli.showing import prepare_terminal, say_compiling

        prepare_terminal()
        announce_compiling(say_compiling)
        app()
        _flush()
    except BaseException as error:
        stopping.end()
        sys.stdout, sys.stderr = streams
        status = _status_of(error, stopping)
        if status is None:
            raise
        return status
    stopping.end()
    sys.stdout, sys.stderr = streams
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
    if failure := _failure_of_users(error):
        return _fail(failure)
    if isinstance(error, SystemExit):
        return _flushed(error.code if isinstance(error.code, int) else int(error.code is not None))
    if isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITTEN:
        return _write_no_more(_fail(f"cannot write the output: {error.strerror}"))
    return _fail(str(error)) if _is_ours(error) else None


def _is_ours(error: BaseException) -> bool:
    from activations.errors import ActivationError
    from analyses.errors import AnalysisError
    from hypotheses.errors import HypothesisError

    return isinstance(error, ActivationError | AnalysisError | HypothesisError)


def _failure_of_users(error: BaseException) -> str:
    """Return what a user's code has raised, such as a model of their own while it reads; empty for other errors."""
    trace, last = error.__traceback__, None
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "")
        if name.startswith(_USERS):
            last = trace
        elif name.partition(".")[0] in _OURS:
            last = None
        trace = trace.tb_next
    if last is None or _is_ours(error):
        return ""
    from hypotheses.running import failure

    return f"{last.tb_frame.f_code.co_filename} failed in line {last.tb_lineno}: {failure(error, ())}"


def _causes(error: BaseException | None) -> list[BaseException]:
    causes: list[BaseException] = []
    while error is not None and error not in causes:
        causes.append(error)
        error = error.__cause__ or error.__context__
    return causes


def _fail(sentence: str) -> int:
    from probe.cli.showing import warn

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
