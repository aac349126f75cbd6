"""Make docs/gallery.md and its pictures anew, from the bundled model and text, by the commands that the page shows.

python benchmarks/gallery.py [FOLDER]

FOLDER keeps what the commands write, and a later run goes on where an earlier one was stopped.
"""

import csv
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from textwrap import fill
from typing import Any

from gallery_entries.browser import photograph
from gallery_entries.causes import CAUSES
from gallery_entries.entry import Entry, Row, Rows
from gallery_entries.knowledge import KNOWLEDGE
from gallery_entries.pages import PAGES
from gallery_entries.several import SEVERAL, SMALL_MODELS
from gallery_entries.texts import TEXTS
from PIL import Image

ROOT = Path(__file__).parents[1]
DATA, DOCS = ROOT / "probe" / "data", ROOT / "docs"
GALLERY_FOLDER = DOCS / "gallery"
WRAPPING: Any = {"width": 120, "break_long_words": False, "break_on_hyphens": False}
SHORT_CHARS = 60_000  # of the text that the small models read
SETTING_UP = {
    "extract": "probe extract python_lstm.pt python.py.txt --sites hidden,cell --replace-unknown --lanes 1",
    "fit": "probe fit in_comment in_quotes position_in_line --sites 0/cell --save probes.npz",
}
RANK = "probe rank in_comment in_quotes position_in_line --sites 0/cell --top 1"  # for the numbers of the texts
HEAD = """\
# Gallery

All pictures and pages that the program makes: the question of each, the earlier work that drew an answer, with its
figure, and the command that draws ours. All but those of [several models](#several-models) are of the bundled model, an
LSTM of 2 × 256 units, which reads modules of Python's standard library that it was not trained on
([probe/data/README.md](../probe/data/README.md)). Numbers are held out, with 95 % intervals in brackets. `make gallery`
makes this page and its pictures anew. [viewing.md](viewing.md) and [plotting.md](plotting.md) say how to read them.

Files of the bundled model and text are in `probe/data`. The commands below follow these two:

    {setting_up}
"""
NOTEBOOK = """\
<!doctype html>
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<body style="font: 14px sans-serif; margin: 1rem">{shown}</body>
"""  # where a notebook shows a result
GROUPS = {
    "Texts": ("", TEXTS),
    "What the model knows": ("", KNOWLEDGE),
    "What the model uses": ("", CAUSES),
    "Several models": (
        "But for the gates, these are of small models, each trained for some seconds on the first 60,000 characters "
        "of the bundled text (`short.txt`), and measured on the others, in which `--replace-unknown-with` replaces "
        "what they have not met. They show what the pictures look like, not how good the cells are. These commands "
        "make them:",
        SEVERAL,
    ),
    "Pages": ("", PAGES),
}
ENTRIES = tuple(entry for _, entries in GROUPS.values() for entry in entries)


def main(folder: str = "") -> None:
    """Write the pictures and the page."""
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        make(Path(folder).resolve())
        return
    with tempfile.TemporaryDirectory() as temporary:
        make(Path(temporary))


def make(folder: Path) -> None:
    """Run all commands in a folder, and write the pictures and the page."""
    started = time.monotonic()
    for file in ("python_lstm.pt", "python.py.txt"):
        (folder / file).write_bytes((DATA / file).read_bytes())
    text = (folder / "python.py.txt").read_text(encoding="utf-8")
    (folder / "short.txt").write_text(text[:SHORT_CHARS], encoding="utf-8")
    rows: dict[str, list[Row]] = {}
    for name, command in (SETTING_UP | {"rank": RANK} | SMALL_MODELS).items():
        rows[name] = rows_of(name, f"{command} --json", folder)
    pictures: dict[str, Path] = {}
    for entry in ENTRIES:
        if entry.python:
            show(entry, folder)
        elif entry.is_table:
            rows_of(entry.name, f"{entry.command} --csv {entry.name}.csv", folder)
            rows[entry.name] = list(read_csv(folder / f"{entry.name}.csv"))
        else:
            rows[entry.name] = rows_of(entry.name, f"{entry.written_command} --json", folder)
        pictures |= pictures_of(entry, folder)
    keep(pictures, GALLERY_FOLDER)
    (DOCS / "gallery.md").write_text(page(rows, folder), encoding="utf-8")
    print(f"docs/gallery.md: {len(pictures)} pictures, {time.monotonic() - started:.0f} s")


def rows_of(name: str, command: str, folder: Path) -> list[Row]:
    """Run a command of ours in a folder, unless what it printed is there, and return its rows of JSON."""
    printed = folder / f"{name}.out"
    if not printed.exists():
        print(command, flush=True)
        started = time.monotonic()
        again = ["--overwrite"] if command.startswith("probe train") else []  # a training that was stopped here
        arguments = [sys.executable, "-m", *shlex.split(command), *again]
        done = subprocess.run(arguments, cwd=folder, check=True, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        printed.write_text(done.stdout, encoding="utf-8")
        print(f"  {time.monotonic() - started:.0f} s", flush=True)
    lines = printed.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def show(entry: Entry, folder: Path) -> None:
    """Run a program in a folder, and write what a notebook shows of its last line to a page."""
    *before, shown = entry.python.splitlines()
    program = "\n".join([*before, f"shown = {shown}", "from probe.notebooks import html_of", "print(html_of(shown))"])
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        check=True,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        env=environment,
    )
    (folder / entry.file).write_text(NOTEBOOK.format(shown=done.stdout), encoding="utf-8")


def read_csv(path: Path) -> Iterator[Row]:
    """Read rows of a table, with numbers as numbers, and None where there is nothing."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield {key: number(value) for key, value in row.items()}


def number(value: str) -> float | str | None:
    """Read a value of a table."""
    try:
        return float(value) if value else None
    except ValueError:
        return value


def pictures_of(entry: Entry, folder: Path) -> dict[str, Path]:
    """List the pictures of an entry, by their names in the gallery."""
    if entry.shots:
        return {path.name: path for path in photograph(folder / entry.file, entry.shots, folder)}
    if entry.is_table:
        return {name: folder / file for name, file, _ in entry.left}
    return {entry.file: folder / entry.file}


def keep(pictures: dict[str, Path], gallery: Path) -> None:
    """Make the folder of the gallery anew."""
    gallery.mkdir(exist_ok=True)
    for old in set(gallery.iterdir()) - {gallery / name for name in pictures}:
        old.unlink()
    for name, path in pictures.items():
        in_few_colours(path, gallery / name)


def in_few_colours(picture: Path, goal: Path) -> None:
    """Save a picture without transparency, of which it has none, in 256 colours."""
    with Image.open(picture) as image:
        few = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        few.save(goal, optimize=True)


def page(rows: Rows, folder: Path) -> str:
    """Write the page."""
    parts = [HEAD.format(setting_up=indented(SETTING_UP.values()))]
    for group, (introduction, entries) in GROUPS.items():
        parts.append(f"## {group}\n")
        if introduction:
            parts.append(fill(introduction, **WRAPPING) + f"\n\n    {indented(SMALL_MODELS.values())}\n")
        parts += [section(entry, entry.facts(rows), folder) for entry in entries]
    return "\n".join(parts)


def indented(commands: Iterable[str]) -> str:
    """Write commands below each other."""
    return "\n    ".join(commands)


def section(entry: Entry, facts: dict[str, str], folder: Path) -> str:
    """Write the part of the page about one picture."""
    lines = [f"### {entry.question}\n"]
    if entry.drawn_by:
        lines.append(fill(f"After {entry.drawn_by}.", **WRAPPING) + "\n")
    lines.append(f"```python\n{entry.python}\n```\n" if entry.python else f"    {entry.written_command}\n")
    if entry.is_table and not entry.left:
        printed = (folder / f"{entry.name}.out").read_text(encoding="utf-8")
        printed = printed.partition(f"\n{entry.name}.csv:")[0].rstrip()  # what --csv says, which the page does not have
        lines.append(f"```text\n{printed}\n```\n")
    lines += [f"![{told}](gallery/{name})\n" for name, told in entry.pictures.items()]
    lines.append(fill(entry.reading.format(**facts), **WRAPPING) + "\n")
    return "\n".join(lines)


if __name__ == "__main__":
    main(*sys.argv[1:])
