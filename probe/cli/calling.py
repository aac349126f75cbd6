"""What a command line needs: only the command that is called, since all together take a tenth of a second to load."""

import os
from collections.abc import Sequence
from contextlib import suppress

import typer

from probe.cli.application import MODULES, add_command, load_command, new_app, shell_name


def app_for(words: Sequence[str]) -> typer.Typer:
    """Return the command `probe` with the command that is called, or with all if that is not known from the first word.

    Args:
        words: The command line, without `probe`.
    """
    modules = {shell_name(module): module for module in MODULES}
    if not words or words[0] not in modules or "_PROBE_COMPLETE" in os.environ:  # which typer sets to complete words
        from probe.cli.commands import app

        return app
    app = new_app()
    add_command(app, load_command(modules[words[0]]))
    return app


def look_at_recordings(words: Sequence[str]) -> None:
    """Start the process that looks at recordings first, if some are named: it loads libraries while this one does.

    Args:
        words: The command line, without `probe`.
    """
    if any(word.endswith(".h5") and os.path.isfile(word) for word in words):  # noqa: PTH113 of any length
        from activations.recordings.vetting import VETTER

        with suppress(OSError):  # which is said when a recording is opened
            VETTER.process()
