"""Every column that a table of any command has is defined in the help text of that command."""

import re
import sys
from pathlib import Path

import pytest
from commands import NAMES, Command, parsers
from planting import random_model

from activations.models.checkpoints import save_model
from probe.cli.column_texts import COLUMN_TEXTS
from probe.cli.showing.layout import Column, lay_out

LIVE = ("--model", "model.pt", "--text", "corpus.txt")
TINY = ("--preset", "small", "--epochs", "1", "--lanes", "8", "--steps", "32")
CAUSE = ("in_quotes", *LIVE, "--chars", "1500")
TABLES: dict[str, list[tuple[str, ...]]] = {
    "demo": [],  # its table is tested beside the demonstration itself, which takes long
    "train": [("corpus.txt", *TINY, "--units", "4", "-o", "trained.pt")],
    "evaluate": [("model.pt", "corpus.txt")],
    "sweep": [("corpus.txt", "--cell", "lstm", "--layers", "1", "--hidden", "3", "--epochs", "1", "-o", "sweep")],
    "hypotheses": [(), ("corpus.txt", "--show", "char_class")],
    "rank": [
        ("in_quotes", "activations.h5", "--columns", "all"),
        ("position_in_line", "activations.h5"),
        ("char_class", "activations.h5"),
        ("in_quotes", "activations.h5", "--method", "f1"),
        ("in_quotes", "activations.h5", "--compare", "f1,auc"),
        ("in_quotes", "activations.h5", "other.h5"),
        ("in_quotes", *LIVE, "--method", "attribution"),
    ],
    "explain": [("1/cell/3", "activations.h5", "in_quotes", "position_in_line")],
    "units": [("in_quotes", *LIVE, "--sites", "hidden", "--untrained", "model.pt")],
    "similarity": [("activations.h5", "other.h5")],
    "fit": [("in_quotes", "position_in_line", "activations.h5", "other.h5", "--penalty", "100")],
    "curve": [
        ("in_quotes", "activations.h5", "--over", "chars", "--penalty", "100"),
        ("position_in_line", "activations.h5", "--over", "lag", "--penalty", "100"),
    ],
    "ablate": [(*CAUSE, "--matched", "2", "--top", "2")],
    "orders": [(*CAUSE, "--random", "5", "--sites", "0/cell", "--methods", "auc", "-o", "orders.png")],
    "impulse": [(*CAUSE, "--matched", "2", "--top", "2")],
    "patch": [(*CAUSE, "--pairs", "20", "--matched", "2")],
    "steer": [
        (
            "in_quotes",
            "--model",
            "model.pt",
            "--matched",
            "2",
            "--hold",
            "0/cell/1=0",
            "--samples",
            "10",
            "--length",
            "60",
        )
    ],
    "perturb": [("in_quotes", *LIVE, "--places", "30", "--after", "8", "--units", "0/hidden/1,0/hidden/4")],
    "plot ranking": [("in_quotes", "activations.h5", "--json")],
    "plot matrix": [("in_quotes", "activations.h5", "--penalty", "100")],
    "plot unit": [],
    "plot weights": [("in_quotes", "activations.h5", "--penalty", "100")],
    "plot curve": [("in_quotes", "activations.h5", "--over", "sites", "--penalty", "100")],
    "plot gates": [LIVE],
    "plot overlap": [(*LIVE, "--model", "model.pt")],
    "plot losses": [],  # prints numbers as JSON alone
    "plot sweep": [],
    "plot steps": [],  # the columns of `curve --over steps`
}
"""For each command that prints tables, command lines that together print all of them."""
WITHOUT_TABLES = {"sample", "import", "extract", "check", "view", "explore", "story", "report"}


@pytest.fixture
def headings(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The headings of the columns that are shown."""
    shown: set[str] = set()

    def noting(columns: list[Column], width: int, *, in_parts: bool = False) -> object:
        shown.update(column.heading for column in columns)
        return lay_out(columns, width, in_parts=in_parts)

    monkeypatch.setattr("probe.cli.showing.tables.lay_out", noting)
    return shown


@pytest.fixture
def files(code_text: str, planted: Path) -> None:
    """A text, an untrained model, and two recordings, in this folder."""
    Path("corpus.txt").write_text(code_text[:9000], encoding="utf-8")
    save_model(random_model(code_text), "model.pt")
    for name in ("activations.h5", "other.h5"):
        Path(name).symlink_to(planted)


def in_words(text: str) -> str:
    return " ".join(re.sub(r"[^\w−]", " ", text.replace("_", " ")).split())


def is_name(heading: str) -> bool:
    """Whether a heading is the name of a site or a unit, or of a way of ranking."""
    return "/" in heading or heading in ("", "f1", "auc")


def help_of(run: Command, command: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "1000")
    return f" {in_words(run(*command.split(), '--help')[1])} "


def test_every_command_is_here() -> None:
    with_json = {name for name in NAMES if any("--json" in option.opts for option in parsers()[name].params)}
    assert {*TABLES, *WITHOUT_TABLES} >= with_json
    assert set(TABLES).isdisjoint(WITHOUT_TABLES) and {*TABLES, *WITHOUT_TABLES} == set(NAMES)
    assert set(COLUMN_TEXTS) <= set(TABLES)


@pytest.mark.parametrize("command", [name for name, lines in TABLES.items() if lines])
def test_every_column_is_defined(
    run: Command, files: None, headings: set[str], command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for line in TABLES[command]:
        status, _, err = run(*command.split(), *line)
        assert status == 0, (line, err)
    assert headings or "--json" in str(TABLES[command])
    text = help_of(run, command, monkeypatch)
    undefined = {heading for heading in headings if not is_name(heading) and f" {in_words(heading)} " not in text}
    assert not undefined, sys.argv


@pytest.mark.parametrize("command", list(COLUMN_TEXTS))
def test_columns_stand_before_the_examples(run: Command, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = help_of(run, command, monkeypatch)
    assert not COLUMN_TEXTS[command] or text.index(" Columns ") < text.index(" Example ")
