"""A terminal to run `probe` in: a pseudo-terminal of a given width, and what its screen shows afterwards."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_ESCAPE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")


@dataclass(frozen=True)
class Shown:
    """What a command left on a terminal.

    Attributes:
        status: Its exit status.
        raw: What it sent to the terminal.
        lines: The lines of the screen, as wide as they were printed.
    """

    status: int
    raw: str
    lines: list[str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def run_in_terminal(
    words: Sequence[str | Path],
    width: int,
    *,
    variables: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Shown:
    """Run `probe` in a pseudo-terminal.

    Args:
        words: What follows `probe`.
        width: Columns of the terminal.
        variables: Further ones of the environment.
        folder: Where it runs.
    """
    environment = {**os.environ, "TERM": "xterm-256color", "PYTHONPATH": str(Path(__file__).parents[1])}
    for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
        environment.pop(name, None)
    environment |= dict(variables or {})
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    command = [sys.executable, "-m", "probe", *map(str, words)]
    process = subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, env=environment, cwd=folder, start_new_session=True
    )
    os.close(follower)
    parts = []
    while True:
        try:
            part = os.read(leader, 1 << 16)
        except OSError:  # so a terminal says that nobody writes to it any more
            break
        if not part:
            break
        parts.append(part)
    os.close(leader)
    raw = b"".join(parts).decode("utf-8", "replace")
    return Shown(process.wait(), raw, screen_of(raw))


def screen_of(raw: str) -> list[str]:
    r"""Return the lines that a terminal shows, given what it is sent; lines are not broken at its width.

    >>> screen_of("bar 1\r\x1b[2Kbar 2\r\n\x1b[1mtable\x1b[0m\r\n")
    ['bar 2', 'table', '']
    """
    lines = [""]
    row = column = 0
    place = 0
    while place < len(raw):
        escape = _ESCAPE.match(raw, place)
        if escape:
            count = int(escape[2]) if escape[2].isdigit() else 1
            if escape[3] == "A":
                row = max(row - count, 0)
            elif escape[3] == "K":
                lines[row] = "" if escape[2] == "2" else lines[row][:column]
            elif escape[3] not in "mhl":
                raise AssertionError(f"an escape that this screen does not know: {escape[0]!r}")
            place = escape.end()
            continue
        char = raw[place]
        place += 1
        if char == "\r":
            column = 0
        elif char == "\n":
            row += 1
            lines += [""] * (row - len(lines) + 1)
        elif char == "\x1b" or (ord(char) < 32 and char != "\t"):
            raise AssertionError(f"a control character reached the terminal: {raw[place - 20 : place + 20]!r}")
        else:
            line = lines[row].ljust(column)
            lines[row] = line[:column] + char + line[column + 1 :]
            column += 1
    return lines
