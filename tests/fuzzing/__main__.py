"""Run cases until stopped: `python -m fuzzing --seed 1 --state fuzz.json` in `tests/`, or `make fuzz`."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from fuzzing.cases import KINDS
from fuzzing.running import Tally, run
from fuzzing.samples import make_samples

_LINE_SECONDS = 60.0


def main() -> None:
    """Run cases, and print the count every minute and every fault at once; the state says where to continue."""
    parser = argparse.ArgumentParser(prog="fuzzing", description=__doc__)
    parser.add_argument("--seed", type=int, default=int(time.time()), help="the same seed gives the same cases")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), help="stop after so many; else only when stopped"
    )
    parser.add_argument("--kinds", default=",".join(KINDS), help="kinds of case, separated by commas")
    parser.add_argument(
        "--no-commands", action="store_true", help="do not give recordings to commands too, which takes longer"
    )
    parser.add_argument("--state", type=Path, help="a file that keeps the count; a run that has it is continued")
    given = parser.parse_args()
    tally = Tally(given.seed, given.first)
    if given.state and given.state.is_file():
        tally = Tally.from_json(given.state.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory(prefix="char-probe-fuzzing-") as folder:
        try:
            _run(tally, Path(folder), given)
        except KeyboardInterrupt:
            pass
        finally:
            _say(str(tally), tally, given.state)
    sys.exit(bool(tally.faults))


def _run(tally: Tally, folder: Path, given: argparse.Namespace) -> None:
    samples = make_samples(folder)
    began = said = time.monotonic()
    _say(f"seed {tally.seed}, from case {tally.n_cases:,}", tally, given.state)
    for fault in run(tally, samples, folder, given.kinds.split(","), runs_commands=not given.no_commands):
        now = time.monotonic()
        if fault:
            _say(f"FAULT {fault}", tally, given.state)
        if now - said > _LINE_SECONDS:
            said = now
            _say(str(tally), tally, given.state)
        if now - began > given.seconds:
            return


def _say(line: str, tally: Tally, state: Path | None) -> None:
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {line}\n")
    sys.stdout.flush()
    if state:
        temporary = state.with_name(f"{state.name}.new")
        temporary.write_text(tally.to_json(), encoding="utf-8")
        temporary.replace(state)


if __name__ == "__main__":
    main()
