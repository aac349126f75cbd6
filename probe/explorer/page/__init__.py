"""The explorer's page: its HTML, its style and its ES modules, which the server sends as they are."""

from functools import cache
from importlib import resources

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@cache
def page_files() -> dict[str, tuple[bytes, str]]:
    """Return every file of the page by its name, such as `main.js` or `panels/ask.js`: its content and its media type.

    The view of a text is among them, as `view.js` and `view.css`.
    """
    page, view = resources.files("probe.explorer.page"), resources.files("probe.viewer.page")
    files = {file.name: file for file in page.iterdir()}
    for folder in ("bar", "charts", "facts", "painting", "panels"):
        files |= {f"{folder}/{file.name}": file for file in page.joinpath(folder).iterdir()}
    files |= {name: view.joinpath(name) for name in ("view.js", "view.css")}
    return {
        name: (file.read_bytes(), _TYPES[ending]) for name, file in files.items() if (ending := _ending(name)) in _TYPES
    }


def _ending(name: str) -> str:
    return "." + name.rpartition(".")[2]
