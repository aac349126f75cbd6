"""End every command by a signal at a random moment, run it again, and compare what it writes with an undisturbed run.

    python benchmarks/stopping.py                              # 100 times SIGTERM and 100 times SIGKILL
    python benchmarks/stopping.py --signals TERM INT --count 20 --only train rank --seed 7 --folder /scratch

After SIGTERM, SIGINT or SIGHUP a command must have said so in one line, with the status of the signal, and have left
nothing that was not there before, except for what it says that it continues. After SIGKILL too, a file is complete or
absent, and the same command again, with `--resume` for a training, writes the same bytes; only the time of day in a
recording, and in a model how long its training took, may differ. Each trial is a line of `stopping.jsonl`, with its
seed and the commit of the code; a later run with the same code continues where an earlier one was stopped.

The seed decides the moment. Half of the signals come at any moment of the time that a command takes undisturbed, so
that some come before Python has begun (their status is minus the signal) or when all is done (0). The others come when
a module begins to load, or right before a file is written, renamed or removed (`stopping_moments.py`).
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import h5py
import torch
from torch import nn

TEXT = Path(__file__).parents[1] / "probe" / "data" / "python.py.txt"
RESULTS = Path(__file__).with_name("stopping.jsonl")
MOMENTS = Path(__file__).with_name("stopping_moments.py")
N_CHARS = 2_000
MADE_FIRST = (
    "train text.txt -o model.pt --units 16 --layers 1 --epochs 20 --lanes 4 --steps 32 --seed 1",
    "extract model.pt text.txt -o activations.h5 --sites hidden,cell",
    "fit in_quotes activations.h5 --controls none --save probes.npz",
)
READ = "--model model.pt --text text.txt --seed 1"
COMMANDS = {
    "train": "train text.txt -o new.pt --units 16 --layers 1 --epochs 4 --lanes 8 --seed 1",
    "sweep": "sweep text.txt -o new --cell lstm,gru --layers 1 --hidden 8 --epochs 1 --lanes 8",
    "import": "import theirs.pt -o new.pt --vocab json:vocab.json",
    "extract": "extract model.pt text.txt -o new.h5 --sites hidden,cell",
    "sample": "sample model.pt --seed 1 --json",
    "steer": "steer --hold 0/cell/3=0,1 --model model.pt --seed 1 --json",
    "evaluate": "evaluate model.pt text.txt --json",
    "check": "check activations.h5 --json",
    "hypotheses": "hypotheses text.txt --json",
    "rank": "rank in_quotes activations.h5 --json --csv new.csv",
    "rank-all": "rank --all activations.h5 --json",
    "explain": "explain 0/cell/3 activations.h5 --json",
    "units": "units activations.h5 --json",
    "similarity": "similarity activations.h5 activations.h5 --json",
    "fit": "fit in_quotes activations.h5 --controls chars --save new.npz --json",
    "curve": "curve in_quotes activations.h5 --over chars --no-fewest -o new.png",
    "ablate": f"ablate in_quotes {READ} --chars 500 --json",
    "impulse": f"impulse in_quotes {READ} --json",
    "orders": f"orders in_quotes {READ} --chars 500 --random 2 --json",
    "patch": f"patch in_quotes --part 0/cell/3 --part state {READ} --json",
    "perturb": f"perturb in_quotes {READ} --places 20 --json",
    "story": f"story in_quotes {READ} --chars 1000 -o new.png",
    "report": f"report {READ} -H in_quotes -o new.html",
    "view": "view in_quotes activations.h5 --top 1 -o new.html",
    "plot-ranking": "plot ranking in_quotes activations.h5 -o new.png",
    "plot-matrix": "plot matrix in_quotes in_comment activations.h5 -o new.png",
    "plot-weights": "plot weights --probe probes.npz -o new.png",
}
_UNREADABLE = "cannot be read"
_OF_NOW = ("date", "attributes_checksum")
_TIMED = ("train", "sweep", "extract")  # commands that print how long they took
_CONTINUED = ("new.training", "new", "new.part", "cache")  # of trainings, sweeps, recordings and labels


def probe(folder: Path, command: str, *, moment: tuple[str, ...] = ()) -> "subprocess.Popen[str]":
    """Start a command in a folder, by the program that knows its moments if one is given."""
    program = [str(MOMENTS), *moment] if moment else ["-m", "probe"]
    return subprocess.Popen(
        [sys.executable, *program, *command.split()],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "MPLCONFIGDIR": str(folder.parent / "fonts")},
    )


def run(folder: Path, command: str, *, moment: tuple[str, ...] = ()) -> tuple[str, str]:
    """Run a command to its end, and return what it prints on standard output and error."""
    with probe(folder, command, moment=moment) as process:
        output, complaints = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}: {complaints[-2000:]}")
    return output, complaints


def written(folder: Path) -> dict[str, str]:
    """Return hashes of the new files of a folder that are results: models, recordings, tables, pictures."""
    suffixes = (".pt", ".h5", ".npz", ".csv", ".png", ".html")
    files = [path for path in sorted(folder.rglob("new*")) if path.is_file() and path.suffix in suffixes]
    files += sorted((folder / "new").glob("*.pt")) if (folder / "new").is_dir() else []
    hashes = {}
    for path in files:
        try:
            hashes[str(path.relative_to(folder))] = content_hash(path)
        except (OSError, RuntimeError, ValueError, EOFError, LookupError, UnpicklingError) as error:
            hashes[str(path.relative_to(folder))] = f"{_UNREADABLE}: {error}"
    return hashes


def content_hash(path: Path) -> str:
    """Hash a file, but for the time of day in a recording, and in a model how long its training took."""
    if path.suffix == ".pt":
        checkpoint = torch.load(path, weights_only=True)
        checkpoint.get("training", {}).pop("seconds", None)
        return hashlib.sha256(repr(sorted(_leaves(checkpoint))).encode()).hexdigest()
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            parts = [(name, str(value)) for name, value in file.attrs.items() if name not in _OF_NOW]
            names: list[str] = []
            file.visit(names.append)
            datasets = [(name, file[name]) for name in names if isinstance(file[name], h5py.Dataset)]
            parts += [(name, f"{data.dtype} {data.shape} {data[()].tobytes().hex()}") for name, data in datasets]
        return hashlib.sha256(repr(sorted(parts)).encode()).hexdigest()
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield what a checkpoint has, with its place in it; tensors as their bytes."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _leaves(part, f"{name}/{key}")
    else:
        is_tensor = isinstance(value, torch.Tensor)
        yield name, str((value.dtype, value.shape, value.numpy().tobytes())) if is_tensor else repr(value)


def prepare(folder: Path) -> None:
    """Write a text, a model, its recording, a probe, and a model of another program."""
    folder.mkdir(parents=True)
    text = TEXT.read_text(encoding="utf-8")[:N_CHARS]
    (folder / "text.txt").write_text(text, encoding="utf-8")
    for command in MADE_FIRST:
        run(folder, command)
    torch.manual_seed(0)
    chars = sorted(set(text))
    layers = {"embedding": nn.Embedding(len(chars), 8), "lstm": nn.LSTM(8, 16), "fc": nn.Linear(16, len(chars))}
    torch.save(nn.ModuleDict(layers).state_dict(), folder / "theirs.pt")
    (folder / "vocab.json").write_text(json.dumps(chars), encoding="utf-8")
    shutil.rmtree(folder / "cache", ignore_errors=True)


def undisturbed(folder: Path, inputs: Path, name: str) -> dict[str, Any]:
    """Run a command twice; return what it writes and prints, its seconds, its moments, and whether both runs agree."""
    runs: list[dict[str, Any]] = []
    for moment in (("count", "counts.json"), ()):  # loops are compiled in the first
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(inputs, folder)
        start = time.monotonic()
        output, _ = run(folder, COMMANDS[name], moment=moment)
        runs.append({"files": written(folder), "output": output, "seconds": time.monotonic() - start})
        if moment:
            moments = json.loads((folder / "counts.json").read_text(encoding="utf-8"))
    same = ("files",) if name in _TIMED else ("files", "output")
    return {**runs[1], "moments": moments, "is_same": all(runs[0][key] == runs[1][key] for key in same)}


def moment_of(name: str, usual: dict[str, Any], number: int, seed: int) -> tuple[str, float]:
    """Draw what a signal waits for: so many seconds ("time"), or the n-th module or change of a file."""
    random_moment = random.Random(f"{name} {number} {seed}")
    kind = random_moment.choice(("time", "time", "import", "file"))
    n_moments = usual["moments"].get(kind, 0)
    if n_moments:
        return kind, random_moment.randint(1, n_moments)
    return "time", round(random_moment.uniform(0, usual["seconds"]), 3)


def stop(folder: Path, command: str, number: int, kind: str, after: float) -> tuple[int, str, float]:
    """Stop a command; return its status, what it says on standard error, and its seconds after the signal."""
    word = signal.Signals(number).name.removeprefix("SIG")
    moment = () if kind == "time" else (word, kind, str(int(after)))
    with probe(folder, command, moment=moment) as process:
        sent = time.monotonic()
        if kind == "time":
            time.sleep(after)
            process.send_signal(number)
            sent = time.monotonic()
        _, complaints = process.communicate()
    return process.returncode, complaints, time.monotonic() - sent if kind == "time" else 0.0


def trial(folder: Path, inputs: Path, name: str, usual: dict[str, Any], number: int, seed: int) -> dict[str, Any]:
    """Stop a command at a moment that the seed decides, run it again, and say what went wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(inputs, folder)
    before = {path.name for path in folder.iterdir()}
    kind, after = moment_of(name, usual, number, seed)
    status, complaints, took_s = stop(folder, COMMANDS[name], number, kind, after)
    faults = faults_of_end(number, status, complaints)
    for file, content in written(folder).items():  # a training writes the best model so far after each round
        may_differ = name == "train" or Path(file).parts[0] in _CONTINUED
        if content.startswith(_UNREADABLE) or (not may_differ and content != usual["files"].get(file)):
            faults.append(f"{file} is half written")
    left = {path.name for path in folder.iterdir()} - before - set(usual["files"])
    if number != signal.SIGKILL:
        faults += [f"{file} was left" for file in sorted(left - set(_CONTINUED))]
    faults += faults_of_rerun(folder, name, usual)
    return {
        "command": name, "signal": signal.Signals(number).name, "seed": seed, "moment": kind, "after": after,
        "status": status, "took_s": round(took_s, 3), "left": sorted(left), "faults": faults,
    }  # fmt: skip


def faults_of_end(number: int, status: int, complaints: str) -> list[str]:
    """Return what is wrong in how a command has ended: it may have been done, or Python may not have begun yet."""
    if number == signal.SIGKILL or status in (0, -number):
        return (
            [] if status or not any(word in complaints for word in ("Traceback", "ignored")) else [complaints[-1000:]]
        )
    faults = [] if status == 128 + number else [f"its status was {status}"]
    lines = [line for line in complaints.splitlines() if line.startswith("stopped; ")]
    if len(lines) != 1 or any(word in complaints for word in ("Traceback", "Exception ignored", "error:")):
        faults.append(complaints[-1000:])
    return faults


def faults_of_rerun(folder: Path, name: str, usual: dict[str, Any]) -> list[str]:
    """Run a command anew, and return how what it writes and prints differs from the undisturbed run."""
    command = COMMANDS[name]
    if name == "train" and (folder / "new.training" / "state.pt").exists():
        command += " --resume"
    elif (folder / "new.training").exists() or (name == "import" and (folder / "new.pt").exists()):  # it had ended
        command += " --overwrite"
    try:
        output, _ = run(folder, command)
    except RuntimeError as error:
        return [str(error)]
    files = written(folder)
    faults = [f"{file} differs" for file in usual["files"] | files if files.get(file) != usual["files"].get(file)]
    return faults if output == usual["output"] or name in _TIMED else [*faults, "its output differs"]


def commit() -> str:
    """Return the commit of the code, with "-dirty" if a file of it has been changed."""
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--signals", nargs="+", default=["TERM", "KILL"])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--only", nargs="+", default=list(COMMANDS), choices=list(COMMANDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="How many trials run at the same time.")
    parser.add_argument("--folder", type=Path, default=Path("stopped"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    return parser.parse_args()


def planned(asked: argparse.Namespace, done: list[dict[str, Any]]) -> dict[str, list[tuple[int, int]]]:
    """Return the signals and seeds of each command that are still to be tried."""
    is_done = {(row["command"], row["signal"], row["seed"]) for row in done}
    plans = {}
    for position, name in enumerate(asked.only):
        seeds = range(asked.seed + position, asked.seed + asked.count, len(asked.only))
        trials = [(word, seed) for word in asked.signals for seed in seeds]
        plans[name] = [
            (getattr(signal, f"SIG{word}"), seed) for word, seed in trials if (name, f"SIG{word}", seed) not in is_done
        ]
    return {name: trials for name, trials in plans.items() if trials}


def main() -> None:
    """Run the trials that are not done yet with this code, and print how many commands ended how."""
    asked = arguments()
    folder = asked.folder.absolute()
    for word in asked.signals:
        if word != "KILL":
            signal.signal(getattr(signal, f"SIG{word}"), signal.SIG_DFL)  # commands inherit a signal that is ignored
    if not (folder / "inputs").exists():
        prepare(folder / "inputs")
    lines = asked.results.read_text(encoding="utf-8").splitlines() if asked.results.exists() else []
    code = commit()
    done = [row for row in map(json.loads, lines) if row.get("commit") == code]
    plans = planned(asked, done)

    def prepared(name: str) -> dict[str, Any]:
        return undisturbed(folder / f"usual-{name}", folder / "inputs", name)

    def tried(name: str, number: int, seed: int) -> None:
        row = trial(folder / f"{name}-{number}-{seed}", folder / "inputs", name, usual[name], number, seed)
        shutil.rmtree(folder / f"{name}-{number}-{seed}")
        done.append({"commit": code, **row})
        line = json.dumps(done[-1])
        with asked.results.open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
        _say(line)

    with ThreadPoolExecutor(asked.workers) as pool:
        usual = dict(zip(plans, pool.map(prepared, plans), strict=True))
        seconds = sum(1.6 * usual[name]["seconds"] * len(trials) for name, trials in plans.items()) / asked.workers
        _say(f"{sum(map(len, plans.values()))} trials, which take about {seconds / 60:.0f} minutes")
        list(pool.map(lambda job: tried(*job), [(name, *job) for name, jobs in plans.items() for job in jobs]))
    unsteady = [name for name, runs in usual.items() if not runs["is_same"]]
    sys.exit(_summarise(done, unsteady))


def _summarise(done: list[dict[str, Any]], unsteady: list[str]) -> bool:
    """Print how the trials ended, and return whether anything is wrong."""
    for name in unsteady:
        _say(f"two undisturbed runs of {name} differ")
    faulty = [row for row in done if row["faults"]]
    longest = max((row["took_s"] for row in done if row["signal"] != "SIGKILL"), default=0.0)
    n_late = sum(row["status"] == 0 for row in done)
    _say(
        f"{len(done)} trials, {len(faulty)} with faults; the longest end took {longest:.1f} s; "
        f"{n_late} commands were done before the signal came"
    )
    return bool(faulty or unsteady)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
