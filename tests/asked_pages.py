"""The explorer's page in Chromium with its own server, for the tests of what is asked there."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from explorer_clients import Client, explored
from explorer_pages import ExplorerPage, Page, wait_until

from probe.explorer.server import page_files
from probe.viewer.cells import cells_of, lay_out


@dataclass
class _Served:
    """What `ExplorerPage` has to know of the server."""

    address: str


class AskedPage(ExplorerPage):
    """A page of a recording, beside a client that asks the same server the same questions."""

    def __init__(self, page: Page, client: Client) -> None:
        super().__init__(page, _Served(client.address.url))  # type: ignore[arg-type]
        self.client = client
        self.text = client.exploration.recordings[0].session.corpus.text()

    def wait(self, condition: str) -> None:
        """Wait for a condition, and as long as questions take on a machine that does other things, too."""
        wait_until(self.page, condition, seconds=150)

    @property
    def panel(self) -> Any:
        """The panel that is open."""
        return self.page.locator("#panels > :not([hidden])")

    def settle(self) -> "AskedPage":
        """Wait until all that follows from what was done has been asked and answered."""
        self.page.wait_for_timeout(350)
        self.ready()
        return self

    def ask(self, path: str, question: dict[str, Any]) -> list[dict[str, Any]]:
        """What the server answers to the same question."""
        return self.client.post(f"/api/{path}", question).lines

    def corners_of_text(self) -> tuple[np.ndarray, np.ndarray]:
        """(n_chars,) where, on the screen, each cell begins of the first tile: from the left, and from the top."""
        columns, gutter, width, left, top = self.run("""() => {
            const { view } = app.panes, box = view.scroller.getBoundingClientRect();
            return [view.columns, view.gutter, view.cellWidth, box.x, box.y - view.scroll.top];
        }""")
        text = self.text[:16_384]
        layout = lay_out(text, cells_of(text), columns)
        tops = self.run(
            "(n) => Array.from({ length: n }, (_, row) => app.panes.view.geometry.rowTop(0, row, 0))", layout.n_rows
        )
        return left + gutter + layout.left * width, top + np.array(tops, float)[layout.rows]


@contextmanager
def asked_pages(
    browser: Any, *paths: Path, model: Path | None = None, size: tuple[int, int] = (1400, 900)
) -> Iterator[Any]:
    """Serve recordings, and open pages of them, in which nothing may go wrong, and which ask nobody else."""
    opened: list[AskedPage] = []
    with explored(*paths, model=model, page=dict(page_files())) as client:

        def open_page(fragment: str = "", theme: str = "light") -> AskedPage:
            context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=theme)
            page = AskedPage(context.new_page(), client)
            opened.append(page)
            page.page.goto(client.address.url + fragment)
            wait_until(page.page, "globalThis.app?.panels.size && app.panes.view.panels[0].tracks.length")
            page.ready()
            return page

        try:
            yield open_page
            for page in opened:
                assert page.mishaps == []
                host = f"http://127.0.0.1:{client.address.port}/"
                assert [url for url in page.requests if not url.startswith((host, f"blob:{host}"))] == []
        finally:
            for page in opened:
                page.page.context.close()
