"""The view in real notebooks: JupyterLab and marimo, in a browser."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium")
VIEW = """
import numpy as np
import probe

text = "one 'two' three\\n"
levels, scale = probe.views.diverging(np.arange(16.0) - 8.0, 0.0)
track = probe.views.Track(name="0/cell/7", kind="unit", levels=levels, scale=scale, quantity="activation")
made = probe.views.TextView(
    text=text,
    cells=probe.views.cells_of(text),
    start=1200,
    panels=(probe.views.Panel(tracks=(track,)),),
    title="sixteen characters",
)
"""
WIDGET, PAGE = "probe.view(made)", "probe.views.Page(made)"
pytestmark = [
    pytest.mark.slow,  # starts a server and a browser
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on the path"),
    pytest.mark.skipif(find_spec("playwright") is None, reason="playwright is not installed"),
]


@pytest.fixture
def page() -> Iterator[Any]:
    """A page of a browser; it is large enough for a notebook."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        try:
            yield browser.new_page(viewport={"width": 1280, "height": 900})
        finally:
            browser.close()


@contextmanager
def served(folder: Path, url: str, *command: str | int) -> Iterator[None]:
    """Run a server until it answers, and stop it, with what it started, in the end."""
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(folder / "config"), "JUPYTER_DATA_DIR": str(folder / "data")}
    environment |= {"IPYTHONDIR": str(folder / "ipython"), "XDG_CONFIG_HOME": str(folder / "xdg")}
    with (folder / "log").open("w") as log:
        arguments = [sys.executable, "-m", *map(str, command)]
        server = subprocess.Popen(arguments, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while not answers(url):
                assert server.poll() is None, (folder / "log").read_text()[-2000:]
                assert time.monotonic() < deadline, (folder / "log").read_text()[-2000:]
                time.sleep(0.3)
            yield
        finally:
            server.terminate()
            server.wait(30)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def free_port() -> int:
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        return int(probing.getsockname()[1])


def check_views(page: Any) -> None:
    """Find the widget and the page in its frame, and point at characters: the inspectors have what is there."""
    frame = page.frame_locator("iframe[srcdoc]")
    for shown in (page, frame):
        text = shown.locator(".scroller").first
        text.wait_for(timeout=90_000)
        text.scroll_into_view_if_needed()
        inspector = shown.get_by_role("region", name="Character and legend").first
        for index, value in ((9, "1.0"), (2, "−6.0")):
            x, y = middle_of(text, index)
            text.hover(position={"x": x, "y": y})
            inspector.get_by_text(f"position {1200 + index:,}").wait_for(timeout=10_000)
            assert value in inspector.inner_text().split()


def middle_of(text: Any, index: int) -> tuple[float, float]:
    """Return where a character of the first line is in the element of the text."""
    x, y = text.evaluate(
        """(element, index) => {
            const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
            while (walker.nextNode() && !walker.currentNode.data.startsWith("one 'two'"));
            const range = document.createRange();
            range.setStart(walker.currentNode, index);
            range.setEnd(walker.currentNode, index + 1);
            const { left, right, top, bottom } = range.getBoundingClientRect();
            const whole = element.getBoundingClientRect();
            return [(left + right) / 2 - whole.left, (top + bottom) / 2 - whole.top];
        }""",
        index,
    )
    return x, y


def test_jupyterlab_shows_the_view(page: Any, tmp_path: Path) -> None:
    pytest.importorskip("jupyterlab", reason="JupyterLab is not installed; make test-all installs it")
    cells: list[dict[str, Any]] = [
        {"cell_type": "code", "execution_count": None, "id": name, "metadata": {}, "outputs": [], "source": source}
        for name, source in (("made", VIEW), ("widget", WIDGET), ("page", PAGE))
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "view.ipynb").write_text(json.dumps(notebook))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    options = [
        "--no-browser",
        "--allow-root",
        f"--port={port}",
        "--IdentityProvider.token=",
        f"--ServerApp.root_dir={tmp_path}",
    ]
    with served(tmp_path, f"{url}/api", "jupyterlab", *options):
        page.goto(f"{url}/doc/tree/view.ipynb")
        page.get_by_text("| Idle").wait_for(timeout=60_000)  # the kernel has started
        page.locator(".jp-Cell-inputArea").first.click()
        for _ in cells:
            page.keyboard.press("Shift+Enter")
        check_views(page)


def test_marimo_shows_the_view(page: Any, tmp_path: Path) -> None:
    pytest.importorskip("marimo", reason="marimo is not installed; make test-all installs it")
    making = "".join(f"    {line}\n" for line in VIEW.strip().splitlines())
    cells = [
        "import marimo\n\napp = marimo.App()\n",
        f"@app.cell\ndef _():\n{making}    return made, probe\n",
        f"@app.cell\ndef _(made, probe):\n    {WIDGET}\n    return\n",
        f"@app.cell\ndef _(made, probe):\n    {PAGE}\n    return\n",
    ]
    (tmp_path / "view.py").write_text("\n\n".join(cells))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with served(tmp_path, url, "marimo", "run", "view.py", "--headless", "--no-token", "--port", port):
        page.goto(url)
        check_views(page)
