"""How much the view of a text works while a long one is scrolled: main-thread time a frame in Chromium, and memory.

python benchmarks/view.py --chars 5000000 --screenshot view.png

Tiles are made by a worker when they are asked for, so that they come late, as from a server. `drawing` is what the
view does in a frame; `main thread` is all that the page's main thread does between two frames (scripts, layout,
painting), from Chromium's trace, in processor time and by the clock. The text is scrolled by a steady wheel, by
screens, and by jumps to other places at every frame.
"""

import argparse
import base64
import gzip
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from probe.viewer.cells import TILE_CHARS, cells_of
from probe.viewer.page.page import file_text
from probe.viewer.page.tiles import container_of
from probe.viewer.scales import binary, diverging, sequential
from probe.viewer.text_view import Guesses, Panel, TextView, Track

SYNTHETIC = """
// Runs in a worker: makes a tile of a text, of noise-like levels, or of guesses, from its number.
const arrays = { text: Uint32Array, guess_ids: Uint16Array };
onmessage = ({ data: { id, kind, track, index, n } }) => {
  const values = new (arrays[kind] ?? Uint8Array)(kind.startsWith("guess") ? 5 * n : n);
  let state = (1 + index * 7919 + track * 104729) >>> 0;
  const next = () => (state = (state * 1664525 + 1013904223) >>> 0) >>> 8;
  for (let i = 0; i < values.length; i++) {
    if (kind === "text") values[i] = next() % 43 === 0 ? 10 : 97 + (next() % 26);
    if (kind === "cells") values[i] = 1;
    if (kind === "tracks") values[i] = track === 1 ? (next() >> 4) & 1 : next() % 255;
    if (kind === "guess_ids") values[i] = next() % 26;
    if (kind === "guess_levels") values[i] = 200 >> i % 5;
  }
  // A newline is a sign, which the cells say: both tiles are made from the same numbers.
  if (kind === "cells") {
    for (let i = 0; i < n; i++) if (next() % 43 === 0) values[i] = 5; else next();
  }
  setTimeout(() => postMessage({ id, values }, [values.buffer]), 15);
};
"""

START = """
const worker = new Worker(URL.createObjectURL(new Blob([document.getElementById("worker").textContent])));
const waiting = new Map();
worker.onmessage = ({ data }) => { waiting.get(data.id)(data.values); waiting.delete(data.id); };
globalThis.nLoads = 0;
function load(kind, track, index) {
  const id = ++globalThis.nLoads;
  const n = Math.min(header.tile_chars, header.n_chars - index * header.tile_chars);
  worker.postMessage({ id, kind, track, index, n });
  return new Promise((done) => waiting.set(id, done));
}
const sample = await PageTiles.fromBase64(document.getElementById("data").textContent);
const nTiles = Math.ceil(N_CHARS / sample.header.tile_chars);
const places = Array.from({ length: nTiles }, (_, i) => [1 + 380 * i, 1]);
const header = { ...sample.header, n_chars: N_CHARS, tile_places: places };
globalThis.tiles = new CachedTiles(header, load, { mostBytes: 16 << 20 });
globalThis.view = new TextView(document.getElementById("view"), tiles, { measured: true, guesses: GUESSES });
"""

SCROLL = """
async ([way, nFrames]) => {
  const { scroller } = view;
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  performance.clearMeasures();
  let peak = 0;
  for (let n = 0; n < nFrames; n++) {
    if (way === "wheel") scroller.scrollTop += 90;
    if (way === "screens" && n % 12 === 0) scroller.scrollTop += scroller.clientHeight;
    if (way === "jumps") scroller.scrollTop = ((n * 0.381966) % 1) * scroller.scrollHeight;
    await frame();
    if (n % 10 === 0) peak = Math.max(peak, tiles.nBytes);
  }
  const durations = performance.getEntriesByType("measure").map(({ duration }) => duration);
  const count = (name) => document.querySelectorAll(name).length;
  return { durations, cacheBytes: peak, nElements: count("*"), canvases: count("canvas") };
}
"""


def synthetic_page(n_chars: int, guesses: bool) -> str:
    """Return a page that shows a text of any length, whose tiles come from a worker."""
    start = START.replace("N_CHARS", str(n_chars)).replace("GUESSES", str(guesses).lower())
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Synthetic</title>
<style>html, body {{ margin: 0; height: 100% }} main {{ height: 100vh }} {file_text("view.css")}</style>
<main id="view"></main><script type="text/plain" id="worker">{SYNTHETIC}</script>
<script type="text/plain" id="data">{_sample_base64(guesses)}</script>
<script type="module">{file_text("view.js")}{start}</script>"""


def _sample_base64(guesses: bool) -> str:
    """Return a short view with the tracks of the long one, for its header."""
    rng = np.random.default_rng(0)
    text = "abc\n" * 100
    unit, unit_scale = diverging(rng.normal(size=len(text)), 0.0)
    labels, label_scale = binary(rng.random(len(text)) < 0.5, np.ones(len(text), bool))
    loss, loss_scale = sequential(rng.exponential(size=len(text)), 0.0)
    tracks = (
        Track(name="0/cell/1", kind="unit", levels=unit, scale=unit_scale, quantity="activation"),
        Track(name="in_quotes", kind="labels", levels=labels, scale=label_scale),
        Track(name="0/cell/2", kind="unit", levels=unit.copy(), scale=unit_scale, quantity="activation"),
        Track(name="loss", kind="loss", levels=loss, scale=loss_scale, quantity="nats"),
    )
    alphabet = tuple(chr(97 + i) for i in range(26))
    n = len(text)
    guessed = Guesses(characters=alphabet, ids=np.zeros((n, 5), np.uint16), levels=np.zeros((n, 5), np.uint8))
    view = TextView(
        text=text,
        cells=cells_of(text),
        start=0,
        panels=(Panel(tracks=tracks),),
        guesses=guessed if guesses else None,
        title="Synthetic tiles",
    )
    return base64.b64encode(gzip.compress(container_of(view))).decode()


def main_thread_ms(trace: bytes) -> tuple[list[float], list[float]]:
    """Return, from a trace, what the page's main thread did from frame to frame: processor time, and by the clock."""
    events = json.loads(trace)["traceEvents"]
    begins_at = [event for event in events if event.get("name") == "AnimationFrame" and event["ph"] == "b"]
    [thread] = {(event["pid"], event["tid"]) for event in begins_at}
    begins = sorted(event["ts"] for event in begins_at)
    tasks = [
        event
        for event in events
        if event.get("name") == "RunTask" and event["ph"] == "X" and (event["pid"], event["tid"]) == thread
    ]
    frames = np.searchsorted(begins, [task["ts"] + task["dur"] for task in tasks])
    cpu, clock = np.zeros(len(begins) + 1), np.zeros(len(begins) + 1)
    np.add.at(cpu, frames, [task["tdur"] / 1000 for task in tasks])
    np.add.at(clock, frames, [task["dur"] / 1000 for task in tasks])
    return cpu[1:-1].tolist(), clock[1:-1].tolist()


def measurements(page: Any, browser: Any, n_frames: int) -> Iterator[tuple[str, str, list[float]]]:
    """Scroll in every way, and yield what was measured of each frame, in ms; print the memory."""
    categories = ["toplevel", "devtools.timeline", "disabled-by-default-devtools.timeline"]
    session = page.context.new_cdp_session(page)
    for way in ("wheel", "screens", "jumps"):
        browser.start_tracing(page=page, categories=categories)
        result = page.evaluate(SCROLL, [way, n_frames])
        cpu, clock = main_thread_ms(browser.stop_tracing())
        yield way, "drawing", result["durations"]
        yield way, "main thread, processor", cpu
        yield way, "main thread, clock", clock
        session.send("HeapProfiler.collectGarbage")
        heap = session.send("Runtime.getHeapUsage")["usedSize"] / 1e6
        print(
            f"{way:8} cache {result['cacheBytes'] / 1e6:.1f} MB at most, heap {heap:.1f} MB, "
            f"{result['canvases']} canvases, {result['nElements']} elements, {page.evaluate('nLoads')} tiles loaded"
        )


def main() -> None:
    """Print a row for each way of scrolling and each measure: ms a frame."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chars", type=int, default=5_000_000)
    parser.add_argument("--frames", type=int, default=400)
    parser.add_argument("--guesses", action="store_true", help="show guesses below the characters")
    parser.add_argument("--screenshot", type=Path)
    arguments = parser.parse_args()
    executable = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as running, tempfile.TemporaryDirectory() as folder:
        browser = running.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        path = Path(folder) / "view.html"
        path.write_text(synthetic_page(arguments.chars, arguments.guesses))
        page.goto(path.as_uri())
        page.wait_for_function("globalThis.view?.content.querySelector('.block')")
        print(f"{arguments.chars:,} characters in {-(-arguments.chars // TILE_CHARS)} tiles, {browser.version}")
        rows = list(measurements(page, browser, arguments.frames))
        print(f"{'ms a frame':33} {'median':>7} {'p95':>7} {'p99':>7} {'most':>7} {'frames':>7}")
        for way, measure, times in rows:
            median, p95, p99 = np.percentile(times, (50, 95, 99))
            print(f"{way:9} {measure:23} {median:7.2f} {p95:7.2f} {p99:7.2f} {max(times):7.2f} {len(times):7d}")
        if arguments.screenshot:
            page.screenshot(path=arguments.screenshot)
        browser.close()


if __name__ == "__main__":
    main()
