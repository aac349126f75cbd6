"""Running `probe` as in the shell."""

import json
import sys
from collections.abc import Callable
from typing import Any

from typer.main import get_command

from probe.cli.commands import ALL_COMMANDS, app, command_name
from probe.cli.provenance import PROVENANCE

Command = Callable[..., tuple[int, str, str]]
NAMES = [command_name(command) for command in ALL_COMMANDS]
"""What calls each command in the shell: `rank`, or `plot gates`."""


def parsers() -> dict[str, Any]:
    """What parses the arguments of each command, by what calls it."""
    groups: dict[str, Any] = vars(get_command(app))["commands"]
    return {name: vars(groups["plot"])["commands"][name.split()[1]] if " " in name else groups[name] for name in NAMES}


def parse(words: list[str]) -> None:
    """Parse a command line without `probe`, and run nothing."""
    n_words = 2 if words[0] == "plot" else 1
    name = " ".join(words[:n_words])
    parsers()[name].make_context(name, words[n_words:])


def rows(output: str) -> list[dict[str, Any]]:
    """What a command printed with `--json`, without what made it, which differs with every command line."""
    printed = (json.loads(line) for line in output.splitlines())
    return [{key: value for key, value in row.items() if key not in PROVENANCE} for row in printed]


def as_in_a_shell(*command: str) -> list[str]:
    """Return how to start a command for which signals mean what they do in a shell.

    Those that are ignored here, as SIGINT is by what a script starts in the background, would be ignored there too.
    """
    reset = "".join(f"signal.signal(signal.{name}, signal.SIG_DFL); " for name in ("SIGINT", "SIGTERM", "SIGHUP"))
    return [sys.executable, "-c", f"import os, signal, sys; {reset}os.execv(sys.argv[1], sys.argv[1:])", *command]
