"""The explorer's page in Chromium on a real server that has a model."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from explorer_clients import Client
from explorer_pages import ExplorerPage, wait_until

from probe.viewer.colours import Theme


class Served:
    """What a page is opened at: a real server, in place of the stand-in."""

    def __init__(self, client: Client) -> None:
        self.address = f"http://{client.host}/"


class LivePage(ExplorerPage):
    """A page of a real server."""

    def type(self, text: str) -> None:
        """Replace the text of the panel by another, typed key by key."""
        self.page.locator(".typed-field").fill("")
        self.page.locator(".typed-field").press_sequentially(text, delay=15)

    def read(self, n_chars: int) -> None:
        """Wait until so many characters have been read."""
        wait_until(self.page, f"document.querySelector('.panel-try').dataset.read === '{n_chars}'")
        self.ready()

    def said(self, selector: str) -> str:
        text: str = self.page.locator(selector).first.inner_text()
        return text


@contextmanager
def live_pages(browser: Any, client: Client) -> Iterator[Any]:
    """Open pages of a server, in which nothing may go wrong, and which ask nobody else."""
    opened: list[LivePage] = []

    def open_page(fragment: str = "", theme: Theme = "light", size: tuple[int, int] = (1280, 900)) -> LivePage:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=theme)
        name, _, value = client.cookie.partition("=")
        context.add_cookies([{"name": name, "value": value, "domain": "127.0.0.1", "path": "/"}])
        page = LivePage(context.new_page(), Served(client))  # type: ignore[arg-type]
        opened.append(page)
        page.open(fragment)
        return page

    try:
        yield open_page
        for page in opened:
            assert page.mishaps == []
            assert [url for url in page.requests if not url.startswith(page.stand_in.address)] == []
    finally:
        for page in opened:
            page.page.context.close()
