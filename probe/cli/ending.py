"""How a command ends: what is said of an error or a signal, and the exit status."""

import errno
import os
import sys
from contextlib import suppress

from probe.cli.stopping import Stopping

_OURS = ("probe", "activations", "analyses", "hypotheses")
_RUN_CODE_OF_USERS = (  # not imported here, since every command ends here; one that is not loaded has run no code
    "activations.importers.wrapping",
    "hypotheses.fingerprints.references",
)
_BROKEN_PIPE = 128 + 13  # what a shell makes of a process that SIGPIPE has ended
_UNWRITTEN = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_STOPPED = (
    "stopped; the same command again continues an extraction or a sweep, and with --resume a training; "
    "nothing else is left half written"
)


def status_of(error: BaseException, stopping: Stopping) -> int | None:
    """Say why a command has ended, and return its exit status; None for a bug."""
    from hypotheses.running import causes

    causes_of_it = list(causes(error))
    interrupts = [cause for cause in causes_of_it if isinstance(cause, KeyboardInterrupt)]
    reasons = [note for cause in interrupts for note in getattr(cause, "__notes__", ())]
    if not stopping.number and reasons:  # no signal has come: a function of the user's has raised it
        return _fail(reasons[0])
    if stopping.number or interrupts:
        return say_stopped(stopping)
    if isinstance(error, SystemExit | OSError) and any(isinstance(cause, BrokenPipeError) for cause in causes_of_it):
        return _write_no_more(_BROKEN_PIPE)
    if not _is_ours(error) and (failure := _failure_of_users(error)):
        return _fail(failure)
    if isinstance(error, SystemExit):
        return _flushed(error.code if isinstance(error.code, int) else int(error.code is not None))
    if isinstance(error, OSError) and error.filename is None and error.errno in _UNWRITTEN:
        return _write_no_more(_fail(_unwritten(error)))
    if isinstance(error, OSError) and (refusal := _refusal_of_system(error)):
        return _fail(refusal)
    return _fail(str(error)) if _is_ours(error) else None


def _refusal_of_system(error: OSError) -> str:
    """Return which file the system refuses, and why, such as that its name is too long; empty for other errors."""
    from activations.system_errors import is_of_the_system, reason

    if error.filename is None or not is_of_the_system(error):
        return ""
    return f"cannot use {os.fsdecode(error.filename)}: {reason(error)}"


def _is_ours(error: BaseException) -> bool:
    from activations.errors import ActivationError
    from analyses.errors import AnalysisError
    from hypotheses.errors import HypothesisError

    return isinstance(error, ActivationError | AnalysisError | HypothesisError)


def _failure_of_users(error: BaseException) -> str:
    """Return what a user's code has raised, such as a model of their own while it reads; empty for other errors."""
    from hypotheses.running import failure

    prefixes = tuple(sys.modules[name].USER_MODULE for name in _RUN_CODE_OF_USERS if name in sys.modules)
    trace, last = error.__traceback__, None
    while trace is not None:
        name = trace.tb_frame.f_globals.get("__name__", "")
        if name.startswith(prefixes):
            last = trace
        elif name.partition(".")[0] in _OURS:
            last = None
        trace = trace.tb_next
    if last is None:
        return ""
    return f"{last.tb_frame.f_code.co_filename} failed in line {last.tb_lineno}: {failure(error, ())}"


def _unwritten(error: BaseException) -> str:
    from activations.system_errors import reason

    return f"cannot write the output: {reason(error) if isinstance(error, OSError) else error}"


def _fail(sentence: str) -> int:
    from probe.cli.showing import warn

    with suppress(OSError, ValueError):  # nobody reads standard error any more
        warn(f"error: {' '.join(sentence.split())}")
    return _flushed(1)


def say_stopped(stopping: Stopping) -> int:
    """Say that a signal has ended the command, and return the exit status of that."""
    _write_error(_STOPPED)
    return _flushed(stopping.status)


def flush() -> None:
    """Write what is left of standard output, which Python would only do at its end, and complain about itself."""
    if sys.stdout is not None:
        sys.stdout.flush()


def write_no_more() -> None:
    """Send to nowhere what other code still writes, while Python removes its modules and nothing makes it harmless."""
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        with suppress(OSError, ValueError):
            if stream is not None:
                stream.flush()
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, number)
                os.close(nowhere)


def _flushed(status: int) -> int:
    """Write what is left of standard output, and return the exit status: the given one, if that was possible."""
    try:
        flush()
    except BrokenPipeError:
        return _write_no_more(_BROKEN_PIPE)
    except (OSError, ValueError) as error:
        _write_error(f"error: {_unwritten(error)}")
        return _write_no_more(status or 1)
    return status


def _write_no_more(status: int) -> int:
    """Send what Python still has to write to nowhere, and return an exit status."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    return status


def _write_error(sentence: str) -> None:
    """Write a sentence of ours on standard error, if there is one that somebody reads."""
    with suppress(OSError, ValueError):
        if sys.stderr is not None:
            sys.stderr.write(f"{sentence}\n")
