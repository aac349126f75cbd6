"""Help texts that name methods and controls: complete only when they are shown, since a program may add its own."""

import re
from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand, TyperOption

from analyses.probing.control_names import CONTROLS
from analyses.ranking.methods.names import method_names


class NamingCommand(TyperCommand):
    """A command whose help texts may contain placeholders: `{methods}`, `{control_names}` and `{controls}`."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help text, with the names in place of the placeholders."""
        self.help = with_names(self.help)
        for option in self.params:
            if isinstance(option, TyperOption):
                option.help = with_names(option.help)
        super().format_help(ctx, formatter)


def with_names(text: str | None) -> str | None:
    """Replace the placeholders in a help text by the names and descriptions of methods and controls."""
    texts = {
        "methods": _listed(method_names(), "or"),
        "control_names": _listed(list(CONTROLS), "and"),
        "controls": "; ".join(f"{name}, {summary}" for name, summary in CONTROLS.items()),
    }
    return text and re.sub(r"\{(\w+)\}", lambda match: texts.get(match[1], match[0]), text)


def _listed(names: Sequence[str], last: str) -> str:
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
