"""The command `probe`, which loads the commands only when signals are taken care of."""

import atexit
import os
import sys

from probe.cli.ending import flush, say_stopped, status_of, write_no_more
from probe.cli.foreign_output import guard_output
from probe.cli.stopping import Stopping, Termination


def main() -> None:
    """Run the command, and end the process with its exit status.

    An error that the user can mend is one line and exit status 1; others keep their traceback. A signal that ends the
    command, at whatever moment, is one line and 128 plus its number: 130 for Ctrl-C, 143 for SIGTERM.
    """
    atexit.register(write_no_more)  # before any other code registers functions, so that it comes after them
    stopping = Stopping()
    try:
        status = _run(stopping)
    except Termination:  # in the moment after the command itself had ended
        stopping.end()
        status = say_stopped(stopping)
    if stopping.has_left_threads():  # of a user's code, for which Python would wait for ever
        atexit._run_exitfuncs()
        os._exit(status)
    sys.exit(status)


def _run(stopping: Stopping) -> int:
    stopping.begin()
    if os.environ.get("COLUMNS") == "0":  # a terminal that does not know its width; nothing fits into no columns
        del os.environ["COLUMNS"]
    guard_output()  # to the end of the process: threads and functions of other code may print that late
    try:
        from hypotheses.kernels import announce_compiling
        from probe.cli.calling import app_for, look_at_recordings
        from probe.cli.showing import prepare_terminal, say_compiling

        prepare_terminal()
        announce_compiling(say_compiling)
        look_at_recordings(sys.argv[1:])
        app_for(sys.argv[1:])()
        flush()
    except BaseException as error:
        stopping.end()
        status = status_of(error, stopping)
        if status is None:
            raise
        return status
    stopping.end()
    return say_stopped(stopping) if stopping.number else 0
