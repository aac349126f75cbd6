"""The view in a notebook, as a widget, and elsewhere as a page that can be saved."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from activations.files import replacing
from activations.site_names import AnyUnits
from analyses.errors import AnalysisError
from analyses.probing.kept_probes import Probe
from analyses.session import AnySource
from analyses.targets.labelling import AnyHypothesis
from analyses.targets.target import Target
from probe.pictures.figures import PICTURES, save_figure
from probe.viewer.making import AnyLabelling, text_view
from probe.viewer.page.page import file_text, frame_of, page_of
from probe.viewer.page.tiles import container_of
from probe.viewer.passages import AnySpan
from probe.viewer.picture import figure_of_view
from probe.viewer.text_view import TextView
from probe.viewer.tracks import Middle

if TYPE_CHECKING:
    from anywidget import AnyWidget

_PAGE = ".html"


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """A view as a page: in a notebook it shows itself, and elsewhere it can be saved.

    Attributes:
        view: What it shows.
    """

    view: TextView

    def save(self, path: str | Path) -> None:
        """Write the view as a page that needs no network, or as a picture, by the ending of the file.

        Raises:
            AnalysisError: If the ending is none of .html, .png, .svg and .pdf.
            ActivationError: If the file cannot be written.
        """
        save_view(self.view, Path(path))

    def _repr_html_(self) -> str:
        """Return the page within a frame that can run its script, and reach nothing else."""
        return frame_of(_page_of(self.view), _name_of(self.view))

    def __str__(self) -> str:
        return f'{_name_of(self.view)}: write it with .save("view.html"), and open that file in a browser'

    __repr__ = __str__


def view(
    source: AnySource | Mapping[str, AnySource] | TextView,
    *,
    units: AnyUnits = (),
    hypotheses: AnyHypothesis | Target | Sequence[AnyLabelling] = (),
    probe: Probe | Sequence[Probe] = (),
    loss: bool = False,
    guesses: bool = False,
    around: int | None = None,
    find: str | None = None,
    span: AnySpan | None = None,
    n_chars: int = 20_000,
    top: int | None = None,
    panel_for_each: bool = False,
    middle: Middle | None = None,
    any_model: bool = False,
    title: str = "",
) -> "Page | AnyWidget":
    """Show a passage of a text with what units, hypotheses, probes and the model say of each character.

    Args:
        source: A recording, live activations, a session of either, or the path of a recording; several of the same
            text, by their names; or a view that was made before, to which no other argument applies.
        units: Such as `0/cell/226`; a site, such as `0/cell`, stands for the `top` of its units, or five.
        hypotheses: Names, functions, or targets, whose labels are shown; or pairs of a name and labels of the text.
        probe: A kept probe, or several; see `probe.load_probe`.
        loss: Whether to show −log p of each character, given those before it, in nats.
        guesses: Whether to show the model's five best guesses after each character.
        around: A position in the corpus; below 0 it counts from the end. The passage is around it.
        find: A regular expression; the passage is around the first match.
        span: Where the passage begins and stops, as `(start, stop)` or `slice(start, stop)`.
        n_chars: About how many characters the passage has, unless there is a `span`.
        top: How many units stand for a site, or for all sites if there are no `units`.
        panel_for_each: Whether each unit has the passage for itself, however few they are.
        middle: The value of units that has the colour of the paper: `zero`, or `median`; see `probe.views.text_view`.
        any_model: Whether probes may be of another model.
        title: A heading; by default the document and the characters of the passage.

    Returns:
        In a notebook with anywidget (the extra `notebook`), a widget. Otherwise a `Page`, which shows itself in a
        notebook, too, and elsewhere is written by `.save("view.html")`.

    Raises:
        ActivationError: If there is no such unit, or the passage is beyond the text.
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If a pattern is never found, a probe is of another model, or sources are of different texts.
    """
    if isinstance(source, TextView):
        return shown(source)
    made = text_view(
        source,
        units=units,
        hypotheses=hypotheses,
        probes=probe,
        loss=loss,
        guesses=guesses,
        around=around,
        find=find,
        span=span,
        n_chars=n_chars,
        top=top,
        panel_for_each=panel_for_each,
        middle=middle,
        any_model=any_model,
        title=title,
    )
    return shown(made)


def shown(view: TextView) -> "Page | AnyWidget":
    """Return a widget of a view in a notebook that can show one, and a page elsewhere."""
    if _is_in_notebook() and find_spec("anywidget") is not None:
        widget: AnyWidget = _widget_class()(view)
        return widget
    return Page(view)


def save_view(view: TextView, path: Path) -> None:
    """Write a view as a page or a picture, by the ending of the file, whole or not at all.

    Raises:
        AnalysisError: If the ending is none of .html, .png, .svg and .pdf.
        ActivationError: If the file cannot be written.
    """
    if is_page(path):
        with replacing(path) as temporary:
            temporary.write_text(_page_of(view), encoding="utf-8")
    else:
        save_figure(figure_of_view(view), path)


def is_page(path: Path) -> bool:
    """Return whether a view that is written to a file becomes a page, which has room for more than a picture.

    Raises:
        AnalysisError: If the ending is none of .html, .png, .svg and .pdf.
    """
    ending = path.suffix.lower()
    if ending not in (_PAGE, *PICTURES):
        raise AnalysisError(
            f"{path} has an ending that is not known; end its name in {_PAGE} for a page, or in "
            f"{', '.join(PICTURES)} for a picture"
        )
    return ending == _PAGE


@cache
def _widget_class() -> Any:
    """Return the class of widgets, which anywidget is loaded for."""
    import anywidget
    import traitlets

    class TextWidget(anywidget.AnyWidget):
        """A view in a notebook: the module of the page, and the view's container.

        Attributes:
            container: What the module shows; see `probe.viewer.page.tiles`.
            options: How it shows this at first.
            view: The view that it was made from.
        """

        _esm = file_text("view.js")
        _css = file_text("view.css")
        container = traitlets.Bytes().tag(sync=True)
        options = traitlets.Dict().tag(sync=True)

        def __init__(self, view: TextView) -> None:
            super().__init__(container=container_of(view), options={"guesses": view.guesses is not None})
            self.view = view

        def save(self, path: str | Path) -> None:
            """Write the view as a page or a picture; see `Page.save`."""
            save_view(self.view, Path(path))

    return TextWidget


def _is_in_notebook() -> bool:
    """Return whether a notebook shows what is returned: that of Jupyter, or that of marimo."""
    ipython, marimo = sys.modules.get("IPython"), sys.modules.get("marimo")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None or (marimo is not None and bool(marimo.running_in_notebook()))


def _page_of(view: TextView) -> str:
    """Return the page of a view, with guesses below the characters if it has any."""
    return page_of(view, shows_guesses=view.guesses is not None)


def _name_of(view: TextView) -> str:
    return view.title or f"{len(view.text):,} characters"
