"""The page on units shows what its programs print."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

import probe

PAGE = (Path(__file__).parents[1] / "docs" / "units.md").read_text(encoding="utf-8")


@pytest.mark.slow  # the bundled model reads a part of the bundled text
def test_the_page_shows_what_its_python_prints() -> None:
    live = probe.LiveActivations(
        probe.demo.bundled_model(),
        probe.demo.bundled_text(),
        replace_unknown=True,
        selection=probe.texts.Selection(0, 60_000),
    )
    probe.extract(live, "activations.h5", sites="hidden,cell")
    names: dict[str, Any] = {}
    found = re.findall(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(found) == PAGE.count("```python")
    for python, shown in found:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(python, names)
        assert printed.getvalue() == shown
