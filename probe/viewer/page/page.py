"""A text view as one HTML file, which needs no network: the module, its style and all data are in it."""

import base64
import gzip
import hashlib
from html import escape
from importlib import resources

from jinja2 import Environment

import probe
from probe.viewer.page.tiles import container_of
from probe.viewer.text_view import TextView

_FRAME_HEIGHT = 640  # in pixels
_START = """
const element = document.getElementById("view");
try {
  const tiles = await PageTiles.fromBase64(document.getElementById("data").textContent);
  globalThis.view = new TextView(element, tiles, { headingLevel: 1, guesses: SHOWS_GUESSES });
  if (window === window.top) globalThis.view.scroller.focus({ preventScroll: true }); // but take it from no notebook
} catch (error) {
  element.textContent = `This page cannot be shown: ${error.message}`;
}
"""


def page_of(view: TextView, *, shows_guesses: bool = False) -> str:
    """Return an HTML page that shows a text view, and loads nothing from anywhere.

    All that comes from the view is data: the module writes it as text, never as HTML, and the page's policy allows no
    script but the module itself.

    Args:
        view: What is shown.
        shows_guesses: Whether the guesses, if there are any, stand below the characters when the page is opened. They
            are always shown for the character under the pointer.
    """
    script = file_text("view.js") + _START.replace("SHOWS_GUESSES", str(shows_guesses).lower())
    data = base64.b64encode(gzip.compress(container_of(view), mtime=0)).decode()
    template = Environment(autoescape=True).from_string(file_text("page.html"))
    return template.render(
        title=_title(view),
        version=probe.__version__,
        style=file_text("view.css"),
        script=script,
        script_hash="sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        data=data,
    )


def frame_of(page: str, title: str) -> str:
    """Return a page within a frame of another one, in which it can run its script, and reach nothing else."""
    return (
        f'<iframe sandbox="allow-scripts" title="{escape(title)}" width="100%" height="{_FRAME_HEIGHT}" '
        f'style="border: 0" srcdoc="{escape(page)}"></iframe>'
    )


def file_text(name: str) -> str:
    """Return the content of a file of this folder, such as `view.js` or `view.css`."""
    return resources.files("probe.viewer.page").joinpath(name).read_text(encoding="utf-8")


def _title(view: TextView) -> str:
    """Return the title of the window, as characters that a file can have."""
    title = view.title or f"{len(view.text):,} characters"
    return title.encode("utf-8", "replace").decode()
