"""How fast the explorer's page is in Chromium, on a server of its own: `explore.py` has the commands."""

import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from view import main_thread_ms

_SIZE = {"width": 1280, "height": 800}
_CATEGORIES = ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"]
_N_VIEWS = 5  # first views, each of a server that has just started
_N_SLOW = 5  # rankings
_SAMPLED_S = 0.1  # between two looks at the memory of the server
_LONG_MS = 600_000

SCRIPT = """
globalThis.bench = {
  frame: () => new Promise((done) => requestAnimationFrame(done)),
  tiles() {
    const { geometry, scroll } = app.panes.view;
    const [first, last] = [scroll.top, scroll.top + scroll.height - 1].map((y) => geometry.placeAt(y).tile);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  },
  isDrawn(track) {
    if (!globalThis.app?.panels.size || !app.panes?.views.length) return false;
    const { panels, header, provider, content } = app.panes.view;
    const [number] = panels[0].tracks;
    if (number === undefined || (track && header.tracks[number]?.name !== track)) return false;
    const isThere = (kind, of) => this.tiles().every((tile) => provider.tile(kind, of, tile));
    const isAtHand = isThere("text", 0) && isThere("cells", 0) && isThere("tracks", number);
    return isAtHand && Boolean(content.querySelector(".block"));
  },
  async until(isSo, mostMs = MOST_MS) {
    const end = performance.now() + mostMs;
    for (;;) {
      await this.frame();
      if (isSo()) break;
      if (performance.now() > end) throw new Error(`waited for too long: ${isSo}`);
    }
    await this.frame(); // in which it is drawn
    return performance.now();
  },
  async timed(act, isSo) {
    const began = performance.now();
    act();
    return (await this.until(isSo)) - began;
  },
  unit: (name) => bench.timed(() => app.showUnit(name), () => bench.isDrawn(name)),
  jump: (position) => bench.timed(() => app.goTo(position), () => bench.isDrawn() && bench.isNear(position)),
  isNear: (position) => Math.abs(app.seen[0] - position) < 16384,
  labels: (spelled) => bench.timed(() => app.ask(spelled), () => bench.areLabelled(spelled)),
  areLabelled(spelled) {
    const labels = app.labelsOf(0);
    const { panels, header, provider } = app.panes.view;
    const track = panels[0].tracks.find((number) => header.tracks[number]?.name === labels?.name);
    if (!labels || app.state.get("hypothesis") !== spelled || track === undefined) return false;
    return this.tiles().every((tile) => provider.tile("tracks", track, tile));
  },
  async ranking(spelled) {
    const table = document.querySelector(".panel-ask .ranking");
    table.replaceChildren();
    const began = performance.now();
    app.ask(spelled);
    const quick = await this.until(() => table.querySelector("tbody tr"));
    const whole = await this.until(() => document.querySelector(".panel-ask progress").hidden);
    return [quick - began, whole - began];
  },
  async scroll(way, nFrames) {
    const { scroller } = app.panes.view;
    const [{ name, n_units: nUnits }] = app.units.sites;
    for (let n = 0; n < nFrames; n++) {
      if (way === "wheel") scroller.scrollTop += 90;
      if (way === "jumps" && n % 6 === 0) scroller.scrollTop = ((n * 0.381966) % 1) * scroller.scrollHeight;
      if (way === "units" && n % 6 === 0) app.showUnit(`${name}/${n % nUnits}`);
      await this.frame();
    }
  },
  answered(name) {
    const entries = performance.getEntriesByType("resource").filter((entry) => entry.name.includes(`/api/${name}`));
    performance.clearResourceTimings();
    return entries.map((entry) => entry.duration);
  },
};
""".replace("MOST_MS", str(_LONG_MS))


@dataclass(frozen=True)
class Served:
    """A server in a process of its own: the address of its page, and the bytes of memory at most; see `memory_of`."""

    url: str
    started_s: float
    most_bytes: list[int]


@contextmanager
def served(path: Path, sidecar: str) -> Iterator[Served]:
    """Serve a recording by the command, until the block ends."""
    command = [sys.executable, "-m", "probe", "explore", str(path), "--no-browser", "--sidecar", sidecar]
    began = time.perf_counter()
    done, most = threading.Event(), [0, 0]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        watcher = threading.Thread(target=_watch, args=(process.pid, most, done))
        watcher.start()
        try:
            url = next(iter(process.stdout or ()), "").strip()
            if not url.startswith("http"):
                process.terminate()
                raise RuntimeError(f"`probe explore` did not start: {process.communicate()[1]}")
            yield Served(url, time.perf_counter() - began, most)
        finally:
            done.set()
            process.terminate()
            process.communicate(timeout=30)
            watcher.join()


def _watch(pid: int, most: list[int], done: threading.Event) -> None:
    while not done.wait(_SAMPLED_S):
        most[:] = map(max, most, memory_of(pid))


def memory_of(pid: int) -> tuple[int, int]:
    """Return the memory of a process itself, and that with its share of the files that it maps, in bytes."""
    try:
        said = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0, 0
    kilobytes = dict(re.findall(r"^(\w+):\s+(\d+) kB", said, re.MULTILINE))
    return int(kilobytes["Pss_Anon"]) << 10, int(kilobytes["Pss"]) << 10


def first_views(
    browser: Any, path: Path, sidecar: str, before: Callable[[], object] = lambda: None
) -> dict[str, list[float]]:
    """Return how long it takes from the address to the coloured text, in ms, of servers that have just started.

    Args:
        browser: A browser.
        path: The recording.
        sidecar: How large its sidecar may be.
        before: Called before each start.
    """
    views, starts = [], []
    for _ in range(_N_VIEWS):
        before()
        with served(path, sidecar) as server:
            starts.append(1e3 * server.started_s)
            page = browser.new_page(viewport=_SIZE)
            page.goto(server.url, wait_until="commit")
            page.evaluate(SCRIPT)
            views.append(page.evaluate("bench.until(() => bench.isDrawn())"))
            page.close()
    return {"from the command to the address": starts, "first view": views}


def memory_in_megabytes(server: Served) -> dict[str, list[float]]:
    """Return how much memory a server has taken at most."""
    names = ("server's memory, MB", "with mapped files, MB")
    return {name: [n_bytes / 1e6] for name, n_bytes in zip(names, server.most_bytes, strict=True)}


def wait_for_sidecar(page: Any) -> None:
    """Wait until the server has prepared all that it prepares."""
    page.evaluate("""async () => {
        while (app.facts.recordings.some(({ sidecar }) => sidecar.state === "making")) await bench.frame();
    }""")


def interactions(page: Any, n: int) -> Iterator[tuple[str, list[float]]]:
    """Yield how long each kind of interaction took until it was drawn, in ms; units, places and patterns are random."""
    rng = np.random.default_rng(0)
    facts = page.evaluate("app.facts.recordings[0]")
    sites = facts["sites"]
    page.evaluate("performance.setResourceTimingBufferSize(10000)")

    def any_unit() -> str:
        site = sites[rng.integers(len(sites))]
        return f"{site['name']}/{rng.integers(site['n_units'])}"

    page.evaluate("bench.answered('')")
    yield "unit change", [page.evaluate("(unit) => bench.unit(unit)", any_unit()) for _ in range(n)]
    page.wait_for_timeout(1000)
    yield "  of it, overview of the unit", page.evaluate("bench.answered('overview')")
    places = rng.integers(facts["n_chars"], size=n).tolist()
    yield "jump", [page.evaluate("(place) => bench.jump(place)", place) for place in places]
    words = [f"regex:'{chr(97 + number % 26)}{chr(97 + number // 26)}'" for number in rng.permutation(26 * 26)[:n]]
    page.evaluate("app.openPanel('keep')")  # so that nothing is ranked
    yield "labels of a pattern", [page.evaluate("(word) => bench.labels(word)", word) for word in words]
    page.evaluate("app.openPanel('ask')")
    page.wait_for_timeout(3000)
    asked = [f"regex:'{chr(97 + number)}\\w'" for number in range(min(_N_SLOW, n))]
    rankings = [page.evaluate("(word) => bench.ranking(word)", word) for word in asked]
    yield "quick ranking", [quick for quick, _ in rankings]
    yield "whole ranking", [whole for _, whole in rankings]
    page.evaluate("app.ask('')")


def frames(browser: Any, page: Any, n: int) -> Iterator[tuple[str, list[float]]]:
    """Yield the processor time of the page's main thread in each frame, in ms, in three ways of moving."""
    for way in ("wheel", "jumps", "units"):
        browser.start_tracing(page=page, categories=_CATEGORIES)
        page.evaluate("([way, n]) => bench.scroll(way, n)", [way, n])
        cpu, clock = main_thread_ms(browser.stop_tracing())
        yield f"main thread a frame, {way}", cpu
        yield f"main thread a frame, {way}, clock", clock


@contextmanager
def chromium() -> Iterator[Any]:
    """Give a browser."""
    from playwright.sync_api import sync_playwright

    executable = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield browser
        browser.close()


def page_part(path: Path, sidecar: str, n: int) -> dict[str, list[float]]:
    """Return all that is measured of the page on a recording, in ms, once its sidecar is ready; `none` is without."""
    with chromium() as browser:
        with served(path, sidecar) as server:
            page = browser.new_page(viewport=_SIZE)
            page.goto(server.url, wait_until="commit")
            page.evaluate(SCRIPT)
            page.evaluate("bench.until(() => bench.isDrawn())")
            wait_for_sidecar(page)
            measured = dict(interactions(page, n)) | dict(frames(browser, page, n))
            measured |= memory_in_megabytes(server)
        return first_views(browser, path, sidecar) | measured


def first_views_while_made(path: Path, sidecar: str, remove: Callable[[], object]) -> dict[str, list[float]]:
    """Return how long first views take that begin with the sidecar being made."""
    with chromium() as browser:
        return first_views(browser, path, sidecar, remove)


def _note(mishaps: list[str], answer: Any) -> None:
    if answer.status >= 500:
        mishaps.append(f"{answer.status} {answer.url}")


def hammer_part(path: Path, sidecar: str, n_tabs: int, seconds: float) -> dict[str, list[float]]:
    """Let several tabs ask without a pause; return how long each answer took, and the server's memory.

    Raises:
        RuntimeError: If anything went wrong in a page.
    """
    mishaps: list[str] = []
    with chromium() as browser, served(path, sidecar) as server:
        context = browser.new_context(viewport=_SIZE)
        pages = []
        for number in range(n_tabs):
            page = context.new_page()
            page.on("pageerror", lambda error: mishaps.append(str(error)))
            page.on("response", partial(_note, mishaps))
            page.goto(server.url, wait_until="commit")
            page.evaluate(SCRIPT)
            page.evaluate("bench.until(() => bench.isDrawn())")
            page.evaluate(HAMMER, [1000 * seconds, number])
            pages.append(page)
        half = seconds / 2
        pages[0].wait_for_timeout(1000 * half)
        at_half = memory_in_megabytes(server)
        pages[0].wait_for_timeout(1000 * half + 2000)
        times = [taken for page in pages for taken in page.evaluate("bench.times")]
        banners = [page.locator("#banner") for page in pages]
        mishaps += [banner.inner_text() for banner in banners if banner.is_visible()]
        at_end = memory_in_megabytes(server)
    if mishaps:
        raise RuntimeError(f"{len(mishaps)} mishaps, the first: {mishaps[0]}")
    return {"interactions": times} | {f"{name}, half-time": value for name, value in at_half.items()} | at_end


HAMMER = """
([ms, seed]) => {
  bench.times = [];
  let state = seed + 1;
  const random = (n) => (state = (state * 1103515245 + 12345) % 2147483648) % n;
  const nChars = app.facts.recordings[0].n_chars;
  const { sites } = app.facts.recordings[0];
  const patterns = ["in_quotes", "in_comment", "regex:'[A-Z]'", "regex:'\\\\d+'", "position_in_line >= 40"];
  const act = () => {
    const site = sites[random(sites.length)];
    const what = random(10);
    if (what < 5) app.showUnit(`${site.name}/${random(site.n_units)}`);
    else if (what < 8) app.goTo(random(nChars));
    else if (what < 9) app.ask(patterns[random(patterns.length)]).catch(() => {});
    else app.openPanel(["ask", "unit", "keep"][random(3)]);
  };
  const end = performance.now() + ms;
  (async () => {
    while (performance.now() < end) {
      const began = performance.now();
      act();
      await bench.until(() => bench.isDrawn());
      bench.times.push(performance.now() - began);
    }
  })();
}
"""
