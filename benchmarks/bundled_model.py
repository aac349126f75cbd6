"""Make the bundled model and text anew from the standard library of a CPython, such as the one that runs this.

    python benchmarks/bundled_model.py

The modules of `HELD_OUT` are what `probe demo` reads; the model is trained on the rest by `probe train`.
"""

import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

HELD_OUT = (
    "compileall.py",
    "functools.py",
    "poplib.py",
    "socketserver.py",
    "tabnanny.py",
    "trace.py",
    "zipapp.py",
)
# Tests, generated tables, one long text, and what is not part of the library.
LEFT_OUT = ("test", "tests", "encodings", "ensurepip", "pydoc_data", "site-packages", "__pycache__")
DATA = Path(__file__).parents[1] / "probe" / "data"
SHAPE = "--units 256 --min-count 200 --weights float16"
SCHEDULE = "--epochs 10 --lanes 64 --steps 128 --learning-rate 5e-3 --weight-decay 0.1 --precision bf16"


def modules(library: Path) -> list[Path]:
    """The Python files of a standard library that are mostly ASCII, sorted by name."""
    found = []
    for path in sorted(library.rglob("*.py")):
        if not set(LEFT_OUT).intersection(path.relative_to(library).parts):
            raw = path.read_bytes()
            if len(raw) > 1 and sum(byte > 127 for byte in raw) < len(raw) / 100:
                found.append(path)
    return found


def main() -> None:
    """Write `python.py.txt` and `python_lstm.pt` into the package's data."""
    library = Path(sysconfig.get_path("stdlib"))
    text = "".join((library / name).read_text(encoding="utf-8") for name in HELD_OUT)
    (DATA / "python.py.txt").write_text(text, encoding="utf-8")
    training = [path for path in modules(library) if path.relative_to(library).as_posix() not in HELD_OUT]
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.txt"
        corpus.write_text("".join(path.read_text(encoding="utf-8") for path in training), encoding="utf-8")
        command = [sys.executable, "-m", "probe", "train", str(corpus), "-o", str(DATA / "python_lstm.pt")]
        held_out = ["--overwrite", "--held-out", str(DATA / "python.py.txt")]
        subprocess.run([*command, *held_out, *SHAPE.split(), *SCHEDULE.split()], check=True)


if __name__ == "__main__":
    main()
