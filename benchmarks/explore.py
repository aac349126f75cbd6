"""How fast the explorer answers, beside the time of the reading underneath.

python benchmarks/explore.py sidecar corpus.txt --chars 1000000
python benchmarks/explore.py page activations.h5 --asked 200 --json
python benchmarks/explore.py hammer activations.h5 --tabs 8 --seconds 60

`sidecar`: making the levels of all units beside one `rank` of the same sites, its memory, and how long levels,
overviews, extremes and quick AUCs take with the sidecar and without. `page`: what a reader waits for in
Chromium, without the sidecar, while it is made and with it, and the memory of the server. `hammer`: several tabs that
ask without a pause; anything that goes wrong ends it. The recording of `page` and `hammer` stays as it is; its sidecar
is made anew.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event, Thread

import numpy as np
from explore_page import first_views_while_made, hammer_part, page_part
from rank import record

from activations.units import Site, Unit
from analyses.ranking.ranking import rank
from analyses.session import Session
from probe.explorer.questions.quick_ranking import quick_aucs, sampled_rows
from probe.explorer.sidecar.sidecar import Sidecar
from probe.explorer.sidecar.unit_levels import UnitLevels
from probe.viewer.cells import TILE_CHARS

_N_SHOWN = 10  # units with an interval, as `probe rank` shows them
_N_BINS = 1200
_HYPOTHESIS = r"regex:'\b[A-Z]\w*'"
_ALL_DISK = 1 << 50


def sidecar_part(path: Path, n_runs: int, n_asked: int) -> None:
    """Print how long making takes beside ranking, and how long reading takes after it."""
    ratios = []
    for number in range(n_runs):
        with Session(path) as session:
            ranking = times_of(partial(rank, session, _HYPOTHESIS, n_intervals=_N_SHOWN))
        with peak_memory() as memory:
            making = times_of(partial(make, path))
        ratios.append(np.divide(making, ranking))
        print(
            f"  run {number + 1}: rank {ranking[0]:.2f} s, sidecar {making[0]:.2f} s; processors {ranking[1]:.2f} and "
            f"{making[1]:.2f} s; memory on top {memory[0] / 1e6:.0f} MB, with mapped files {memory[1] / 1e6:.0f} MB"
        )
    by_clock, on_processors = np.median(ratios, axis=0)
    print(f"  in terms of one rank, the median: {by_clock:.2f} by the clock, {on_processors:.2f} on processors")
    read_while_making(path)
    for is_kept in (True, False):
        with Session(path) as session:
            sidecar = Sidecar(session, budget=_ALL_DISK) if is_kept else None
            print(f"  {'with the sidecar' if is_kept else 'without it'}, ms (median, p95):")
            read_all(UnitLevels(session, sidecar), n_asked)
            if sidecar is not None:
                rank_quickly(UnitLevels(session, sidecar))
                sidecar.close()


def read_while_making(path: Path) -> None:
    """Print how long the levels of a tile take while the sidecar is made."""
    remove(path)
    rng = np.random.default_rng(0)
    times = []
    with Session(path) as session:
        sidecar = Sidecar(session, budget=_ALL_DISK)
        levels = UnitLevels(session, sidecar)
        for site in session.sites:
            levels.scale(Unit(site, 0))
        sidecar.start()
        while sidecar.status.state == "making":
            times.append(1e3 * seconds(lambda: read_tile(levels, rng)))
            time.sleep(0.05)
        sidecar.close()
    print(f"  {TILE_CHARS:,} characters while it is made, ms (median, p95): {np.median(times):.1f} ", end="")
    print(f"{np.percentile(times, 95):.1f}, of {len(times)}")


def make(path: Path) -> None:
    """Make the sidecar of a recording anew, with all sites."""
    remove(path)
    with Session(path) as session:
        sidecar = Sidecar(session, budget=_ALL_DISK)
        sidecar.start()
        status = sidecar.wait()
        if status.state != "ready":
            raise RuntimeError(status.sentence)
        sidecar.close()


def remove(path: Path) -> None:
    """Remove the sidecar of a recording."""
    shutil.rmtree(path.with_name(f"{path.name}.explorer"), ignore_errors=True)


def read_tile(levels: UnitLevels, rng: np.random.Generator) -> None:
    """Read the levels of any unit at any place, as many as the page asks for at one time."""
    n_chars = len(levels.session.corpus)
    start = int(rng.integers(max(1, n_chars - TILE_CHARS)))
    levels.levels(any_unit(levels, rng), start, min(start + TILE_CHARS, n_chars))


def any_unit(levels: UnitLevels, rng: np.random.Generator) -> Unit:
    """Return any unit."""
    sites = list(levels.session.sites)
    site: Site = sites[rng.integers(len(sites))]
    return Unit(site, int(rng.integers(levels.session.sites[site])))


def read_all(levels: UnitLevels, n_asked: int) -> None:
    """Print how long each kind of reading takes, for other units and places each time."""
    rng = np.random.default_rng(0)
    by_site = [seconds(partial(levels.scale, Unit(site, 0))) for site in levels.session.sites]
    print(f"    {'scales of a site':22}", *(f"{1e3 * taken:8.1f}" for taken in by_site))
    questions: dict[str, Callable[[], object]] = {
        f"{TILE_CHARS:,} characters": lambda: read_tile(levels, rng),
        f"overview, {_N_BINS:,} bins": lambda: levels.overview(any_unit(levels, rng), _N_BINS),
        "10 extremes": lambda: levels.extremes(any_unit(levels, rng), 10),
    }
    for name, ask in questions.items():
        is_slow = levels.sidecar is None and name == "10 extremes"
        times = [1e3 * seconds(ask) for _ in range(max(n_asked // 20, 3) if is_slow else n_asked)]
        print(f"    {name:22} {np.median(times):8.1f} {np.percentile(times, 95):8.1f}")


def rank_quickly(levels: UnitLevels) -> None:
    """Print how long quick AUCs of all units take."""
    labels = np.random.default_rng(0).random(levels.session.selection.n_chars) < 0.3
    rows = sampled_rows(len(labels))
    n_rows = sum(stretch.stop - stretch.start for stretch in rows)

    def ask() -> None:
        for site in levels.session.sites:
            mapped = levels.site_levels(site)
            if mapped is not None:
                quick_aucs(mapped, labels, rows=rows)

    ask()
    times = [seconds(ask) for _ in range(5)]
    n_units = sum(levels.session.sites.values())
    print(f"    quick AUCs of {n_units:,} units, {n_rows:,} rows: {np.median(times):.3f} s")


def times_of(work: Callable[[], object]) -> tuple[float, float]:
    """Return how long some work takes by the clock, and on all processors together, which others share."""
    began = time.process_time()
    taken = seconds(work)
    return taken, time.process_time() - began


def seconds(work: Callable[[], object]) -> float:
    """Return how long some work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Give two numbers, which at the end are the bytes at most on top of those at the beginning.

    The first is memory of the process itself, the second also counts what it has mapped of files.
    """
    most, done = [0, 0], Event()
    before = memory_now()

    def watch() -> None:
        while not done.wait(0.02):
            most[:] = [max(*pair) for pair in zip(most, np.subtract(memory_now(), before).tolist(), strict=True)]

    watcher = Thread(target=watch)
    watcher.start()
    try:
        yield most
    finally:
        done.set()
        watcher.join()


def memory_now() -> tuple[int, int]:
    """Return the anonymous memory of the process, and all that is resident, in bytes."""
    kilobytes = {}
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("RssAnon", "VmRSS"):
            kilobytes[name] = int(value.split()[0])
    return kilobytes["RssAnon"] << 10, kilobytes["VmRSS"] << 10


def underlying_reads(path: Path, n_asked: int, *, is_kept: bool) -> dict[str, list[float]]:
    """Return how long the levels of a tile take in this process, in ms, with the sidecar or without."""
    rng = np.random.default_rng(0)
    with Session(path) as session:
        sidecar = Sidecar(session, budget=_ALL_DISK) if is_kept else None
        levels = UnitLevels(session, sidecar)
        for site in session.sites:
            levels.scale(Unit(site, 0))
        times = [1e3 * seconds(lambda: read_tile(levels, rng)) for _ in range(n_asked)]
        if sidecar is not None:
            sidecar.close()
    return {f"{TILE_CHARS:,} levels of a unit, read": times}


def show(title: str, measured: dict[str, list[float]], *, as_json: bool) -> None:
    """Print medians and 95th percentiles; as JSON in one line."""
    rows = {
        name: {"median": float(np.median(times)), "p95": float(np.percentile(times, 95)), "n": len(times)}
        for name, times in measured.items()
        if times
    }
    if as_json:
        print(json.dumps({"part": title, "measured": rows}), flush=True)
        return
    print(f"{title}\n  {'ms':40} {'median':>9} {'p95':>9} {'n':>5}")
    for name, row in rows.items():
        print(f"  {name:40} {row['median']:9.1f} {row['p95']:9.1f} {row['n']:5d}", flush=True)


def sidecar_main(given: argparse.Namespace) -> None:
    """Print what the sidecar takes."""
    text = given.text.read_text(encoding="utf-8")[: given.chars]
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        (Path(folder) / "text.txt").write_text(text, encoding="utf-8")
        path = record(Path(folder) / "text.txt", Path(folder) / "activations.h5")
        os.sync()  # what was written is still on its way to the disk
        with Session(path) as session:
            rank(session, _HYPOTHESIS, n_intervals=_N_SHOWN)  # compiled, or found in the cache
            print(f"{sum(session.sites.values()):,} units x {len(text):,} characters")
        make(path)  # likewise
        sidecar_part(path, given.runs, given.asked)


def page_main(given: argparse.Namespace) -> None:
    """Print what a reader waits for."""
    path = given.recording
    with Session(path) as session:
        print(f"{sum(session.sites.values()):,} units x {len(session.corpus):,} characters", flush=True)
    cases = given.case or ["none", "making", "ready"]
    if "none" in cases:
        measured = page_part(path, "none", given.asked)
        show("without a sidecar", measured | underlying_reads(path, given.asked, is_kept=False), as_json=given.json)
    if "making" in cases:
        measured = first_views_while_made(path, given.sidecar, lambda: remove(path))
        show("while the sidecar is made", measured, as_json=given.json)
    if "ready" in cases:
        measured = page_part(path, given.sidecar, given.asked)
        show("with the sidecar", measured | underlying_reads(path, given.asked, is_kept=True), as_json=given.json)


def hammer_main(given: argparse.Namespace) -> None:
    """Print what several tabs wait for that ask without a pause."""
    measured = hammer_part(given.recording, given.sidecar, given.tabs, given.seconds)
    show(f"{given.tabs} tabs for {given.seconds:.0f} s", measured, as_json=given.json)


def main() -> None:
    """Print what each part takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True)
    sidecar = parts.add_parser("sidecar")
    sidecar.set_defaults(main=sidecar_main)
    sidecar.add_argument("text", type=Path)
    sidecar.add_argument("--chars", type=int, default=1_000_000)
    sidecar.add_argument("--runs", type=int, default=3)
    sidecar.add_argument("--folder", type=Path, help="where the recording is made; the folder of temporary files")
    page, hammer = parts.add_parser("page"), parts.add_parser("hammer")
    page.set_defaults(main=page_main)
    page.add_argument("--case", action="append", choices=["none", "making", "ready"], help="default: all")
    hammer.set_defaults(main=hammer_main)
    hammer.add_argument("--tabs", type=int, default=8)
    hammer.add_argument("--seconds", type=float, default=60)
    for part in (page, hammer):
        part.add_argument("recording", type=Path)
        part.add_argument("--sidecar", default="4GB", help="how large the sidecar may be")
        part.add_argument("--json", action="store_true", help="print a line of JSON for each case")
    for part in (sidecar, page):
        part.add_argument("--asked", type=int, default=200, help="how often each question is asked")
    given = parser.parse_args()
    given.main(given)


if __name__ == "__main__":
    main()
