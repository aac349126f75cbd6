"""Tell a notebook that is running how to show results, without loading anything if there is none."""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

_SHOWN = (
    ("activations.results", "Result"),
    ("activations.lazy_activations", "NamedActivations"),
    ("activations.lazy_activations", "LazyActivations"),
    ("activations.texts.corpus", "Corpus"),
    ("probe.viewer.text_view", "TextView"),
)
"""The modules and names of the classes that are shown, which need not be imported; classes made of them are, too."""


def register_formatters() -> None:
    """Let the notebook that this program runs in show results as HTML: Jupyter or marimo; elsewhere, do nothing."""
    ipython, marimo = sys.modules.get("IPython"), sys.modules.get("marimo")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    if shell is not None:
        register_with(shell.display_formatter.formatters["text/html"])
    elif marimo is not None and marimo.running_in_notebook():
        for module, name in _SHOWN:  # marimo asks objects alone; these modules are quick to import
            getattr(import_module(module), name)._repr_html_ = _html_of


def register_with(formatter: Any) -> None:
    """Let a formatter of IPython's show results as HTML, and lists, tuples and dictionaries of results."""
    for module, name in _SHOWN:
        formatter.for_type_by_name(module, name, _html_of)
    for container in (list, tuple, dict):
        formatter.for_type(container, _after(formatter.for_type(container)))


def _after(earlier: Callable[[Any], str | None] | None) -> Callable[[Any], str | None]:
    """Return a function that shows containers of results, and leaves others to what was registered earlier."""

    def html_of_container(shown: Any) -> str | None:
        html = _html_of(shown)
        return html if html is not None or earlier is None else earlier(shown)

    return html_of_container


def _html_of(shown: Any) -> str | None:
    html: str | None = import_module("probe.notebooks").html_of(shown)  # loads analyses: by name, when it is needed
    return html
