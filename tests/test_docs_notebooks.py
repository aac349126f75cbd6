"""The page on notebooks shows what its Python prints."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

import probe

PAGE = (Path(__file__).parents[1] / "docs" / "notebooks.md").read_text(encoding="utf-8")


@pytest.mark.slow  # the bundled model reads a part of the bundled text
def test_the_page_shows_what_its_python_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xarray")
    monkeypatch.chdir(tmp_path)
    text = probe.Corpus.from_texts([probe.demo.bundled_text().text(0, 60_000)])
    live = probe.LiveActivations(probe.demo.bundled_model(), text, replace_unknown=True)
    probe.extract(live, "activations.h5", sites="1/cell")
    names: dict[str, Any] = {}
    found = re.findall(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(found) == PAGE.count("```python")
    for python, shown in found:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(python, names)
        assert printed.getvalue() == shown
