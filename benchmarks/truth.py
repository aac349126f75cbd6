"""Do the intervals, p-values and q-values of this program hold? A simulation study in which the truth is known.

python benchmarks/truth.py

Each cell draws units and labels of known truth many times, asks the program, and counts. A finished cell is a line of
`benchmarks/truth.jsonl`, with a hash of the analyses; cells that are there are not run again, so that a run that was
broken off goes on. At the end stands a table of what passes; see `truth_judging` for the rules. Two processes of one
thread each take at most two hours. The cells `real/…` need the models and texts of others in `../shared`.
"""

import argparse
import multiprocessing
import os
import re
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from truth_cells import KINDS, Cell, cells
from truth_counting import columns
from truth_judging import judge
from truth_page import print_page
from truth_real import RealTexts
from truth_repeating import Record
from truth_results import Result, hash_of_code, read, write
from truth_usual import print_usual

_HERE = Path(__file__).resolve().parent
_N_PROCESSES = 2
_ONE_THREAD = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_CHUNK_S = 2.0
_SEED = 0


def repeat(cell: Cell, seed: int, numbers: Sequence[int]) -> tuple[list[Record], float]:
    """Some repetitions of a cell, each from a seed of its own, and the seconds that they took."""
    began = time.perf_counter()
    kind, own = KINDS[cell.kind], zlib.crc32(cell.name.encode())
    records = [kind.repeat(cell.world, np.random.default_rng([seed, own, number])) for number in numbers]
    return records, time.perf_counter() - began


Map = Callable[
    [Callable[[Sequence[int]], tuple[list[Record], float]], Iterable[Sequence[int]]],
    Iterable[tuple[list[Record], float]],
]


def run_cell(cell: Cell, n: int, code: str, seed: int = _SEED, over: Map = map) -> Result:
    """All repetitions of a cell.

    Args:
        cell: Which one.
        n: How many.
        code: Hash of the program.
        seed: Of all of them.
        over: Maps a function over chunks of them, in order.
    """
    size = max(1, min(n // (2 * _N_PROCESSES), round(_CHUNK_S / cell.guess_s)))
    chunks = [range(start, min(start + size, n)) for start in range(0, n, size)]
    done = list(over(partial(repeat, cell, seed), chunks))
    records = [record for of_chunk, _ in done for record in of_chunk]
    counts = KINDS[cell.kind].tally(columns(records), cell.scale)
    return Result(cell.name, settings(cell), seed, n, code, round(sum(taken for _, taken in done), 1), counts)


def settings(cell: Cell) -> str:
    """What a cell draws, in words."""
    return f"{cell.kind}: {cell.world!r}"


def n_repetitions(cell: Cell, fraction: float) -> int:
    """Of a whole study, or of a trial."""
    return max(2, round(KINDS[cell.kind].n * fraction))


def fits(result: Result | None, cell: Cell, n: int) -> bool:
    """Whether a result is one of this cell."""
    return result is not None and (result.settings, result.n) == (settings(cell), n)


def to_run(asked: Sequence[Cell], results: dict[str, Result], code: str, fraction: float, *, again: bool) -> list[Cell]:
    """The cells that have no result yet, or, if they are to run again, none of the present program."""
    found = []
    for cell in asked:
        result = results.get(cell.name)
        is_there = fits(result, cell, n_repetitions(cell, fraction))
        if result is None or not is_there or (again and result.code != code):
            found.append(cell)
    return found


def can_run(cell: Cell) -> bool:
    """Whether what a cell needs is there; says so where it is not."""
    if isinstance(cell.world, RealTexts) and not cell.world.is_there:
        print(f"{cell.name}: skipped; there are no models and texts in {cell.world.shared} (--shared)")
        return False
    return True


def run_all(todo: Sequence[Cell], keep: Callable[[Result], None], code: str, seed: int, fraction: float) -> None:
    """Run cells on two cores, and tell how long the rest will take."""
    os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))  # for the processes, which are started afresh
    guesses = {cell.name: n_repetitions(cell, fraction) * cell.guess_s for cell in todo}
    began, guessed = time.perf_counter(), 0.0
    with ProcessPoolExecutor(_N_PROCESSES, multiprocessing.get_context("spawn")) as pool:
        worlds = {cell.name: cell.world for cell in todo if isinstance(cell.world, RealTexts)}
        prepared = {name: pool.submit(world.prepare) for name, world in worlds.items()}
        for cell in todo:
            if cell.name in prepared:
                prepared[cell.name].result()
            result = run_cell(cell, n_repetitions(cell, fraction), code, seed, pool.map)
            keep(result)
            guessed += guesses.pop(cell.name)
            taken = time.perf_counter() - began
            rest = sum(guesses.values()) * taken / guessed
            print(f"{line(cell, result)}   [{taken / 60:.1f} min done, some {rest / 60:.0f} min left]", flush=True)


def line(cell: Cell, result: Result, code: str | None = None) -> str:
    """What the rules say of a cell."""
    verdicts = judge(cell, result.counts, result.n)
    mark = "pass" if all(verdict.passed for verdict in verdicts) else "FAIL"
    stale = "" if code in (None, result.code) else "   (of another version of the program)"
    said = "; ".join(verdict.said if verdict.passed else verdict.said.upper() for verdict in verdicts)
    return f"{mark}  {cell.name:<58} {result.n:>5} x  {said}{stale}"


def print_table(asked: Sequence[Cell], results: dict[str, Result], code: str, fraction: float) -> bool:
    """Print the verdicts of all cells and a summary; returns whether all pass."""
    there = [cell for cell in asked if fits(results.get(cell.name), cell, n_repetitions(cell, fraction))]
    passed = [
        cell for cell in there if all(v.passed for v in judge(cell, results[cell.name].counts, results[cell.name].n))
    ]
    for cell in there:
        print(line(cell, results[cell.name], code))
    stale = sum(results[cell.name].code != code for cell in there)
    seconds = sum(results[cell.name].seconds for cell in there)
    print(f"\n{len(passed)} of {len(there)} cells pass; {len(asked) - len(there)} have not run", end="")
    print(f"; {stale} are of another version of the program (--again runs them again)" if stale else "", end="")
    print(f"; {seconds / 3600:.1f} hours of one core")
    return len(passed) == len(there)


def main() -> None:
    """Run what is not there yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="cells whose names this regular expression is found in")
    parser.add_argument(
        "--again", action="store_true", help="run cells again that are of another version of the program"
    )
    parser.add_argument("--fraction", type=float, default=1.0, help="of the repetitions; a trial, kept in another file")
    parser.add_argument("--table", action="store_true", help="run nothing, print the table")
    parser.add_argument("--page", action="store_true", help="run nothing, print the tables of docs/statistics.md")
    parser.add_argument("--usual", action="store_true", help="what three usual ways make of the same data, as a table")
    parser.add_argument("--file", type=Path, help="of results")
    parser.add_argument("--seed", type=int, default=_SEED)
    parser.add_argument("--shared", type=Path, default=_HERE.parents[1] / "shared", help="folder of models and texts")
    given = parser.parse_args()
    if given.usual:
        print_usual(given.seed, given.fraction)
        return
    is_trial = given.fraction != 1
    trial = Path(tempfile.gettempdir()) / f"truth-{given.fraction:g}.jsonl"
    path = given.file or (trial if is_trial else _HERE / "truth.jsonl")
    code = hash_of_code(_HERE.parent / "analyses")
    results = read(path)
    with tempfile.TemporaryDirectory(prefix="char-probe-truth-") as folder:
        all_cells = cells(given.shared, Path(folder))
        asked = [cell for cell in all_cells if re.search(given.only, cell.name)]

        if given.page:
            print_page(asked, results)
            return

        def keep(result: Result) -> None:
            results[result.cell] = result
            write(path, results, [cell.name for cell in all_cells])

        if not given.table:
            todo = [cell for cell in to_run(asked, results, code, given.fraction, again=given.again) if can_run(cell)]
            run_all(todo, keep, code, given.seed, given.fraction)
            print()
    sys.exit(0 if print_table(asked, results, code, given.fraction) else 1)


if __name__ == "__main__":
    main()
