"""Draw the pictures of docs/explorer.md anew: what `probe demo --explore` shows, in Chromium.

python benchmarks/explorer_pictures.py [FOLDER]

FOLDER keeps the recording of the bundled text (490 MB), and a later run takes it from there. A minute or two in all.
"""

import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from gallery import DOCS, in_few_colours

from activations.recordings.recording import Recording
from probe.demo import bundled_recording
from probe.explorer.exploration import opened
from probe.explorer.server import serving

_WIDTH = 1280
_COMMENTS = "u=0/cell/107&h=in_comment"
_TYPED = "# a list of squares\nfor i in ra"
_N_PAINTED = 20
_WAIT_MS = 120_000
_STILL_MS = 1500


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """A picture: what the address says after `#`, and the text in the panel that is waited for."""

    name: str
    fragment: str
    waits_for: str
    theme: Literal["light", "dark"] = "light"
    height: int = 800


def shots(text: str) -> list[Shot]:
    """List the pictures of a text."""
    docstrings = [match.span() for match in re.finditer(r'"""[A-Z][^"]{80,400}"""', text)]
    docstrings = docstrings[:: max(len(docstrings) // _N_PAINTED, 1)][:_N_PAINTED]
    painted = ",".join(f"{start}-{stop}" for start, stop in docstrings)
    start = docstrings[1][0]
    commented = text.index("# Check if this is a system")
    place = text.rindex("\n", 0, commented - 300) + 1
    return [
        Shot(name="ask", fragment=f"{_COMMENTS}&p={commented}&v={place}:0&panel=ask", waits_for="The best 20"),
        Shot(
            name="unit",
            fragment=f"{_COMMENTS}&panel=unit&full=panel",
            waits_for="Units that go with it",
            theme="dark",
            height=900,
        ),
        Shot(
            name="selection",
            fragment=f"u=0/cell/226&p={start}&v={start}:-60&panel=selection&paint={painted}",
            waits_for="Beside the whole text",
        ),
        Shot(
            name="try",
            fragment=f"{_COMMENTS}&panel=try&full=panel&size=18&try={quote(_TYPED)}",
            waits_for="most on",
            height=640,
        ),
        Shot(
            name="steer",
            fragment=f"{_COMMENTS}&panel=steer&full=panel&at=1.5&prompt={quote('    # Check ')}&texts=40",
            waits_for="matched: the mean effect",
            height=760,
        ),
    ]


def main(folder: str = "") -> None:
    """Draw the pictures."""
    if folder:
        draw(Path(folder))
        return
    with tempfile.TemporaryDirectory() as temporary:
        draw(Path(temporary))


def draw(folder: Path) -> None:
    """Record the bundled text in a folder, unless that is there, and photograph the page."""
    recording = bundled_recording(folder)
    with Recording(recording.path) as read:
        text = read.corpus.text()
    with opened([recording.path], model=recording.model) as exploration, serving(exploration) as address:
        for shot in shots(text):
            path = folder / f"explorer_{shot.name}.png"
            photograph(f"{address.url}#{shot.fragment}", shot, path)
            goal = DOCS / "pictures" / path.name
            in_few_colours(path, goal)
            print(f"{goal.relative_to(DOCS.parent)}: {goal.stat().st_size / 1000:.0f} kB", flush=True)


def photograph(address: str, shot: Shot, path: Path) -> None:
    """Open the page, wait for what a picture shows, and save it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": _WIDTH, "height": shot.height}, color_scheme=shot.theme)
        page = context.new_page()
        page.goto(address)
        page.locator("[role=tabpanel]:visible", has_text=shot.waits_for).wait_for(timeout=_WAIT_MS)
        page.locator("[role=tabpanel] progress:visible").first.wait_for(state="hidden", timeout=_WAIT_MS)
        page.wait_for_timeout(_STILL_MS)
        page.screenshot(path=path)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
