"""Running `probe` as in the shell."""

import json
from collections.abc import Callable
from typing import Any

from probe.cli.provenance import PROVENANCE

Command = Callable[..., tuple[int, str, str]]


def rows(output: str) -> list[dict[str, Any]]:
    """What a command printed with `--json`, without what made it, which differs with every command line."""
    printed = (json.loads(line) for line in output.splitlines())
    return [{key: value for key, value in row.items() if key not in PROVENANCE} for row in printed]
