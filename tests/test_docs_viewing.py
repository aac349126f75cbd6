"""The pages on viewing show what their programs print, and the gallery has its pictures."""

import contextlib
import io
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import parse

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from gallery import ENTRIES, SETTING_UP
from gallery_entries.several import SMALL_MODELS

ROOT = Path(__file__).parents[1]
VIEWING = (ROOT / "docs" / "viewing.md").read_text(encoding="utf-8")
GALLERY = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")


@pytest.mark.slow  # the bundled model reads the bundled text
def test_the_page_shows_what_its_python_prints() -> None:
    names: dict[str, Any] = {}
    found = re.findall(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", VIEWING, re.DOTALL | re.MULTILINE)
    assert len(found) == VIEWING.count("```python")
    for python, shown in found:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(python, names)
        assert printed.getvalue() == shown
    assert Path("quotes.html").stat().st_size > 10_000
    assert Path("unit.png").stat().st_size > 10_000


@pytest.mark.parametrize("page", [VIEWING, GALLERY], ids=["viewing", "gallery"])
def test_the_commands_of_the_pages_can_be_parsed(page: str) -> None:
    commands = re.findall(r"^    probe ([a-z]+)(.*?)(?:  +#.*)?$", page, re.MULTILINE)
    assert len(commands) > 5
    for name, arguments in commands:
        words = [word.strip("'") for word in arguments.replace(r"'def \w+'", "def").split()]
        parse([name, *words])


def test_every_picture_of_the_gallery_is_shown_and_small() -> None:
    pictures = set((ROOT / "docs" / "gallery").iterdir())
    shown = set(re.findall(r"\((gallery/[a-z_]+\.png)\)", VIEWING + GALLERY))
    assert shown == {path.relative_to(ROOT / "docs").as_posix() for path in pictures}
    assert {path.name for path in pictures if path.stat().st_size > 150_000} == set()
    assert sum(path.stat().st_size for path in pictures) < 4_000_000


def test_the_gallery_is_what_its_command_writes() -> None:
    headings = re.findall(r"^### (.*)$", GALLERY, re.MULTILINE)
    assert headings == [entry.question for entry in ENTRIES]
    for entry in ENTRIES:
        assert (entry.python or f"    {entry.written_command}\n") in GALLERY
    for command in (*SETTING_UP.values(), *SMALL_MODELS.values()):
        assert f"    {command}\n" in GALLERY
