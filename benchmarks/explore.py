"""How fast the explorer answers, beside the time of the reading underneath.

python benchmarks/explore.py corpus.txt --chars 1000000

`sidecar`: making the levels of all units beside one `rank` of the same sites, its memory, and how long levels,
overviews, histograms, extremes and quick AUCs take with the sidecar and without.
"""

import argparse
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
        "histogram": lambda: levels.histogram(any_unit(levels, rng)),
        "10 extremes": lambda: levels.extremes(any_unit(levels, rng), 10),
    }
    for name, ask in questions.items():
        is_slow = levels.sidecar is None and name in ("histogram", "10 extremes")
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


def main() -> None:
    """Print what each takes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--chars", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--asked", type=int, default=200, help="how often each question is asked")
    parser.add_argument("--folder", type=Path, help="where the recording is made; the folder of temporary files")
    given = parser.parse_args()
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


if __name__ == "__main__":
    main()
