"""How long questions take in the shell, as whole processes: seconds from the command to its end, medians of some runs.

python benchmarks/shell.py activations.h5 [--before OTHER_CHECKOUT] [--runs 5] [--only hypotheses]

With another checkout of this repository, each command is run by both, alternating, so that both meet the same machine.
Beside them stands the import of what every answer needs. The recording is of hidden and cell units of the bundled
model on the bundled text: probe extract probe/data/python_lstm.pt probe/data/python.py.txt --replace-unknown
--sites hidden,cell
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parents[1]
IMPORT = "import of numpy, h5py and numba"
QUESTIONS = {
    "--help": ["--help"],
    "hypotheses": ["hypotheses"],
    "rank -H in_comment": ["rank", "RECORDING", "-H", "in_comment"],
    "rank --all": ["rank", "RECORDING", "--all"],
    "fit -H in_comment --controls chars,context": [
        "fit",
        "RECORDING",
        "-H",
        "in_comment",
        "--controls",
        "chars,context",
    ],
    "fit -H in_comment": ["fit", "RECORDING", "-H", "in_comment"],
    "explain 0/cell/56": ["explain", "0/cell/56", "RECORDING"],
    "explain 0/cell/56 --no-cache": ["explain", "0/cell/56", "RECORDING", "--no-cache"],
}
FIRST = "the first rank -H in_comment after installing"


class Taken(NamedTuple):
    """Seconds that a process took, by the clock and of all processors."""

    elapsed: float
    of_processors: float


def take(words: list[str], environment: dict[str, str]) -> Taken:
    """Run a program to its end.

    Raises:
        RuntimeError: If it fails.
    """
    before, began = os.times(), time.perf_counter()
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    elapsed, after = time.perf_counter() - began, os.times()
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)} failed: {done.stderr.strip()}")
    of_children = after.children_user + after.children_system - before.children_user - before.children_system
    return Taken(elapsed, of_children)


def environment_of(checkout: Path, compiled: Path | None = None) -> dict[str, str]:
    """Return the variables with which a checkout's packages are imported, and its compiled loops kept in a folder."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": str(checkout)} | ({"NUMBA_CACHE_DIR": str(compiled)} if compiled else {})


def ask(question: str, recording: str, checkout: Path) -> Taken:
    """Let a checkout answer a question of the table."""
    if question == IMPORT:
        return take([sys.executable, "-P", "-c", "import numpy, h5py, numba"], environment_of(checkout))
    command = [sys.executable, "-P", "-m", "probe"]  # -P: not from the present folder, which may be a checkout
    if question == FIRST:
        with tempfile.TemporaryDirectory() as folder:
            words = QUESTIONS["rank -H in_comment"]
            environment = environment_of(checkout, Path(folder))
            return take([*command, *(recording if word == "RECORDING" else word for word in words)], environment)
    words = [recording if word == "RECORDING" else word for word in QUESTIONS[question]]
    return take([*command, *words], environment_of(checkout))


def main() -> None:
    """Ask, and print a line for each question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recording")
    parser.add_argument(
        "--before", type=Path, help="another checkout, whose answers are timed beside those of this one"
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[IMPORT, *QUESTIONS, FIRST])
    options = parser.parse_args()
    checkouts = ([options.before.resolve()] if options.before else []) + [HERE]
    recording = str(Path(options.recording).resolve())
    print(f"{'seconds, median of ' + str(options.runs) + ' (of processors)':52}", *(str(path) for path in checkouts))
    for question in options.only:
        taken: dict[Path, list[Taken]] = defaultdict(list)
        for run in range(options.runs + (question != FIRST)):  # one more, which compiles and is not counted
            for checkout in checkouts:
                one = ask(question, recording, checkout)
                if run or question == FIRST:
                    taken[checkout].append(one)
        medians = [Taken(*map(statistics.median, zip(*taken[path], strict=True))) for path in checkouts]
        cells = [f"{median.elapsed:8.2f} ({median.of_processors:6.2f})" for median in medians]
        ratio = f"  before / after {medians[0].elapsed / medians[-1].elapsed:.2f}" if len(medians) > 1 else ""
        ratio += f" ({medians[0].of_processors / medians[-1].of_processors:.2f})" if len(medians) > 1 else ""
        print(f"{question:52}", *cells, ratio, flush=True)


if __name__ == "__main__":
    main()
