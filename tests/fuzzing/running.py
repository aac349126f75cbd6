"""Running cases in a process that may crash, hang or want too much memory, and counting how they ended."""

import json
import os
import resource
import shutil
import signal
import traceback
import warnings
from collections import Counter
from collections.abc import Collection, Generator
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from fuzzing.cases import KINDS, Case, Fault
from fuzzing.samples import Samples

_MOST_SECONDS = 60.0  # of one case, on a machine that does other things, too
_MOST_BYTES = 600_000_000  # of one case, more than before it
_ADDRESS_BYTES = 6_000_000_000  # of the process, more than when it begins


@dataclass
class Tally:
    """How the cases of a run ended.

    Attributes:
        seed: The seed of the run.
        n_cases: Cases that were run; the next one has this number.
        outcomes: How many ended in each way, by kind and outcome.
        faults: What must not be, a sentence each, with the kind and the number of the case.
    """

    seed: int
    n_cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def to_json(self) -> str:
        """Return it as JSON, from which a run can be continued."""
        return json.dumps(vars(self), indent=1, ensure_ascii=True)

    @classmethod
    def from_json(cls, text: str) -> "Tally":
        """Read what `to_json` returned."""
        data = json.loads(text)
        return cls(**{**data, "outcomes": Counter(data["outcomes"])})

    def __str__(self) -> str:
        counts = ", ".join(f"{name} {n:,}" for name, n in sorted(self.outcomes.items()))
        return f"seed {self.seed}: {self.n_cases:,} cases, {len(self.faults)} faults ({counts})"


def run(
    tally: Tally, samples: Samples, folder: Path, kinds: Collection[str] = tuple(KINDS), *, runs_commands: bool = False
) -> Generator[str, None, None]:
    """Run case after case without end, count them, and give a line for every fault.

    Args:
        tally: What was counted so far; it is continued.
        samples: Sound files.
        folder: A folder for files, which may be written to and is emptied.
        kinds: The kinds of case to run.
        runs_commands: Whether some sound recordings are also given to commands.
    """
    names = sorted(kinds)
    while True:
        process, pipe = _start(tally, names, samples, folder, runs_commands=runs_commands)
        try:
            while True:
                name = names[tally.n_cases % len(names)]
                outcome = _answer(process, pipe)
                tally.n_cases += 1
                if outcome.startswith("fault: "):
                    line = f"{name} {tally.n_cases - 1}: {outcome.removeprefix('fault: ')}"
                    tally.faults.append(line)
                    tally.outcomes[f"{name} faults"] += 1
                    yield line
                    if not process.is_alive():
                        break
                else:
                    tally.outcomes[f"{name} {outcome}"] += 1
                    yield ""
        finally:
            process.kill()
            process.join()


def _answer(process: Any, pipe: Connection) -> str:
    """Return how the next case ended."""
    try:
        if pipe.poll(_MOST_SECONDS):
            return str(pipe.recv())
    except EOFError:
        process.join()
        return f"fault: the process ended ({process.exitcode})"
    process.kill()
    process.join()
    return f"fault: it took more than {_MOST_SECONDS:.0f} s"


def _start(tally: Tally, names: list[str], samples: Samples, folder: Path, *, runs_commands: bool) -> Any:
    context = get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_work, args=(theirs, tally.seed, tally.n_cases, names, samples, folder, runs_commands), daemon=True
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads that wait for nothing
        process.start()
    theirs.close()
    return process, ours


def _work(
    pipe: Connection, seed: int, first: int, names: list[str], samples: Samples, folder: Path, runs_commands: bool
) -> None:
    """Run cases from one on, and send how each ended; this is what the process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    own = folder / "cases"
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir()
    os.chdir(own)
    os.environ["CHAR_PROBE_CACHE"] = str(own)
    warnings.simplefilter("ignore")
    limit = _status("VmSize") + _ADDRESS_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    number = first
    while True:
        case_folder = own / "case"
        shutil.rmtree(case_folder, ignore_errors=True)
        case_folder.mkdir()
        case = Case(np.random.default_rng([seed, number]), case_folder, samples, runs_commands)
        pipe.send(_outcome(case, names[number % len(names)]))
        number += 1


def _outcome(case: Case, name: str) -> str:
    before = _reset_peak()
    try:
        outcome = KINDS[name](case)
    except Fault as fault:
        return f"fault: {fault}"
    except BaseException as error:  # noqa: BLE001 whatever it is, it is a fault
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"fault: {type(error).__name__} in {Path(where.filename).name}:{where.lineno}: {str(error)[:300]}"
    if (n_bytes := _status("VmHWM") - before) > _MOST_BYTES:
        return f"fault: it took {n_bytes / 1e6:,.0f} MB"
    return outcome


def _reset_peak() -> int:
    """Let the system count the most memory in use anew, and return what is in use now, in bytes."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return 1 << 62  # not on this system: memory is not judged
    return _status("VmRSS")


def _status(name: str) -> int:
    """Return an entry of what Linux says of this process, in bytes; 0 elsewhere."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), 0)
