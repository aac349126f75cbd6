"""Help texts that name what registries hold: the registries are loaded only when such a help text is shown."""

import re
from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand, TyperOption


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
    """Replace the placeholders in a help text by what the registries hold."""
    texts = {"methods": _methods, "control_names": _control_names, "controls": _controls}
    return text and re.sub(r"\{(\w+)\}", lambda match: texts[match[1]]() if match[1] in texts else match[0], text)


def _methods() -> str:
    from analyses.ranking.methods.registry import METHODS

    return _listed(list(METHODS), "or")


def _control_names() -> str:
    from analyses.probing.probes import CONTROLS

    return _listed(list(CONTROLS), "and")


def _controls() -> str:
    from analyses.probing.probes import CONTROLS

    return "; ".join(f"{name}, {summary}" for name, summary in CONTROLS.items())


def _listed(names: Sequence[str], last: str) -> str:
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
