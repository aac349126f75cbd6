"""Help texts that name methods and controls: complete only when they are shown, since a program may add its own."""

import inspect
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from typer.core import TyperCommand, TyperGroup, TyperOption

from analyses.probing.control_names import CONTROLS
from analyses.ranking.methods.names import method_names
from probe.cli.column_texts import column_help
from probe.cli.showing import say
from probe.cli.showing.preparing import harmless_usage_errors
from probe.consoles import console

_BOXED_COLUMNS = 100  # of a terminal, from which there is room for help in boxes
_NAME_COLUMNS = 18  # of an option that stands beside its description; a longer one stands above it
_LONGEST_SUMMARY = 1000  # of a command: longer than any
_EXAMPLE_AS_IT_IS = "\b\n"  # click breaks no lines of a paragraph that begins with this


class NamingCommand(TyperCommand):
    """A command whose help texts may contain placeholders: `{methods}`, `{control_names}` and `{controls}`."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help text, with the names in place of the placeholders."""
        self.help = with_columns(in_paragraphs(with_names(self.help)), _name_in(ctx))
        for option in self.params:
            if isinstance(option, TyperOption):
                option.help = with_names(option.help)
        if _is_narrow():
            self.rich_markup_mode = None
            self.help = _with_examples_as_they_are(self.help)
            _narrow(formatter)
            super().format_help(ctx, formatter)
            return
        with _shown_as_they_are(self, *(option for option in self.params if isinstance(option, TyperOption))):
            super().format_help(ctx, formatter)


@contextmanager
def _shown_as_they_are(*described: TyperCommand | TyperOption) -> Iterator[None]:
    """Keep brackets in help texts, such as `[in brackets]`, from being read as markup, of which boxes are made."""
    from rich.markup import escape

    texts = [item.help for item in described]
    for item, text in zip(described, texts, strict=True):
        item.help = text and escape(text)
    try:
        yield
    finally:
        for item, text in zip(described, texts, strict=True):
            item.help = text


class HarmlessGroup(TyperGroup):
    """The command with its subcommands; whatever the words of a command line are, errors about them are readable."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help text, on a narrow terminal without boxes."""
        if not _is_narrow():
            super().format_help(ctx, formatter)
            return
        self.rich_markup_mode = None
        _narrow(formatter)
        super().format_help(ctx, formatter)
        say(formatter.getvalue().rstrip("\n"))  # for `probe` alone, typer prints nothing that is not in boxes
        formatter.buffer.clear()

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a line for each command, which is not cut off."""
        summaries = {name: command.get_short_help_str(_LONGEST_SUMMARY) for name, command in self.commands.items()}
        with formatter.section("Commands"):
            formatter.write_dl(list(summaries.items()))

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """Read the options before the subcommand."""
        with harmless_usage_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """Run the subcommand."""
        with harmless_usage_errors():
            return super().invoke(ctx)


def _is_narrow() -> bool:
    """Tell whether this is a terminal in which boxes would cut the names of options off."""
    screen = console()
    return screen.is_terminal and screen.width < _BOXED_COLUMNS


def _narrow(formatter: Any) -> None:
    """Let a formatter of click use all of a narrow terminal."""
    formatter.width = console().width - 1
    formatter.write_dl = partial(formatter.write_dl, col_max=_NAME_COLUMNS)


def _with_examples_as_they_are(text: str | None) -> str | None:
    """Keep the lines of paragraphs that have indented ones."""
    if text is None:
        return None
    paragraphs = text.split("\n\n")
    return "\n\n".join(
        f"{_EXAMPLE_AS_IT_IS}{paragraph}" if "\n " in paragraph or paragraph.startswith(" ") else paragraph
        for paragraph in paragraphs
    )


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
