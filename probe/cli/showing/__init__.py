"""Print what commands say: sentences, tables or JSON Lines on standard output, warnings and progress on standard error.

Whatever is printed here is harmless to the terminal: characters that would move the cursor, change colours or do worse
are shown as signs, and names are never read as markup.
"""

from probe.cli.showing.bars import Report, inform, progress, say_compiling, without_progress
from probe.cli.showing.preparing import prepare_terminal
from probe.cli.showing.sentences import (
    SIGNS,
    in_bytes,
    say,
    visible,
    warn,
    warn_of_reasons,
    warn_once,
)
from probe.cli.showing.tables import TableCell, main_first, share, show_rows
from probe.consoles import console

__all__ = [
    "SIGNS",
    "Report",
    "TableCell",
    "console",
    "in_bytes",
    "inform",
    "main_first",
    "prepare_terminal",
    "progress",
    "say",
    "say_compiling",
    "share",
    "show_rows",
    "visible",
    "warn",
    "warn_of_reasons",
    "warn_once",
    "without_progress",
]
