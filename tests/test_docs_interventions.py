"""The page on interventions shows what its Python prints."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

PAGE = (Path(__file__).parents[1] / "docs" / "interventions.md").read_text(encoding="utf-8")


def test_the_page_shows_what_its_python_prints() -> None:
    names: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```(?:\n\n```text\n(.*?)^```)?", PAGE, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 4
    for python, shown in blocks:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(python, names)
        assert printed.getvalue() == shown
