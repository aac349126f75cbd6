"""Make docs/gallery.md and its pictures anew, from the bundled model and text, by the commands that the page shows.

python benchmarks/gallery.py
"""

import json
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Any

from PIL import Image

ROOT = Path(__file__).parents[1]
DATA, DOCS = ROOT / "probe" / "data", ROOT / "docs"
WRAPPING: Any = {"width": 120, "break_long_words": False, "break_on_hyphens": False}
SETTING_UP = (
    "probe extract python_lstm.pt python.py.txt --sites hidden,cell --replace-unknown --lanes 1",
    "probe fit in_comment in_quotes position_in_line --sites 0/cell --save probes.npz",
)
HEAD = """\
# Gallery

One picture for each question that earlier work on character-level models drew, with the work and its figure, and the
command that draws ours. All are of the bundled model, an LSTM of 2 × 256 units, which reads modules of Python's
standard library that it was not trained on ([probe/data/README.md](../probe/data/README.md)). Numbers are held out.
`make gallery` makes this page and its pictures anew. [viewing.md](viewing.md) says how to read them.

Files of the bundled model and text are in `probe/data`. The commands below follow these two:

    {setting_up}
"""
KARPATHY = "[Karpathy, Johnson & Li 2015](https://arxiv.org/abs/1506.02078)"
UNDERSTANDING = "[Char-RNN-Understanding](https://github.com/tychovdo/Char-RNN-Understanding)"
EFFECTIVENESS = "[The Unreasonable Effectiveness of RNNs](https://karpathy.github.io/2015/05/21/rnn-effectiveness/)"
VISRNN = "[VisRNN_ICLR_2016_Text](https://github.com/hhuang-code/VisRNN_ICLR_2016_Text)"
LANGUAGE_MODEL = "[NeuralLanguageModel](https://github.com/BendeguzToth/NeuralLanguageModel)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A picture of the gallery.

    Attributes:
        name: Of its file.
        question: What it answers.
        drawn_by: The first work, and what it drew.
        command: The command that draws ours, without `-o`.
        reading: What is to be seen, with the numbers of the hypothesis in braces.
        hypothesis: Whose numbers these are.
        alternative: What a person who cannot see the picture is told.
    """

    name: str
    question: str
    drawn_by: str
    command: str
    reading: str
    alternative: str
    hypothesis: str = ""


PAGE = "probe view in_quotes --probe probes.npz --sites 0/cell --top 1 --guesses --range 118817:119350"
ENTRIES = (
    Entry(
        name="comments",
        question="Does it know that it is in a comment?",
        drawn_by=f"{UNDERSTANDING}, figures 2 and 7: a hypothesis, a diagnostic classifier, the most responsible unit",
        command="probe view in_comment --probe probes.npz --top 1 --sites 0/cell --range 42227:42680",
        reading="The probe of all 256 cells tells comments from code (AUC {probe}). The best single unit, `{unit}`, is "
        "low in comments (AUC {score}), and stays low over the indentation after them, where the comment may go on.",
        hypothesis="in_comment",
        alternative="Python source; the labels, the probe and the unit change where comments begin and end",
    ),
    Entry(
        name="quotes",
        question="Does it know that it is inside quotes?",
        drawn_by=f"{UNDERSTANDING}, figures 2 and 7; {KARPATHY}, figure 2, the cell that is active inside quotes",
        command="probe view in_quotes --probe probes.npz --top 1 --sites 0/cell --range 118817:119350",
        reading="The hypothesis is about double quotes. The probe knows it (AUC {probe}); the best unit, `{unit}`, "
        "knows it less well (AUC {score}): it is low in strings, and rises when they end.",
        hypothesis="in_quotes",
        alternative="Python source with strings; the labels, the probe and the unit change at the quotation marks",
    ),
    Entry(
        name="position_in_line",
        question="Does it know how far it is in the line?",
        drawn_by=f"{UNDERSTANDING}, figures 2 and 7; {KARPATHY}, figure 2, the cell sensitive to the position in line",
        command="probe view position_in_line --probe probes.npz --top 1 --sites 0/cell --range 12916:13541",
        reading="The probe follows the position (r {probe}), better than any single unit: that of the best, `{unit}`, "
        "is {score}.",
        hypothesis="position_in_line",
        alternative="Long lines of Python source, whose shade grows from the left to the right in all three rows",
    ),
    Entry(
        name="guesses",
        question="What does it expect next?",
        drawn_by=f"Karpathy 2015, {EFFECTIVENESS}: a unit's activations, five guesses of the next character",
        command="probe view --unit 0/cell/226 --guesses --range 119008:119230",
        reading="Below each character are the five most probable next ones, shaded by their probability, and "
        "underlined where right. The model is sure within names that it has just read, and unsure where words begin.",
        alternative="Five lines of Python source, with five rows of guessed characters below each of them",
    ),
    Entry(
        name="units",
        question="What does each unit do?",
        drawn_by=f"{VISRNN}, a reproduction of {KARPATHY} in PyTorch: a page that shows one unit of a layer at a time",
        command="probe view --unit 0/cell --top 6 --each --range 42297:42491",
        reading="The six cells of layer 0 that vary most here. `probe view --unit 0/cell --top 20 -o units.html` makes "
        "a page of twenty, to be explored with the pointer or the keyboard.",
        alternative="The same four lines six times, coloured by six units",
    ),
    Entry(
        name="one_unit",
        question="When is this unit active?",
        drawn_by=f"{LANGUAGE_MODEL}: text on the activations of one unit of the second layer, from white to red",
        command="probe view --unit 1/hidden/12 --range 118817:119350",
        reading="Blue is below zero and orange above it, which people who do not see red or green tell apart. The "
        "legend has the unit's own numbers, and newlines have a colour, too.",
        alternative="Python source, each character on the colour of one unit",
    ),
)


def main() -> None:
    """Write the pictures and the page."""
    (DOCS / "gallery").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file in ("python_lstm.pt", "python.py.txt"):
            (folder / file).write_bytes((DATA / file).read_bytes())
        extract, fit = SETTING_UP
        run(extract, folder)
        probes = [row for row in run(f"{fit} --json", folder) if row["control"] is None]
        units = run("probe rank in_comment in_quotes position_in_line --sites 0/cell --top 1 --json", folder)
        found = {probe["hypothesis"]: numbers(probe, unit) for probe, unit in zip(probes, units, strict=True)}
        for entry in ENTRIES:
            run(f"{entry.command} -o {entry.name}.png", folder)
            without_transparency(folder / f"{entry.name}.png", DOCS / "gallery" / f"{entry.name}.png")
        run(f"{PAGE} -o page.html", folder)
        photograph(folder / "page.html", DOCS / "gallery" / "page.png")
    head = HEAD.format(setting_up="\n    ".join(SETTING_UP))
    sections = [section(entry, found.get(entry.hypothesis, {})) for entry in ENTRIES]
    (DOCS / "gallery.md").write_text("\n".join([head, *sections]), encoding="utf-8")


def section(entry: Entry, found: dict[str, str]) -> str:
    """The part of the page about one picture."""
    return "\n".join(
        [
            f"## {entry.question}\n",
            fill(f"After {entry.drawn_by}.", **WRAPPING) + "\n",
            f"    {entry.command} -o {entry.name}.png\n",
            f"![{entry.alternative}](gallery/{entry.name}.png)\n",
            fill(entry.reading.format(**found), **WRAPPING) + "\n",
        ]
    )


def numbers(probe: dict[str, Any], unit: dict[str, Any]) -> dict[str, str]:
    """How well a probe, and the best unit, predict a hypothesis on held-out characters."""
    measure = "r" if "r" in probe else "auc"
    return {"probe": written(probe[measure]), "unit": unit["unit"], "score": written(unit[f"held_out_{measure}"])}


def written(score: float) -> str:
    """A score with three digits, which is not rounded to 1."""
    return "over 0.999" if score > 0.999 else f"{score:.3f}"


def run(command: str, folder: Path) -> list[dict[str, Any]]:
    """Run a command of ours in a folder, and return the rows that it prints as JSON, if it does."""
    arguments = [sys.executable, "-m", *shlex.split(command)]
    done = subprocess.run(arguments, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def photograph(page: Path, path: Path) -> None:
    """Draw what a browser shows of a page, with guesses, and the pointer at a character."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        window = browser.new_page(viewport={"width": 1280, "height": 640})
        window.goto(page.as_uri())
        window.locator(".scroller").focus()
        for key in ("ArrowDown", *["ArrowRight"] * 37):
            window.keyboard.press(key)
        window.wait_for_timeout(500)
        window.screenshot(path=path)
        browser.close()


def without_transparency(picture: Path, path: Path) -> None:
    """Write a picture without the channel of its transparency, of which it has none: it is smaller."""
    with Image.open(picture) as image:
        image.convert("RGB").save(path, optimize=True)


if __name__ == "__main__":
    main()
