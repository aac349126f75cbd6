"""Pages of documentation whose Python programs stand beside what they print."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any


def assert_programs_print_what_is_shown(name: str) -> None:
    """Run the programs of a page of docs/ one after another, and compare what each prints with what the page shows.

    Args:
        name: The page, such as `units.md`.
    """
    page = (Path(__file__).parents[1] / "docs" / name).read_text(encoding="utf-8")
    found = re.findall(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert len(found) == page.count("```python")
    names: dict[str, Any] = {}
    for python, shown in found:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(python, names)
        assert printed.getvalue() == shown
