"""Running `probe` as in the shell."""

import json
from collections.abc import Callable
from typing import Any

Command = Callable[..., tuple[int, str, str]]


def rows(output: str) -> list[dict[str, Any]]:
    """What a command printed with `--json`."""
    return [json.loads(line) for line in output.splitlines()]
