"""The page on Python shows what its programs print."""

import re
from pathlib import Path
from types import ModuleType

import pytest
from shown_programs import assert_programs_print_what_is_shown

import probe

PAGE = (Path(__file__).parents[1] / "docs" / "python.md").read_text(encoding="utf-8")


@pytest.mark.slow  # the bundled model reads a part of the bundled text, and probes are fitted to it
def test_the_page_shows_what_its_python_prints() -> None:
    pytest.importorskip("pandas")
    assert_programs_print_what_is_shown("python.md")


def test_the_page_names_what_there_is() -> None:
    core = PAGE[PAGE.index("Most programs need") : PAGE.index("The rest is in groups")]
    modules = {name for name in probe.__all__ if isinstance(getattr(probe, name), ModuleType)}
    assert {name for name in modules if f"`probe.{name}`" in PAGE} == modules
    errors = {"ActivationError", "AnalysisError", "HypothesisError"}
    assert set(re.findall(r"`(\w+)`", core)) - {"probe"} == set(probe.__all__) - modules - errors
