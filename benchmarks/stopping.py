"""End every command by a signal at a random moment, run it again, and compare what it writes with an undisturbed run.

    python benchmarks/stopping.py                              # 100 times SIGTERM and 100 times SIGKILL
    python benchmarks/stopping.py --signals TERM INT --count 20 --only train rank --seed 7 --folder /scratch

After SIGTERM, SIGINT or SIGHUP a command must have said so in one line, with the status of the signal, and have left
nothing that was not there before, except for what it says that it continues. After SIGKILL too, a file is complete or
absent, and the same command again, with `--resume` for a training, writes the same bytes; only the time of day in a
recording, and in a model how long its training took, may differ. Each trial is a line of `stopping.jsonl`, with its
seed; a later run continues where an earlier one was stopped. Signals come at any moment of the time that a command
takes undisturbed, so that some come before Python has begun (their status is minus the signal) or when all is done (0).
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
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import h5py
import torch
from torch import nn

TEXT = Path(__file__).parents[1] / "probe" / "data" / "python.py.txt"
RESULTS = Path(__file__).with_name("stopping.jsonl")
N_CHARS = 8_000
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
    "perturb": f"perturb in_quotes {READ} --places 20 --json",
    "story": f"story in_quotes {READ} --chars 1000 -o new.html",
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


def probe(folder: Path, command: str) -> "subprocess.Popen[str]":
    """Start a command in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "probe", *command.split()],
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "MPLCONFIGDIR": str(folder.parent / "fonts")},
    )


def run(folder: Path, command: str) -> tuple[str, str]:
    """Run a command to its end, and return what it prints on standard output and error."""
    with probe(folder, command) as process:
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


def undisturbed(folder: Path, inputs: Path, command: str) -> dict[str, Any]:
    """Run a command, once more if loops were compiled; return what it writes, what it prints, and its seconds."""
    is_compiled = False
    while not is_compiled:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(inputs, folder)
        start = time.monotonic()
        output, complaints = run(folder, command)
        is_compiled = "compiling, once" not in complaints
    return {"files": written(folder), "output": output, "seconds": time.monotonic() - start}


def trial(folder: Path, inputs: Path, name: str, usual: dict[str, Any], number: int, seed: int) -> dict[str, Any]:
    """Stop a command at a moment that the seed decides, run it again, and say what went wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(inputs, folder)
    before = {path.name for path in folder.iterdir()}
    after_s = random.Random(f"{name} {number} {seed}").uniform(0, usual["seconds"])
    with probe(folder, COMMANDS[name]) as process:
        time.sleep(after_s)
        process.send_signal(number)
        sent = time.monotonic()
        _, complaints = process.communicate()
    took_s = time.monotonic() - sent
    faults = faults_of_end(number, process.returncode, complaints)
    for file, content in written(folder).items():  # a training writes the best model so far after each round
        may_differ = name == "train" or Path(file).parts[0] in _CONTINUED
        if content.startswith(_UNREADABLE) or (not may_differ and content != usual["files"].get(file)):
            faults.append(f"{file} is half written")
    left = {path.name for path in folder.iterdir()} - before - set(usual["files"])
    if number != signal.SIGKILL:
        faults += [f"{file} was left" for file in sorted(left - set(_CONTINUED))]
    faults += faults_of_rerun(folder, name, usual)
    return {
        "command": name, "signal": signal.Signals(number).name, "seed": seed, "after_s": round(after_s, 3),
        "status": process.returncode, "took_s": round(took_s, 3), "left": sorted(left), "faults": faults,
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


def main() -> None:
    """Run the trials that are not done yet, and print how many commands ended how."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--signals", nargs="+", default=["TERM", "KILL"])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--only", nargs="+", default=list(COMMANDS), choices=list(COMMANDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("stopped"))
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args()
    folder = asked.folder.absolute()
    for word in asked.signals:
        if word != "KILL":
            signal.signal(getattr(signal, f"SIG{word}"), signal.SIG_DFL)  # commands inherit a signal that is ignored
    if not (folder / "inputs").exists():
        prepare(folder / "inputs")
    lines = asked.results.read_text(encoding="utf-8").splitlines() if asked.results.exists() else []
    done = [json.loads(line) for line in lines]
    is_done = {(row["command"], row["signal"], row["seed"]) for row in done}
    for position, name in enumerate(asked.only):
        seeds = range(asked.seed + position, asked.seed + asked.count, len(asked.only))
        waiting = [
            (getattr(signal, f"SIG{word}"), seed)
            for word in asked.signals
            for seed in seeds
            if (name, f"SIG{word}", seed) not in is_done
        ]
        usual = undisturbed(folder / "usual", folder / "inputs", COMMANDS[name]) if waiting else {}
        for number, seed in waiting:
            done.append(trial(folder / "trial", folder / "inputs", name, usual, number, seed))
            with asked.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps(done[-1]) + "\n")
            sys.stdout.write(f"{json.dumps(done[-1])}\n")
            sys.stdout.flush()
    faulty = [row for row in done if row["faults"]]
    longest = max((row["took_s"] for row in done if row["signal"] != "SIGKILL"), default=0.0)
    n_late = sum(row["status"] == 0 for row in done)
    sys.stdout.write(
        f"{len(done)} trials, {len(faulty)} with faults; the longest end took {longest:.1f} s; "
        f"{n_late} commands were done before the signal came\n"
    )
    sys.exit(bool(faulty))


if __name__ == "__main__":
    main()
