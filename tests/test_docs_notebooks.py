"""The page on notebooks shows what its Python prints."""

from pathlib import Path

import pytest
from shown_programs import assert_programs_print_what_is_shown

import probe


@pytest.mark.slow  # the bundled model reads a part of the bundled text
def test_the_page_shows_what_its_python_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("xarray")
    monkeypatch.chdir(tmp_path)
    text = probe.Corpus.from_texts([probe.demo.bundled_text().text(0, 60_000)])
    live = probe.LiveActivations(probe.demo.bundled_model(), text, replace_unknown=True)
    probe.extract(live, "activations.h5", sites="1/cell")
    assert_programs_print_what_is_shown("notebooks.md")
