"""The page on units shows what its programs print."""

import pytest
from shown_programs import assert_programs_print_what_is_shown

import probe


@pytest.mark.slow  # the bundled model reads a part of the bundled text
def test_the_page_shows_what_its_python_prints() -> None:
    live = probe.LiveActivations(
        probe.demo.bundled_model(),
        probe.demo.bundled_text(),
        replace_unknown=True,
        selection=probe.texts.Selection(0, 60_000),
    )
    probe.extract(live, "activations.h5", sites="hidden,cell")
    assert_programs_print_what_is_shown("units.md")
