"""Help texts that name methods and controls: complete only when they are shown, since a program may add its own."""

import inspect
import re
from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand, TyperGroup, TyperOption

from analyses.probing.control_names import CONTROLS
from analyses.ranking.methods.names import method_names
from probe.cli.column_texts import column_help
from probe.cli.showing.preparing import harmless_usage_errors


class NamingCommand(TyperCommand):
    """A command whose help texts may contain placeholders: `{methods}`, `{control_names}` and `{controls}`."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help text, with the names in place of the placeholders."""
        self.help = with_columns(in_paragraphs(with_names(self.help)), _name_in(ctx))
        for option in self.params:
            if isinstance(option, TyperOption):
                option.help = with_names(option.help)
        super().format_help(ctx, formatter)


class HarmlessGroup(TyperGroup):
    """The command with its subcommands; whatever the words of a command line are, errors about them are readable."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the options before the subcommand."""
        with harmless_usage_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand."""
        with harmless_usage_errors():
            return super().invoke(ctx)


def with_names(text: str | None) -> str | None:
    """Replace the placeholders in a help text by the names and descriptions of methods and controls."""
    texts = {
        "methods": _listed(method_names(), "or"),
        "control_names": _listed(list(CONTROLS), "and"),
        "controls": "; ".join(f"{name}, {summary}" for name, summary in CONTROLS.items()),
    }
    return text and re.sub(r"\{(\w+)\}", lambda match: texts.get(match[1], match[0]), text)


def with_columns(text: str | None, command: str) -> str | None:
    """Add what the columns of the command's tables mean, before its examples."""
    columns = column_help(command)
    if not text or not columns or columns in text:
        return text
    before, example, after = text.partition("\n\nExample:")
    return f"{before}\n\n{columns}{example}{after}"


def _name_in(context: Any) -> str:
    """Return what calls a command in the shell, such as `plot gates`."""
    parent = context.parent
    is_plot = parent is not None and parent.info_name == "plot"
    return f"plot {context.info_name}" if is_plot else str(context.info_name)


def in_paragraphs(text: str | None) -> str | None:
    r"""Join the lines of each paragraph of a docstring, so that the terminal's width alone breaks them.

    Paragraphs with indented lines, such as examples, stay as they are.

    >>> in_paragraphs("A sentence\nof two lines.\n\nExample:\n    probe demo")
    'A sentence of two lines.\n\nExample:\n    probe demo'
    """
    if text is None:
        return None
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(
        paragraph if "\n " in paragraph or paragraph.startswith(" ") else paragraph.replace("\n", " ")
        for paragraph in paragraphs
    )


def _listed(names: Sequence[str], last: str) -> str:
    return f"{', '.join(names[:-1])} {last} {names[-1]}"
