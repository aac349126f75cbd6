"""The page on statistics shows what its Python prints."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "collecting.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"(?<![\w/])-?\d+(?:\.\d+)?")


@pytest.mark.slow  # the bundled model reads the whole bundled text
def test_the_page_shows_what_its_python_prints() -> None:
    names: dict[str, Any] = {}
    for python, shown in re.findall(
        r"^```python\n(.*?)^```(?:\n\n```text\n(.*?)^```)?", PAGE, re.DOTALL | re.MULTILINE
    ):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(python, names)
        assert words(printed.getvalue()) == words(shown)
        np.testing.assert_allclose(numbers(printed.getvalue()), numbers(shown), rtol=0.01, atol=0.02)


def words(text: str) -> list[str]:
    return NUMBER.sub("0", text).split()


def numbers(text: str) -> list[float]:
    return [float(each) for each in NUMBER.findall(text)]
