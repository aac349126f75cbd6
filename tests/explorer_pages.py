"""The explorer's page in Chromium, for the tests of what it does: recordings with known units, and a page to act on."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from explorer_standin import Recording, StandIn
from PIL import Image

from probe.viewer.cells import lay_out
from probe.viewer.colours import Theme, colours
from probe.viewer.text_view import DocumentStart

REFUSED = "Failed to load resource: the server responded with a status of 4"
GONE = re.compile(r"ERR_(CONNECTION_REFUSED|EMPTY_RESPONSE|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING)")
Page = Any  # playwright's, which may not be installed


def known_text(n_chars: int = 40_000) -> str:
    """Return lines of code with comments and quotes, never the same twice."""
    rng = np.random.default_rng(2)
    lines = []
    for number in range(n_chars // 20):
        words = " ".join("".join(rng.choice(list("abcdefgh"), rng.integers(1, 8))) for _ in range(rng.integers(1, 8)))
        lines.append(f"{words} = {number}" + rng.choice(["", "", " # a comment", ' + "quoted"']))
    return "\n".join(lines)[:n_chars]


def known_recording(name: str = "activations.h5", seed: int = 0, text: str | None = None) -> Recording:
    """Return a recording in which 0/cell/3 follows comments, and 0/cell/5 is low in quotes."""
    text = known_text() if text is None else text
    rng = np.random.default_rng(seed)
    n_chars = len(text)
    cell = rng.normal(size=(n_chars, 9)).astype(np.float32)
    for unit, pattern, sign in ((3, "#[^\n]*", 1), (5, r'"[^"]*"', -1)):
        for match in re.finditer(pattern, text):
            cell[match.start() : match.end(), unit] += 4 * sign
    sites = {
        "0/hidden": np.tanh(cell),
        "0/cell": cell,
        "0/input_gate": rng.random((n_chars, 9)).astype(np.float32),
        "1/cell": rng.normal(size=(n_chars, 6)).astype(np.float32),
    }
    documents = (DocumentStart(name="one.py", position=0), DocumentStart(name="two.py", position=n_chars // 3))
    return Recording(name, text, sites, documents=documents)


def wait_until(page: Page, condition: str, seconds: int = 30) -> None:
    """Wait for a condition; `wait_for_function` evaluates strings in the page, whose policy forbids that."""
    page.evaluate(f"""async () => {{
        const end = performance.now() + {1000 * seconds};
        while (!({condition})) {{
            if (performance.now() > end) throw new Error({condition!r} + " was waited for");
            await new Promise((done) => setTimeout(done, 15));
        }}
    }}""")


class ExplorerPage:
    """A page that is open, and what happened in it that must not."""

    def __init__(self, page: Page, stand_in: StandIn) -> None:
        self.page, self.stand_in = page, stand_in
        self.mishaps: list[str] = []
        self.requests: list[str] = []
        self.aborted: list[str] = []
        page.on("pageerror", lambda error: self.mishaps.append(str(error)))
        page.on("console", lambda message: self._hear(message.text))
        self.on_their_way: set[Any] = set()
        page.on("request", self._begin)
        page.on("requestfinished", lambda request: self.on_their_way.discard(request))
        page.on("requestfailed", self._fail)

    def _begin(self, request: Any) -> None:
        self.requests.append(request.url)
        self.on_their_way.add(request)

    def _fail(self, request: Any) -> None:
        self.on_their_way.discard(request)
        if "ERR_ABORTED" in str(request.failure):
            self.aborted.append(request.url)

    def _hear(self, message: str) -> None:
        """Note what the console says, except that requests were refused, or not answered, which is dealt with."""
        if not message.startswith(REFUSED) and not GONE.search(message):
            self.mishaps.append(message)

    def open(self, fragment: str = "") -> "ExplorerPage":
        self.page.goto(self.stand_in.address + fragment)
        wait_until(self.page, "globalThis.app?.panels.size && app.panes.view.panels[0].tracks.length")
        return self.ready()

    def ready(self) -> "ExplorerPage":
        """Wait until nothing is on its way but long questions, and all frames that are due have been drawn."""
        frame = "() => new Promise((done) => setTimeout(() => requestAnimationFrame(done), 50))"
        n_quiet = 0
        while n_quiet < 2:
            self.page.evaluate(frame)
            is_quiet = all(request.url.endswith("/rank") for request in self.on_their_way)
            n_quiet = n_quiet + 1 if is_quiet else 0
        return self

    def run(self, script: str, argument: object = None) -> Any:
        return self.page.evaluate(script, argument)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.ready()

    def wait(self, condition: str) -> None:
        wait_until(self.page, condition)

    def state(self, name: str) -> Any:
        return self.run("(name) => app.state.get(name)", name)

    def tracks(self, view: int = 0) -> list[str]:
        """Return the names of the tracks that are shown, the one of the characters first."""
        names: list[str] = self.run(
            """(n) => {
                const view = app.panes.views[n];
                return view.panels[0].tracks.map((i) => view.header.tracks[i].name);
            }""",
            view,
        )
        return names

    def pixels(self) -> np.ndarray:
        """(height, width, 3) what is on the screen."""
        return np.asarray(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB"))

    def corners(self, recording: Recording, view: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """(n_chars,) where, on the screen, each cell begins of the first tile: from the left, and from the top."""
        columns, gutter, width, left, top = self.run(
            """(n) => {
                const view = app.panes.views[n];
                const box = view.scroller.getBoundingClientRect();
                return [view.columns, view.gutter, view.cellWidth, box.x, box.y - view.scroll.top];
            }""",
            view,
        )
        n = min(len(recording.text), 16_384)
        layout = lay_out(recording.text[:n], recording.cells[:n], columns)
        tops = self.run(
            "([view, n]) => Array.from({ length: n }, (_, row) => app.panes.views[view].geometry.rowTop(0, row, 0))",
            [view, layout.n_rows],
        )
        return left + gutter + layout.left * width, top + np.array(tops, float)[layout.rows]

    def check_colours(self, recording: Recording, tracks: list[str], theme: Theme = "light", view: int = 0) -> None:
        """Check that what is on the screen of the first tile has the colours that Python gives these tracks."""
        x, y = self.corners(recording, view)
        pixels = self.pixels()
        cell, strip, between, top, bottom = self.run(
            """(n) => {
                const view = app.panes.views[n];
                const { cellHeight, stripHeight, between } = view.painter;
                const box = view.scroller.getBoundingClientRect();
                return [cellHeight, stripHeight, between, box.top, box.bottom];
            }""",
            view,
        )
        caret = self.run("(n) => app.panes.views[n].caret.position", view)
        starts = {document.position for document in recording.documents}
        seen = [i for i in np.flatnonzero((y > top + 3) & (y + 3 * cell < bottom)).tolist() if abs(i - caret) > 1]
        assert len(seen) > 100
        for number, name in enumerate(tracks):
            query = (
                {"labels": name} if name in recording.labels else {"loss": "1"} if name == "loss" else {"unit": name}
            )
            levels, scale = recording.levels(query)
            table = colours(scale.kind, theme)
            indices = scale.colours(levels[:16_384]) % len(table)
            below = 0 if number == 0 else cell + between + (number - 1) * (strip + between)
            for i in seen[:: max(len(seen) // 150, 1)]:
                if i not in starts:
                    corner = pixels[round(y[i] + below), round(x[i]) + 1]
                    assert corner.tolist() == table[indices[i]].tolist(), (name, i)


@contextmanager
def pages(browser: Any) -> Iterator[Any]:
    """Open pages of stand-ins, in which nothing may go wrong, and which ask nobody else."""
    opened: list[ExplorerPage] = []

    def open_page(
        *recordings: Recording,
        fragment: str = "",
        theme: Theme = "light",
        size: tuple[int, int] = (1280, 800),
        stand_in: StandIn | None = None,
    ) -> ExplorerPage:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=theme)
        page = ExplorerPage(context.new_page(), stand_in or StandIn(*(recordings or [known_recording()])))
        opened.append(page)
        return page.open(fragment)

    try:
        yield open_page
        for page in opened:
            assert page.mishaps == []
            assert [url for url in page.requests if not url.startswith(page.stand_in.address)] == []
    finally:
        for page in opened:
            page.page.context.close()
            page.stand_in.hold_ranking.set()
            page.stand_in.stop()
